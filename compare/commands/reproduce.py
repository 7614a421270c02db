"""`twofold reproduce`: the published figures beside scratch's and the reference's."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from twofold.compare.errors import BadInput
from twofold.compare.output import write_json
from twofold.compare.published.figure import Basis, Figure
from twofold.compare.published.table import chosen, reproduced, runs

MOST_WORKERS = 4


def run(names: Sequence[str], data: Path | None, json_file: Path | None, workers: int | None = None) -> bool:
    """Prints a table a run and a summary; True unless an available figure disagrees."""
    if data is not None and not data.is_dir():
        raise BadInput(f"--data {data}: expected a folder with data files, found none")
    console = Console(stderr=json_file == Path("-"), highlight=False)
    places, began = chosen(names), time.perf_counter()
    figures = computed(console, places, data, workers or min(os.cpu_count() or 1, MOST_WORKERS))
    for _, group in groupby(figures, key=lambda figure: (figure.pair, figure.run)):
        print_run(console, list(group))
    console.print(summary(figures, time.perf_counter() - began), soft_wrap=True, markup=False)
    if json_file:
        write_json(json_file, as_json(figures))
    return not any(figure.disagrees for figure in figures)


def computed(console: Console, places: Sequence[int], data: Path | None, workers: int) -> list[Figure]:
    """All figures in the order of the table, with a bar over the runs."""
    table, found = runs(), {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("published runs", total=len(places))
        for place, figures in reproduced(places, data, workers):
            found[place] = figures
            progress.update(task, advance=1, description=f"done: {table[place].pair}, {table[place].name}")
    return [figure for place in places for figure in found[place]]


def print_run(console: Console, figures: Sequence[Figure]) -> None:
    """One run: its figures, and in each column where the basis changes."""
    table = Table(box=None, pad_edge=False, title=f"{figures[0].pair}, {figures[0].run}", title_justify="left")
    for column in ("figure", "published", "scratch", "reference", "agrees", "basis", "reason"):
        table.add_column(column, overflow="fold")
    reasons = {figure.reason for figure in figures}
    common = reasons.pop() if len(reasons) == 1 else ""  # said once, below
    for figure in figures:
        reason = "" if common else figure.reason
        values = (figure.published, figure.scratch or "-", figure.reference or "-")
        table.add_row(figure.name, *values, verdict(figure), figure.basis, reason)
    console.print(table)
    if common:
        console.print(common, soft_wrap=True, markup=False)
    for line in beginnings(figures):
        console.print(line, soft_wrap=True, markup=False)
    console.print()


def verdict(figure: Figure) -> str:
    if not figure.counts:
        return "[dim]-[/]"
    if not figure.disagrees:
        return "[green]yes[/]"
    return "[bold red]NO: " + ", ".join(side for side, agrees in figure.agrees.items() if not agrees) + "[/]"


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
    line = f"{agreeing} of {len(counted)} figures agree on both sides: {', '.join(parts)}; {seconds:.0f} s"
    wrong = [f"{figure.pair}, {figure.run}: {figure.name}" for figure in counted if figure.disagrees]
    return "\n".join([line, *(f"disagrees: {name}" for name in wrong)])


def as_json(figures: Iterable[Figure]) -> dict[str, Any]:
    return {"schema": 1, "figures": [asdict(figure) for figure in figures]}
