"""The kill matrix of the report: planted faults down, pairs across, and how small an error is always seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twofold.compare.faults import FAULTS
from twofold.compare.faults.matrix import Cell, Row
from twofold.compare.faults.summary import summary, survivor
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.evidence.sensitivity import Sensitivity

# What became of a pair's faults, or why none was planted in it.
Faults = Row | str


def escaped(faults: Faults) -> list[str]:
    """A line a fault that survives, or one that none was planted."""
    if isinstance(faults, str):
        return [faults]
    return [survivor(cell) for cell in faults.cells if cell.survives]


@dataclass(frozen=True)
class Count:
    """How many of a fault's or a pair's cells are killed."""

    killed: int
    cells: int

    @property
    def complete(self) -> bool:
        return self.killed == self.cells

    def __str__(self) -> str:
        return f"{self.killed}" if self.complete else f"{self.killed}/{self.cells}"


def count(cells: list[Cell]) -> Count:
    return Count(sum(not cell.survives for cell in cells), len(cells))


def kill_matrix(faults: Mapping[str, Faults]) -> dict[str, Any]:
    """What the page shows, from the faults of each pair by its name."""
    planted = [row for row in faults.values() if isinstance(row, Row)]
    cells = [cell for row in planted for cell in row.cells]
    headline, *notes = summary(planted, cells)
    return {
        "headline": headline if planted else "No fault was planted",
        "notes": notes if planted else [],
        "escaped": [line for row in faults.values() for line in escaped(row)],
        "pairs": [(row.pair, count(list(row.cells))) for row in planted],
        "total": count(cells),
        "faults": [line for fault in FAULTS if (line := fault_line(fault.id, planted))],
        "dtypes": DTYPES,
        "sensitivity": [(row.pair, [least_sensitive(row, dtype) for dtype in DTYPES]) for row in planted],
    }


def fault_line(fault: str, planted: list[Row]) -> dict[str, Any] | None:
    """One fault in each pair, None where it does not apply; None for one that applies nowhere."""
    across = [next((cell for cell in row.cells if cell.fault == fault), None) for row in planted]
    mine = [cell for cell in across if cell]
    if not mine:
        return None
    marks = [{"survives": cell.survives} if cell else None for cell in across]
    return {"id": fault, "title": mine[0].title, "marks": marks, "count": count(mine)}


def least_sensitive(row: Row, dtype: str) -> Sensitivity | None:
    """The gradient of which the largest errors are forgiven."""
    mine = [sensitivity for sensitivity in row.sensitivities if sensitivity.dtype == dtype]
    return max(mine, key=lambda sensitivity: sensitivity.smallest_detected, default=None)
