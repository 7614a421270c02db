"""Gradients of a side somewhere, and difference quotients of its loss there."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.sides import Scratch, Side
from twofold.compare.sides.trace import Trace
from twofold.scratch.module import Array

# longdouble resolves a disagreement of 1e-9 of the gradient; where it is no wider than float64, 1e-6 or better.
WIDE = "longdouble" if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps else "float64"
RATIO = 4.0  # of a step to the next smaller one, relative to the size of what is moved
STEPS = tuple(RATIO**-k for k in range(1, 13))
ORDERS = 4
LITTLE = 1e-7  # of what is moved: where a curve is straight to the square of that


@dataclass(frozen=True)
class Scene:
    """Where a gradient is taken: of the loss, or without a target of sum(out * cotangents)."""

    state: Mapping[str, Array]
    inputs: Any
    target: Array | None = None
    training: bool = True


def gradients(trial: Trial, scene: Scene, side: Side) -> tuple[dict[str, Array], Trace]:
    """Of every parameter and floating-point input, and what the modules took."""
    with side.watch() as trace:
        out = forward(trial, scene, side, scene.state, scene.inputs)
        if scene.target is None:
            dinputs = side.backward(cotangents(trial, out))
        else:
            side.loss(scene.target)
            dinputs = side.backward()
    of_inputs = {
        name: gradient
        for name, gradient in nest.numbered("<input>", dinputs).items()
        if name not in trial.case.constants
    }
    return side.gradients() | of_inputs, trace


def forward(trial: Trial, scene: Scene, side: Side, state: Mapping[str, Array], inputs: Any) -> Any:
    side.load(state)
    side.train(scene.training)
    side.zero_grad()
    if isinstance(side, Scratch):
        side.reseed(trial.seed)  # dropout masks stand still
    return side.forward(inputs)


def cotangents(trial: Trial, out: Any) -> Any:
    """The trial's own where the output has the reference's shape, and ones like them where it has not."""
    return trial.draw_cotangents(out, trial.rng("cotangents"))


def along(
    trial: Trial,
    scene: Scene,
    side: Side,
    directions: Mapping[str, Array],
    still: Callable[[], AbstractContextManager] = nullcontext,
) -> Callable[[float], Any]:
    """A side's loss as a function of how far everything is moved along the directions.

    `still` keeps branches and masks where they are, for one pass at a time.
    """

    def objective(h: float) -> Any:
        state = {name: moved_along(value, directions.get(name), h) for name, value in scene.state.items()}
        named = nest.numbered("<input>", scene.inputs)
        shifted = iter([moved_along(value, directions.get(name), h) for name, value in named.items()])
        with still():
            out = forward(trial, scene, side, state, nest.fill(scene.inputs, shifted))
        if scene.target is not None:
            return side.loss(scene.target)
        pairs = zip(nest.flatten(out), nest.flatten(cotangents(trial, out)), strict=True)
        terms = (a.astype(WIDE) * c for a, c in pairs)
        return sum(part[~np.isinf(part)].sum() for part in terms)  # what masks hold stays where it is

    return objective


def roughness(objective: Callable[[float], Any]) -> float:
    """How far the objective jumps, as a part of itself, where hardly anything is moved: the digits that it loses.

    What a kink in the middle makes of it grows with the step and is taken away.
    """
    middle = objective(0.0)
    steps = np.array([LITTLE / RATIO ** (k / 3) for k in range(5)])
    bends = np.array([objective(h) - 2 * middle + objective(-h) for h in steps], float)
    return float(np.abs(bends - np.median(bends / steps) * steps).max() / (abs(middle) or 1))


def settled(objective: Callable[[float], Any], within: float) -> float | None:
    """The objective's slope at 0, if three consecutive estimates agree `within` and the slope is one from either side.

    Central difference quotients err by even powers of the step; Richardson's extrapolation takes one after the other
    away (Richardson and Gaunt 1927), so that steps large enough not to drown in rounding tell ten digits and more.
    """
    middle = objective(0.0)
    sides = [(objective(h), objective(-h)) for h in STEPS]
    bends = np.array([abs(up + down - 2 * middle) / h for (up, down), h in zip(sides, STEPS, strict=True)], float)
    row = np.array([(up - down) / (2 * h) for (up, down), h in zip(sides, STEPS, strict=True)], float)
    best, slope = within, None
    for order in range(1, ORDERS + 1):
        for k in range(len(row) - 2):
            spread = float(np.ptp(row[k : k + 3]))
            # a kink bends the more the nearer one comes; a smooth curve ever less
            smooth = bends[k + 2 + order - 1] <= bends[k] / RATIO + within
            if spread <= best and smooth:
                best, slope = spread, float(row[k + 1])
        row = (RATIO ** (2 * order) * row[1:] - row[:-1]) / (RATIO ** (2 * order) - 1)
    return slope


def moved_along(value: Array, direction: Array | None, h: float) -> Array:
    """In the wide dtype where it moves: a step of 1e-7 is lost in float32."""
    return value if direction is None else value.astype(WIDE) + h * direction.astype(WIDE)


def place(scene: Scene, name: str) -> Array:
    return {**scene.state, **nest.numbered("<input>", scene.inputs)}[name]


def random_directions(trial: Trial, scene: Scene, n: int = 0) -> dict[str, Array]:
    """N(0, 1) times the size of the tensor, for every parameter and floating-point input; the n-th such."""
    rng, inputs = trial.rng(f"arbiter {n}" if n else "arbiter"), nest.numbered("<input>", scene.inputs)
    values = {name: scene.state[name] for name in trial.parameters}
    values |= {name: value for name, value in inputs.items() if name not in trial.case.constants}
    floats = {name: value for name, value in values.items() if np.issubdtype(value.dtype, np.floating)}
    return {name: rms(value) * rng.standard_normal(value.shape) for name, value in floats.items()}


def rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array.astype(np.float64))))) or 1.0
