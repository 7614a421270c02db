"""Training compared: re-synchronised after every step, which gives the verdict, and free-running in its envelope."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any
from unittest.mock import patch

import numpy as np

from compare import nest
from compare.judge.branches import pinned
from compare.judge.finding import worst_by_name
from compare.judge.floor import LIMIT, Quantity, Verdict, not_finite
from compare.judge.optimizers import named_states
from compare.judge.rounding import moved, shaken
from compare.judge.trial import (
    MORE_RERUNS,
    Divergence,
    Measured,
    Reading,
    Trial,
    Unrepeatable,
    failures,
    identical,
    not_seen,
)
from compare.sides import Reference, Side, States
from scratch.module import Array

RESYNC_STEPS, RESYNC_RERUNS = 20, 2
STAGES = ("forward", "loss", "backward", "gradient", "update")
FREE_STEPS, TWINS = 50, 5
# An envelope wider than this part of the loss says nothing any more.
INFORMATIVE = 0.01


@contextmanager
def few_steps() -> Iterator[None]:
    """While it lasts three steps are re-synchronised: what a planted fault needs to show."""
    with patch(f"{__name__}.RESYNC_STEPS", 3):
        yield


def batches(trial: Trial, steps: int) -> Iterator[tuple[Any, Array]]:
    rng = trial.rng("batches")
    for _ in range(steps):
        target = trial.draw_target(rng)
        assert target is not None
        yield trial.draw_inputs(rng), target


def training_step(side: Side, inputs: Any, target: Array, seed: int | None = None) -> Reading:
    """One step by stage: as in a trial, and under "update" the state that it leaves behind."""
    side.train()
    side.zero_grad()
    with shaken(side, seed), side.watch() as trace:
        out = side.forward(inputs)
        loss = side.loss(target)
        side.backward()
    gradients = side.gradients()
    side.step()
    return {
        "forward": {**trace.outputs, **nest.numbered("<output>", out)},
        "loss": {"loss": loss},
        "backward": trace.gradients,
        "gradient": gradients,
        "update": named_states(side) | side.state(),
        "taken": trace.inputs,
        "masks": trace.masks,
    }


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
    judged: Judged


@lru_cache(maxsize=1)
def resynchronised_steps(trial: Trial) -> tuple[Step, ...]:
    """Before each step the reference gets scratch's weights, buffers and optimizer state: one step is judged.

    Raises Unrepeatable.
    """
    scratch, judges = trial.scratch(), (trial.reference("float64"), trial.reference())
    scratch.load(trial.state)
    steps: list[Step] = []
    for number, (inputs, target) in enumerate(batches(trial, RESYNC_STEPS), 1):
        before = Start(scratch.state(), scratch.optimizer_state(), inputs, target)
        found = training_step(scratch, inputs, target)
        if number == 1 and trial.device == "cpu":
            repeats(before, found, judges[0])
        judged = judged_step(trial, found, before, *judges)
        if fails(judged) and not any(fails(step.judged) for step in steps):
            remembers(trial, number, judged, found, before)
        steps.append(Step(number, before, judged))
    return tuple(steps)


def repeats(start: Start, found: Reading, side: Reference) -> None:
    """Raises Unrepeatable where the reference takes one step from one state in two ways."""
    if not identical(one_step_from(start, found, side), one_step_from(start, found, side)):
        raise Unrepeatable("the reference takes another step when it begins from the same state again")


def remembers(trial: Trial, number: int, judged: Judged, found: Reading, start: Start) -> None:
    """Raises Unrepeatable where scratch's step agrees with a reference made afresh: the other goes by more."""
    if any(quantity.side for quantities in judged.values() for quantity in quantities):
        return  # a NaN convicts by itself
    if not fails(judged_step(trial, found, start, trial.reference("float64"), trial.reference())):
        raise Unrepeatable(f"step {number}: the reference carries more than its state from step to step")


def fails(judged: Judged) -> bool:
    return any(failures(quantities) for quantities in judged.values())


def judged_step(trial: Trial, found: Reading, before: Start, exact: Reference, side: Reference) -> Judged:
    """Scratch's step from `before`, by stage."""
    again = partial(one_step_from, before, found)
    star, reruns = again(exact), [again(side, seed) for seed in range(RESYNC_RERUNS)]
    if trial.dtype != "float64":
        reruns.append(again(side))
    measured = Measured(star, reruns, [])

    def judged() -> Judged:
        return {stage: trial.judged_by(measured, stage, found) for stage in STAGES}

    first = judged()
    if not any(trial.doubtful(quantities) for quantities in first.values()):
        return first
    reruns += [again(side, seed) for seed in range(RESYNC_RERUNS, RESYNC_RERUNS + MORE_RERUNS)]
    return judged()


def carries_on(trial: Trial, step: Step) -> bool:
    """A scratch side made afresh agrees in this step: the one that ran on has more than its state to go by."""
    fresh, start = trial.scratch(), step.start
    fresh.load(start.state)
    fresh.load_optimizer_state(start.optimizer_state)
    found = training_step(fresh, start.inputs, start.target)
    judged = judged_step(trial, found, start, trial.reference("float64"), trial.reference())
    return not fails(judged)


