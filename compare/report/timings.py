"""What the bench measured, as tables on the console."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from twofold.compare.bench import goals
from twofold.compare.bench.rows import Judging, Peak, Row, geometric_means
from twofold.compare.screen import Screen

TITLES = {
    "step": "A training step, ms: scratch / reference with the quartiles of the rounds, and its matrix products alone",
    "layer": "Single layers and updates, ms",
    "loops": "What vectorising gives: plain loops against the fast form, ms",
    "published": "The same at a source's sizes, in float64, seconds: ours, of loops that run once, and published",
    "growth": "A training step as its batch grows, ms, and microseconds a record",
    "judging": "What judging costs: forward, gradient and backward, in passes of the reference and at the peak",
    "memory": "Memory at the peak of training, MB above a process without the model",
}


def show(console: Screen, title: str, table: Table) -> None:
    console.print()
    console.print(Text(title, "bold"), soft_wrap=True)
    console.table(table)


def drawn(first: Sequence[str], *figures: str) -> Table:
    """A table with words at the left and figures at the right."""
    table = Table(box=None, pad_edge=False)
    for column in first:
        table.add_column(column)
    for column in figures:
        table.add_column(column, justify="right")
    return table


def once(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Each row with its name, or with none where the row before has the same."""
    for n, row in enumerate(rows):
        yield "" if n and rows[n - 1].name == row.name else row.name, row


def cells(row: Row) -> list[str | Text]:
    """Both times in milliseconds and the ratio with its quartiles; or that the sides differ."""
    if row.timing is None:
        return ["", "", Text("DIFFERENT", "bold red")]
    ratio = f"{row.timing.ratio:.2f} ({row.timing.low:.2f}-{row.timing.high:.2f})"
    return [milliseconds(row.timing.first), milliseconds(row.timing.second), ratio]


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3f}" if seconds < 0.1 else f"{1e3 * seconds:,.0f}"


def goal(ratio: float | None, wanted: float | None) -> str | Text:
    if ratio is None or wanted is None:
        return f"{wanted:.2f}" if wanted else "-"
    return Text.assemble(f"{wanted:.2f} ", ("met", "green") if ratio <= wanted else ("missed", "yellow"))


def products(row: Row) -> str:
    return f"{row.products:.0%}" if row.products else "-"


def least(row: Row) -> str:
    return f"{row.least:.2f}" if row.least else "-"


def step_table(rows: Sequence[Row]) -> Table:
    table = drawn(("pair", "dtype"), "batch", "scratch", "reference", "ratio", "goal", "products", "least")
    for name, row in once(rows):
        ratio = row.timing.ratio if row.timing else None
        figures = (f"{row.batch:,}", *cells(row), goal(ratio, row.goal), products(row), least(row))
        table.add_row(name, row.dtype, *figures)
    return table


def layer_table(rows: Sequence[Row]) -> Table:
    table = drawn(("layer", "part", "dtype"), "batch", "scratch", "reference", "ratio", "products")
    for name, row in once(rows):
        batch = f"{row.batch:,}" if row.part != "update" else ""
        table.add_row(name, row.part, row.dtype, batch, *cells(row), products(row))
    return table


def loops_table(rows: Sequence[Row]) -> Table:
    table = drawn(("layer", "part", "dtype"), "batch", "loops", "fast", "times faster")
    for name, row in once(rows):
        fast, loops, _ = cells(row)
        faster = f"{1 / row.timing.ratio:,.0f}" if row.timing else cells(row)[-1]
        table.add_row(name, row.part, row.dtype, str(row.batch), loops, fast, faster)
    return table


def published_table(rows: Sequence[Row]) -> Table:
    columns = ("loops", "fast", "factor", "published loops", "fast", "factor")
    table = drawn(("layer", "part"), "batch", *columns)
    for name, row in once(rows):
        found = seconds(row.timing.second, row.timing.first) if row.timing else cells(row)
        table.add_row(name, row.part, str(row.batch), *found, *(seconds(*row.printed) if row.printed else ()))
    return table


def seconds(loops: float, fast: float) -> tuple[str, str, str]:
    """Of both, and the factor between them."""
    return f"{loops:.3f}", f"{fast:.4f}", f"{loops / fast:,.0f}"


def growth_table(rows: Sequence[Row]) -> Table:
    columns = ("batch", "scratch", "reference", "ratio", "scratch a record", "reference a record")
    table = drawn(("pair", "dtype"), *columns)
    for name, row in once(rows):
        both = (row.timing.first, row.timing.second) if row.timing else ()
        table.add_row(name, row.dtype, str(row.batch), *cells(row), *(f"{1e6 * t / row.batch:,.0f}" for t in both))
    return table


TABLES = {
    "step": step_table,
    "layer": layer_table,
    "loops": loops_table,
    "published": published_table,
    "growth": growth_table,
}


def memory_table(peaks: Sequence[Peak]) -> Table:
    table = drawn(("pair", "dtype"), "batch", "scratch", "reference", "ratio", "goal")
    for one in peaks:
        ratio = "too small" if one.ratio is None else f"{one.ratio:.2f}"
        sizes = (f"{size / 1e6:,.1f}" for size in (one.scratch, one.reference))
        table.add_row(one.name, one.dtype, f"{one.batch:,}", *sizes, ratio, goal(one.ratio, goals.MEMORY))
    return table


def judging_table(rows: Sequence[Judging]) -> Table:
    columns = ("batch", "parameters", "activations", "a pass, ms", "s", "passes", "goal", "GB", "goal")
    table = drawn(("pair", "dtype"), *columns, "ns an entry", "bytes an entry")
    for row in rows:
        passes, size = row.goal or (None, None)
        counts = (f"{n:,}" for n in (row.batch, row.parameters, row.activations))
        cost = (f"{row.passes:.1f}", goal(row.passes, passes), f"{row.peak / 1e9:.2f}")
        entry = (f"{1e9 * row.seconds / row.entries:.0f}", f"{row.peak / row.entries:.0f}")
        figures = (*counts, milliseconds(row.alone), f"{row.seconds:.2f}", *cost)
        table.add_row(row.name, row.dtype, *figures, goal(row.peak / 1e9, size and size / 1e9), *entry)
    return table


def means(rows: Sequence[Row]) -> list[str]:
    found = geometric_means(rows)
    counts = {
        dtype: sum(row.kind == "step" and row.dtype == dtype and bool(row.timing) for row in rows) for dtype in found
    }
    pairs = {dtype: f"{count} pair{'' if count == 1 else 's'}" for dtype, count in counts.items()}
    return [
        f"{dtype}: geometric mean over {pairs[dtype]} {ratio:.2f}, goal {goals.GEOMETRIC_MEAN}"
        for dtype, ratio in found.items()
    ]


def differences(rows: Sequence[Row], judged: Sequence[Judging] = ()) -> list[str]:
    """What was not timed because the sides differ, and what was judged otherwise than equal."""
    lines = [f"{row.name} {row.dtype}, batch {row.batch}: {row.wrong}" for row in judged if row.wrong]
    for row in rows:
        where = f"{row.name} {row.dtype}, batch {row.batch}" + ("" if row.part == "step" else f", {row.part}")
        lines += [f"{where}: {line}" for line in row.differences[:3]]
    if lines:
        lines.append("what differs is not timed; `twofold check PAIR` says where it begins and who is wrong")
    return lines
