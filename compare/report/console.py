"""What people read in a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Finding, Quantity, Verdict
from twofold.compare.report.telling.verdicts import flips_of, told
from twofold.compare.screen import GAP, Screen

SIDE_BY_SIDE = 6  # columns of a table of checks
CELL = len("vacuous 1.2e+06")
MARKS = {
    Verdict.PASS: ("pass", "green"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.VACUOUS: ("vacuous", "bold red"),
    Verdict.INCONCLUSIVE: ("unsure", "yellow"),
    Verdict.NOT_APPLICABLE: ("-", "dim"),
}


def check_table(results: Sequence[Result]) -> Table:
    """Checks down, one column a pair and dtype; each cell the verdict and the worst multiple of the floor."""
    table = Table(title=None, pad_edge=False, box=None, header_style="bold")
    table.add_column("check")
    for result in results:
        device = "" if result.device == "cpu" else f" {result.device}"
        table.add_column(f"{result.pair}\n{result.dtype}{device}")
    for row in zip(*(result.findings for result in results), strict=True):
        table.add_row(row[0].check, *map(_cell, row))
    table.add_section()
    table.add_row(Text("verdict", "bold"), *(Text(*MARKS[result.verdict]) for result in results))
    return table


def _cell(finding: Finding) -> Text:
    worst = finding.worst
    multiple = f" {worst.ratio:.2g}" if worst and worst.floor and finding.verdict is not Verdict.NOT_APPLICABLE else ""
    return Text.assemble(MARKS[finding.verdict], multiple)


def print_check(console: Screen, found: Iterable[Result]) -> list[Result]:
    """The tables, each as soon as its results are there, then of each pair that does not pass why, and one sentence."""
    results: list[Result] = []
    for some in side_by_side(found, console.width):
        console.table(check_table(some))
        console.print()
        results += some
    for line in (*flipped(results), *failing(results), summary(results)):
        console.print(line, soft_wrap=True)
    return results


def side_by_side(results: Iterable[Result], width: int) -> Iterator[Sequence[Result]]:
    """At most SIDE_BY_SIDE results, and as many as there is room for: (pair, dtype, device) have a column each."""
    some: list[Result] = []
    for result in results:
        if some and sum(map(room, (*some, result))) > width - len("grad_output"):
            yield some
            some = []
        some.append(result)
        if len(some) == SIDE_BY_SIDE:
            yield some
            some = []
    if some:
        yield some


def room(result: Result) -> int:
    """A column, and the gap before it."""
    return max(len(result.pair), CELL) + GAP


def failing(results: Sequence[Result]) -> list[str]:
    """What is told of each pair, one after the other."""
    return [line for group in by_pair(results) for line in told(group)]


def by_pair(results: Sequence[Result]) -> list[list[Result]]:
    return [[result for result in results if result.pair == pair] for pair in dict.fromkeys(r.pair for r in results)]


def flipped(results: Sequence[Result]) -> list[str]:
    """Of each pair that passes the branches that rounding alone would have parted."""
    found = ((group[0].pair, flips_of([result for result in group if result.passed])) for group in by_pair(results))
    return [f"{pair}: branches {flips}" for pair, flips in found if flips]


def _counts(quantity: Quantity) -> bool:
    """Measured, and not set aside by a waiver."""
    return quantity.floor > 0 and quantity.verdict is not Verdict.NOT_APPLICABLE


def summary(results: Sequence[Result]) -> str:
    """One sentence: how many agree, over how many comparisons, the worst multiple of the floor, and all time taken."""
    passed = sum(result.passed for result in results)
    found = [(q, f, r) for r in results for f in r.findings for q in f.quantities if _counts(q)]
    counted = sum(len(finding.quantities) for result in results for finding in result.findings)
    absent = sum(f.verdict is Verdict.NOT_APPLICABLE for result in results for f in result.findings)
    line = f"{passed} of {len(results)} trials agree; {counted} comparisons, {absent} checks not applicable"
    if found:
        quantity, finding, result = max(found, key=lambda item: item[0].ratio)
        where = f"{result.pair} {result.dtype}, {finding.check}: {quantity.name}"
        line += f"; largest error {quantity.ratio:.2g} floors of {quantity.limit:g} allowed ({where})"
    return f"{line}; {sum(result.seconds for result in results):.1f} s of computing"
