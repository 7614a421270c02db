"""Training re-synchronised: before each step the reference gets scratch's state, and one step's error is judged."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from unittest.mock import patch

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.floor import sure
from twofold.compare.judge.evidence.reading import Measured, Reading, Unrepeatable, identical
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.training import FREE_STEPS, batches, clip_of, named_states, training_step
from twofold.compare.judge.evidence.trial import MORE_RERUNS, MOST_WAIVED, Trial
from twofold.compare.judge.finding import Quantity, failures
from twofold.compare.pair import Twin
from twofold.compare.sides import Reference, Scratch, States
from twofold.compare.sides.trace import Keep
from twofold.compare.training.train import begin_stage
from twofold.scratch.module import Array

RESYNC_STEPS, RESYNC_RERUNS = 20, 2
# Of the steps by train_step, which has a short batch and which begins a second stage.
TRAINED_STEPS, SHORT_STEP, STAGE_STEP = 5, 3, 5
# What decides, and what shows in which module a step that fails goes wrong.
DECISIVE = ("loss", "gradient", "update")
STAGES = ("forward", "backward", *DECISIVE)


@contextmanager
def few_steps() -> Iterator[None]:
    """While it lasts three steps are re-synchronised: what a planted fault needs to show."""
    with patch(f"{__name__}.RESYNC_STEPS", 3):
        yield


Judged = dict[str, list[Quantity]]  # by stage


@dataclass(frozen=True)
class Start:
    """What a training step begins from."""

    state: dict[str, Array]
    optimizer_state: States
    inputs: Any
    target: Array


@dataclass(frozen=True)
class Step:
    """One training step, numbered from 1, and what is judged of it, by stage."""

    number: int
    start: Start
    judged: Judged  # of the first that fails all stages, of others what decides


@lru_cache(maxsize=1)
def resynchronised_steps(trial: Trial) -> tuple[Step, ...]:
    """Before each step the reference gets scratch's weights, buffers and optimizer state: one step is judged.

    Raises Unrepeatable.
    """
    return tuple(synchronised(trial, 1, RESYNC_STEPS))


@lru_cache(maxsize=1)
def late_failure(trial: Trial) -> Step | None:
    """The first step that fails after those, as long as a training runs free. Raises Unrepeatable."""
    later = synchronised(trial, RESYNC_STEPS + 1, FREE_STEPS)
    return next((step for step in later if fails(trial, step.judged)), None)


def step_numbered(trial: Trial, number: int) -> Step:
    """One of the steps that were judged."""
    judged = [*resynchronised_steps(trial), late_failure(trial) if number > RESYNC_STEPS else None]
    return next(step for step in judged if step and step.number == number)


def synchronised(trial: Trial, first: int, last: int) -> Iterator[Step]:
    """The steps from `first` to `last`; those before are scratch's alone."""
    scratch, judges = trial.scratch(), (trial.reference("float64"), trial.reference())
    scratch.load(trial.state)
    failed = False
    for number, (inputs, target) in enumerate(batches(trial, last), 1):
        before = Start(scratch.state(), scratch.optimizer_state(), inputs, target)
        actual = training_step(trial, scratch, inputs, target)
        if number < first:
            continue
        if number == first:
            repeats(trial, before, actual, judges[0])
        judged = judged_step(trial, actual, before, *judges)
        if not failed and fails(trial, judged):
            remembers(trial, number, judged, actual, before)
            judged, failed = judged_step(trial, actual, before, *judges, watched=True), True
        yield Step(number, before, judged)


def repeats(trial: Trial, start: Start, actual: Reading, side: Reference) -> None:
    """Raises Unrepeatable where the reference takes one step from one state in two ways."""
    if not identical(*(one_step_from(trial, start, actual, side) for _ in range(2))):
        raise Unrepeatable("the reference takes another step when it begins from the same state again")


def remembers(trial: Trial, number: int, judged: Judged, actual: Reading, start: Start) -> None:
    """Raises Unrepeatable where scratch's step agrees with a reference made afresh: the other goes by more."""
    if any(quantity.side for quantities in judged.values() for quantity in quantities):
        return  # a NaN convicts by itself
    if not fails(trial, judged_step(trial, actual, start, trial.reference("float64"), trial.reference())):
        raise Unrepeatable(f"step {number}: the reference carries more than its state from step to step")


def fails(trial: Trial, judged: Judged) -> bool:
    return any(failures(quantities) for quantities in unwaived(trial, judged).values())


def unwaived(trial: Trial, judged: Judged) -> Judged:
    bounds = {"update": math.inf}
    return {stage: trial.unwaived(quantities, bounds.get(stage, MOST_WAIVED)) for stage, quantities in judged.items()}


