"""Where a difference begins: the first module that differs, in training the step and tensor, by what a check found.

Forward in order of execution, then backward in reverse order. Of what an optimizer does the tensor is named.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import takewhile

from twofold.compare.judge.checks import device, exact, extremes, modes, optimizers, sizes
from twofold.compare.judge.evidence.floor import judge_all
from twofold.compare.judge.evidence.reading import Measured, Reading
from twofold.compare.judge.evidence.resync import (
    Step,
    fails,
    late_failure,
    resynchronised_steps,
    trained_steps,
    unwaived,
)
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Quantity, Verdict, failures
from twofold.compare.sides.trace import call_of

# Whether what a call took ("input") or sent back ("grad_input") differs; None where that is not to be seen.
Between = Callable[[str, str], bool | None]
PASS = ("forward", "backward", "gradient")


@lru_cache(maxsize=8)
def divergence(trial: Trial) -> Divergence | None:
    """In the trial's own pass."""
    return locate(trial, {stage: trial.judged(stage) for stage in PASS})


def locate(
    trial: Trial,
    judged: Mapping[str, Sequence[Quantity]],
    step: int | None = None,
    between: Between | None = None,
) -> Divergence | None:
    """The first module that differs in a pass, by stage.

    `between` judges what modules took and sent back, by default in this trial: where a module takes what the one
    before it did not give, the module that holds both is wrong.
    """
    between = between or partial(differs_between, trial)
    failed = {stage: failures(trial.unwaived(judged[stage])) for stage in judged}
    calls = list(dict.fromkeys(call_of(q.name) for q in judged["forward"]))
    for quantity in judged["forward"]:
        if quantity.name in failed["forward"]:
            call = call_of(quantity.name)
            before, module = trial.module_of(calls[max(calls.index(call) - 1, 0)]), trial.module_of(call)
            return Divergence("forward", holder(trial, before, module) if between("input", call) else module, step)
    sender = calls[-1] if calls else "<output>"  # a reference of raw tensors shows none
    for call in reversed(calls):
        if any(call_of(name) == call for name in failed["backward"]):
            # whoever sent this module a wrong gradient
            module = trial.module_of(sender)
            glue = between("grad_input", sender) is False
            if between is not not_seen and cuts(trial.golden, call):
                return Divergence("backward", trial.module_of(call), step)
            return Divergence("backward", holder(trial, trial.module_of(call), module) if glue else module, step)
        if any(trial.owner(name) == trial.module_of(call) for name in failed["gradient"]):
            return Divergence("backward", trial.module_of(call), step)
        sender = call
    # nothing but what the whole sends back: where the last module sends it rightly, the model is wrong
    last = trial.case.name if between("grad_input", sender) is False else trial.module_of(sender)
    return Divergence("backward", last, step) if failed["gradient"] else None


def differs_between(
    trial: Trial, stage: str, call: str, actual: Reading | None = None, measured: Measured | None = None
) -> bool | None:
    """Whether what a call took, or sent back, differs; None where one side does not show it."""
    actual, measured = actual or trial.actual, measured or trial.measured
    ours, theirs = actual[stage], measured.golden[stage]
    names = [name for name in ours if name in theirs and call_of(name) == call]
    if stage == "grad_input" and cut_before(measured.golden, call):
        return False
    runs = [ours, theirs, measured.strayed.get(stage, {})]
    if not names and all(call in run or f"{call}[0]" in run for run in runs):
        # one sends something to a state that was not given, the other to the input alone
        names, runs = [call], [{call: run[call] if call in run else run[f"{call}[0]"]} for run in runs]
    if not names:
        return None
    if measured.off.get(stage, {}).keys() & set(names):
        return True
    ours, theirs, strayed = ({name: run[name] for name in names if name in run} for run in runs)
    return bool(failures(judge_all(ours, theirs, strayed, trial.dtype, trial.axis_of)))


def cut_before(golden: Reading, call: str) -> bool:
    """Whether the reference asks a call for no gradient: what detaches its input is the model's, not the module's."""
    asked = [array for name, array in golden["asked"].items() if call_of(name) == call]
    return bool(asked) and not any(map(bool, asked))


def cuts(golden: Reading, call: str) -> bool:
    """Whether the reference asks a call for a gradient, and what it gives has no way back to it."""
    asked, passed = (
        [bool(array) for name, array in golden[stage].items() if call_of(name) == call] for stage in ("asked", "passed")
    )
    return any(asked) and bool(passed) and not any(passed)


def not_seen(stage: str, call: str) -> None:
    """Between, where what passes between modules was not recorded."""


def holder(trial: Trial, first: str, second: str) -> str:
    """The path of the module that holds both."""
    if trial.case.name in (first, second):
        return trial.case.name
    parts = zip(first.split(".")[:-1], second.split(".")[:-1], strict=False)
    return ".".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], parts)) or trial.case.name


