"""`twofold bench`: scratch against the reference, interleaved, as ratios."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from compare.bench import goals
from compare.bench.environment import described, environment
from compare.bench.layers import LAYERS, LOOPS, MATRICES, adam_row, layer_rows, loop_rows
from compare.bench.rows import Peak, Row, as_json, geometric_means
from compare.bench.steps import DTYPES, GROWING, growth_rows, recipe_rows
from compare.commands.training import make_folder
from compare.data import Dataset, load
from compare.errors import BadInput
from compare.judge.battery import write_json
from compare.pair import Pair
from compare.threads import threads

WIDE = 120


@dataclass(frozen=True)
class Job:
    """What a progress bar calls a piece of work, and the rows that it gives."""

    what: str
    rows: Callable[[], Iterable[Row]]


def run(
    pairs: Sequence[Pair],
    json_file: Path | None,
    count: int = 1,
    out: Path | None = None,
    layers: bool = True,
    memory: bool = False,
) -> bool:
    """Prints a table of each kind, and means; True unless something differs. `count` is that of the threads."""
    if count > (most := os.cpu_count() or 1):
        raise BadInput(f"--threads {count}: expected at most {most}, as many as there are CPUs")
    console = Console(stderr=json_file == Path("-"), highlight=False)
    if not console.is_terminal:  # a file has no width that rows would have to fit
        console.width = max(console.width, WIDE)
    if out:
        make_folder(out)
    rows: list[Row] = []
    peaks: list[Peak] = []
    with threads(count):
        found = environment()
        for line in described(found):
            console.print(line, soft_wrap=True, markup=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            sections = planned(pairs, layers)
            total = sum(map(len, sections.values())) + len(pairs) * memory
            task = progress.add_task("", total=total)
            for kind, jobs in sections.items():
                for job in jobs:
                    progress.update(task, description=job.what)
                    rows += job.rows()
                    progress.advance(task)
                show(console, TITLES[kind], TABLES[kind]([row for row in rows if row.kind == kind]))
            for pair in pairs if memory else ():
                progress.update(task, description=f"memory of {pair.name}")
                peaks.append(peak(pair, count))
                progress.advance(task)
    if peaks:
        show(console, TITLES["memory"], memory_table(peaks))
    console.print()
    for line in (*means(rows), *differences(rows)):
        console.print(line, soft_wrap=True, markup=False)
    if out and any(row.kind == "growth" and row.timing for row in rows):
        from compare.report.pictures.growth import growth_curves

        picture = out / "growth.png"
        picture.write_bytes(growth_curves([row for row in rows if row.kind == "growth"]))
        console.print(f"wrote {picture}", soft_wrap=True)
    if json_file:
        write_json(json_file, as_json(found, rows, peaks))
    return not any(row.differences for row in rows)


@cache
def loaded(name: str) -> Dataset:
    return load(name, None)


def planned(pairs: Sequence[Pair], layers: bool) -> dict[str, list[Job]]:
    """The work of each kind, in the order of the tables."""

    def of(pair: Pair, measure: Callable[[Pair, Dataset], Iterable[Row]]) -> Iterable[Row]:
        return measure(pair, loaded(pair.dataset))

    growing = [pair for pair in pairs if pair.name in GROWING]
    single = [Job(f"{form.name} {dtype}", partial(layer_rows, form, dtype)) for form in LAYERS for dtype in DTYPES]
    adam = [Job("Adam alone", lambda: [adam_row(shape, dtype) for shape in MATRICES for dtype in DTYPES])]
    loops = [Job(f"loops: {form.name}", partial(loop_rows, form, plain, "float32")) for form, plain in LOOPS]
    sections = {
        "step": [Job(f"training step of {pair.name}", partial(of, pair, recipe_rows)) for pair in pairs],
        "layer": [*single, *adam] if layers else [],
        "loops": loops if layers else [],
        "growth": [Job(f"growing batches of {pair.name}", partial(of, pair, growth_rows)) for pair in growing],
    }
    return {kind: jobs for kind, jobs in sections.items() if jobs}


def peak(pair: Pair, count: int) -> Peak:
    from compare.bench import memory

    return memory.peak(pair, loaded(pair.dataset), "float32", count)


TITLES = {
    "step": "A training step, ms: scratch / reference with the quartiles of the rounds, and its matrix products alone",
    "layer": "Single layers and updates, ms",
    "loops": "What vectorising gives: plain loops against the fast form, ms",
    "growth": "A training step as its batch grows, ms, and microseconds a record",
    "memory": "Memory at the peak of training, MB above a process without the model",
}


def show(console: Console, title: str, table: Table) -> None:
    console.print(f"\n[bold]{title}[/]", soft_wrap=True)
    console.print(table)


def drawn(first: Sequence[str], *figures: str) -> Table:
    """A table with words at the left and figures at the right."""
    table = Table(box=None, pad_edge=False)
    for column in first:
        table.add_column(column, overflow="fold")
    for column in figures:
        table.add_column(column, justify="right")
    return table


def once(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Each row with its name, or with none where the row before has the same."""
    for n, row in enumerate(rows):
        yield "" if n and rows[n - 1].name == row.name else row.name, row


