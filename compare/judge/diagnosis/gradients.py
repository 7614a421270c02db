"""Which side is wrong by the derivative: gradients that differ, and outputs that do.

Where both sides give equal outputs and unequal gradients, scratch's own loss is sloped in the direction in which the
gradients disagree most, and only one of them can be that slope. Where the outputs differ, each side is held to its own
loss: if both are consistent, they compute two things, each rightly, and the conventions differ.
"""

from collections.abc import Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.diagnosis.conventions import differences
from twofold.compare.judge.diagnosis.slopes import (
    WIDE,
    Scene,
    along,
    forward,
    gradients,
    place,
    random_directions,
    rms,
    roughness,
    settled,
)
from twofold.compare.judge.evidence.branches import held, pinned
from twofold.compare.judge.evidence.naming import calls_of
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Blame, Divergence
from twofold.compare.sides import Reference, Side
from twofold.compare.sides.trace import Trace, call_of
from twofold.scratch.module import Array

SETTLED, NEAR = 1 / 8, 1 / 4  # parts of the disagreement: how well quotients agree, and how near one side comes
WAYS = 2  # directions drawn, along which a gradient is held to its loss
CONSISTENT = 1e-6  # of a gradient's terms along a random direction, at most
LEAST_LOST = 1e-12  # of a loss in the wide precision, whose own digits and curvature are far below
RIGHT = "the derivative of its own loss"
UNSETTLED = "not to be held to its own loss, whose difference quotients do not settle"
CUT = "the pair says that its gradient is no derivative"


def of_gradients(trial: Trial, scene: Scene, failed: Set[str]) -> Blame:
    """The slope of scratch's loss along the disagreement in one of the `failed` tensors decides between the two."""
    scratch, reference, wide = trial.scratch(), trial.reference("float64"), trial.scratch(WIDE)
    found, trace = gradients(trial, scene, scratch)
    with pinned(reference, trace.inputs, trace.masks):
        golden, other = gradients(trial, scene, reference)
    names = [name for name in found if name in failed] or [name for name in found if name not in trial.waived]
    frozen = trial.reference().frozen()
    if frozen.issuperset(names):
        return Blame("conventions", f"{', '.join(names)}: frozen in the reference, requires_grad is False")
    names = [name for name in names if name not in frozen]
    name = max(names, key=lambda name: relative_distance(found[name], golden.get(name)))
    away = found[name].astype(WIDE) - golden.get(name, 0)
    if not np.isfinite(away).all() or not away.any():
        return Blame("inconclusive", f"the gradients of {name} have no finite distance")
    before: dict[str, list[Array]] | None = {}
    if cut_off(trial):
        before = before_the_cut(trace, other, outputs_of(trial, scene, wide))
        if not before:
            return Blame("inconclusive", f"{CUT}, and the sides do not show alike what lies before the cut")
    direction = away / np.linalg.norm(away.astype(float)) * (np.linalg.norm(place(scene, name).astype(float)) or 1.0)
    ours, theirs = (float((gradient * direction).sum()) for gradient in (found[name], golden.get(name, 0 * away)))
    branches = {"": nest.flatten(scene.inputs)[0], **trace.inputs}
    objective = along(trial, scene, wide, {name: direction}, lambda: held(wide.model, branches, before))
    slope = settled(objective, SETTLED * abs(ours - theirs))
    return nearer(name, ours, theirs, slope, "scratch's own loss")


def cut_off(trial: Trial) -> bool:
    """Whether the pair says that its gradient is no derivative, as one that goes back through the last steps only."""
    return "numerical" in trial.case.waivers


def before_the_cut(ours: Trace, theirs: Trace, outputs: Mapping[str, Array]) -> dict[str, list[Array]]:
    """What the calls give that no gradient reaches; empty where the two sides disagree about which those are."""
    idle = [
        {call_of(key) for key in trace.outputs} - {call_of(key) for key in trace.grad_outputs}
        for trace in (ours, theirs)
    ]
    shared = {call_of(key) for key in ours.outputs} & {call_of(key) for key in theirs.outputs}
    if idle[0] & shared != idle[1] & shared:
        return {}
    return {call: arrays for call, arrays in calls_of(outputs).items() if call in idle[0] & shared}


def outputs_of(trial: Trial, scene: Scene, side: Side) -> Mapping[str, Array]:
    with side.watch() as trace:
        forward(trial, scene, side, scene.state, scene.inputs)
    return trace.outputs


def of_module(trial: Trial, path: str) -> Blame:
    """A module by itself, where no more than what it sends back differs: the slope of its own output decides."""
    found, golden, wide = trial.actual, trial.golden, trial.scratch(WIDE)
    wide.load(trial.state)
    module = dict(wide.model.named_modules()).get(path)
    if module is None or not all(path in found[stage] for stage in ("input", "backward", "grad_input")):
        return Blame("inconclusive", "no parameter's and no input's gradient differs, only one between modules")
    away = found["grad_input"][path].astype(WIDE) - golden["grad_input"][path]
    direction = away / np.linalg.norm(away.astype(float))
    ours, theirs = (float((reading["grad_input"][path] * direction).sum()) for reading in (found, golden))

    def objective(h: float) -> Any:
        with held(wide.model, found["input"]):
            return (module(found["input"][path] + h * direction) * found["backward"][path]).sum()

    slope = settled(objective, SETTLED * abs(ours - theirs))
    return nearer(f"what {path} sends back", ours, theirs, slope, "its own output")


