"""Handwritten digits, 28x28, in the four original idx files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import glyphs
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import idx
from twofold.compare.data.readers.fields import refuse_any
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Origin, Split

CLASSES = tuple("0123456789")
STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FILES = tuple((f"mnist/{stem}", f"mnist/{stem}.gz") for stem in STEMS)


def read(directory: Path) -> Dataset:
    """MNIST from `directory`; DataError names the file that is missing or not as it should be."""
    paths = [locate(directory, alternatives) for alternatives in FILES]
    where = str(paths[0]), str(paths[2])
    return _dataset(described(directory, paths), where, labelled(*paths[:2]), labelled(*paths[2:]))


def embedded() -> Dataset:
    """Digits drawn from the fonts of matplotlib: 4,000 for training and 1,000 others for the test."""
    train, test = (glyphs.draw("".join(CLASSES), count, seed) for count, seed in ((4000, 1), (1000, 2)))
    return _dataset("embedded", ("embedded", "embedded"), train, test)


def labelled(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) and as many labels from 0 to 9 (N,), both uint8, from a pair of idx files."""
    (count, *size), (labels_count,) = idx.shape(images_path, 3), idx.shape(labels_path, 1)
    if size != [28, 28]:
        raise mismatch(images_path, "images of 28x28", f"{size[0]}x{size[1]}")
    if count != labels_count:
        raise mismatch(labels_path, f"{count} labels, one for each image", labels_count)
    images, labels = idx.read(images_path, 3), idx.read(labels_path, 1)
    refuse_any(labels_path, "labels from 0 to 9", labels, labels > 9)
    return images, labels


def standardise(where: str, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 28, 28) -> float32 (N, 1, 28, 28), minus int(mean), over int(std); both are those of `train`.

    DataError, with `where` in front, for images so even that int(std) is 0.
    """
    mean, std = int(train.mean()), int(train.std())
    if std == 0:
        raise mismatch(where, "training pixels with a standard deviation of at least 1", f"{train.std():.3g}")
    scaled = [(images[:, None].astype(np.float32) - np.float32(mean)) / np.float32(std) for images in (train, test)]
    return scaled[0], scaled[1]


def _dataset(
    source: str,
    where: tuple[str, str],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
) -> Dataset:
    train_inputs, test_inputs = standardise(where[0], train[0], test[0])
    return Dataset(
        name="mnist",
        source=source,
        train=Split(train_inputs, train[1].astype(np.int64), Origin(where[0])),
        validation=None,
        test=Split(test_inputs, test[1].astype(np.int64), Origin(where[1])),
        classes=CLASSES,
    )
