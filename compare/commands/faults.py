"""`twofold faults`: every planted fault in every pair that can have it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from compare.faults import FAULTS, SHARED
from compare.faults.matrix import Cell, Row, rows
from compare.judge.battery import write_json
from compare.pair import Pair


def run(pairs: Sequence[Pair], json_file: Path | None, jobs: int) -> bool:
    """Prints a line a fault, the survivors and the sensitivity; True unless a fault survives in some pair."""
    console = Console(stderr=json_file == Path("-"), highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{len(FAULTS)} faults in {len(pairs)} pairs")
        found = rows([pair.case() for pair in pairs], jobs, lambda text: progress.update(task, description=text))
    cells = [cell for row in found for cell in row.cells]
    console.print(table(cells))
    for cell in cells:
        if cell.survives:
            console.print(survivor(cell), soft_wrap=True, markup=False)
    for line in summary(found, cells):
        console.print(line, soft_wrap=True, markup=False)
    if json_file:
        write_json(json_file, as_json(found))
    return not any(cell.survives for cell in cells)


def table(cells: Sequence[Cell]) -> Table:
    drawn = Table(box=None, pad_edge=False)
    for column in ("fault", "what it is", "found", "in", "by", "blamed"):
        drawn.add_column(column, overflow="fold")
    for fault in FAULTS:
        mine = [cell for cell in cells if cell.fault == fault.id]
        if mine:
            killed = sum(not cell.survives for cell in mine)
            checks = ", ".join(dict.fromkeys(check for cell in mine for check in cell.failed))
            blamed = ", ".join(dict.fromkeys(cell.blame or "nobody" for cell in mine))
            count = str(killed) if killed == len(mine) else f"[bold red]{killed}[/]"
            drawn.add_row(fault.id, fault.title, count, f"{len(mine)} pairs", checks, blamed)
    return drawn


def survivor(cell: Cell) -> str:
    expected = f"{cell.expected.stage or 'no stage'} {' or '.join(cell.expected.modules)}, {cell.expected.blame}"
    place = f"{cell.located.stage} {cell.located.module}" if cell.located else "no place"
    return (
        f"{cell.fault} in {cell.pair} survives: expected {', '.join(cell.expected.checks)} to fail ({expected}); "
        f"failed: {', '.join(cell.failed) or 'none'} ({place}, {cell.blame})"
    )


def summary(found: Sequence[Row], cells: Sequence[Cell]) -> list[str]:
    killed = sum(not cell.survives for cell in cells)
    lines = [
        f"{killed} of {len(cells)} faults found, placed and blamed rightly: {len({c.fault for c in cells})} faults in "
        f"{len(found)} pairs",
        f"{', '.join(SHARED)} are in code that both sides share, and held by tests of that code",
    ]
    for dtype in ("float64", "float32"):
        seen = [s for row in found for s in row.sensitivities if s.dtype == dtype]
        worst = max(seen, key=lambda s: s.smallest_detected, default=None)
        in_row = max(seen, key=lambda s: s.smallest_detected_in_row, default=None)
        if worst and in_row:
            lines.append(
                f"{dtype}: an error of {worst.smallest_detected:.1e} of a gradient's largest entry is always seen "
                f"({worst.pair} {worst.tensor}), of {in_row.smallest_detected_in_row:.1e} of its row's "
                f"({in_row.pair} {in_row.tensor})"
            )
    return lines


def as_json(found: Sequence[Row]) -> dict[str, Any]:
    """By schema 1; causes are not named yet."""
    cells = [as_entry(cell) for row in found for cell in row.cells]
    return {
        "schema": 1,
        "faults": cells,
        "sensitivity": [asdict(sensitivity) for row in found for sensitivity in row.sensitivities],
        "survivors": [asdict(cell) for row in found for cell in row.cells if cell.survives],
    }


def as_entry(cell: Cell) -> dict[str, Any]:
    where = cell.located
    return {
        "id": cell.fault,
        "title": cell.title,
        "pair": cell.pair,
        "detected": cell.detected,
        "checks": cell.failed,
        "located": {k: getattr(where, k) for k in ("stage", "module", "tensor", "step")} if where else None,
        "expected": asdict(cell.expected),
        "located_rightly": cell.located_rightly,
        "blame": cell.blame,
        "causes": [],
    }
