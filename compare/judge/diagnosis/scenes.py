"""Which tensors show how a difference arises: those of the module where it begins, with all that may explain them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.checks import sizes
from twofold.compare.judge.diagnosis.derivatives import slopes
from twofold.compare.judge.diagnosis.recurrence import GATES, HIDDEN
from twofold.compare.judge.diagnosis.relations import Scene, proportion, relation
from twofold.compare.judge.diagnosis.updates import variations
from twofold.compare.judge.evidence.floor import floors, largest
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Verdict, failures
from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array


@lru_cache(maxsize=4)
def relations(trial: Trial, where: Divergence) -> tuple[str, ...]:
    """Of the tensors that differ in the module where a trial's difference begins: "fc1.weight: equal after ..."."""
    if where.stage in ("optimizer", "update"):
        moved = str(where.tensor).partition(" ")[0] in trial.scratch().gradients()  # no running statistic
        return variations(trial) if moved else ()
    if where.step or where.evaluating:
        return ()
    return tuple(f"{name}: {told}" for name, scene in scenes(trial, where) if (told := relation(scene)))


def scenes(trial: Trial, where: Divergence) -> Iterator[tuple[str, Scene]]:
    if where.module == "loss":
        for quantity in trial.judged("loss"):
            if quantity.verdict is Verdict.FAIL:
                yield from scene(trial, "loss", quantity.name)
    elif where.stage == "forward":
        failed = failures(trial.judged("forward"))
        for name in trial.actual["forward"]:
            if name in failed and trial.module_of(name) == where.module:
                taken = trial.golden["input"].get(name)
                others = {} if taken is None else {"what it takes": taken}
                yield from scene(trial, "forward", name, others, of_outputs(trial, where.module, name))
    elif where.stage == "backward":
        failed = failures(trial.judged("gradient"))
        names = [name for name in trial.actual["gradient"] if name in failed and trial.owner(name) == where.module]
        for name in names:
            terms = {"the parameter itself: a decay or penalty": trial.state[name]} if name in trial.state else {}
            others = {f"the reference's gradient of {n}": a for n, a in trial.golden["gradient"].items() if n != name}
            yield from scene(trial, "gradient", name, others, terms)
        yield from sent_back(trial, where.module)


def sent_back(trial: Trial, path: str) -> Iterator[tuple[str, Scene]]:
    """What the module sends back, where that differs; of an activation another slope may be what explains it."""
    if path == trial.case.name and "<input>" in failures(trial.judged("gradient")):
        yield from scene(trial, "gradient", "<input>", slopes(trial, path, "<output>"))
    for call in [key for key in trial.actual["grad_input"] if trial.module_of(key) == path]:
        for _, found in scene(trial, "grad_input", call):
            if found.actual.shape == found.golden.shape and (np.abs(found.residual) > LIMIT * found.floor).any():
                others = slopes(trial, path, call)
                yield f"what {call} sends back", replace(found, others=others)


def scene(
    trial: Trial,
    stage: str,
    name: str,
    others: Mapping[str, Array] | None = None,
    terms: Mapping[str, Array] | None = None,
) -> Iterator[tuple[str, Scene]]:
    actual, golden = trial.actual[stage].get(name), trial.golden[stage].get(name)
    if actual is not None and golden is not None:
        floor = floor_of(trial, stage, name)
        at_work = sizes_at_work(trial, stage, name)
        yield name, Scene(actual, golden, floor, at_work, others or {}, terms or {}, gates_of(trial, name))


def floor_of(trial: Trial, stage: str, name: str) -> Array:
    """The floor of every entry, which is that of its row."""
    golden = trial.golden[stage][name]
    axis = trial.axis_of(name, golden)
    by_row = floors(largest(golden, axis), trial.measured.strayed.get(stage, {}).get(name), trial.dtype)
    shape = [len(by_row) if n == axis and golden.ndim > 1 else 1 for n in range(golden.ndim)]
    return np.broadcast_to(by_row.reshape(shape), golden.shape)


def of_outputs(trial: Trial, path: str, name: str) -> dict[str, Array]:
    """What a module may add to its output once too often, or forget: its bias, and what it takes."""
    golden, terms = trial.golden["forward"][name], {}
    for tensor, array in trial.state.items():
        if array.ndim == 1 and trial.owner(tensor) == path and np.issubdtype(array.dtype, np.floating):
            for axis in (axis for axis in range(1, golden.ndim) if golden.shape[axis] == len(array)):
                terms[tensor] = array.reshape([-1 if n == axis else 1 for n in range(golden.ndim)])
    taken = trial.golden["input"].get(name)
    return terms | ({"what it takes": taken} if taken is not None and taken.shape == golden.shape else {})


def gates_of(trial: Trial, name: str) -> tuple[str, ...]:
    """The gates stacked in a recurrent layer's weight or bias."""
    hidden = trial.state.get(f"{name.rpartition('.')[0]}.{HIDDEN}".removeprefix("."))
    if hidden is None or not name.endswith("_l0"):
        return ()
    return GATES.get(len(hidden) // hidden.shape[1], ())


def sizes_at_work(trial: Trial, stage: str, name: str) -> dict[str, int]:
    """Of what a mean is taken over that by which the tensor is too large or small at every size that a case has.

    By one size alone a 6 may be any constant: then none is told.
    """
    factors = [(factor_of(one, stage, name), sizes_of(one)) for one in (trial, *sizes.others(trial))]
    return {
        key: size
        for key, size in sizes_of(trial).items()
        if len({found.get(key) for _, found in factors}) > 1
        and all(key in found and np.isclose(max(f, 1 / f), found[key], rtol=1e-4) for f, found in factors if f > 0)
        and all(f > 0 for f, _ in factors)
    }


def factor_of(trial: Trial, stage: str, name: str) -> float:
    """By how much scratch's tensor is the reference's; 0 where it is not to be had, or raises at that size."""
    with suppress(Exception):
        actual, golden = trial.actual[stage][name], trial.golden[stage][name]
        if actual.shape == golden.shape and golden.any() and np.isfinite(actual).all() and np.isfinite(golden).all():
            return proportion(actual, golden)
    return 0.0


def sizes_of(trial: Trial) -> dict[str, int]:
    """What a mean is taken over, by name."""
    x, out = nest.flatten(trial.inputs)[0], nest.flatten(trial.cotangents)[0]
    batch = 1 if x.ndim == 3 and trial.case.time_axis == 0 else 0
    found = {"batch size": x.shape[batch] if x.ndim > batch else 1}
    if x.ndim == 3:
        found["time steps"] = x.shape[trial.case.time_axis]
    if out.ndim > 1:
        found["outputs"] = out.shape[-1]
        found["outputs of the batch"] = out.size
    return found
