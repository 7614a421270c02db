"""Many small images as one: grey (N, H, W) or colour (N, 3, H, W)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.report.plots.sheet import Drawing, drawn, sheet
from twofold.scratch.module import Array

GAP = (0.75, 0.85, 0.95)


def pixels(values: Array) -> Array:
    """Numbers (N, ...) as they are shown, float in [0, 1]: each image from its own lowest to its own highest."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    lowest, highest = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    spread = np.where(highest > lowest, highest - lowest, 1)
    return ((flat - lowest) / spread).reshape(values.shape)


def signed(values: Array) -> Array:
    """Weights (N, ...) as they are shown, each image alike: 0 is the middle grey, the largest of either sign an end."""
    largest = np.abs(values.reshape(len(values), -1)).max(axis=1)
    scale = np.where(largest > 0, largest, 1).reshape(-1, *(1 for _ in values.shape[1:]))
    return (1 + values / scale) / 2


def mosaic(images: Array, columns: int, gap: int = 1) -> Array:
    """Row by row with lines of pale blue between, (H, W, 3) in [0, 1]; places without an image stay so."""
    colour = images if images.ndim == 4 else np.repeat(images[:, None], 3, axis=1)  # (N, 3, H, W)
    count, _, height, width = colour.shape
    rows = -(-count // columns)
    canvas = np.empty((rows * (height + gap) + gap, columns * (width + gap) + gap, 3))
    canvas[...] = GAP
    for n in range(count):
        top, left = gap + n // columns * (height + gap), gap + n % columns * (width + gap)
        canvas[top : top + height, left : left + width] = colour[n].transpose(1, 2, 0)
    return canvas


@drawn
def panels(images: Sequence[Array], titles: Sequence[str], heading: str, width: float = 3.2, note: str = "") -> Drawing:
    """Images (H, W, 3) or (H, W) in [0, 1] side by side, each with its title; a heading above all, a note below."""
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    drawing, axes = frames(len(images), width, (width - 0.2) * tallest + (0.9 if note else 0.7))
    for axis, image, title in zip(axes, images, titles, strict=True):
        show(axis, image, title)
    drawing.suptitle(heading, fontsize=11)
    if note:
        drawing.supxlabel(note, fontsize=8)
    return drawing


def frames(count: int, width: float, height: float, columns: int | None = None) -> tuple[Any, list[Any]]:
    """A figure with places for `count` images, `columns` in a row, without axes."""
    columns = columns or count
    rows = -(-count // columns)
    drawing = sheet(width * columns, height * rows, images=True)
    axes = [drawing.add_subplot(rows, columns, n + 1) for n in range(count)]
    for axis in axes:
        axis.set_axis_off()
    return drawing, axes


def show(axis: Any, image: Array, title: str) -> None:
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
    axis.set_title(title, fontsize=10)
