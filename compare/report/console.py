"""What people read in a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Divergence, Finding, Quantity, Verdict

MARKS = {
    Verdict.PASS: "[green]pass[/]",
    Verdict.FAIL: "[bold red]FAIL[/]",
    Verdict.VACUOUS: "[bold red]vacuous[/]",
    Verdict.INCONCLUSIVE: "[yellow]unsure[/]",
    Verdict.NOT_APPLICABLE: "[dim]-[/]",
}

BLAMED = {
    "scratch": "scratch is wrong",
    "reference": "the reference is wrong",
    "conventions": "the conventions differ",
    "inconclusive": "who is wrong is open",
    "pair": "the pair is wrong",
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
    table.add_row("[bold]verdict[/]", *(MARKS[result.verdict] for result in results))
    return table


def _cell(finding: Finding) -> str:
    worst = finding.worst
    multiple = f" {worst.ratio:.2g}" if worst and worst.floor and finding.verdict is not Verdict.NOT_APPLICABLE else ""
    return MARKS[finding.verdict] + multiple


def print_check(console: Console, results: Sequence[Result]) -> None:
    for first in range(0, len(results), 6):
        console.print(check_table(results[first : first + 6]))
        console.print()
    for result in results:
        for line in explanations(result):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        if result.flips:
            console.print(flipped(result), soft_wrap=True, highlight=False, markup=False)
    console.print(summary(results), soft_wrap=True, highlight=False, markup=False)


def verdict_line(result: Result) -> str:
    """A failed trial in one sentence: who is wrong, where and since when it begins."""
    finding = result.cause
    if finding is None:
        return ""
    blamed = BLAMED[finding.blame.side] if finding.blame else BLAMED["inconclusive"]
    line = f"{result.pair} {result.dtype} {result.device}: {blamed}"
    if where := finding.first_divergence:
        line += f"; it begins in {place(where)}"
    if finding.gates:
        line += f": {finding.gates.line().partition(': ')[2]}"
    return line


def place(where: Divergence) -> str:
    step = f", step {where.step}" if where.step else ""
    mode = ", in evaluation mode" if where.evaluating else ""
    return f"{where.tensor or where.module} ({where.stage}{step}{mode})"


def explanations(result: Result, most: int = 3) -> Iterator[str]:
    """Every failure of a trial: the verdict first, then each check, evidence told once."""
    if line := verdict_line(result):
        yield line
    told = {""}
    for finding in result.findings:
        if finding.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE):
            continue
        yield from explain(result, finding, most)
        blamed = f"{BLAMED[finding.blame.side]}: {finding.blame.reason}" if finding.blame else ""
        probable = f"probable cause: {finding.probable_cause}" if finding.probable_cause else ""
        for line in (blamed, probable):
            if line not in told:
                told.add(line)
                yield f"    {line}"


def explain(result: Result, finding: Finding, most: int = 3) -> list[str]:
    """Why a check did not pass: where it starts, then its worst quantities."""
    head = f"{result.pair} {result.dtype} {result.device}, {finding.check}: {finding.verdict}"
    if finding.first_divergence:
        head += f"; the first that differs: {place(finding.first_divergence)}"
    lines = [f"{head}. {finding.reason}" if finding.reason else head]
    bad = sorted((q for q in finding.quantities if q.verdict is finding.verdict), key=lambda q: -q.ratio)
    lines += [f"    {describe(quantity)}" for quantity in bad[:most]]
    if len(bad) > most:
        lines.append(f"    and {len(bad) - most} more")
    return lines


def flipped(result: Result) -> str:
    """The branches that rounding alone would have parted."""
    told = ", ".join(
        f"{flip.module} {flip.count} (at most {flip.ulps:.2g} ulps from the kink)" for flip in result.flips
    )
    return f"{result.pair} {result.dtype}: branches pinned to scratch's that the reference would take otherwise: {told}"


def describe(quantity: Quantity) -> str:
    if quantity.floor:
        measure = f"error {quantity.error:.3g}, {quantity.ratio:.3g} floors, limit {quantity.limit:g}"
        return f"{quantity.name}: {measure}; {quantity.reason}"
    return f"{quantity.name}: {quantity.reason}"


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
