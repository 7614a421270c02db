"""Which side is wrong: what a difference by itself does not say, a derivative does.

Where both sides give equal outputs and unequal gradients, scratch's own loss is sloped in the direction in which the
gradients disagree most, and only one of them can be that slope. Where the outputs differ, each side is held to its own
loss: if both are consistent, they compute two things, each rightly, and the conventions differ.
"""

from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.diagnosis.conventions import differences, of_optimizers, settings
from twofold.compare.judge.diagnosis.slopes import (
    WIDE,
    Scene,
    gradients,
    place,
    random_directions,
    settled,
    settled_slope,
)
from twofold.compare.judge.diagnosis.where import divergence
from twofold.compare.judge.evidence.branches import held, pinned
from twofold.compare.judge.evidence.resync import carries_on, step_numbered
from twofold.compare.judge.evidence.trial import Reading, Trial
from twofold.compare.judge.finding import Blame, Divergence, Quantity, Verdict, failures
from twofold.compare.sides import Reference, Side
from twofold.scratch.module import Array

SETTLED, NEAR = 1 / 8, 1 / 4  # parts of the disagreement: how well quotients agree, and how near one side comes
CONSISTENT = 1e-6  # of a gradient's terms along a random direction
RIGHT = "the derivative of its own loss"


def blame(trial: Trial, quantities: Sequence[Quantity], where: Divergence | None) -> Blame:
    """Who is wrong, given what one check judged and the first that differs."""
    failed = [quantity for quantity in quantities if quantity.verdict is Verdict.FAIL]
    convicted = {quantity.side: quantity.reason for quantity in reversed(failed) if quantity.side}
    if len(convicted) == 1:
        return Blame(*convicted.popitem())
    return at(trial, where) if where else Blame("inconclusive", "nothing says where the difference begins")


@lru_cache(maxsize=4)
def at(trial: Trial, where: Divergence) -> Blame:
    """Who is wrong where the sides first differ; several checks find the same place."""
    if where.stage == "optimizer":
        return of_update(trial, where)
    if where.stage == "train_step":
        return Blame("scratch", "by forward and backward its step agrees, by train_step it does not")
    scene = Scene(trial.state, trial.inputs, trial.target if where.module == "loss" else None, not where.evaluating)
    judged = trial.judged("gradient")
    if where.step:
        step = step_numbered(trial, where.step)
        if carries_on(trial, step):
            return Blame("scratch", "made afresh with the same state it agrees: it carries something else along")
        scene, judged = Scene(step.start.state, step.start.inputs, step.start.target), step.judged["gradient"]
    if where.stage == "update":
        return of_update(trial, where)
    if where.stage == "backward":
        failed = failures(trial.unwaived(judged))
        if not failed and scene.target is None and scene.training:
            return of_module(trial, where.module)
        return of_gradients(trial, scene, failed)
    return of_outputs(trial, scene, where)


def of_update(trial: Trial, where: Divergence) -> Blame:
    """No derivative tells of an update or a running statistic; torch's own class defines it."""
    path, _, tensor = str(where.tensor).partition(" ")[0].rpartition(".")
    scratch, reference = trial.scratch(), trial.reference()
    theirs: Any = reference.optimizer
    if f"{path}.{tensor}".removeprefix(".") in dict(reference.model.named_parameters()):
        assert trial.case.optimizer is not None
        found = of_optimizers(scratch.optimizer, theirs, trial.case.optimizer.arguments)
    else:
        theirs = reference.model.get_submodule(path)
        found = settings(dict(scratch.model.named_modules())[path], vars(theirs))
    if found:
        return Blame("conventions", found)
    name = f"{type(theirs).__module__}.{type(theirs).__name__}"
    if name.startswith("torch."):
        return Blame("scratch", f"every argument is equal, and {name} is what torch defines")
    return Blame("inconclusive", f"every argument is equal, and {name} is not torch's own")


