"""Which class is taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.report.plots.hues import COUNT, INK
from twofold.compare.report.plots.sheet import Drawing, drawn, sheet
from twofold.compare.training.metrics import confusion
from twofold.scratch.module import Array

DARKEST = 0.55  # of the shades, so that a count is read on it in either scheme


def classes_of(values: Array) -> Array:
    """Class indices (N,) of outputs or targets: logits (N, C), indices (N,), or signs (N, 1) with 1 above 0."""
    if values.ndim == 2 and values.shape[1] == 1:
        return (values[:, 0] > 0).astype(np.int64)
    return values.argmax(axis=1) if values.ndim == 2 else values


@drawn
def confusion_matrices(sets: Sequence[tuple[str, Array, Array]], classes: Sequence[str], heading: str) -> Drawing:
    """Counts by actual (rows) and predicted class (columns) for each (set, outputs, targets); colours are by row."""
    side = 2.6 + 0.48 * len(classes)
    drawing = sheet(side * len(sets), side, images=True)
    for place, (name, outs, targets) in enumerate(sets, 1):
        counts = confusion(classes_of(outs), classes_of(targets), len(classes))
        draw(drawing.add_subplot(1, len(sets), place), counts, classes, name)
    drawing.suptitle(heading)
    return drawing


def draw(axis: Any, counts: Array, classes: Sequence[str], name: str) -> None:
    from matplotlib.colors import to_rgb

    shades = np.empty((*counts.shape, 4))
    shades[..., :3] = to_rgb(COUNT)
    shades[..., 3] = DARKEST * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shades, interpolation="none")
    for row, column in np.argwhere(counts):
        axis.text(column, row, counts[row, column], ha="center", va="center", fontsize=8, color=INK)
    places, slanted = range(len(classes)), max(map(len, classes)) > 4
    axis.set_xticks(places, classes, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axis.set_yticks(places, classes)
    right = 100 * np.trace(counts) / max(counts.sum(), 1)
    axis.set(xlabel="predicted", ylabel="actual", title=f"{name}: {right:.2f} % of {counts.sum():,} right")
