"""`twofold reproduce`: the published figures beside scratch's and the reference's."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twofold.compare.errors import BadInput, Status
from twofold.compare.interrupts import Interrupted
from twofold.compare.output import write_json
from twofold.compare.published.figure import Basis, Figure
from twofold.compare.published.kept import OUT, finished, keep, name_of
from twofold.compare.published.table import chosen, reproduced, runs
from twofold.compare.screen import Screen, Words


def run(
    names: Sequence[str],
    data: Path | None,
    json_file: Path | None,
    jobs: int = 1,
    out: Path = OUT,
    resume: bool = False,
) -> Status:
    """Prints a table a run as it comes, and keeps it in `out`; then a summary."""
    if data is not None and not data.is_dir():
        raise BadInput(f"--data {data}: expected a folder with data files, found none")
    console = Screen(stderr=json_file == Path("-"))
    places, began = chosen(names), time.perf_counter()
    figures = computed(console, places, data, jobs, out, resume)
    console.lines(summary(figures, time.perf_counter() - began))
    if json_file:
        write_json(json_file, as_json(figures))
    if any(figure.disagrees for figure in figures):
        return Status.DIFFERENT
    return Status.DONE if any(figure.counts for figure in figures) else Status.NOTHING_PROVEN


def computed(
    console: Screen, places: Sequence[int], data: Path | None, jobs: int, out: Path, resume: bool
) -> list[Figure]:
    """All figures in the order of the table, with a bar over the runs; those that are kept are not computed again."""
    table = runs()
    found = dict(finished(out, {place: table[place] for place in places}, data)) if resume else {}
    for figures in found.values():
        print_run(console, figures, " (finished before)")
    columns = (Words("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("published runs", total=len(places), completed=len(found))
        try:
            for place, figures in reproduced([place for place in places if place not in found], data, jobs):
                found[place] = figures
                if figures[0].basis is not Basis.UNAVAILABLE:
                    keep(out, table[place], data, figures)
                print_run(console, figures)
                progress.update(task, advance=1, description=f"done: {name_of(table[place])}")
        except (Interrupted, KeyboardInterrupt):
            console.print(f"interrupted; {len(found)} of {len(places)} runs are done, --resume goes on", soft_wrap=True)
            raise
    return [figure for place in places for figure in found[place]]


def print_run(console: Screen, figures: Sequence[Figure], note: str = "") -> None:
    """One run: its figures, and in each column where the basis changes."""
    table = Table(box=None, pad_edge=False, title=f"{figures[0].pair}, {figures[0].run}{note}", title_justify="left")
    for column in ("figure", "published", "scratch", "reference", "agrees", "basis", "reason"):
        table.add_column(column)
    reasons = {figure.reason for figure in figures}
    common = reasons.pop() if len(reasons) == 1 else ""  # said once, below
    for figure in figures:
        reason = "" if common else figure.reason
        values = (figure.published, figure.scratch or "-", figure.reference or "-")
        table.add_row(figure.name, *values, verdict(figure), figure.basis, reason)
    console.table(table)
    if common:
        console.print(common, soft_wrap=True)
    for line in beginnings(figures):
        console.print(line, soft_wrap=True)
    console.print()


def verdict(figure: Figure) -> Text:
    if not figure.counts:
        return Text("-", "dim")
    if not figure.disagrees:
        return Text("yes", "green")
    return Text("NO: " + ", ".join(side for side, agrees in figure.agrees.items() if not agrees), "bold red")


def beginnings(figures: Sequence[Figure]) -> list[str]:
    """For each column of a log where the envelope begins and where nothing is informative any more."""
    lines, logged = [], [figure for figure in figures if figure.name.rpartition(" ")[2].isdecimal()]
    for column, group in groupby(logged, key=lambda figure: figure.name.rpartition(" ")[0]):
        begins: dict[Basis, str] = {}
        for figure in group:
            begins.setdefault(figure.basis, figure.name.rpartition(" ")[2])
        if Basis.ENVELOPE in begins or Basis.NOT_INFORMATIVE in begins:
            lines.append(f"{column}: " + ", ".join(f"{basis} from {name} on" for basis, name in begins.items()))
    return lines


def summary(figures: Sequence[Figure], seconds: float) -> str:
    counted = [figure for figure in figures if figure.counts]
    agreeing = sum(not figure.disagrees for figure in counted)
    parts = []
    for basis, words in ((Basis.DIGIT, "to the digit"), (Basis.ENVELOPE, "inside the envelope")):
        own = [figure for figure in counted if figure.basis is basis]
        parts.append(f"{sum(not figure.disagrees for figure in own)} of {len(own)} {words}")
    for basis in (Basis.NOT_INFORMATIVE, Basis.UNAVAILABLE):
        parts.append(f"{sum(figure.basis is basis for figure in figures)} {basis}")
    if not counted:
        return f"nothing was proven: none of {len(figures)} figures could be judged, {parts[-1]}; {seconds:.0f} s"
    line = f"{agreeing} of {len(counted)} figures agree on both sides: {', '.join(parts)}; {seconds:.0f} s"
    wrong = [f"{figure.pair}, {figure.run}: {figure.name}" for figure in counted if figure.disagrees]
    return "\n".join([line, *(f"disagrees: {name}" for name in wrong)])


def as_json(figures: Iterable[Figure]) -> dict[str, Any]:
    return {"schema": 1, "figures": [asdict(figure) for figure in figures]}
