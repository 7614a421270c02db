"""`twofold faults`: every planted fault in every pair that can have it."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twofold.compare.errors import Status
from twofold.compare.faults import FAULTS
from twofold.compare.faults.matrix import Cell, Row, at_home, everywhere, rows
from twofold.compare.faults.summary import as_json, summary, survivor
from twofold.compare.output import write_json
from twofold.compare.pair import Pair
from twofold.compare.screen import Screen, Words


def run(pairs: Sequence[Pair], json_file: Path | None, jobs: int, quick: bool = False) -> Status:
    """Prints a line a fault, the survivors and the sensitivity; a fault that survives in some pair is a difference.

    Quick is each fault in one case alone, that in which it is at home.
    """
    work = at_home() if quick else everywhere(pair.case() for pair in pairs)
    console = Screen(stderr=json_file == Path("-"))
    columns = (SpinnerColumn(), Words("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{len(FAULTS)} faults in {len(work)} cases")

        def tell(done: int, row: Row) -> None:
            killed = sum(not cell.survives for cell in row.cells)
            console.print(f"{row.pair}: {killed} of {len(row.cells)} faults found", soft_wrap=True)
            progress.update(task, description=f"{done} of {len(work)} cases: {row.pair}")

        found = rows(work, jobs, tell)
    cells = [cell for row in found for cell in row.cells]
    console.table(table(cells))
    for cell in cells:
        if cell.survives:
            console.print(survivor(cell), soft_wrap=True)
    for line in summary(found, cells):
        console.print(line, soft_wrap=True)
    if json_file:
        write_json(json_file, as_json(found))
    if any(cell.survives for cell in cells):
        return Status.DIFFERENT
    return Status.DONE if cells else Status.NOTHING_PROVEN


def table(cells: Sequence[Cell]) -> Table:
    drawn = Table(box=None, pad_edge=False)
    for column in ("fault", "what it is", "found", "in", "by", "blamed"):
        drawn.add_column(column)
    for fault in FAULTS:
        mine = [cell for cell in cells if cell.fault == fault.id]
        if mine:
            killed = sum(not cell.survives for cell in mine)
            checks = ", ".join(dict.fromkeys(check for cell in mine for check in cell.failed))
            blamed = ", ".join(dict.fromkeys(cell.blame or "nobody" for cell in mine))
            count = Text(str(killed), "" if killed == len(mine) else "bold red")
            drawn.add_row(fault.id, fault.title, count, f"{len(mine)} pairs", checks, blamed)
    return drawn
