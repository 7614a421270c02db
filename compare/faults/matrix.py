"""The kill matrix: every fault in every pair that can have it, and whether the judge finds, places and blames it."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, partial

from twofold.compare.faults import FAULTS
from twofold.compare.faults.fault import Expected, Fault, parts_of
from twofold.compare.faults.signatures import cases, differs, signatures
from twofold.compare.faults.suspects import Seen, suspects
from twofold.compare.judge.battery import examined
from twofold.compare.judge.checks.table import BATTERY, CHECKS_BY_NAME
from twofold.compare.judge.diagnosis.causes import with_causes
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.judge.evidence.sensitivity import Sensitivity, sensitivities
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Verdict
from twofold.compare.pair import Case
from twofold.compare.processes import gathered
from twofold.compare.threads import one_thread

MOST_CAUSES = 3  # a name among more says little


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
    causes: tuple[str, ...] = ()
    home: str = ""  # the case by which it is known, if that differs without it: then nothing can be named

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
    def named_rightly(self) -> bool:
        return bool(self.home) or (self.fault in self.causes and len(self.causes) <= MOST_CAUSES)

    @property
    def survives(self) -> bool:
        return not (self.detected and self.located_rightly and self.blamed_rightly and self.named_rightly)


@dataclass(frozen=True)
class Row:
    """All that one pair has to say."""

    pair: str
    cells: tuple[Cell, ...]
    sensitivities: tuple[Sensitivity, ...]


class Ground:
    """A case in float64 with its reference run once, for faults to be planted in one after the other."""

    def __init__(self, case: Case) -> None:
        self.case, self.trial, self.parts = case, Trial(case, "float64"), parts_of(case)
        self.shows_modules = self.trial.shows_modules  # runs both sides without a fault
        self.lacking = {check.name for check in BATTERY if check.lacking(self.trial)}

    def expected(self, fault: Fault) -> Expected | None:
        """What must be found of a fault here; None where it cannot show."""
        expected = fault.expected(self.parts, self.shows_modules)
        if expected is None or self.lacking & set(expected.checks):
            return None
        # where a gradient is cut off on purpose, neither side's is the slope of its loss, and outputs decide nothing
        cut = "numerical" in self.case.waivers and expected.stage in ("forward", "loss")
        beyond = {"resync", "extremes"} & set(expected.checks)  # these do not ask what a slope is
        return replace(expected, blame="inconclusive") if cut and not beyond else expected

    def cell(self, fault: Fault, named: bool = True) -> Cell | None:
        """The fault planted: scratch alone is run again; which it may be is asked if it is to be `named`."""
        expected = self.expected(fault)
        if expected is None:
            return None
        trial = faulty(self.trial)
        with few_steps(), fault.planted():
            findings = [examined(trial, CHECKS_BY_NAME[name]) for name in expected.checks]
            if named:
                findings = with_causes(trial, findings, partial(suspects, seen=seen_with(fault.id)))
        failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
        cell = Cell(
            fault.id,
            fault.title,
            self.case.name,
            expected,
            tuple(finding.check for finding in failed),
            next((finding.first_divergence for finding in failed if finding.first_divergence), None),
            next((finding.blame.side for finding in failed if finding.blame), None),
            next((finding.causes for finding in failed if finding.causes), ()),
        )
        home = signatures()[fault.id].case
        return replace(cell, home=home) if named and not cell.named_rightly and differs(home) else cell


def row(case: Case, only: Sequence[str] = ()) -> Row:
    """The faults that can show in a case, or those `only` by id, and how small an error of its gradients is seen."""
    with one_thread():
        ground = Ground(case)
        faults = [fault for fault in FAULTS if fault.id in only or not only]
        cells = tuple(cell for fault in faults if (cell := ground.cell(fault)))
        seen = tuple(sensitivities(ground.trial)) + tuple(sensitivities(Trial(case, "float32")))
        return Row(case.name, cells, seen)


@cache
def seen_with(fault: str) -> Seen:
    """What the homes of suspects show with this fault planted: the same whatever pair it is planted in."""
    return {}


def faulty(trial: Trial) -> Trial:
    """The trial with the reference's runs kept and scratch's forgotten."""
    other = copy(trial)
    vars(other).pop("actual", None)
    return other


# Cases, and by id the faults to plant in each, by default all.
Work = list[tuple[Case, tuple[str, ...]]]


def everywhere(cases: Iterable[Case]) -> Work:
    return [(case, ()) for case in cases]


def at_home() -> Work:
    """Each fault in the one case that shows it best."""
    homes: dict[str, tuple[str, ...]] = {}
    for fault, kept in signatures().items():
        homes[kept.case] = (*homes.get(kept.case, ()), fault)
    return [(cases()[home], faults) for home, faults in homes.items()]


def rows(work: Work, jobs: int, tell: Callable[[int, Row], object]) -> list[Row]:
    """One row a case, spread over processes where there is more than one of both; `tell` hears of each as it comes."""
    if min(jobs, len(work)) < 2:
        found = []
        for done, (case, only) in enumerate(work, 1):
            found.append(row(case, only))
            tell(done, found[-1])
        return found
    return gathered(row, work, min(jobs, len(work)), tell)
