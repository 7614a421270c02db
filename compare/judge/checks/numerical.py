"""Each side against itself: its gradient along a random direction, and the difference quotient of what it gives.

Scratch's gradients of its own output, and the loss's and penalty's of their own value on both sides: a wrong one that
both sides share no comparison sees.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.floor import idle
from twofold.compare.judge.evidence.reading import idle_in
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.judge.gates import LIMIT
from twofold.compare.sides import Scratch, Side
from twofold.compare.sides.trace import array_of
from twofold.scratch.module import Array

STEPS = tuple(10.0**-k for k in range(1, 9))


def lacking(trial: Trial) -> str:
    return "" if trial.dtype == "float64" else "difference quotients are taken in float64 alone"


def own_derivatives(trial: Trial) -> Iterator[Quantity]:
    """Of the model on scratch's side, of loss and penalty on both: <gradient, d> against the derivative along d."""
    yield from directional(trial)
    with np.errstate(all="ignore"):  # a step may leave where a logarithm is defined; smaller ones do not
        for side in (trial.scratch(), trial.reference()):
            if trial.target is not None and "<output>" in trial.actual["forward"]:
                yield of_loss(trial, side)
            if side.penalty:
                yield of_penalty(trial, side)


def directional(trial: Trial) -> Iterator[Quantity]:
    """One quantity a parameter and floating-point input."""
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
        terms = terms[~np.isinf(terms)]  # masks, which nothing moves
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


def of_loss(trial: Trial, side: Side) -> Quantity:
    """The loss alone, of the output that scratch gave."""
    out, target, rng = trial.actual["forward"]["<output>"], trial.target, trial.rng("direction of the loss")
    direction = (np.sqrt(np.mean(np.square(out))) or 1.0) * rng.standard_normal(out.shape)

    def along(h: float) -> tuple[float, float]:
        value = loss_of(side, out + h * direction, target)[0]
        return value, abs(value)

    analytic = float((loss_of(side, out, target)[1] * direction).sum())
    return compared(f"loss of {side.name}", analytic, *derivative(along), side.name)


def loss_of(side: Side, out: Array, target: Array | None) -> tuple[float, Array]:
    """A side's loss without its penalty, and the gradient."""
    if isinstance(side, Scratch):
        return float(side.criterion(np.array(out), target)), np.array(side.criterion.backward(side.dtype.type(1)))
    given = side.tensor(out).requires_grad_()
    loss = side.criterion(given, side.tensor(np.asarray(target)))
    return float(loss.detach()), array_of(side.torch.autograd.grad(loss, given)[0])


def of_penalty(trial: Trial, side: Side) -> Quantity:
    """The penalty alone, of the trial's weights."""
    rng = trial.rng("direction of the penalty")
    weights = {name: trial.state[name] for name in trial.parameters}
    directions = {name: rng.standard_normal(array.shape) for name, array in weights.items()}

    def along(h: float) -> tuple[float, float]:
        side.load({**trial.state, **{name: array + h * directions[name] for name, array in weights.items()}})
        value = penalty_of(side)[0]
        return value, abs(value)

    gradients = penalty_of(side, trial.state)[1]
    analytic = sum(float((gradient * directions[name]).sum()) for name, gradient in gradients.items())
    return compared(f"penalty of {side.name}", analytic, *derivative(along), side.name)


def penalty_of(side: Side, state: dict[str, Array] | None = None) -> tuple[float, dict[str, Array]]:
    """A side's penalty on the weights as they are, or of `state`, and what it adds to the gradients."""
    if state:
        side.load(state)
    side.zero_grad()
    if isinstance(side, Scratch):
        value = float(side.penalty.forward())
        side.penalty.backward()
    else:
        (penalty := side.penalty()).backward()
        value = float(penalty.detach())
    return value, side.gradients()


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


def compared(name: str, analytic: float, numeric: float, uncertainty: float, whose: str = "scratch") -> Quantity:
    """Equal if they lie within LIMIT uncertainties, which play the floor; a derivative below that proves nothing."""
    error = abs(analytic - numeric)
    ratio = error / uncertainty if error else 0.0
    verdict = Verdict.PASS if abs(numeric) > LIMIT * uncertainty else Verdict.VACUOUS
    reason = "" if verdict is Verdict.PASS else "the derivative does not rise above its uncertainty"
    if not ratio <= LIMIT:
        verdict, reason = Verdict.FAIL, f"{whose}'s gradient gives {analytic:.6g}, its own value {numeric:.6g}"
    side = whose if verdict is Verdict.FAIL else ""
    relative = error / abs(numeric) if side and numeric else None
    return Quantity(name, error, uncertainty, ratio, verdict, reason=reason, side=side, relative=relative)
