"""Records of the data, and what a model makes of them."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from twofold.compare.report.pictures.mosaic import frames, mosaic, panels, pixels, show
from twofold.compare.report.plots.sheet import Drawing, drawn
from twofold.scratch.module import Array

PATCHES = 200
EXAMPLES = 10  # of each class


def patches(raw: Array, prepared: Array, rng: Generator, heading: str) -> Drawing:
    """The same random patches in colour (N, 3, H, W) and as the model gets them (M, H * W), M at most N."""
    chosen = np.sort(rng.choice(len(prepared), min(PATCHES, len(prepared)), replace=False))
    grey = prepared[chosen].reshape(-1, *raw.shape[2:])
    grey = (grey - prepared.min()) / (prepared.max() - prepared.min() or 1)  # one scale for all
    columns = min(20, len(chosen))
    images = [mosaic(pixels_together(raw[chosen]), columns), mosaic(grey, columns)]
    titles = [f"{len(chosen)} patches in colour", "the same, preprocessed for the model"]
    return panels(images, titles, heading, width=7.5)


def pixels_together(colour: Array) -> Array:
    """In [0, 1]: bytes and numbers up to 1 as they are, others from their lowest to their highest."""
    colour = colour / 255 if colour.dtype == np.uint8 else colour
    if colour.min() >= 0 and colour.max() <= 1:
        return colour
    return (colour - colour.min()) / (colour.max() - colour.min())


def reconstruction(patch: Array, out: Array, heading: str) -> Drawing:
    """A patch (H * H,) beside what an autoencoder makes of it, on one scale, and their difference."""
    side = int(np.sqrt(patch.size))
    images = pixels(np.stack([patch, out]).reshape(1, 2, side, side))[0]
    difference = (out - patch).reshape(side, side)
    largest = float(np.abs(difference).max())
    titles = ["patch", "reconstruction", f"difference, up to {largest:.3f}"]
    return panels([*images, (1 + difference / (largest or 1)) / 2], titles, heading)


@drawn
def examples(images: Array, labels: Array, classes: Sequence[str], rng: Generator, heading: str) -> Drawing:
    """A row a class of random images (N, H, W) or (N, 3, H, W), labels (N,), the class's name beside it."""
    drawing, axes = frames(len(classes), 0.62 * EXAMPLES, 0.66 + 1 / len(classes), columns=1)
    for n, (axis, name) in enumerate(zip(axes, classes, strict=True)):
        of_class = np.flatnonzero(labels == n)
        chosen = np.sort(rng.choice(of_class, min(EXAMPLES, len(of_class)), replace=False))
        axis.text(-0.01, 0.5, name, transform=axis.transAxes, ha="right", va="center")
        if len(chosen):
            show(axis, mosaic(pixels(images[chosen]), EXAMPLES), "")
    drawing.suptitle(heading, fontsize=11)
    drawing.supxlabel("each image from its lowest to its highest value", fontsize=8)
    return drawing


@drawn
def letters(images: Array, labels: Array, classes: Sequence[str], rng: Generator, heading: str) -> Drawing:
    """Ten random images (N, H * H) in two rows, each under its name."""
    chosen = rng.choice(len(images), min(10, len(images)), replace=False)
    side = int(np.sqrt(images.shape[1]))
    drawing, axes = frames(len(chosen), 1.3, 1.6, columns=5)
    for axis, n in zip(axes, chosen, strict=True):
        show(axis, pixels(images[n].reshape(1, side, side))[0], classes[labels[n]])
    drawing.suptitle(heading)
    return drawing
