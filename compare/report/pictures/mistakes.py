"""Test images that a trained net took for something else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twofold.compare.report.pictures.confusion import classes_of
from twofold.compare.report.pictures.mosaic import frames, pixels, show
from twofold.compare.report.plots.sheet import Drawing, drawn
from twofold.scratch.module import Array

MOST, COLUMNS = 24, 8
LONG = 13  # letters of a caption that are wider than an image


@dataclass(frozen=True)
class Mistakes:
    """Places in a set, what is written over each, and what is shown in one line."""

    places: list[int]
    captions: list[str]
    title: str


def mistakes(outs: Array, targets: Array, classes: Sequence[str], most: int = MOST) -> Mistakes:
    """Of records by outputs and targets, as in `classes_of`, those taken for another class, spread evenly over all.

    Where there are none, those with the least between the first class and the next.
    """
    said, true = classes_of(outs), classes_of(targets)
    wrong, of_all = np.flatnonzero(said != true), f"of {len(true):,} test records"
    if len(wrong):
        places = wrong[np.linspace(0, len(wrong) - 1, min(most, len(wrong))).astype(int)]
        captions = [f"{classes[said[n]]}, is {classes[true[n]]}" for n in places]
        some = f", {len(places)} of them, spread evenly" if len(places) < len(wrong) else ""
        return Mistakes(places.tolist(), captions, f"{len(wrong):,} {of_all} misclassified{some}")
    scores = np.hstack([-outs, outs]) if outs.shape[1] == 1 else outs  # signs are two classes
    ranked = np.argsort(-scores, axis=1, kind="stable")
    best, second = (np.take_along_axis(scores, ranked[:, [n]], 1)[:, 0] for n in (0, 1))
    places = np.argsort(best - second, kind="stable")[:most]
    captions = [f"{classes[said[n]]}, not {classes[ranked[n, 1]]}" for n in places]
    title = f"none {of_all} misclassified; the {len(places)} that it was least sure of"
    return Mistakes(places.tolist(), captions, title)


@drawn
def mistakes_picture(images: Array, found: Mistakes, heading: str, columns: int = COLUMNS) -> Drawing:
    """The images (N, H, W) or (N, 3, H, W) of the found places, each under what the net said and what it is."""
    shown = pixels(images[found.places])
    broken = max(map(len, found.captions)) > LONG
    drawing, axes = frames(len(shown), 1.1, 1.5 if broken else 1.35, columns=min(columns, len(shown)))
    for axis, image, caption in zip(axes, shown, found.captions, strict=True):
        show(axis, image if image.ndim == 2 else image.transpose(1, 2, 0), "")
        axis.set_title(caption.replace(", ", ",\n") if broken else caption, fontsize=9)
    drawing.suptitle(f"{heading}\n{found.title}", fontsize=11)
    return drawing
