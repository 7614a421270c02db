"""`twofold bench`: scratch against the reference, interleaved, as ratios."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from twofold.compare.bench.environment import described, environment
from twofold.compare.bench.layers import LAYERS, LOOPS, MATRICES, adam_row, layer_rows, loop_rows
from twofold.compare.bench.published import SOURCES, published_rows
from twofold.compare.bench.rows import Judging, Peak, Row, as_json
from twofold.compare.bench.steps import DTYPES, GROWING, growth_rows, recipe_rows
from twofold.compare.data import Dataset, load
from twofold.compare.errors import BadInput
from twofold.compare.output import make_folder, write, write_json
from twofold.compare.pair import Pair
from twofold.compare.report.timings import TABLES, TITLES, differences, judging_table, means, memory_table, show
from twofold.compare.screen import Screen, Words
from twofold.compare.threads import threads


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
    judge: bool = False,
) -> bool:
    """Prints a table of each kind, and means; True unless something differs. `count` is that of the threads."""
    if count > (most := os.cpu_count() or 1):
        raise BadInput(f"--threads {count}: expected at most {most}, as many as there are CPUs")
    console = Screen(stderr=json_file == Path("-"))
    if out:
        make_folder(out)
    rows: list[Row] = []
    peaks: list[Peak] = []
    with threads(count):
        found = environment()
        for line in described(found):
            console.print(line, soft_wrap=True)
        columns = (Words("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            sections = planned(pairs, layers)
            judging = costs(pairs, count) if judge else []
            total = sum(map(len, sections.values())) + len(pairs) * memory + len(judging)
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
            judged: list[Judging] = []
            for what, cost in judging:
                progress.update(task, description=f"judging {what}")
                judged.append(cost())
                progress.advance(task)
    if judged:
        show(console, TITLES["judging"], judging_table(judged))
    if peaks:
        show(console, TITLES["memory"], memory_table(peaks))
    console.print()
    for line in (*means(rows), *differences(rows, judged)):
        console.print(line, soft_wrap=True)
    if out and any(row.kind == "growth" and row.timing for row in rows):
        from twofold.compare.report.plots.growth import growth_curves
        from twofold.compare.report.plots.sheet import png

        picture = out / "growth.png"
        write(picture, png(growth_curves([row for row in rows if row.kind == "growth"])))
        console.print(f"wrote {picture}", soft_wrap=True)
    if out and any(row.width for row in judged):
        from twofold.compare.report.plots.judging import judging_curves
        from twofold.compare.report.plots.sheet import png

        picture = out / "judging.png"
        write(picture, png(judging_curves([row for row in judged if row.width])))
        console.print(f"wrote {picture}", soft_wrap=True)
    if json_file:
        write_json(json_file, as_json(found, rows, peaks, judged))
    return not any(row.differences for row in rows) and not any(row.wrong for row in judged)


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
    published = [Job(f"loops at a source's size: {one.form.name}", partial(published_rows, one)) for one in SOURCES]
    sections = {
        "step": [Job(f"training step of {pair.name}", partial(of, pair, recipe_rows)) for pair in pairs],
        "layer": [*single, *adam] if layers else [],
        "loops": loops if layers else [],
        "published": published if layers else [],
        "growth": [Job(f"growing batches of {pair.name}", partial(of, pair, growth_rows)) for pair in growing],
    }
    return {kind: jobs for kind, jobs in sections.items() if jobs}


def costs(pairs: Sequence[Pair], count: int) -> Sequence[tuple[str, Callable[[], Judging]]]:
    """What judging costs: of each pair in float64, and of one as it grows."""
    from twofold.compare.bench.judging import GROWING, WIDTHS, in_child

    work = [(pair.name, partial(in_child, pair.name, "float64", count)) for pair in pairs]
    if any(pair.name == GROWING for pair in pairs):
        for dtype, widths in WIDTHS.items():
            work += [(f"{GROWING} {width} wide", partial(in_child, GROWING, dtype, count, width)) for width in widths]
    return work


def peak(pair: Pair, count: int) -> Peak:
    from twofold.compare.bench import memory

    return memory.peak(pair, loaded(pair.dataset), "float32", count)
