"""Scratch against itself: each gradient along a random direction, and the difference quotient of the output."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.floor import idle
from twofold.compare.judge.evidence.trial import Trial, idle_in
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.judge.gates import LIMIT

STEPS = tuple(10.0**-k for k in range(1, 9))


def lacking(trial: Trial) -> str:
    return "" if trial.dtype == "float64" else "difference quotients are taken in float64 alone"


def directional(trial: Trial) -> Iterator[Quantity]:
    """One quantity a parameter and floating-point input: <gradient, d> against the derivative along d."""
    rng = trial.rng("directions")
    gradients = trial.actual["gradient"]
    side = trial.scratch()
    cotangents = nest.flatten(trial.cotangents)

    def output(state: dict, inputs: tuple) -> tuple[float, float]:
        """sum(out * cotangents), and the sum of absolute terms, which bounds its rounding."""
        side.load(state)
        side.reseed(trial.seed)  # dropout masks stand still
        out = nest.flatten(side.forward(inputs))
        terms = np.concatenate([(a * c).ravel() for a, c in zip(out, cotangents, strict=True)])
        return math.fsum(terms), float(np.abs(terms).sum())

    inputs = nest.numbered("<input>", trial.inputs)
    unused = idle_in(trial.actual, trial.golden)
    for name, gradient in gradients.items():
        if name in unused:
            yield idle(name)
            continue
        size = np.sqrt(np.mean(np.square({**trial.state, **inputs}[name]))) or 1.0
        direction = size * rng.standard_normal(gradient.shape)

        def along(h: float, name: str = name, direction: np.ndarray = direction) -> tuple[float, float]:
            if name in trial.state:
                return output({**trial.state, name: trial.state[name] + h * direction}, trial.inputs)
            shifted = {**inputs, name: inputs[name] + h * direction}
            return output(trial.state, nest.fill(trial.inputs, iter(shifted.values())))

        yield compared(name, float((gradient * direction).sum()), *derivative(along))


def derivative(along: Callable[[float], tuple[float, float]]) -> tuple[float, float]:
    """The central difference quotient at 0 and its uncertainty, from the step where three neighbours agree best.

    The uncertainty is the larger of their two distances plus 8 units of rounding of the terms over the step.
    """
    quotients, roundings = [], []
    for h in STEPS:
        (above, size), (below, _) = along(h), along(-h)
        quotients.append((above - below) / (2 * h))
        roundings.append(8 * float(np.finfo(np.float64).eps) * size / h)
    steps = range(1, len(STEPS) - 1)
    near = {k: max(abs(quotients[k] - quotients[n]) for n in (k - 1, k + 1)) + roundings[k] for k in steps}
    # across a kink neighbours may agree by chance: every smaller step must agree as well, within its own rounding
    settled = [
        k
        for k in steps
        if all(abs(q - quotients[k]) <= near[k] + r for q, r in zip(quotients[k:], roundings[k:], strict=True))
    ]
    best = min(settled or steps, key=near.__getitem__)
    return quotients[best], near[best]


def compared(name: str, analytic: float, numeric: float, uncertainty: float) -> Quantity:
    """Equal if they lie within LIMIT uncertainties, which play the floor; a derivative below that proves nothing."""
    error = abs(analytic - numeric)
    ratio = error / uncertainty if error else 0.0
    verdict = Verdict.PASS if abs(numeric) > LIMIT * uncertainty else Verdict.VACUOUS
    reason = "" if verdict is Verdict.PASS else "the derivative does not rise above its uncertainty"
    if not ratio <= LIMIT:
        verdict, reason = Verdict.FAIL, f"scratch's gradient gives {analytic:.6g}, its own output {numeric:.6g}"
    side = "scratch" if verdict is Verdict.FAIL else ""
    return Quantity(name, error, uncertainty, ratio, verdict, reason=reason, side=side)
