"""Optimizers judged apart from gradients: both sides get the same gradients, state and step count."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.random import Generator

from twofold.compare.judge.checks.contract import same
from twofold.compare.judge.checks.variants import Holding
from twofold.compare.judge.evidence.floor import sure
from twofold.compare.judge.evidence.reading import Unrepeatable
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.training import clip_of, counted, named_states
from twofold.compare.judge.evidence.trial import RERUNS, Trial
from twofold.compare.judge.finding import Quantity, exactly, worst_by_name
from twofold.compare.layers import OPTIMIZERS
from twofold.compare.pair import Twin
from twofold.compare.sides import Reference, Scratch, Side, States
from twofold.scratch.module import Array

STEPS = 3
SQUARES = ("exp_avg_sq", "square_avg", "sum")  # states that hold squares of gradients


def equal_gradients(trial: Trial) -> list[Quantity]:
    """The pair's own optimizer and those of the same class with every argument away from its default.

    Each starts once afresh and once in the middle of a training. Of every tensor the worst of all rounds is given.
    """
    first = [quantity for twin in twins_of(trial) for quantity in first_states(trial, twin)]
    return first + worst_by_name(round for twin in twins_of(trial) for round in rounds(trial, twin))


def first_states(trial: Trial, twin: Twin) -> Iterator[Quantity]:
    """What torch keeps before the first step, such as Adagrad's initial sum."""
    actual = Scratch(trial.case.model, None, twin, trial.dtype).optimizer_state()
    for name, entries in reference(trial, twin).optimizer_state().items():
        for key, value in entries.items():
            equal = key in actual.get(name, {}) and np.array_equal(actual[name][key], value)
            yield exactly(f"{name} {key} at first", equal, f"{twin.scratch} begins with another", "scratch")


def twins_of(trial: Trial) -> tuple[Twin, ...]:
    own = trial.case.optimizer
    assert own is not None
    return (own, *(twin for twin in OPTIMIZERS if twin.scratch == own.scratch))


# What an optimizer is given: parameters and buffers, its own state, and the gradients of each step.
Given = tuple[dict[str, Array], States, list[dict[str, Array]]]


def given_to(trial: Trial, twin: Twin) -> Iterator[tuple[str, Given]]:
    """What both sides' optimizers are given, once afresh and once in the middle of a training."""
    rng = trial.rng(f"optimizer {sorted(twin.arguments.items())}")
    # Weights of the size of one update: larger ones would hide it under their own rounding.
    size = twin.arguments["lr"]
    weights = trial.scratch().gradients()
    drawn = {name: (size * rng.standard_normal(a.shape)).astype(a.dtype) for name, a in weights.items()}
    gradients = [{name: graded(a, rng) for name, a in weights.items()} for _ in range(STEPS)]
    start = {**trial.state, **drawn}
    states: dict[str, States] = {"from the start": Scratch(trial.case.model, None, twin, trial.dtype).optimizer_state()}
    if running := midway(trial, twin, start, gradients[0], rng):
        states["midway"] = running
    for label, state in states.items():
        yield label, (start, state, gradients)


def scratch(trial: Trial, twin: Twin) -> Scratch:
    return Scratch(trial.case.model, None, twin, trial.dtype, clip=clip_of(trial))


Made = Callable[[Trial, Twin], Side]


def rounds(trial: Trial, twin: Twin, made: Made = scratch) -> Iterator[tuple[str, list[Quantity]]]:
    """Each step of the side that is `made`, beside the reference's."""
    for label, given in given_to(trial, twin):
        with patch("twofold.scratch.optim.BLOCK_BYTES", Holding(3)) if label == "midway" else nullcontext():
            side = made(trial, twin)
            actual = steps(side, *given)
        if isinstance(side, Reference):
            actual = [counted(after) for after in actual]
        golden = steps(reference(trial, twin, "float64"), *given)
        judged = [trial.judge(ours, theirs, []) for ours, theirs in zip(actual, golden, strict=True)]
        if not all(map(sure, judged)):
            if not all(map(same, golden, steps(reference(trial, twin, "float64"), *given))):
                raise Unrepeatable("the reference's optimizer does not repeat itself on equal gradients")
            plain = reference(trial, twin)
            reruns = [steps(plain, *perturbed(given, seed)) for seed in range(RERUNS)]
            if trial.dtype != "float64":
                reruns.append(steps(plain, *given))
            judged = [
                trial.judge(ours, theirs, runs) for ours, theirs, *runs in zip(actual, golden, *reruns, strict=True)
            ]
        arguments = ", ".join(f"{key}={value}" for key, value in twin.arguments.items())
        for step, quantities in enumerate(judged, 1):
            yield f"{twin.scratch.rpartition(':')[2]}({arguments}), step {step} {label}", quantities


def reference(trial: Trial, twin: Twin, dtype: str | None = None, device: str = "cpu") -> Reference:
    given = trial.case.model, None, twin, dtype or trial.dtype, device
    return Reference(*given, clip=clip_of(trial), known=trial.state)


def graded(array: Array, rng: Generator) -> Array:
    """Gradients of either sign and every magnitude from 1e-9 to 1."""
    return (rng.choice((-1.0, 1.0), array.shape) * 10 ** rng.uniform(-9, 0, array.shape)).astype(array.dtype)


def midway(trial: Trial, twin: Twin, start: dict[str, Array], gradients: dict[str, Array], rng: Generator) -> States:
    """A state as of step 5, of whatever entries torch keeps for this optimizer; empty if it keeps none."""
    side = reference(trial, twin)
    side.load(start)
    side.set_gradients(gradients)
    side.step()

    def draw(key: str, array: Array) -> Array:
        if key == "step":
            return np.array(5)
        magnitudes = graded(array, rng)
        return np.square(magnitudes) if key in SQUARES else magnitudes

    state = {
        name: {key: draw(key, array).astype(np.int64 if key == "step" else trial.dtype) for key, array in entry.items()}
        for name, entry in side.optimizer_state().items()
    }
    return state if any(state.values()) else {}


def steps(side: Side, start: dict[str, Array], state: States, gradients: Any) -> list[dict[str, Array]]:
    """Parameters and optimizer state after each step."""
    if isinstance(side, Reference):
        side.renew_optimizer()  # what one keeps beside its state must not reach the next run
    side.load(start)
    side.load_optimizer_state(state)
    after = []
    for gradient in gradients:
        side.set_gradients(gradient)
        if isinstance(side, Reference):  # torch's foreach forms write to the gradients, and no user minds
            side.clip_gradients()
            left = side.gradients()
            side.optimizer.step()
        else:
            side.step()
            left = side.gradients()
        kept = {f"{name} gradient": array for name, array in left.items()}  # no step may write to it
        parameters = {name: value for name, value in side.state().items() if name in gradient}
        after.append({**parameters, **named_states(side), **kept})
    return after