def nearer(what: str, ours: float, theirs: float, slope: float | None, of: str) -> Blame:
    """The side whose gradient along the disagreement is the slope."""
    told = (
        f"along the disagreement in {what} scratch's gradient gives {ours:.6g}, the reference's {beside(theirs, ours)}"
    )
    if slope is None:
        return Blame("inconclusive", f"{told}; difference quotients of {of} in {WIDE} do not settle")
    told += f", the difference quotient of {of} {beside(slope, ours)}"
    near = [abs(value - slope) <= NEAR * abs(ours - theirs) for value in (ours, theirs)]
    if near[0] == near[1]:
        return Blame("inconclusive", told)
    return Blame("reference" if near[0] else "scratch", told)


def beside(value: float, ours: float) -> str:
    """The value, or its distance from scratch's where six digits show none."""
    shown = f"{value:.6g}"
    return shown if shown != f"{ours:.6g}" else f"{value - ours:+.3g} from it"


def relative_distance(found: Array, golden: Array | None) -> float:
    golden = np.zeros_like(found) if golden is None else golden
    largest = max(np.abs(array[np.isfinite(array)]).max(initial=0) for array in (found, golden))
    with np.errstate(invalid="ignore"):
        away = np.where(found == golden, 0, found - golden)  # of equal infinities as well
    return float(np.abs(away).max(initial=0) / largest) if largest else 0.0


def of_outputs(trial: Trial, scene: Scene, where: Divergence) -> Blame:
    """Each side is held to its own loss; where both are consistent, the conventions differ."""
    if cut_off(trial):
        return Blame("inconclusive", f"{CUT}, and outputs alone do not say who is right")
    _, trace = gradients(trial, scene, trial.scratch())
    sides = [Held(trial, scene, side, trace.masks) for side in (trial.scratch(WIDE), trial.reference("float64"))]
    apart = distance(*sides)
    scratch, reference = (side.consistency(apart) for side in sides)
    told = f"scratch's gradient is {scratch}, the reference's {reference}"
    if scratch == reference == RIGHT:
        return Blame("conventions", differences(trial, where.module) or told)
    guilty = [side for side, said in (("scratch", scratch), ("reference", reference)) if said != RIGHT]
    if len(guilty) == 1 and UNSETTLED not in told:
        return Blame(guilty[0], told)
    return Blame("inconclusive", told)


class Held:
    """One side with its gradient along some directions, to be held to the slopes of its own loss."""

    def __init__(self, trial: Trial, scene: Scene, side: Side, masks: Mapping[str, Array]) -> None:
        self.trial, self.scene, self.side, self.masks = trial, scene, side, masks
        with self.still():
            found, _ = gradients(trial, scene, self.side)
        with self.still():
            self.outputs = nest.flatten(forward(trial, scene, self.side, scene.state, scene.inputs))
            if scene.target is not None:
                self.outputs = [self.side.loss(scene.target)]
        # of every tensor: a gradient that is missing is zero
        self.directions = directions(trial, scene, found)
        terms = [
            [float((found[name] * way).sum()) for name, way in direction.items() if name in found]
            for direction in self.directions
        ]
        self.slopes = [sum(some) for some in terms]
        self.sizes = [float(np.linalg.norm(some)) for some in terms]

    def still(self) -> AbstractContextManager:
        return pinned(self.side, {}, self.masks) if isinstance(self.side, Reference) else nullcontext()

    def consistency(self, apart: float) -> str:
        """Along every direction; the first along which it is not says why."""
        told = (self.along(n, apart) for n in range(len(self.directions)))
        return next((said for said in told if said != RIGHT), RIGHT)

    def along(self, n: int, apart: float) -> str:
        """To a fraction of what lies between the sides, in parts of the gradient: a small fault would pass for none."""
        within = min(CONSISTENT, SETTLED * apart) * self.sizes[n]
        objective = along(self.trial, self.scene, self.side, self.directions[n], self.still)
        slope, claimed = settled(objective, within), self.slopes[n]
        if slope is None:
            lost = roughness(objective)
            if self.side.name == "scratch" and lost > max(apart / 100, LEAST_LOST):
                return f"that of a loss which in {WIDE} is good to {lost:.1g} of itself: it loses digits"
            return UNSETTLED
        return (
            RIGHT
            if abs(slope - claimed) <= within
            else f"{beside(claimed, slope)} where its own loss has slope {slope:.6g}"
        )


def directions(trial: Trial, scene: Scene, found: Mapping[str, Array]) -> list[dict[str, Array]]:
    """Random ones, and the gradient's own.

    A fault may lie across any one of them. Along the gradient itself no part of a slope takes another away.
    """
    drawn = [random_directions(trial, scene, n) for n in range(WAYS)]
    own = {name: rms(place(scene, name)) * found[name] / rms(found[name]) for name in drawn[0] if name in found}
    return [*drawn, own]


def distance(ours: Held, theirs: Held) -> float:
    """How far the sides are apart: in their slopes as parts of the gradient, or in what they give as parts of that."""
    shapes = [[array.shape for array in side.outputs] for side in (ours, theirs)]
    if shapes[0] != shapes[1]:
        return 1.0
    outputs = [relative_distance(a, b) for a, b in zip(ours.outputs, theirs.outputs, strict=True)]
    return max(abs(ours.slopes[0] - theirs.slopes[0]) / (theirs.sizes[0] or 1.0), *outputs)