def placed_in(trial: Trial, check: str) -> Trial:
    """The trial in which a check's failure is looked for: itself, of `sizes` that size, of `exact` that of integers.

    Where its own numbers differ too: at the kinks, where integers lie, derivatives say less.
    """
    trial = sizes.failing(trial) if check == "sizes" else trial
    own = any(failures(trial.judged(stage)) for stage in ("gradient", "loss"))
    return exact.signed(trial) if check in ("exact", "sizes") and not own else trial


def of_exact(trial: Trial) -> Divergence | None:
    """By the numbers themselves: moved by an ulp they leave their ties, and floors among those say nothing."""
    if not trial.integral:
        return divergence(trial)
    judged = exact.compared(trial)
    return locate(trial, {stage: judged.get(stage, []) for stage in PASS}, between=partial(differs_exactly, trial))


def differs_exactly(whole: Trial, stage: str, call: str) -> bool | None:
    ours, theirs = (
        {name: array for name, array in run[stage].items() if call_of(name) == call} for run in exact.runs(whole)
    )
    shared = [name for name in ours if name in theirs]
    return bool(failures(exact.bitwise(*({n: run[n] for n in shared} for run in (ours, theirs))))) if shared else None


def of_size(trial: Trial) -> Divergence | None:
    return of_exact(trial) or (of_loss(trial) if failures(trial.judged("loss")) else None)


def of_loss(trial: Trial) -> Divergence:
    """Where the outputs and what comes back through the model agree it is the loss itself, or its gradient."""
    value, _ = trial.judged("loss")
    return divergence(trial) or Divergence("loss" if value.verdict is Verdict.FAIL else "backward", "loss")


def of_modes(trial: Trial) -> Divergence | None:
    found = modes.evaluated(trial)
    between = partial(differs_between, trial, actual=found.actual, measured=found.measured)
    where = locate(trial, found.judged, between=between)
    return where and replace(where, evaluating=True)


def of_optimizer(trial: Trial) -> Divergence | None:
    """The first step of the first optimizer in which a tensor differs."""
    for twin in optimizers.twins_of(trial):
        for quantity in optimizers.first_states(trial, twin):
            if quantity.verdict is Verdict.FAIL:
                return Divergence("optimizer", trial.owner(quantity.name.partition(" ")[0]), None, quantity.name)
        for place, (_, judged) in enumerate(optimizers.rounds(trial, twin)):
            for quantity in judged:
                if quantity.verdict is Verdict.FAIL:
                    owner = trial.owner(quantity.name.partition(" ")[0])
                    return Divergence("optimizer", owner, place % optimizers.STEPS + 1, quantity.name)
    return None


def of_training(trial: Trial) -> Divergence | None:
    """The first step that differs and in it the first module; where all gradients agree, the loss or updated tensor."""
    failing = next((step for step in resynchronised_steps(trial) if fails(trial, step.judged)), None)
    if failing:
        return first_in(trial, failing)
    for step in trained_steps(trial):
        for quantity in (q for quantities in unwaived(trial, step.judged).values() for q in quantities):
            if quantity.verdict is Verdict.FAIL:
                owner = trial.owner(quantity.name.partition(" ")[0])
                return Divergence("train_step", owner, step.number, quantity.name)
    return None


def of_curve(trial: Trial) -> Divergence | None:
    """As in training; where all of its steps agree, the first later one that differs before the free run ends."""
    if where := of_training(trial):
        return where
    late = late_failure(trial)
    return first_in(trial, late) if late else None


def first_in(trial: Trial, step: Step) -> Divergence | None:
    judged, alone = unwaived(trial, step.judged), divergence(trial)
    if where := locate(trial, judged, step.number, None if alone else not_seen):
        if where.stage == "forward" or alone:
            return where
        # the model sends back what it should: it is what arrives at its output, or what is added to its gradients
        arrives = where.module == trial.case.name and trial.shows_modules
        weights = all(trial.state[name].ndim > 1 for name in failures(judged["gradient"]))
        added = trial.case.penalty and weights and not failures(judged["backward"])
        return replace(where, module="penalty" if added else "loss" if arrives else where.module)
    for stage in ("loss", "update"):
        for quantity in judged[stage]:
            if quantity.verdict is Verdict.FAIL:
                tensor = quantity.name
                return Divergence(stage, trial.owner(tensor.partition(" ")[0]), step.number, tensor)
    return None


def of_device(trial: Trial) -> Divergence | None:
    """Within a pass on the device; where all of it agrees, what differs is an update's."""
    for mode, judged in device.passes(trial).items():
        if where := locate(trial, judged, between=not_seen):
            return replace(where, evaluating=bool(mode))
        if failures(judged["loss"]):
            return Divergence("loss", "loss", evaluating=bool(mode))
    return None


# By check; what another finds has no place.
PLACES: Mapping[str, Callable[[Trial], Divergence | None]] = {
    "exact": of_exact,
    "extremes": extremes.first,
    "sizes": of_size,
    **dict.fromkeys(("forward", "gradient", "grad_output", "chunks", "strides"), divergence),
    "loss": of_loss,
    "modes": of_modes,
    "device": of_device,
    "optimizer": of_optimizer,
    "resync": of_training,
    "curve": of_curve,
}
