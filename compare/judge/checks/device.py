"""The reference's own runs on a device, judged as scratch's are: beside the float64 reference on the CPU.

It is to give equal bits for equal ones, and to lie within the floors, which the CPU's runs measure: there every tanh
and sigmoid is seen, also those that a device computes within a cell.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from twofold.compare import nest
from twofold.compare.judge.checks import optimizers
from twofold.compare.judge.checks.contract import same
from twofold.compare.judge.checks.extremes import AS_IT_IS, beside
from twofold.compare.judge.checks.modes import evaluated, evaluates
from twofold.compare.judge.checks.parts import Outcome, Part, Values, parts
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.reading import Reading, Unrepeatable, equal_to, identical, repeated
from twofold.compare.judge.evidence.repeating import unsteady_operation
from twofold.compare.judge.evidence.resync import (
    Step,
    afresh,
    judged_step,
    one_step_from,
    resynchronised_steps,
    unwaived,
)
from twofold.compare.judge.evidence.training import counted, training_step
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, exactly, on, worst_by_name
from twofold.compare.pair import Twin
from twofold.compare.sides import Reference

PASS = ("forward", "loss", "backward", "gradient")
# Of the re-synchronised steps: from nothing, from one step's state, and the last.
STEPS = (1, 2, -1)

Judged = dict[str, list[Quantity]]  # by stage


def on_device(trial: Trial) -> Iterator[Quantity]:
    """Passes in both modes; where the case is trained, its optimizer and three steps."""
    for mode, stages in passes(trial).items():
        for stage, quantities in stages.items():
            yield from (replace(q, name=f"{q.name}{TOLD[stage]}{mode}") for q in quantities)
    if trial.target is not None and len(trial.inputs) == 1:
        told = "loss or output of `evaluate` are not those of forward and loss"
        yield on(trial.device, exactly("evaluate", evaluates(trial, trial.away()), told))
    yield from by_parts(trial)
    if trial.case.optimizer and trial.case.loss:
        yield from updated(trial)
        yield from stepped(trial)


TOLD = {"forward": "", "loss": "", "backward": " sent back", "gradient": " gradient"}


@lru_cache(maxsize=1)
def passes(trial: Trial) -> Mapping[str, Judged]:
    """By mode, "" or " evaluating"."""
    found = {}
    for training, mode in ((True, ""), (False, " evaluating")):
        actual = trial.actual if training else evaluated(trial).actual
        measured = trial.measured if training else evaluated(trial).measured
        away = repeating(trial, actual, training)
        judged = {stage: trial.judged_by(measured, stage, away) for stage in PASS}
        found[mode] = {stage: convicted(trial, trial.unwaived(judged[stage])) for stage in judged}
    return found


def repeating(trial: Trial, actual: Reading, training: bool) -> Reading:
    """A pass on the device, pinned to what scratch took. Raises Unrepeatable, with the operation."""
    side, pins = trial.away(), (actual["input"], actual["masks"])

    def run(keep: Any = None) -> Reading:
        with pinned(side, *pins, counting=False):
            return trial.observe(side, training=training, keep=keep)

    plain = run()
    must_be_there(trial, side, *nest.flatten(side._inputs), *nest.flatten(side._out))
    if not repeated(plain, again := run(equal_to(plain))):
        where = f", first in {trial.first_unequal(plain, again)}"
        raise unrepeatable(trial, "a pass", run, where)
    return plain


def must_be_there(trial: Trial, side: Reference, *tensors: Any) -> None:
    """Raises where the parameters, or what a pass took and gave, are not on the device: another would be judged."""
    told = {leaf.device.type for leaf in (*side.model.parameters(), *tensors) if hasattr(leaf, "device")}
    if elsewhere := told - {side.torch.device(trial.device).type}:
        raise RuntimeError(f"what is judged on {trial.device} ran on {', '.join(sorted(elsewhere))}")


def unrepeatable(trial: Trial, what: str, run: Callable[[], object], where: str = "") -> Unrepeatable:
    operation = unsteady_operation(run)
    told = f": the operation {operation} gives something else each time" if operation else ""
    return Unrepeatable(f"on {trial.device} {what} does not repeat itself on equal inputs{where}{told}")


def by_parts(trial: Trial) -> Iterator[Quantity]:
    """Every leaf module, loss and penalty by itself and not pinned: a ReLU decides for itself.

    On ordinary values: of extreme ones other sums of the same terms, as a device has them, may give something else.
    """
    for part, far in zip(parts(trial), parts(trial, trial.device), strict=True):
        usual = part.theirs(trial.dtype, part.state, part.values)

        def acting(values: Values, part: Part = part, far: Part = far) -> Outcome:
            for scratchs in (part, far):  # whose dropout mask each takes
                scratchs.ours(values)
            run = partial(far.theirs, trial.dtype, far.state, values)
            if not same(dict(found := run()), dict(run())):
                raise unrepeatable(trial, f"{part.name} by itself", run)
            return found

        judged = beside(trial, part, AS_IT_IS, part.values, usual, acting)
        yield from convicted(trial, (replace(q, name=f"{q.name} by itself") for q in judged))


def updated(trial: Trial) -> list[Quantity]:
    """The optimizers given equal gradients, as the check of that name has them."""

    def away(trial: Trial, twin: Twin) -> Reference:
        side = optimizers.reference(trial, twin, device=trial.device)
        must_be_there(trial, side)
        return side

    for twin in optimizers.twins_of(trial):
        for label, given in optimizers.given_to(trial, twin):
            run = partial(optimizers.steps, away(trial, twin), *given)
            if not all(map(same, run(), run())):
                raise unrepeatable(trial, f"a step of {twin.scratch.rpartition(':')[2]} {label}", run)
    rounds = (found for twin in optimizers.twins_of(trial) for found in optimizers.rounds(trial, twin, away))
    judged = worst_by_name((label, trial.unwaived(quantities)) for label, quantities in rounds)
    return [replace(q, name=f"{q.name} by the optimizer") for q in convicted(trial, judged)]


def stepped(trial: Trial) -> list[Quantity]:
    """Training steps from a state of scratch's, judged as those are that are re-synchronised."""
    steps = resynchronised_steps(trial)
    chosen = {steps[n - 1 if n > 0 else n].number: steps[n - 1 if n > 0 else n] for n in STEPS if len(steps) >= abs(n)}
    rounds = ((f"step {number}", judged_from(trial, step)) for number, step in chosen.items())
    return [replace(q, name=f"{q.name} in training") for q in convicted(trial, worst_by_name(rounds))]


def judged_from(trial: Trial, step: Step) -> list[Quantity]:
    start, side = step.start, trial.away()
    actual = training_step(trial, afresh(trial, start), start.inputs, start.target)

    def run() -> Reading:
        side.renew_optimizer()
        return one_step_from(trial, start, actual, side)

    first = run()
    if not identical(first, run()):
        raise unrepeatable(trial, f"training step {step.number}", run)
    away = {**first, "update": counted(first["update"]), "input": actual["input"], "masks": actual["masks"]}
    judged = unwaived(trial, judged_step(trial, away, start, trial.reference("float64"), trial.reference()))
    return [*judged["loss"], *(replace(q, name=f"{q.name} gradient") for q in judged["gradient"]), *judged["update"]]


def convicted(trial: Trial, quantities: Iterable[Quantity]) -> list[Quantity]:
    return [on(trial.device, quantity) for quantity in quantities]
