"""What two modules that are each right, and differ, were told: constructor arguments, the class, the order of gates."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.diagnosis.recurrence import of_trial
from twofold.compare.judge.evidence.settings import settings
from twofold.compare.judge.evidence.trial import Trial
from twofold.scratch.module import Array, Module


def differences(trial: Trial, path: str) -> str:
    """What differs in the module at `path`: arguments, the order of gates, the class; "" where nothing does."""
    ours, theirs = (dict(side.model.named_modules()) for side in (trial.scratch(), trial.reference()))
    inside = path if path in ours else ""
    if inside not in theirs:
        return ""
    layer, other = ours[inside], theirs[inside]
    if told := settings(layer, vars(other)):
        return f"{path}.{told}"
    if gates := of_trial(trial, path):
        if told := exchanged_gates(trial, path, inside, gates.gates):
            return told
        return f"{path}: " + "; ".join(part for part in (named(layer, other), gates.line()) if part)
    return f"{path}: {told}" if (told := named(layer, other)) else ""


def first_settings(trial: Trial) -> str:
    """The arguments that differ in the first module in which any do."""
    theirs = dict(trial.reference().model.named_modules())
    for path, module in trial.scratch().model.named_modules():
        if path in theirs and (told := settings(module, vars(theirs[path]))):
            return f"{path or trial.case.name}.{told}"
    return ""


def named(layer: Module, other: Any) -> str:
    """The classes, where their names differ."""
    ours, theirs = type(layer).__name__, type(other).__name__
    return "" if ours == theirs else f"{ours} against {theirs}"


def of_optimizers(ours: Any, theirs: Any, arguments: Mapping[str, Any]) -> str:
    """Arguments that differ, also those that only torch has or that hold for a group of parameters; else the class."""
    import torch

    if told := settings(ours, theirs.defaults):
        return told
    name = type(ours).__name__
    plain = getattr(torch.optim, name, None)
    if plain is None:
        return ""
    usual = plain([torch.zeros(1)], **arguments).defaults
    own = {
        key: group[key] for group in theirs.param_groups for key in group if group[key] != usual.get(key, group[key])
    }
    told = "; ".join(f"{key}: {usual[key]} against {value}" for key, value in own.items())
    foreign = type(theirs).__module__.startswith("torch.") and type(theirs) is not plain
    return told or (f"{name} against {type(theirs).__name__}" if foreign else "")


def exchanged_gates(trial: Trial, path: str, inside: str, gates: Sequence[str]) -> str:
    """The two gates whose exchange makes the sides agree."""
    prefix = f"{inside}." if inside else ""
    weights = [name for name in trial.state if name.startswith(prefix) and name.endswith("_l0")]
    for first, second in combinations(range(len(gates)), 2):
        order = list(range(len(gates)))
        order[first], order[second] = second, first
        side = trial.reference("float64")
        side.load(trial.state | {name: reordered(trial.state[name], order) for name in weights})
        golden = nest.numbered("<output>", side.forward(trial.inputs))
        if all(np.allclose(trial.actual["forward"][name], out, rtol=1e-4, atol=1e-6) for name, out in golden.items()):
            return f"{path}: equal after exchanging gates {gates[first]} and {gates[second]}"
    return ""


def reordered(stacked: Array, order: list[int]) -> Array:
    """The stacked matrices or biases of the gates in another order."""
    return np.concatenate([np.split(stacked, len(order))[n] for n in order])
