"""What a report holds of a pair, and what follows from it."""

from dataclasses import dataclass, field, replace
from math import nan
from typing import Any, get_type_hints

from twofold.compare.bench.steps import StepTime
from twofold.compare.data import Dataset
from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Verdict, gravest
from twofold.compare.keeping import digest
from twofold.compare.pair import Pair, SideName
from twofold.compare.published.figure import Figure
from twofold.compare.records import read, written
from twofold.compare.report.killing import Faults, escaped
from twofold.compare.report.page.plate import Plate
from twofold.compare.report.plots.sides import relative_distance
from twofold.compare.report.sources import Source


@dataclass
class Run:
    """One side's training for the report."""

    losses: list[float]
    metrics: dict[str, float]  # in training mode over the last steps, then in evaluation mode on the test set
    seconds: float
    pictures: list[Plate] = field(default_factory=list)  # of what was learned


@dataclass(frozen=True)
class About:
    """What a pair is, and which records it was trained on."""

    name: str
    title: str
    batch: int
    steps: int
    layers: dict[str, str]  # the class of each of scratch's modules by its path, of the loss and the optimizer
    source: str = ""
    note: str = ""
    data: str = ""  # digest of the records
    missing: str = ""  # the files that --data lacks
    parameters: int = 0  # numbers in the model at recipe size; 0 where it cannot be built


def about(pair: Pair, dataset: Dataset | None, missing: str = "") -> About:
    """Of a pair without records what is known without them."""
    named = {"loss": pair.loss.scratch, "optimizer": pair.optimizer.scratch}
    found = About(
        pair.name,
        pair.title,
        pair.recipe.batch,
        pair.recipe.report_steps,
        {**classes(pair), **{key: name.rpartition(":")[2] for key, name in named.items()}},
        missing=missing,
        parameters=count(pair),
    )
    if dataset is None:
        return found
    return replace(found, source=dataset.source, note=dataset.note, data=digest(dataset.arrays()))


def classes(pair: Pair) -> dict[str, str]:
    """By path; none where the model cannot be built."""
    try:
        return {path: type(module).__name__ for path, module in pair.model.build("scratch").named_modules()}
    except Exception:  # which is told where it is judged
        return {}


def count(pair: Pair) -> int:
    try:
        return sum(parameter.data.size for _, parameter in pair.model.build("scratch").named_parameters())
    except Exception:  # as above
        return 0


@dataclass
class PairReport:
    """A text stands for what could not be measured, and says why."""

    about: About
    results: list[Result]
    full_size: Result | str
    runs: dict[SideName, Run | str]
    twin: Run | str
    faults: Faults
    times: list[StepTime] | str = field(default_factory=list)  # taken last
    stopped: str = ""  # why nothing was measured
    seed: int = 0
    sources: dict[str, Source] = field(default_factory=dict)  # the classes that it is made of
    published: list[Figure] = field(default_factory=list)  # what the source printed, beside what was kept of it
    made: list[Plate] = field(default_factory=list)  # what `train` and `sweep` drew of it earlier

    @property
    def judged(self) -> list[Result]:
        return [*self.results, *([] if isinstance(self.full_size, str) else [self.full_size])]

    @property
    def skipped(self) -> bool:
        return bool(self.stopped and self.about.missing)

    @property
    def verdict(self) -> Verdict:
        if self.stopped:
            return Verdict.NOT_APPLICABLE if self.skipped else Verdict.INCONCLUSIVE
        whole = Verdict.INCONCLUSIVE if isinstance(self.full_size, str) else Verdict.PASS
        return gravest((*(result.verdict for result in self.judged), whole, self.training))

    @property
    def training(self) -> Verdict:
        """A side that alone raises is wrong; where both do, nothing is known of them."""
        raised = [side for side, run in self.runs.items() if isinstance(run, str)]
        if len(raised) == 1:
            return Verdict.FAIL
        return Verdict.INCONCLUSIVE if raised or isinstance(self.twin, str) else Verdict.PASS

    @property
    def passed(self) -> bool:
        """Whether the sides agree, and no fault that was planted to be found survives."""
        return self.verdict is Verdict.PASS and not escaped(self.faults)

    @property
    def largest_difference(self) -> float:
        """The largest relative distance between the two loss curves, NaN where one is none."""
        return self.from_reference(self.runs.get("scratch", ""))

    @property
    def largest_twin_difference(self) -> float:
        """The same between the reference and its twin: how far rounding alone carries a curve."""
        return self.from_reference(self.twin)

    def from_reference(self, run: Run | str) -> float:
        reference = self.runs.get("reference", "")
        if isinstance(run, str) or isinstance(reference, str):
            return nan
        return float(relative_distance(run.losses, reference.losses).max())


# Of a report what is measured and kept; times are taken last.
KEPT = ("about", "results", "full_size", "runs", "twin", "faults", "stopped", "seed", "sources")


def as_kept(report: PairReport) -> dict[str, Any]:
    return {name: written(getattr(report, name)) for name in KEPT}


def from_kept(content: Any) -> PairReport | None:
    """The report that was kept so; None where it is none."""
    hints = get_type_hints(PairReport)
    try:
        return PairReport(**{name: read(hints[name], content[name]) for name in KEPT})
    except (ValueError, TypeError, KeyError):
        return None
