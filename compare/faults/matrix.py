"""The kill matrix: every fault in every pair that can have it, and whether the judge finds, places and blames it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from copy import copy
from dataclasses import dataclass, replace
from multiprocessing import get_context

from compare.faults import FAULTS
from compare.faults.fault import Expected, Fault, parts_of
from compare.judge.checks import BATTERY, CHECKS_BY_NAME
from compare.judge.floor import Verdict
from compare.judge.sensitivity import Sensitivity, sensitivities
from compare.judge.trial import Divergence, Trial
from compare.pair import Case
from compare.threads import one_thread


@dataclass(frozen=True)
class Cell:
    """One fault planted in one pair, what was expected and what was found."""

    fault: str
    title: str
    pair: str
    expected: Expected
    failed: tuple[str, ...]
    located: Divergence | None
    blame: str | None

    @property
    def detected(self) -> bool:
        return set(self.expected.checks) <= set(self.failed)

    @property
    def located_rightly(self) -> bool:
        if self.expected.stage is None:
            return True
        if self.located is None or self.located.stage != self.expected.stage:
            return False
        return not self.expected.modules or self.located.module in self.expected.modules

    @property
    def blamed_rightly(self) -> bool:
        return self.blame == self.expected.blame

    @property
    def survives(self) -> bool:
        return not (self.detected and self.located_rightly and self.blamed_rightly)


@dataclass(frozen=True)
class Row:
    """All that one pair has to say."""

    pair: str
    cells: tuple[Cell, ...]
    sensitivities: tuple[Sensitivity, ...]


def row(case: Case) -> Row:
    """The reference is run once, in float64; each fault runs scratch alone against it."""
    with one_thread():
        trial, parts = Trial(case, "float64"), parts_of(case)
        shown = trial.shows_modules  # runs both sides without a fault
        lacking = {check.name for check in BATTERY if check.lacking(trial)}
        expected = ((fault, fault.expected(parts, shown)) for fault in FAULTS)
        found = ((fault, what) for fault, what in expected if what and not lacking & set(what.checks))
        cells = tuple(cell(fault, trial, decidable(case, what)) for fault, what in found)
        return Row(case.name, cells, tuple(sensitivities(trial)) + tuple(sensitivities(Trial(case, "float32"))))


def decidable(case: Case, expected: Expected) -> Expected:
    """Where a gradient is cut off on purpose, neither side's is the slope of its loss, and outputs decide nothing."""
    cut = "numerical" in case.waivers and expected.stage in ("forward", "loss") and "resync" not in expected.checks
    return replace(expected, blame="inconclusive") if cut else expected


def cell(fault: Fault, trial: Trial, expected: Expected) -> Cell:
    with fault.planted():
        findings = [CHECKS_BY_NAME[name](faulty(trial)) for name in expected.checks]
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    located = next((finding.first_divergence for finding in failed if finding.first_divergence), None)
    blame = next((finding.blame.side for finding in failed if finding.blame), None)
    return Cell(fault.id, fault.title, trial.case.name, expected, tuple(f.check for f in failed), located, blame)


def faulty(trial: Trial) -> Trial:
    """The trial with the reference's runs kept and scratch's forgotten."""
    other = copy(trial)
    for name in ("found", "divergence"):
        vars(other).pop(name, None)
    return other


def rows(cases: Sequence[Case], jobs: int, tell: Callable[[str], object]) -> list[Row]:
    """One row a case, spread over processes."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        pending = [pool.submit(row, case) for case in cases]
        for done, future in enumerate(as_completed(pending), 1):
            tell(f"{done} of {len(cases)} pairs: {future.result().pair}")
        return [future.result() for future in pending]
