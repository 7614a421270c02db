"""A third witness where no derivative speaks: an object of torch's own class, made afresh with the same arguments.

A class name is none: a hook, a forward replaced on the instance or a call too many makes it another thing.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np

from twofold.compare.judge.checks import optimizers
from twofold.compare.judge.diagnosis.conventions import of_optimizers
from twofold.compare.judge.evidence.reading import Reading, idle_in
from twofold.compare.judge.evidence.resync import afresh, one_step_from, step_numbered
from twofold.compare.judge.evidence.settings import settings
from twofold.compare.judge.evidence.training import clip_of, training_step
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Blame, Divergence, failures
from twofold.compare.pair import Twin
from twofold.compare.sides import Reference
from twofold.compare.sides.hooks import hooks
from twofold.compare.sides.trace import array_of, path_of
from twofold.scratch.module import Array

Arrays = dict[str, Array]
# What scratch, the reference and the third witness made of the same, by step.
Told = tuple[Sequence[Arrays], Sequence[Arrays], Sequence[Arrays]]


def of_update(trial: Trial, where: Divergence) -> Blame:
    """Who is wrong about an update or a running statistic, neither of which has a derivative."""
    path, _, tensor = str(where.tensor).partition(" ")[0].rpartition(".")
    scratch, reference = trial.scratch(), trial.reference()
    known = f"{path}.{tensor}".removeprefix(".") in dict(reference.named_parameters())
    if where.stage != "optimizer" and not known:
        return of_statistics(trial, where, path)
    assert trial.case.optimizer is not None
    if settled := of_optimizers(scratch.optimizer, reference.optimizer, trial.case.optimizer.arguments):
        return Blame("conventions", settled)
    kind = kind_of(reference.optimizer)
    if not kind:
        return Blame("inconclusive", f"every argument is equal, and {named(reference.optimizer)} is not torch's own")
    if where.stage == "update" and f"{path}.{tensor}".removeprefix(".") in idle_in(trial.actual, trial.golden):
        return Blame(
            "conventions", f"no gradient reaches {path}: torch leaves it alone, scratch takes a gradient of zero"
        )
    told = by_equal_gradients(trial) if where.stage == "optimizer" else at_step(trial, where)
    return between(trial, kind, told, hooks(reference.optimizer, "the optimizer"))


def by_equal_gradients(trial: Trial) -> Told:
    """Of the first states given to the optimizers that tell the two sides apart."""
    for twin in optimizers.twins_of(trial):
        for _, given in optimizers.given_to(trial, twin):
            ours = optimizers.steps(optimizers.scratch(trial, twin), *given)
            theirs = optimizers.steps(optimizers.reference(trial, twin, "float64"), *given)
            if differ(trial, ours, theirs):
                return ours, theirs, optimizers.steps(with_plain_optimizer(trial, twin, clip_of(trial)), *given)
    return (), (), ()


def at_step(trial: Trial, where: Divergence) -> Told:
    """Of one step of training, by the gradients that both sides have there."""
    assert where.step and trial.case.optimizer
    start = step_numbered(trial, where.step).start
    actual = training_step(trial, afresh(trial, start), start.inputs, start.target)
    golden = one_step_from(trial, start, actual, trial.reference("float64"))
    third = with_plain_optimizer(trial, trial.case.optimizer, trial.case.clip)
    (after,) = optimizers.steps(third, start.state, start.optimizer_state, [actual["gradient"]])
    after = {name: array for name, array in after.items() if not name.endswith(" gradient")}
    ours, theirs = ({name: run["update"][name] for name in after if name in run["update"]} for run in (actual, golden))
    return [ours], [theirs], [after]


def with_plain_optimizer(trial: Trial, twin: Twin, clip: float | None) -> Reference:
    """The reference in float64 with an optimizer of torch's own class, to which nobody has done anything."""
    kind = type(optimizers.reference(trial, twin).optimizer).__name__
    plain = Twin(twin.scratch, f"torch.optim:{kind}", twin.arguments)
    return Reference(trial.case.model, None, plain, "float64", clip=clip, known=trial.state)


