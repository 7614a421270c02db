"""Training curves: both sides run free from one state, and are held to the envelope of one-ulp twins."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.floor import distance, sure
from twofold.compare.judge.evidence.reading import Unrepeatable
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.training import FREE_STEPS, batches
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, Verdict, beside, not_finite
from twofold.compare.judge.gates import LIMIT
from twofold.compare.sides import Reference, Side
from twofold.compare.sides.trace import Trace
from twofold.scratch.module import Array

TWINS = 5
# An envelope wider than this part of the loss says nothing any more.
INFORMATIVE = 0.01


def no_verdict(trial: Trial) -> str:
    return "" if trial.dtype == "float64" else "free-running curves give a verdict in float64 alone"


def free(trial: Trial) -> list[Quantity]:
    """The loss of 50 steps on either side, in units of the envelope, as long as that is informative."""
    actual, masks = free_run(trial, trial.scratch(), trial.state)
    golden, _ = free_run(trial, trial.reference(), trial.state, masks)
    least = inside(actual, golden, [golden])
    if sure([least]):
        return [least]
    again, _ = free_run(trial, trial.reference(), trial.state, masks)
    if not np.array_equal(golden, again, equal_nan=True):
        raise Unrepeatable("the reference does not repeat itself in a free run from the same state")
    twins = [free_run(trial, trial.reference(), perturbed(trial.state, seed), masks)[0] for seed in range(TWINS)]
    return [inside(actual, golden, twins)]


def inside(actual: Array, golden: Array, twins: list[Array]) -> Quantity:
    """Within LIMIT envelopes at every step before the envelope passes INFORMATIVE of the value."""
    error, width = distance(actual, golden), envelope(golden, twins)
    if quantity := not_finite("loss", actual, golden, not np.isfinite(width).all(), "a loss of "):
        return quantity
    if not np.isfinite(golden).any():
        return Quantity("loss", 0.0, 0.0, 0.0, Verdict.VACUOUS, reason="it is infinite at every step")
    blurred = np.flatnonzero(width > INFORMATIVE * np.abs(golden))
    steps = int(blurred[0]) if blurred.size else len(golden)
    if steps == 0:
        return Quantity("loss", 0.0, float(width[0]), 0.0, Verdict.INCONCLUSIVE, reason="not informative from step 1")
    ratios = error[:steps] / width[:steps]
    worst = int(ratios.argmax())
    reason = f"not informative from step {steps + 1}" if blurred.size else ""
    measures = float(error[worst]), float(width[worst]), float(ratios[worst])
    if measures[2] <= LIMIT:
        return Quantity("loss", *measures, Verdict.PASS, reason=reason)
    reason = f"leaves the envelope at step {np.argmax(ratios > LIMIT) + 1}"
    relative = measures[0] / abs(float(golden[worst])) if golden[worst] else None
    failed = Quantity("loss", *measures, Verdict.FAIL, reason=reason, relative=relative)
    return beside(failed, actual, golden, (worst,))


def envelope(golden: Array, twins: list[Array]) -> Array:
    """The running maximum up to t of the largest distance of any twin from the reference, plus 8 ulp: (steps,)."""
    strayed = distance(np.array(twins), golden).max(axis=0)
    return np.maximum.accumulate(strayed) + 8 * np.spacing(np.where(np.isfinite(golden), np.abs(golden), 0))


def free_run(
    trial: Trial, side: Side, state: dict[str, Array], masks: list[Any] | None = None
) -> tuple[Array, list[Any]]:
    """The losses from `state` (steps,) and the dropout masks of each step; a reference takes those of `masks`."""
    side.load(state)
    side.train()
    losses, drawn = [], []
    for step, (inputs, target) in enumerate(batches(trial, FREE_STEPS)):
        side.zero_grad()
        given: AbstractContextManager = nullcontext()
        if masks is not None and isinstance(side, Reference):
            given = pinned(side, {}, masks[step])
        with given, side.watch() if masks is None else nullcontext(Trace()) as trace:
            side.forward(inputs)
            losses.append(float(side.loss(target)))
            side.backward()
        side.step()
        drawn.append(trace.masks)
    return np.array(losses), drawn
