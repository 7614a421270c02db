"""A pair's modules as they nest: of each how far its outputs and its gradients lie apart, in floors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, log10

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import GRAVITY, Finding, Quantity, Verdict
from twofold.compare.judge.gates import LIMIT
from twofold.compare.report.pair import PairReport
from twofold.compare.report.telling.cells import SIGNS, multiple
from twofold.compare.report.telling.following import decisive
from twofold.compare.report.telling.verdicts import trial_of
from twofold.compare.sides.trace import path_of

SMALLEST = 0.01  # floors at which a bar begins
DOWN, UP = ("forward", "loss"), ("gradient", "grad_output", "optimizer")  # the checks whose figures stand in a bar
MOST = 6  # figures of other checks than those of the bars
SENT = "gradient of the output"  # what the loss sends back
JUDGED = (Verdict.FAIL, Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True)
class Figure:
    """What is told of one tensor by one check, in the trial where it is worst."""

    check: str
    trial: str
    quantity: Quantity

    @property
    def up(self) -> bool:
        return self.check in UP or self.quantity.name == SENT

    @property
    def ratio(self) -> float:
        """0 of what has no floor and is equal."""
        return self.quantity.ratio if self.quantity.floor or self.quantity.ratio else 0.0

    @property
    def badness(self) -> tuple[int, float]:
        return GRAVITY.index(self.quantity.verdict), -self.ratio


@dataclass(frozen=True)
class Bar:
    """The worst of some figures; `width` is a share of the scale, "" for none."""

    text: str
    verdict: Verdict
    width: str


@dataclass(frozen=True)
class Row:
    """A module; `others` are the checks that fail for it besides those of the bars, `raised` what is raised there.

    Of the figures of others the worst are kept; `more` counts the rest.
    """

    path: str
    name: str
    kind: str
    depth: int
    down: Bar | None
    up: Bar | None
    figures: Sequence[Figure]
    more: int = 0
    others: Sequence[str] = ()
    raised: str = ""
    open: bool = False

    @property
    def beyond(self) -> bool:
        """Whether a bar is."""
        return any(bar.verdict is Verdict.FAIL for bar in (self.down, self.up) if bar)

    @property
    def agrees(self) -> bool:
        return all(figure.quantity.verdict is Verdict.PASS for figure in self.figures)

    @property
    def red(self) -> bool:
        return self.beyond or bool(self.others or self.raised)


@dataclass(frozen=True)
class Spine:
    rows: Sequence[Row]
    limit: str  # where on the scale the limit lies
    largest: str  # its end, in floors


def spine(report: PairReport) -> Spine:
    """In the order in which scratch has its modules, then the loss and the optimizer."""
    layers = report.about.layers
    told = figures(report.judged, layers)
    ratios = [figure.ratio for one in told.values() for figure in one if figure.ratio != inf]
    end = max([LIMIT * 10, *ratios])
    fallen = raising(report.judged, layers)
    rows = [row(path, kind, told.get(path, ()), fallen.get(path, ""), end) for path, kind in layers.items()]
    first = first_red(report, rows)
    opened = [replace(one, open=one is first) for one in rows]
    return Spine(opened, share(LIMIT, end), multiple(end))


def row(path: str, kind: str, told: Sequence[Figure], raised: str, end: float) -> Row:
    named = path in ("", "loss", "optimizer")
    ranked = sorted(told, key=lambda figure: (not figure.up, figure.badness))
    own = [figure for figure in ranked if figure.check in DOWN + UP]
    rest = sorted((figure for figure in ranked if figure.check not in DOWN + UP), key=lambda figure: figure.badness)
    return Row(
        path,
        {"": kind}.get(path, path.rpartition(".")[2]),
        "" if path == "" else kind,
        0 if named else path.count(".") + 1,
        bar([figure for figure in own if not figure.up], end),
        bar([figure for figure in own if figure.up], end),
        [*own, *rest[:MOST]],
        len(rest[MOST:]),
        list(dict.fromkeys(figure.check for figure in rest)),
        raised,
    )


def bar(told: Sequence[Figure], end: float) -> Bar | None:
    if not told:
        return None
    worst = min(told, key=lambda figure: figure.badness)
    verdict, ratio = worst.quantity.verdict, worst.ratio
    number = multiple(ratio) if worst.quantity.floor or ratio else ""
    text = f"{SIGNS[verdict]} {number}".strip() if verdict is not Verdict.PASS or not number else number
    return Bar(text, verdict, share(ratio, end) if ratio else "")


def share(ratio: float, end: float) -> str:
    """Of the scale from SMALLEST to `end`, which is a log scale."""
    part = log10(min(max(ratio, SMALLEST), end) / SMALLEST) / log10(end / SMALLEST)
    return f"{100 * part:.0f}%"


def figures(results: Iterable[Result], layers: Iterable[str]) -> dict[str, list[Figure]]:
    """By module, of every tensor and check the worst trial; of other checks than those of a bar what fails."""
    worst: dict[tuple[str, str], Figure] = {}
    for result in results:
        for finding in result.findings:
            for quantity in finding.quantities:
                if not shown(finding, quantity):
                    continue
                figure, key = Figure(finding.check, trial_of(result), quantity), (finding.check, quantity.name)
                worst[key] = min(worst.get(key, figure), figure, key=lambda one: one.badness)
    found: dict[str, list[Figure]] = {}
    for figure in worst.values():
        found.setdefault(module(figure, set(layers)), []).append(figure)
    return found


def shown(finding: Finding, quantity: Quantity) -> bool:
    if finding.check in DOWN + UP:
        return quantity.verdict in JUDGED
    return quantity.verdict is Verdict.FAIL


def module(figure: Figure, layers: set[str]) -> str:
    """That which a tensor belongs to: the innermost that is known."""
    name = figure.quantity.name
    if figure.check in ("optimizer", "loss"):
        return figure.check
    path = path_of(name.partition(" ")[0])
    while path and path not in layers:
        path = path.rpartition(".")[0]
    return path


def raising(results: Iterable[Result], layers: Iterable[str]) -> dict[str, str]:
    """What is raised in a module, told once."""
    found: dict[str, str] = {}
    for result in results:
        for finding in result.findings:
            where = finding.first_divergence
            if finding.verdict is Verdict.FAIL and not finding.quantities and where and where.module in set(layers):
                found.setdefault(where.module, finding.reason)
    return found


def first_red(report: PairReport, rows: Sequence[Row]) -> Row | None:
    """Where the difference begins, else the first whose output differs, else the last whose gradient does."""
    red = [one for one in rows if one.red]
    for result in report.judged:
        finding = decisive(result)
        where = finding.first_divergence if finding else None
        begins = next((one for one in red if where and one.path == where.module), None)
        if begins:
            return begins
    forward = [one for one in red if one.down and one.down.verdict is Verdict.FAIL]
    return next(iter(forward), red[-1] if red else None)
