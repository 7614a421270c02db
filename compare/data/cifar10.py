"""Colour photographs of ten classes, 32x32, each channel standardised by published figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twofold.compare.data.embedded import figures
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import cifar_binary
from twofold.compare.data.readers.files import described, locate, there
from twofold.compare.data.splits import Dataset, Origin, Split

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-bin"
TEST = "test_batch.bin"
FILES = ((f"{FOLDER}/data_batch_1.bin",), (f"{FOLDER}/{TEST}", f"{FOLDER}/test_batch_first1017.bin"))
MORE = tuple(f"{FOLDER}/data_batch_{n}.bin" for n in range(2, 6))  # used where they are there
ALL, KEPT = 50_000, 49_000  # images in the five training batches, and those of them that are trained on

MEANS = np.array([0.4914, 0.4822, 0.4465], np.float32)[:, None, None]  # R, G, B
DEVIATIONS = np.array([0.2023, 0.1994, 0.2010], np.float32)[:, None, None]


class Pixels(NamedTuple):
    """The splits before any preprocessing: inputs uint8 (N, 3, 32, 32), targets int64 (N,)."""

    source: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    complete: bool = False  # whether all published training images are there
    note: str = ""


def read(directory: Path) -> Dataset:
    """Standardised images of `read_pixels`."""
    return prepared("cifar10", read_pixels(directory), standardise)


def embedded() -> Dataset:
    """Standardised images of `draw_pixels`."""
    return prepared("cifar10", draw_pixels(), standardise)


def standardise(images: np.ndarray) -> np.ndarray:
    """uint8 (N, 3, 32, 32) -> float32, over 255, minus MEANS, over DEVIATIONS: each rounded, as torchvision does."""
    inputs = images.astype(np.float32)
    inputs /= np.float32(255)
    inputs -= MEANS
    inputs /= DEVIATIONS
    return inputs


def read_pixels(directory: Path) -> Pixels:
    """49,000 training and 1,000 validation images, in the order stored; of fewer than five batches, the last tenth.

    DataError names the file that is missing or not as it should be.
    """
    required, test_path = (locate(directory, alternatives) for alternatives in FILES)
    paths = [required, *there(directory, MORE)]
    batches = [cifar_binary.read(path) for path in paths]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    count = len(images)
    if count < 10:
        raise mismatch(required, "at least 10 training images, to hold a tenth out", count)
    kept = KEPT if count == ALL else count - count // 10
    notes = [] if count == ALL else [f"{count:,} training images instead of {ALL:,}, the last tenth of them validation"]
    notes += [] if test_path.name == TEST else [f"test images from {test_path.name}"]
    return Pixels(
        described(directory, [*paths, test_path]),
        _split(images[:kept], labels[:kept]),
        _split(images[kept:], labels[kept:]),
        _split(*cifar_binary.read(test_path)),
        CLASSES,
        count == ALL,
        "; ".join(notes),
    )


def draw_pixels() -> Pixels:
    """Drawn figures in colour, which are no photographs and have classes of their own: 2,000, 200 and 400."""
    train, validation, test = (_split(*figures.draw(n, seed)) for n, seed in ((2000, 9), (200, 10), (400, 11)))
    return Pixels("embedded", train, validation, test, figures.CLASSES)


def prepared(name: str, pixels: Pixels, prepare: Callable[[np.ndarray], np.ndarray]) -> Dataset:
    """The data set of all images of `pixels` after `prepare`."""
    parts = (pixels.train, pixels.validation, pixels.test)
    train, validation, test = (Split(prepare(part.inputs), part.targets, Origin(pixels.source)) for part in parts)
    return Dataset(name, pixels.source, train, validation, test, pixels.classes, pixels.note)


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    return Split(images, labels.astype(np.int64))
