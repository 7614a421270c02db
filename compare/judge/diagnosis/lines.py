"""The line of scratch at which a difference begins: both sides run once more, scratch with its lines watched."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from twofold import scratch
from twofold.compare import nest
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Spot, Verdict, failures
from twofold.compare.sides import Reference, Scratch
from twofold.compare.watch.lines import watched
from twofold.compare.watch.locating import ONE, Flow, Parting, parted
from twofold.compare.watch.matching import WITHIN, Pool, multiple
from twofold.compare.watch.operations import Operations, explicit
from twofold.compare.watch.trace import Dropped, Trace
from twofold.scratch.module import Array

ROOM = Path(scratch.__path__[0])
STAGES = ("forward", "loss", "backward")
JUDGED = ("forward", "loss", "backward", "gradient")


def with_lines(trial: Trial, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, each failure that scratch's own pass shows with the line at which it begins."""
    return [with_line(trial, one) if one.verdict is Verdict.FAIL else one for one in findings]


def with_line(trial: Trial, finding: Finding) -> Finding:
    where, guilty = finding.first_divergence, finding.blame.side if finding.blame else ""
    if where is None or where.stage not in STAGES or guilty == "reference":
        return finding
    try:
        spot = spot_in(trial)
    except Exception:  # a watcher's trouble hides no verdict
        return finding
    return replace(finding, spot=spot and replace(spot, reference=torchs(trial, where.module)))


@lru_cache(maxsize=8)
def spot_in(trial: Trial) -> Spot | None:
    """Where in scratch's files the trial's own pass begins to differ; None where it does not, or nothing tells."""
    if not any(failures(trial.judged(stage)) for stage in JUDGED):
        return None
    side = trial.scratch()
    prepare(trial, side)
    try:
        with watched(is_scratchs, there(trial, side)) as watcher:
            passed(trial, side)
    except Dropped:
        return None
    if watcher.dropped:
        return None
    found = parted(flow_of(trial, watcher.trace))
    return spot_of(found) if found else None


def there(trial: Trial, side: Any) -> list[Array]:
    """What no line of the pass makes."""
    arrays = [array for _, parameter in side.model.named_parameters() for array in (parameter.data, parameter.grad)]
    given = [*nest.flatten(trial.inputs), *nest.flatten(trial.cotangents), *side.state().values()]
    return [*arrays, *given, *([] if trial.target is None else [trial.target])]


def is_scratchs(file: str) -> bool:
    return file.startswith(str(ROOM))


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
    off: list[float] = []
    for stage in JUDGED:
        bad = failures(trial.unwaived(trial.judged(stage)))
        for name, array in trial.actual[stage].items():
            number = trace.known(array)
            if name in bad:
                off += factor_of(array, trial.golden[stage].get(name))
                if number is not None:
                    wrong[f"{stage} {name}"] = number
            elif number is not None and name in trial.golden[stage]:
                right.add(number)
    return Flow(trace, Pool(golden_of(trial)), wrong, right - set(wrong.values()), off, trial.dtype)


def factor_of(actual: Array, golden: Array | None) -> list[float]:
    if golden is None or actual.shape != golden.shape or actual.size < 2:
        return []
    factor = multiple(np.sort(actual.ravel().astype(float)), golden.ravel().astype(float), WITHIN["float64"])
    return [] if factor is None or abs(factor - 1) <= ONE else [factor]


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


def spot_of(found: Parting) -> Spot:
    statement = found.statement
    path = Path(statement.file).relative_to(ROOM.parent).as_posix()
    agree = tuple(f"{one.name} (line {one.statement.line})" for one in found.agreeing if one.name)[:3]
    return Spot(path, statement.line, statement.text, found.name, found.times + 1, found.runs, agree)


def torchs(trial: Trial, path: str) -> str:
    """What torch has in the place of a module: its class and arguments."""
    if path == "loss" and trial.case.loss is not None:
        return f"{trial.reference().criterion}".partition("\n")[0]
    module = dict(trial.reference().model.named_modules()).get("" if path == trial.case.name else path)
    return "" if module is None else f"{module}".partition("\n")[0].rstrip("(")
