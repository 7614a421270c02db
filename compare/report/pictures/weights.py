"""Weights as images."""

import math

from twofold.compare.report.pictures.mosaic import mosaic, panels, signed
from twofold.compare.report.plots.sheet import Drawing
from twofold.scratch.module import Array

MOST = 104  # images in one picture
GREY = "white is positive, black negative; each image by its largest weight"
COLOUR = "bright is positive, dark negative; each image by its largest weight"


def filters(weight: Array, heading: str, note: str = "") -> Drawing:
    """A convolution's weight (out, in, kh, kw): in colour for three planes, else one grey image a filter and plane.

    `note` is what is to be said of the weights beside their range.
    """
    images = weight if weight.shape[1] == 3 else weight.reshape(-1, *weight.shape[2:])
    what = "filters" if weight.shape[1] in (1, 3) else f"filters of {weight.shape[1]} planes"
    return grid(images, f"{len(weight)} {what}, {weight.shape[2]}x{weight.shape[3]}", heading, note)


def plane_shape(pixels: int) -> tuple[int, ...] | None:
    """(H, H) or (3, H, H) of so many numbers; None where they are neither."""
    for planes in (1, 3):
        side = math.isqrt(pixels // planes)
        if planes * side * side == pixels and side > 1:
            return (side, side) if planes == 1 else (3, side, side)
    return None


def hidden_units(weight: Array, transposed: bool, what: str, heading: str, note: str = "") -> Drawing:
    """Rows of (units, pixels) as images, turned about their diagonal where the data are stored so."""
    shape = plane_shape(weight.shape[1])
    assert shape is not None
    images = weight.reshape(-1, *shape)
    return grid(images.swapaxes(-1, -2) if transposed else images, f"{len(weight):,} {what}", heading, note)


def grid(images: Array, title: str, heading: str, note: str) -> Drawing:
    shown = images[:MOST]
    title = title if len(shown) == len(images) else f"{title}, the first {MOST} images"
    columns = columns_of(len(shown))
    width = min(9.0, max(4.6, 1.2 + 0.62 * columns))
    below = "; ".join([f"from {images.min():.3g} to {images.max():.3g}", *([note] if note else [])])
    below = f"{COLOUR if images.ndim == 4 else GREY}\n{below}"
    return panels([mosaic(signed(shown), columns)], [title], heading, width, below)


def columns_of(count: int) -> int:
    """How many in a row: at least as wide as high, at most twice as wide as 8 by 5, with few places empty."""
    ideal = math.sqrt(1.6 * count)
    return min(range(math.ceil(math.sqrt(count)), math.ceil(1.5 * ideal)), key=lambda n: (-count % n, abs(n - ideal)))
