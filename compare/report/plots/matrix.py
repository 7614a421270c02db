"""The kill matrix as a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.report.plots.hues import COUNT, LIMIT
from twofold.compare.report.plots.sheet import Drawing, drawn, figure

MOST = 45  # rows of a panel
Row = tuple[str, Sequence[bool | None]]


@drawn
def kill_map(faults: Sequence[Row]) -> Drawing:
    """A row a fault, a column a pair: filled where it was found, a cross where it was not, empty where it cannot be."""
    count = -(-len(faults) // MOST)
    each = -(-len(faults) // max(1, count))
    drawing, axes = figure(count, 4.4, 0.6 + 0.17 * each)
    for n, axis in enumerate(axes):
        draw(axis, faults[n * each : (n + 1) * each])
    return drawing


def draw(axis: Any, faults: Sequence[Row]) -> None:
    from matplotlib.colors import to_rgb

    planted = np.array([[mark is not None for mark in marks] for _, marks in faults], bool)
    lost = np.array([[mark is False for mark in marks] for _, marks in faults], bool)
    image = np.zeros((*planted.shape, 4))
    image[..., :3] = to_rgb(COUNT)
    image[..., 3] = planted & ~lost
    axis.imshow(image, aspect="auto", interpolation="none")
    rows, columns = np.nonzero(lost)
    axis.plot(columns, rows, "X", ms=7, color=LIMIT, ls="")
    axis.set_yticks(range(len(faults)), [name for name, _ in faults], fontsize=8)
    axis.grid(False, axis="x")
    axis.set(xlabel=f"{planted.shape[1]} pairs, as in the table", xlim=(-0.5, planted.shape[1] - 0.5))
    axis.set_xticks([])
