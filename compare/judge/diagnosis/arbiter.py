"""Which side is wrong: what convicts a side by itself, then what a third witness says, then what a derivative does."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import lru_cache

import numpy as np

from twofold.compare.judge.checks import exact
from twofold.compare.judge.diagnosis.gradients import of_gradients, of_module, of_outputs
from twofold.compare.judge.diagnosis.slopes import WIDE, Scene
from twofold.compare.judge.diagnosis.witness import of_call, of_update
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.reading import Reading
from twofold.compare.judge.evidence.resync import carries_on, step_numbered
from twofold.compare.judge.evidence.settings import settings
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Blame, Divergence, Quantity, Verdict, failures
from twofold.compare.sides import Reference
from twofold.compare.sides.trace import call_of


def blame(trial: Trial, quantities: Sequence[Quantity], where: Divergence | None) -> Blame:
    """Who is wrong, given what one check judged and the first that differs."""
    failed = [quantity for quantity in quantities if quantity.verdict is Verdict.FAIL]
    convicted = {quantity.side: quantity.reason for quantity in reversed(failed) if quantity.side}
    if where and set(convicted) == {"inconclusive"}:  # as extremes leaves it
        if where.stage == "optimizer":
            return at(trial, where)
        if told := arguments_at(trial, where.module):
            return Blame("conventions", told)
    if len(convicted) == 1:
        return Blame(*convicted.popitem())
    if frozen := sorted(trial.reference().frozen() & {quantity.name.partition(" ")[0] for quantity in failed}):
        return Blame("conventions", f"{', '.join(frozen)}: frozen in the reference, requires_grad is False")
    if where is None:
        return Blame("inconclusive", "nothing says where the difference begins")
    return of_integers(trial, where) if trial.integral else at(trial, where)


@lru_cache(maxsize=4)
def at(trial: Trial, where: Divergence) -> Blame:
    """Who is wrong where the sides first differ; several checks find the same place."""
    if where.stage == "train_step":
        return Blame("scratch", "by forward and backward its step agrees, by train_step it does not")
    step = step_numbered(trial, where.step) if where.step and where.stage != "optimizer" else None
    if step and carries_on(trial, step):
        return Blame("scratch", "made afresh with the same state it agrees: it carries something else along")
    if where.stage in ("optimizer", "update"):
        return of_update(trial, where)
    if not where.step and not where.evaluating and (told := narrow(trial)):
        return Blame("scratch", told)
    if not where.step and not where.evaluating and (told := off_at(trial, where.module)):
        return Blame("reference", told)
    scene = Scene(trial.state, trial.inputs, trial.target if where.module == "loss" else None, not where.evaluating)
    judged = trial.judged("gradient")
    if step:
        scene, judged = Scene(step.start.state, step.start.inputs, step.start.target), step.judged["gradient"]
    if where.stage == "backward" and not (step and "loss" in failures(step.judged["loss"])):
        failed = failures(trial.unwaived(judged))
        if not failed and scene.target is None and scene.training:
            return of_module(trial, where.module)
        return of_gradients(trial, scene, failed)
    if where.evaluating and (guilt := of_modes(trial)):
        return guilt
    return of_outputs(trial, scene, where)


@lru_cache(maxsize=1)
def of_integers(whole: Trial, where: Divergence) -> Blame:
    """Where integers alone differ: derivatives say little at ties, and torch's own module defines what is right."""
    if told := of_call(whole, where.module, *exact.runs(whole)):
        return told
    if where.stage == "backward" and (failed := failures(exact.compared(whole)["gradient"])):
        return of_gradients(whole, Scene(whole.state, whole.inputs), failed)
    return Blame(
        "inconclusive", "integers alone differ, where ties are, and nothing but the two sides says what is right"
    )


def narrow(trial: Trial) -> str:
    """What says that scratch goes wrong in its own precision alone: with the same numbers in a wider one it does not.

    The witness for float32 is its float64 run, and for that a run in longdouble: other code may be taken there.
    """
    wide = "float64" if trial.dtype == "float32" else WIDE
    if wide == trial.dtype:
        return ""

    def largest(found: Reading) -> float:
        stages = [stage for stage in ("forward", "loss", "gradient", "backward") if found[stage]]
        return max(q.ratio for stage in stages for q in trial.unwaived(trial.judged(stage, found)))

    with suppress(Exception):  # it need not run in another precision
        reading = trial.observe(trial.scratch(wide))
        rounded = {
            stage: {
                name: array.astype(trial.dtype) if array.dtype.kind == "f" else array for name, array in arrays.items()
            }
            for stage, arrays in reading.items()
        }
        if largest(rounded) < largest({**trial.actual}) / 100:
            nearer = f"with the same numbers in {wide} it comes a hundred times nearer"
            return f"{nearer}: it goes wrong in {trial.dtype} alone"
    return ""


def arguments_at(trial: Trial, path: str) -> str:
    """The arguments that differ in the module at `path`."""
    ours, theirs = (dict(side.model.named_modules()).get(path) for side in (trial.scratch(), trial.reference()))
    told = settings(ours, vars(theirs)) if ours is not None and theirs is not None else ""
    return f"{path}.{told}" if told else ""


def off_at(trial: Trial, path: str) -> str:
    """What says that the reference goes wrong in the trial's precision alone, in the module at `path`."""
    off = [(name, quantity) for found in trial.measured.off.values() for name, quantity in found.items()]
    return next((q.reason for name, q in off if path in (trial.module_of(call_of(name)), trial.owner(name))), "")


def of_modes(trial: Trial) -> Blame | None:
    """Where one side alone gives the same in both modes: it ignores them, unless the model has nothing that minds."""
    same = []
    for side in (trial.scratch(), trial.reference()):
        outputs = []
        for mode in (True, False):
            with pinned(side, {}, trial.actual["masks"]) if isinstance(side, Reference) else nullcontext():
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