def of_gradients(trial: Trial, scene: Scene, failed: Set[str]) -> Blame:
    """The slope of scratch's loss along the disagreement in one of the `failed` tensors decides between the two."""
    scratch, reference, wide = trial.scratch(), trial.reference("float64"), trial.scratch(WIDE)
    found, trace = gradients(trial, scene, scratch)
    with pinned(reference.model, trace.inputs, trace.masks):
        golden, _ = gradients(trial, scene, reference)
    names = [name for name in found if name in failed] or [name for name in found if name not in trial.waived]
    name = max(names, key=lambda name: relative_distance(found[name], golden.get(name)))
    away = found[name].astype(WIDE) - golden.get(name, 0)
    if not np.isfinite(away).all() or not away.any():
        return Blame("inconclusive", f"the gradients of {name} have no finite distance")
    direction = away / np.linalg.norm(away.astype(float)) * (np.linalg.norm(place(scene, name).astype(float)) or 1.0)
    ours, theirs = (float((gradient * direction).sum()) for gradient in (found[name], golden.get(name, 0 * away)))
    branches = {"": nest.flatten(scene.inputs)[0], **trace.inputs}
    within = SETTLED * abs(ours - theirs)
    slope = settled_slope(trial, scene, wide, {name: direction}, within, lambda: held(wide.model, branches))
    return nearer(name, ours, theirs, slope, "scratch's own loss")


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
    largest = max(np.abs(found).max(initial=0), np.abs(golden).max(initial=0))
    return float(np.abs(found - golden).max(initial=0) / largest) if largest else 0.0


def of_outputs(trial: Trial, scene: Scene, where: Divergence) -> Blame:
    """Each side is held to its own loss; where both are consistent, the conventions differ."""
    if where.evaluating and (guilt := of_modes(trial)):
        return guilt
    if not where.step and divergence(trial) and loses_digits(trial):
        return Blame("scratch", f"it loses digits: computed in {WIDE} it comes a hundred times nearer")
    _, trace = gradients(trial, scene, trial.scratch())
    scratch = consistency(trial, scene, trial.scratch(WIDE), {})
    reference = consistency(trial, scene, trial.reference("float64"), trace.masks)
    told = f"scratch's gradient is {scratch}, the reference's {reference}"
    if scratch == reference == RIGHT:
        return Blame("conventions", differences(trial, where.module) or told)
    guilty = [side for side, said in (("scratch", scratch), ("reference", reference)) if said != RIGHT]
    return Blame(guilty[0] if len(guilty) == 1 else "inconclusive", told)


def of_modes(trial: Trial) -> Blame | None:
    """Where one side alone gives the same in both modes: it ignores them, unless the model has nothing that minds."""
    same = []
    for side in (trial.scratch(), trial.reference()):
        outputs = []
        for mode in (True, False):
            with pinned(side.model, {}, trial.actual["masks"]) if isinstance(side, Reference) else nullcontext():
                outputs.append(trial.observe(side, training=mode)["forward"])
        trained, evaluated = outputs
        if all(np.array_equal(trained[name], evaluated[name]) for name in trained if name in evaluated):
            same.append(side.name)
    if len(same) != 1:
        return None
    from torch.nn.modules import batchnorm, dropout

    modal = (dropout._DropoutNd, batchnorm._NormBase)
    minds = any(isinstance(module, modal) for module in trial.reference().model.modules())
    if same == ["reference"] and not minds:
        return Blame("scratch", "it gives something else in evaluation mode, though no module of the reference does")
    return Blame(same[0], "it gives in evaluation mode what it gives in training mode")


def loses_digits(trial: Trial) -> bool:
    """Scratch's formula is right and its arithmetic poor: in a wider dtype the difference all but goes."""

    def largest(found: Reading) -> float:
        return max(quantity.ratio for quantity in trial.judged("forward", found))

    wide = trial.observe(trial.scratch(WIDE))["forward"]
    rounded = {"forward": {name: array.astype(trial.dtype) for name, array in wide.items()}}
    return largest(rounded) < largest(trial.actual) / 100


def consistency(trial: Trial, scene: Scene, side: Side, masks: Mapping[str, Array]) -> str:
    """Whether a side's gradient along a random direction is the slope of its own loss."""

    def still() -> AbstractContextManager:
        return pinned(side.model, {}, masks) if isinstance(side, Reference) else nullcontext()

    with still():
        found, _ = gradients(trial, scene, side)
    directions = random_directions(trial, scene, side)  # of every tensor: a gradient that is missing is zero
    terms = [float((gradient * directions[name]).sum()) for name, gradient in found.items()]
    within = CONSISTENT * float(np.linalg.norm(terms))
    slope = settled_slope(trial, scene, side, directions, within, still)
    if slope is None:
        return "not to be held to its own loss, whose difference quotients do not settle"
    return RIGHT if abs(slope - sum(terms)) <= within else f"{sum(terms):.6g} where its own loss has slope {slope:.6g}"
