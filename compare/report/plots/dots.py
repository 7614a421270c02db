"""A value of each of many in either dtype, on a logarithmic scale."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twofold.compare.report.plots.hues import DTYPES, INK, LIMIT
from twofold.compare.report.plots.scales import powers_along
from twofold.compare.report.plots.sheet import Drawing, drawn, figure

MOST = 30  # rows of a panel
MARKS = {"float64": ("o", 7), "float32": ("D", 4)}  # narrow over wide: both are seen where they coincide
Rows = Sequence[tuple[str, Mapping[str, float]]]


@drawn
def dots(rows: Rows, label: str, line: float | None = None, told: str = "", limit: bool = False) -> Drawing:
    """Rows of a name and its values by "float64" or "float32, cuda": panels of as many as are read at once.

    A dashed line stands at `line`; what has no bound is an arrow at the end, and what is 0 has no dot.
    """
    count = -(-len(rows) // MOST)
    each = -(-len(rows) // max(1, count))
    drawing, axes = figure(count, 4.6, 0.9 + 0.2 * each)
    low, high = ends([value for _, values in rows for value in values.values()], line)
    for n, axis in enumerate(axes):
        some = rows[n * each : (n + 1) * each]
        draw(axis, some, high)
        axis.set(xlabel=label, xlim=(low, high), ylim=(len(some) - 0.5, -1 if told else -0.5), xscale="log")
        powers_along(axis.xaxis, low, high)
        axis.minorticks_off()
        if line is not None:
            axis.axvline(line, color=LIMIT if limit else INK, lw=1.3, ls=(0, (5, 2)))
            axis.text(line, -0.55, f"{told} ", color=LIMIT if limit else INK, ha="right", va="center", fontsize=9)
    return drawing


def draw(axis: Any, rows: Rows, high: float) -> None:
    labels = list(dict.fromkeys(label for _, values in rows for label in values))
    for label in labels:
        dtype = label.partition(",")[0]
        filled = label == dtype
        shown = {n: values[label] for n, (_, values) in enumerate(rows) if values.get(label, 0) > 0}
        style = {"color": DTYPES.get(dtype, INK), "mfc": None if filled else "none", "ls": "", "alpha": 0.85}
        near = {n: value for n, value in shown.items() if value < high}
        mark, size = MARKS.get(dtype, ("s", 4))
        axis.plot(list(near.values()), list(near), mark, ms=size, label=label, **style)
        if far := [n for n in shown if n not in near]:
            axis.plot([high] * len(far), far, ">", ms=8, clip_on=False, **style)
    axis.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=9)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(labels), borderpad=0, handletextpad=0.2)


def ends(values: Sequence[float], line: float | None) -> tuple[float, float]:
    """Of the scale: around all that is finite and not 0."""
    finite = [value for value in values if 0 < value < np.inf] + ([] if line is None else [line])
    return (min(finite) / 2, max(finite) * 2) if finite else (0.1, 10)
