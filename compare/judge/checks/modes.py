"""Training and evaluation mode: both reach every module, evaluation gives the same, and nothing is carried over."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.checks.contract import same
from twofold.compare.judge.checks.dropout import drawn
from twofold.compare.judge.checks.instances import apart
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.judge.evidence.reading import Measured, Reading, identical
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, bit_for_bit, exactly
from twofold.compare.sides import Scratch, Side
from twofold.scratch.module import Array


def modes(trial: Trial) -> Iterator[Quantity]:
    """Both modes reach every module; evaluation gives the same outputs and leaves the buffers alone."""
    scratch, reference = trial.scratch(), trial.reference()
    for mode in (False, True):
        for side in (scratch, reference):
            side.train(mode)
        flags, expected = scratch.modes(), reference.modes()
        for path in (path for path in flags if path in expected) if trial.shows_modules else ("",):
            told = flags.get(path), expected.get(path)
            name = f"{path or 'model'} told to {'train' if mode else 'evaluate'}"
            deaf = "reference" if told[0] == mode else "scratch"
            yield exactly(name, told[0] == told[1] == mode, f"scratch says {told[0]}, reference {told[1]}", deaf)
    yield from drawn(trial)
    yield from apart(trial)
    actual = trial.observe(scratch, training=False)
    states = list(scratch.state().values()), list(trial.state.values())
    yield bit_for_bit("state after evaluation", *states, "a pass in eval mode changes it", "scratch")
    again = trial.observe(scratch, training=False)
    carried = "something is carried over from one call to the next"
    outputs = list(actual["forward"].values()), list(again["forward"].values())
    yield bit_for_bit("a second evaluation", *outputs, carried, "scratch")
    for mode in (True, False):
        name = f"another batch in {'training' if mode else 'evaluation'}"
        yield bit_for_bit(name, *used_and_fresh(trial, mode), carried, "scratch")
    if trial.target is not None and len(trial.inputs) == 1:
        differs = "loss or output are not those of forward and loss"
        for side in (trial.scratch(), trial.reference("float64")):
            name = "evaluate" if side.name == "scratch" else "evaluate of the reference"
            yield exactly(name, evaluates(trial, side), differs, side.name)
    for stage in ("forward", "gradient"):
        yield from (
            replace(quantity, name=f"{quantity.name} evaluating") for quantity in evaluated(trial).judged[stage]
        )


def used_and_fresh(trial: Trial, training: bool) -> tuple[list[Array], list[Array]]:
    """What a side gives that saw other weights and a larger batch, and what one made afresh gives."""
    used, fresh = trial.scratch(), trial.scratch()
    for mode in (True, False):
        trial.observe(used, training=mode)
    state = redrawn(trial.state, trial.rng("another state"))
    inputs, target = shorter(trial)
    cotangents = None if target is not None else trial.draw_cotangents(used.forward(inputs), trial.rng("cotangents"))

    def run(side: Scratch) -> list[Array]:
        side.load(state)
        side.reseed(trial.seed)
        side.zero_grad()
        side.train(training)
        out = nest.numbered("<output>", side.forward(inputs))
        if target is not None:
            out["loss"] = side.loss(target)
        dinputs = nest.numbered("<input>", side.backward(cotangents))
        dinputs = {name: dinput for name, dinput in dinputs.items() if dinput is not None}
        return [*out.values(), *side.gradients().values(), *dinputs.values()]

    return run(used), run(fresh)


def shorter(trial: Trial) -> tuple[Any, Array | None]:
    """Inputs and target without the last record, where all arrays lie records first and have more than three."""
    target = trial.target
    if not trial.case.batched:
        return trial.inputs, target
    arrays = [*nest.flatten(trial.inputs), *([] if target is None else [target])]
    records = {len(array) for array in arrays}
    if trial.case.time_axis == 0 or len(records) > 1 or max(records) < 4:  # of fewer a norm has no variance
        return trial.inputs, target
    return nest.apply(lambda array: array[:-1], trial.inputs), None if target is None else target[:-1]


def evaluates(trial: Trial, side: Side) -> bool:
    """Whether `evaluate`, which training measures by, gives what forward and loss, penalty included, give."""
    (x,), target = trial.inputs, trial.target
    assert target is not None
    side.load(trial.state)
    side.train(False)
    if isinstance(side, Scratch):
        side.reseed(trial.seed)
    loss, out = side.evaluate(np.array(x), np.array(target))
    if isinstance(side, Scratch):
        side.reseed(trial.seed)
    expected = nest.numbered("<output>", side.forward(trial.inputs))
    return loss == float(side.loss(target)) and same(nest.numbered("<output>", out), expected)


@dataclass(frozen=True)
class Evaluated:
    """One pass in evaluation mode: scratch's run, the reference's, and what is judged of them, by stage."""

    actual: Reading
    measured: Measured
    judged: dict[str, list[Quantity]]


@lru_cache(maxsize=1)
def evaluated(trial: Trial) -> Evaluated:
    actual = trial.observe(trial.scratch(), training=False)
    with pinned((side := trial.reference("float64")), actual["input"], actual["masks"]):
        golden = trial.observe(side, training=False)
    # a reference that does in both modes the same has the same floors too
    measured = trial.measured if identical(golden, trial.golden) else trial.measure(actual, training=False)
    judged = {stage: trial.judged_by(measured, stage, actual) for stage in ("forward", "backward", "gradient")}
    return Evaluated(actual, measured, judged)