def cells(row: Row) -> list[str]:
    """Both times in milliseconds and the ratio with its quartiles; or that the sides differ."""
    if row.timing is None:
        return ["", "", "[bold red]DIFFERENT[/]"]
    ratio = f"{row.timing.ratio:.2f} ({row.timing.low:.2f}-{row.timing.high:.2f})"
    return [milliseconds(row.timing.first), milliseconds(row.timing.second), ratio]


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3f}" if seconds < 0.1 else f"{1e3 * seconds:,.0f}"


def goal(ratio: float | None, wanted: float | None) -> str:
    if ratio is None or wanted is None:
        return f"{wanted:.2f}" if wanted else "-"
    return f"{wanted:.2f} [green]met[/]" if ratio <= wanted else f"{wanted:.2f} [yellow]missed[/]"


def products(row: Row) -> str:
    return f"{row.products:.0%}" if row.products else "-"


def step_table(rows: Sequence[Row]) -> Table:
    table = drawn(("pair", "dtype"), "batch", "scratch", "reference", "ratio", "goal", "products")
    for name, row in once(rows):
        ratio = row.timing.ratio if row.timing else None
        figures = (f"{row.batch:,}", *cells(row), goal(ratio, row.goal), products(row))
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


def growth_table(rows: Sequence[Row]) -> Table:
    columns = ("batch", "scratch", "reference", "ratio", "scratch a record", "reference a record")
    table = drawn(("pair", "dtype"), *columns)
    for name, row in once(rows):
        both = (row.timing.first, row.timing.second) if row.timing else ()
        table.add_row(name, row.dtype, str(row.batch), *cells(row), *(f"{1e6 * t / row.batch:,.0f}" for t in both))
    return table


TABLES = {"step": step_table, "layer": layer_table, "loops": loops_table, "growth": growth_table}


def memory_table(peaks: Sequence[Peak]) -> Table:
    table = drawn(("pair", "dtype"), "batch", "scratch", "reference", "ratio", "goal")
    for one in peaks:
        ratio = "too small" if one.ratio is None else f"{one.ratio:.2f}"
        sizes = (f"{size / 1e6:,.1f}" for size in (one.scratch, one.reference))
        table.add_row(one.name, one.dtype, f"{one.batch:,}", *sizes, ratio, goal(one.ratio, goals.MEMORY))
    return table


def means(rows: Sequence[Row]) -> list[str]:
    found = geometric_means(rows)
    counts = {
        dtype: sum(row.kind == "step" and row.dtype == dtype and bool(row.timing) for row in rows) for dtype in found
    }
    return [
        f"{dtype}: geometric mean over {counts[dtype]} pairs {ratio:.2f}, goal {goals.GEOMETRIC_MEAN}"
        for dtype, ratio in found.items()
    ]


def differences(rows: Sequence[Row]) -> list[str]:
    """What was not timed because the sides differ."""
    lines = []
    for row in rows:
        where = f"{row.name} {row.dtype}, batch {row.batch}" + ("" if row.part == "step" else f", {row.part}")
        lines += [f"{where}: {line}" for line in row.differences[:3]]
    if lines:
        lines.append("what differs is not timed; `twofold check PAIR` says where it begins and who is wrong")
    return lines