def one_step_from(start: Start, found: Reading, side: Reference, seed: int | None = None) -> Reading:
    """The reference's step, pinned to what scratch took; with a seed all is moved by one ulp."""
    given = start.state, start.optimizer_state, start.inputs
    state, optimizer_state, inputs = given if seed is None else moved(given, seed)
    side.load(state)
    side.load_optimizer_state(optimizer_state)
    with pinned(side.model, found["taken"], found["masks"]):
        return training_step(side, inputs, start.target, seed)


def resynchronised(trial: Trial) -> list[Quantity]:
    """Loss, gradients, parameters, buffers and optimizer state; of every tensor the worst of all steps."""

    def rounds() -> Iterator[tuple[str, list[Quantity]]]:
        for step in resynchronised_steps(trial):
            gradients = [replace(q, name=f"{q.name} gradient") for q in step.judged["gradient"]]
            yield f"step {step.number}", [*step.judged["loss"], *gradients, *step.judged["update"]]

    return worst_by_name(rounds())


def first_step(trial: Trial) -> Divergence | None:
    """The first step that differs and in it the first module; where all gradients agree, the loss or updated tensor."""
    return next((where for step in resynchronised_steps(trial) if (where := first_in(trial, step))), None)


def first_in(trial: Trial, step: Step) -> Divergence | None:
    judged = step.judged
    if where := trial.locate(judged, step.number, trial.between if trial.divergence else not_seen):
        if where.stage == "forward" or trial.divergence:
            return where
        # the model sends back what it should: it is what arrives at its output, or what is added to its gradients
        arrives = where.module == trial.case.name and trial.shows_modules
        weights = all(trial.state[name].ndim > 1 for name in failures(judged["gradient"]))
        added = trial.case.penalty and weights and not failures(judged["backward"])
        return replace(where, module="loss" if arrives else "penalty" if added else where.module)
    for stage in ("loss", "update"):
        for quantity in step.judged[stage]:
            if quantity.verdict is Verdict.FAIL:
                tensor = quantity.name
                return Divergence(stage, trial.owner(tensor.partition(" ")[0]), step.number, tensor)
    return None


def no_verdict(trial: Trial) -> str:
    return "" if trial.dtype == "float64" else "free-running curves give a verdict in float64 alone"


def free(trial: Trial) -> list[Quantity]:
    """The loss of 50 steps on either side, in units of the envelope, as long as that is informative."""
    found, masks = free_run(trial, trial.scratch(), trial.state)
    star, _ = free_run(trial, trial.reference(), trial.state, masks)
    twins = [free_run(trial, trial.reference(), moved(trial.state, seed), masks)[0] for seed in range(TWINS)]
    return [inside(found, star, twins)]


def inside(found: Array, star: Array, twins: list[Array]) -> Quantity:
    """Within LIMIT envelopes at every step before the envelope passes INFORMATIVE of the value."""
    if quantity := not_finite("loss", [found], [star, *twins], "a loss of "):
        return quantity
    error, width = np.abs(found - star), envelope(star, twins)
    blurred = np.flatnonzero(width > INFORMATIVE * np.abs(star))
    steps = int(blurred[0]) if blurred.size else len(star)
    if steps == 0:
        return Quantity("loss", 0.0, float(width[0]), 0.0, Verdict.INCONCLUSIVE, reason="not informative from step 1")
    ratios = error[:steps] / width[:steps]
    worst = int(ratios.argmax())
    reason = f"not informative from step {steps + 1}" if blurred.size else ""
    verdict = Verdict.PASS
    if ratios[worst] > LIMIT:
        verdict, reason = Verdict.FAIL, f"leaves the envelope at step {np.argmax(ratios > LIMIT) + 1}"
    return Quantity("loss", float(error[worst]), float(width[worst]), float(ratios[worst]), verdict, reason=reason)


def envelope(star: Array, twins: list[Array]) -> Array:
    """The running maximum up to t of the largest distance of any twin from the reference, plus 8 ulp: (steps,)."""
    distance = np.abs(np.array(twins) - star).max(axis=0)
    return np.maximum.accumulate(distance) + 8 * np.spacing(np.abs(star))


def free_run(
    trial: Trial, side: Side, state: dict[str, Array], masks: list[Any] | None = None
) -> tuple[Array, list[Any]]:
    """The losses from `state` (steps,) and the dropout masks of each step; a reference takes those of `masks`."""
    side.load(state)
    losses, drawn = [], []
    for step, (inputs, target) in enumerate(batches(trial, FREE_STEPS)):
        with pinned(side.model, {}, masks[step]) if masks is not None else nullcontext():
            read = training_step(side, inputs, target)
        losses.append(float(read["loss"]["loss"]))
        drawn.append(read["masks"])
    return np.array(losses), drawn
