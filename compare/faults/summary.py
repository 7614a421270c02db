"""What the kill matrix says: its survivors and its sums in words, and all of it as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from twofold.compare.faults import SHARED
from twofold.compare.faults.matrix import Cell, Row


def survivor(cell: Cell) -> str:
    expected = f"{cell.expected.stage or 'no stage'} {' or '.join(cell.expected.modules)}, {cell.expected.blame}"
    place = f"{cell.located.stage} {cell.located.module}" if cell.located else "no place"
    return (
        f"{cell.fault} in {cell.pair} survives: expected {', '.join(cell.expected.checks)} to fail ({expected}); "
        f"failed: {', '.join(cell.failed) or 'none'} ({place}, {cell.blame or 'nobody'} blamed); "
        f"named: {', '.join(cell.causes) or 'nothing'}"
    )


def summary(found: Sequence[Row], cells: Sequence[Cell]) -> list[str]:
    killed = sum(not cell.survives for cell in cells)
    kinds = len({cell.fault for cell in cells})
    lines = [
        f"{killed} of {len(cells)} faults found, placed, blamed and named rightly: {kinds} kinds in {len(found)} "
        f"case{'s' * (len(found) != 1)}",
        f"{', '.join(SHARED)} are in code that both sides share, and held by tests of that code",
    ]
    if unnamed := [cell for cell in cells if cell.home]:
        homes = ", ".join(dict.fromkeys(cell.home for cell in unnamed))
        lines.append(
            f"{len(unnamed)} of them could not be named, for they are known by {homes}, which differs as it is"
        )
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
    """By schema 1; causes are the faults that look the same, by id."""
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
        "causes": cell.causes,
    }