def of_statistics(trial: Trial, where: Divergence, path: str) -> Blame:
    """A norm's running statistics after one step, from what it took in that step."""
    reference = trial.reference("float64")
    theirs = reference.model.get_submodule(path)
    if told := settings(dict(trial.scratch().model.named_modules())[path], vars(theirs)):
        return Blame("conventions", told)
    kind = kind_of(theirs)
    if not kind or not where.step:
        return Blame("inconclusive", f"every argument is equal, and {named(theirs)} is not torch's own")
    start = step_numbered(trial, where.step).start
    actual = training_step(trial, afresh(trial, start), start.inputs, start.target)
    calls: list[Any] = []
    counting = theirs.register_forward_hook(lambda *given: calls.append(given[0]))
    golden = one_step_from(trial, start, actual, reference)
    counting.remove()
    taken = [array for key, array in actual["input"].items() if path_of(key) == path]
    third = made_afresh(theirs)
    third.load_state_dict(part_of(reference, path, start.state))
    for array in taken:
        third(reference.tensor(array))
    after = {f"{path}.{name}".removeprefix("."): array_of(buffer) for name, buffer in third.named_buffers()}
    ours, theirs_after = ({name: run["update"][name] for name in after} for run in (actual, golden))
    tampered = hooks(theirs, path)
    if len(calls) > len(taken):
        tampered += [f"in one step the reference calls {path} {len(calls)} times, on the way forward {len(taken)}"]
    return between(trial, kind, ([ours], [theirs_after], [after]), tampered)


def part_of(reference: Reference, path: str, state: Arrays) -> dict[str, Any]:
    """Of the whole state what the module at `path` holds, by its own names."""
    names = {key: f"{path}.{key}".removeprefix(".") for key in reference.model.get_submodule(path).state_dict()}
    return {key: reference.tensor(state[reference.tied.get(name, name)]) for key, name in names.items()}


def of_call(trial: Trial, path: str, ours: Reading, theirs: Reading) -> Blame | None:
    """One of torch's own modules without others in it, by what it takes and is sent: what it gives and sends back.

    None where the witness agrees with both sides or with neither, or cannot be made.
    """
    reference = trial.reference()
    module: Any = dict(reference.model.named_modules()).get(path)
    kind = kind_of(module) if path else ""
    if not kind or any(module.children()) or kind.endswith("Dropout"):
        return None
    third = made_afresh(module)
    third.load_state_dict(part_of(reference, path, trial.state))
    told: tuple[list[Arrays], list[Arrays], list[Arrays]] = ([], [], [])
    for key in (key for key in ours["input"] if path_of(key) == path):
        if not all(np.array_equal(ours["input"][key], run["input"].get(key, np.nan)) for run in (ours, theirs)):
            return None
        x = tensor_of(ours["input"][key])
        out = third(x.requires_grad_(x.is_floating_point()))
        given = {"forward": array_of(out)}
        sent = ours["backward"].get(key)
        if x.requires_grad and sent is not None and np.array_equal(sent, theirs["backward"].get(key, np.nan)):
            out.backward(tensor_of(sent))
            given["grad_input"] = array_of(x.grad)
        for side, run in zip(told, (ours, theirs), strict=False):
            side.append({stage: run[stage].get(key, np.zeros(0)) for stage in given})
        told[2].append(given)
    found = between(trial, kind, told, hooks(module, path))
    return found if found.side != "inconclusive" else None


def tensor_of(array: Array) -> Any:
    """A copy on the CPU in float64, integers as they are."""
    import torch

    return torch.from_numpy(np.array(array, np.float64 if array.dtype.kind == "f" else None))


def between(trial: Trial, kind: str, told: Told, tampered: Sequence[str]) -> Blame:
    """The side that does as the third witness does is right, if the other does not."""
    ours, theirs, third = told
    wrong = differ(trial, ours, third), differ(trial, theirs, third)
    if wrong == (True, False):
        return Blame("scratch", f"every argument is equal, and {kind}, made afresh, does what the reference does")
    if wrong == (False, True):
        reason = f"every argument is equal, and {kind}, made afresh, does what scratch does"
        return Blame("reference", "; ".join([reason, *tampered]))
    neither = "agrees with neither side" if all(wrong) else "does not tell them apart"
    return Blame("inconclusive", "; ".join([f"every argument is equal, and {kind}, made afresh, {neither}", *tampered]))


def differ(trial: Trial, first: Sequence[Arrays], second: Sequence[Arrays]) -> bool:
    """By the least floor that there is; each is rounded to the trial's precision, and the witness is in float64."""

    def fits(a: Arrays, b: Arrays) -> bool:
        floats = {name: array.astype(trial.dtype) if array.dtype.kind == "f" else array for name, array in a.items()}
        return not failures(trial.judge(floats, b, []))

    return not all(map(fits, first, second))


def kind_of(made: Any) -> str:
    """The full name of torch's own class, "" for others."""
    return named(made) if type(made).__module__.startswith("torch.") else ""


def named(made: Any) -> str:
    return f"{type(made).__module__}.{type(made).__name__}"


def made_afresh(module: Any) -> Any:
    """A module of the same class and arguments, in float64 and training mode."""
    kind = type(module)
    wanted = {name for name in signature(kind).parameters if name not in ("device", "dtype") and hasattr(module, name)}
    given = {name: getattr(module, name) for name in wanted}
    given |= {name: given[name] is not None for name in wanted & {"bias"} if not isinstance(given[name], bool)}
    return kind(**given).double()