def judged_step(
    trial: Trial,
    actual: Reading,
    before: Start,
    exact: Reference,
    side: Reference,
    watched: bool = False,
    stages: Sequence[str] = DECISIVE,
) -> Judged:
    """Scratch's step from `before`, by stage: what decides, or watched all."""
    again = partial(one_step_from, trial, before, actual, watched=watched)

    def judged(measured: Measured) -> Judged:
        return {stage: trial.judged_by(measured, stage, actual) for stage in (STAGES if watched else stages)}

    measured = Measured(trial.in_range(again(exact)))
    least = judged(measured)
    if all(sure(quantities) for quantities in least.values()):
        return least

    def reruns(seeds: Iterable[int | None]) -> Iterator[Reading]:
        return (again(side, seed, keep=trial.strays_from(measured.golden)) for seed in seeds)

    plain = [None] if trial.dtype != "float64" else []
    measured = measured.beside(*reruns([*range(RESYNC_RERUNS), *plain]))
    first = judged(measured)
    if not any(trial.doubtful(quantities) for quantities in first.values()):
        return first
    return judged(measured.beside(*reruns(range(RESYNC_RERUNS, RESYNC_RERUNS + MORE_RERUNS))))


def carries_on(trial: Trial, step: Step) -> bool:
    """A scratch side made afresh agrees in this step: the one that ran on has more than its state to go by."""
    start = step.start
    actual = training_step(trial, afresh(trial, start), start.inputs, start.target)
    judged = judged_step(trial, actual, start, trial.reference("float64"), trial.reference())
    return not fails(trial, judged)


def afresh(trial: Trial, start: Start) -> Scratch:
    """A new scratch side that knows what a step begins from, and nothing else."""
    side = trial.scratch()
    resume(trial, side, start)
    return side


def resume(trial: Trial, side: Scratch, start: Start) -> None:
    """Sets a side to where a step begins; gradients stay what they were."""
    side.load(start.state)
    side.load_optimizer_state(start.optimizer_state)
    side.reseed(trial.seed)


def one_step_from(
    trial: Trial,
    start: Start,
    actual: Reading,
    side: Reference,
    seed: int | None = None,
    watched: bool = False,
    keep: Keep | None = None,
) -> Reading:
    """The reference's step, pinned to what scratch took; with a seed all is moved by one ulp."""
    given = start.state, start.optimizer_state, start.inputs
    state, optimizer_state, inputs = perturbed(given, seed)
    side.load(state)
    side.load_optimizer_state(optimizer_state)
    with pinned(side, actual["input"], actual["masks"], counting=False):
        return training_step(trial, side, inputs, start.target, seed, watched, keep)


@lru_cache(maxsize=1)
def trained_steps(trial: Trial) -> tuple[Step, ...]:
    """Five steps as training takes them: no gradient of the input, in chunks where the pair has them.

    The third is an epoch's last, with a short batch, and the fifth the first of a second stage, with a new optimizer.
    Clipped gradients are cut at a bound that they pass. Empty where a step failed already, and for a model of
    several inputs, which `train_step` does not take.
    """
    if len(trial.case.inputs) != 1 or any(fails(trial, step.judged) for step in resynchronised_steps(trial)):
        return ()
    side, plain, exact, reference = trial.scratch(), trial.scratch(), trial.reference("float64"), trial.reference()
    sides = (side, plain, exact, reference)
    for one in sides:
        one.clip = clip_of(trial)
    side.load(trial.state)
    side.train()
    rounds = []
    for number, ((x,), target) in enumerate(batches(trial, TRAINED_STEPS), 1):
        if number == SHORT_STEP:
            x, target = x[: shorter(len(x))], target[: shorter(len(x))]
        if number == STAGE_STEP:
            for one in sides:
                begin_stage(one, stage_of(trial))
        # a new optimizer begins as torch's does, whatever scratch's may have kept
        begins = (reference if number == STAGE_STEP else side).optimizer_state()
        start = Start(side.state(), begins, (x,), target)
        resume(trial, plain, start)
        actual = training_step(trial, plain, start.inputs, start.target)
        side.reseed(trial.seed)
        loss, out = side.train_step(np.array(x), np.array(target))
        actual |= {"loss": {"loss": np.array(loss, side.dtype)}, "forward": nest.numbered("<output>", np.array(out))}
        actual |= {"update": named_states(side) | side.state()}
        if side.clip is None:
            actual |= {"gradient": side.gradients()}
        judged = judged_step(trial, actual, start, exact, reference, stages=("forward", *DECISIVE))
        rounds.append(Step(number, start, judged))
    return tuple(rounds)


def shorter(records: int) -> int:
    """Of an epoch's last batch: two at the least, which a norm over the batch needs."""
    return max(min(2, records), (records + 1) // 2)


def stage_of(trial: Trial) -> Twin:
    """The second stage's optimizer: the recipe's, or for a pair without one the same at half the rate."""
    own = trial.case.optimizer
    assert own is not None
    return own.given(**(trial.case.second_stage or {"lr": own.arguments["lr"] / 2}))
