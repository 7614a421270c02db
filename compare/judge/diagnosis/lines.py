"""The line of scratch at which a difference begins: both sides run once more, scratch with its lines watched."""

import inspect
import linecache
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from twofold import scratch
from twofold.compare import nest
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Spot, Verdict, failures
from twofold.compare.sides import Reference, Scratch
from twofold.compare.sides.foreign.trees import is_users_file
from twofold.compare.watch.edits.searching import edited, numbers_among, search
from twofold.compare.watch.flow import Flow
from twofold.compare.watch.lines import watched
from twofold.compare.watch.locating import Parting, parted
from twofold.compare.watch.matching import Pool, off_by
from twofold.compare.watch.operations import Operations, explicit
from twofold.compare.watch.statements import Statement
from twofold.compare.watch.trace import Dropped, Trace
from twofold.scratch import calls, changes, checks, passes, tree
from twofold.scratch.module import Array

ROOM = Path(scratch.__path__[0])
GUARDS = {part.__file__ for part in (calls, changes, checks, passes, tree)}  # what they let through is what came
ROUGHLY = 1e-3  # of a tensor's largest entry
STAGES = ("forward", "loss", "backward")
JUDGED = ("forward", "loss", "backward", "gradient")


def with_lines(trial: Trial, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, each failure that scratch's own pass shows with the line at which it begins."""
    return [with_line(trial, one) if one.verdict is Verdict.FAIL else one for one in findings]


def with_line(trial: Trial, finding: Finding) -> Finding:
    where, guilty = finding.first_divergence, finding.blame.side if finding.blame else ""
    if where is None or guilty == "reference":
        return finding
    return replace(finding, spot=spot_of(trial, where.stage, where.module))


@lru_cache(maxsize=8)
def spot_of(trial: Trial, stage: str, module: str) -> Spot | None:
    """The line, or the method, and what torch has in the module's place: the same for all checks that place it so."""
    try:
        spot = (spot_in(trial, stage, module) if stage in STAGES else None) or method_of(trial, stage, module)
    except Exception:  # a watcher's trouble hides no verdict
        return None
    return spot and replace(spot, reference=torchs(trial, module))


def method_of(trial: Trial, stage: str, module: str) -> Spot | None:
    """Where no line makes what differs, as where one is lacking: the method that should."""
    part, name = part_of(trial, module), stage
    if stage in ("optimizer", "train_step"):
        part, name = trial.scratch().optimizer, "update"
    method = getattr(type(part), "forward" if name == "loss" else name, None)
    if not inspect.isfunction(method):
        return None
    code = inspect.unwrap(method).__code__
    file, line = code.co_filename, code.co_firstlineno
    text = linecache.getline(file, line).strip()
    return Spot(named(file), line, text) if text else None


def part_of(trial: Trial, module: str) -> Any:
    """Scratch's module, or its loss, in which a difference begins."""
    side = trial.scratch()
    modules = {**dict(side.model.named_modules()), "loss": side.criterion}
    return modules.get("" if module == trial.case.name else module)


def is_in(part: Any, stage: str, statement: Statement) -> bool:
    """Whether a statement is of a module's own method of that stage, or of one that only it has."""
    kinds = {kind.__name__ for kind in type(part).__mro__}
    owner, _, method = statement.function.partition(".")
    return owner in kinds and (method not in ("forward", "backward") or method == stage)


def spot_in(trial: Trial, stage: str, module: str) -> Spot | None:
    """Where in scratch's files the trial's own pass begins to differ; None where it does not, or nothing tells."""
    if not any(failures(trial.judged(judged)) for judged in JUDGED):
        return None
    side = trial.scratch()
    prepare(trial, side)
    try:
        with watched(scratchs(side), there(trial, side)) as watcher:
            passed(trial, side)
    except Dropped:
        return None
    if watcher.dropped:
        return None
    found = parted(flow_of(trial, watcher.trace), partial(is_in, part_of(trial, module), stage))
    if found is None:
        return None
    numbers = numbers_among(trial.reference().model.modules())
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found, mend = edited(found, lambda lines, s, n: search(lines, partial(agreeing, trial), numbers, n, s))
    return replace(told(found), edit=mend)


def agreeing(trial: Trial) -> int | None:
    """How many comparisons of the trial's own pass agree with scratch as it is now; None where one does not."""
    side = trial.scratch()
    prepare(trial, side)
    passed(trial, side)
    for name, array in side.gradients().items():
        golden = trial.golden["gradient"].get(name)
        if golden is not None and (array.shape != golden.shape or not near(array, golden)):
            return None  # not worth judging
    other = copy(trial)
    vars(other).pop("actual", None)
    quantities = [quantity for stage in JUDGED for quantity in other.unwaived(other.judged(stage))]
    if failures(quantities):
        return None
    return sum(quantity.verdict is Verdict.PASS for quantity in quantities) or None


def near(array: Array, golden: Array) -> bool:
    """Whether it is roughly that."""
    size = np.abs(golden[np.isfinite(golden)]).max(initial=0)
    return bool(np.allclose(array, golden, rtol=0, atol=ROUGHLY * size, equal_nan=True))


def there(trial: Trial, side: Any) -> list[Array]:
    """What no line of the pass makes."""
    arrays = [array for _, parameter in side.model.named_parameters() for array in (parameter.data, parameter.grad)]
    given = [*nest.flatten(trial.inputs), *nest.flatten(trial.cotangents), *side.state().values()]
    return [*arrays, *given, *([] if trial.target is None else [trial.target])]


def scratchs(side: Any) -> Callable[[str], bool]:
    """Of which files lines are watched: scratch's, and those that hold a method of a module, loss or optimizer."""
    parts = [*(module for _, module in side.model.named_modules()), side.criterion, side.optimizer]
    kinds = {kind for part in parts for kind in type(part).__mro__}
    methods = [inspect.unwrap(m) for kind in kinds for m in vars(kind).values() if inspect.isfunction(m)]
    files = {file for method in methods if is_users_file(file := method.__code__.co_filename)}
    return lambda file: (file.startswith(str(ROOM)) and file not in GUARDS) or file in files


def prepare(trial: Trial, side: Any) -> None:
    side.load(trial.state)
    side.train(True)
    side.zero_grad()
    if isinstance(side, Scratch):
        side.reseed(trial.seed)


def passed(trial: Trial, side: Any) -> dict[str, Array]:
    """One forward and backward pass as the trial takes it, with the gradients that the inputs get."""
    out = side.forward(trial.inputs)
    found: dict[str, Array] = {}
    if [a.shape for a in nest.flatten(out)] == [c.shape for c in nest.flatten(trial.cotangents)]:
        found = nest.numbered("<input>", side.backward(trial.cotangents))
    if trial.target is not None:
        side.loss(trial.target)
        side.loss_gradient()
    return found


def flow_of(trial: Trial, trace: Trace) -> Flow:
    """What scratch's lines made beside what torch has."""
    wrong: dict[str, int] = {}
    right: set[int] = set()
    off: list[float | None] = []
    for stage in JUDGED:
        bad = failures(trial.unwaived(trial.judged(stage)))
        for name, array in trial.actual[stage].items():
            number = trace.known(array)
            if name in bad:
                off.append(off_by(array, trial.golden[stage].get(name)))
                if number is not None:
                    wrong[f"{stage} {name}"] = number
            elif number is not None and name in trial.golden[stage]:
                right.add(number)
    factors = [factor for factor in off if factor is not None]
    return Flow(trace, Pool(golden_of(trial)), wrong, right - set(wrong.values()), factors, trial.dtype)


def golden_of(trial: Trial) -> Iterator[tuple[Any, Array]]:
    """Every value and gradient of the float64 reference, taken apart as far as can be."""
    for stage in JUDGED:
        yield from ((("torch", name), array) for name, array in trial.golden[stage].items())
    side: Reference = trial.reference("float64")
    prepare(trial, side)
    operations = Operations()
    modules = {"": side.model, **({"loss": side.criterion} if hasattr(side.criterion, "modules") else {})}
    seen = explicit(operations, modules, dict(side.named_parameters()))
    with pinned(side, trial.actual["input"], trial.actual["masks"], counting=False), seen:
        passed(trial, side)
    for cotangent in nest.flatten(trial.cotangents):
        yield ("torch", "cotangent"), np.asarray(cotangent)
    yield from operations.values()


def told(found: Parting) -> Spot:
    statement = found.statement
    seen = found.name, found.when, found.agree
    return Spot(named(statement.file), statement.line, statement.text, *seen, first=found.first)


def named(file: str) -> str:
    """A file of scratch's from the folder that holds scratch, another from where one is."""
    path = next(
        (Path(file).relative_to(base) for base in (ROOM.parent, Path.cwd()) if Path(file).is_relative_to(base)), None
    )
    return (path or Path(file)).as_posix()


def torchs(trial: Trial, path: str) -> str:
    """What torch has in the place of a module: its class and arguments."""
    if path == "loss" and trial.case.loss is not None:
        return f"{trial.reference().criterion}".partition("\n")[0]
    module = dict(trial.reference().model.named_modules()).get("" if path == trial.case.name else path)
    return "" if module is None else f"{module}".partition("\n")[0].rstrip("(")
