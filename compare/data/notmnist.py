"""Letters A to J in many typefaces, 28x28, from an npz file or an idx sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data import mnist
from twofold.compare.data.embedded import glyphs
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import numpy_files
from twofold.compare.data.readers.fields import BYTES, NUMBERS, Field, whole
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Origin, Split

CLASSES = tuple("ABCDEFGHIJ")
SEED = 521  # of NumPy's legacy generator, as published
COUNT, BOUNDS = 18_724, (15_000, 16_000)  # all letters; where the training and the validation letters end
ARCHIVE = "notmnist/notMNIST.npz"
SAMPLE = ("notmnist/t10k-images-idx3-ubyte", "notmnist/t10k-labels-idx1-ubyte")
FILES = tuple((ARCHIVE, stem, f"{stem}.gz") for stem in SAMPLE)
FIELDS = {"images": Field(("N", 28, 28), BYTES), "labels": Field(("N",), NUMBERS)}


def read(directory: Path) -> Dataset:
    """The npz file if it is there, else the idx sample; DataError names the file that is not as it should be."""
    paths = list(dict.fromkeys(locate(directory, alternatives) for alternatives in FILES))
    source = described(directory, paths)
    if len(paths) == 2:
        images, labels = mnist.labelled(*paths)
    else:
        arrays = numpy_files.read_npz(paths[0], FIELDS)
        images, labels = arrays["images"], whole(paths[0], "labels", arrays["labels"], 0, 9)
    note = "" if len(images) == COUNT else f"{len(images):,} letters instead of {COUNT:,}, cut in the same proportions"
    return _dataset(source, str(paths[0]), images, labels, note)


def embedded() -> Dataset:
    """Letters drawn from the fonts of matplotlib, 3,000 in all."""
    return _dataset("embedded", "embedded", *glyphs.draw("".join(CLASSES), 3000, seed=12))


def cut(where: str, images: np.ndarray, labels: np.ndarray) -> tuple[Split, Split, Split]:
    """uint8 (N, 28, 28) and labels (N,), shuffled together -> float32 (N, 784) in [0, 1] and int64, in three parts.

    Training, validation and test are 15,000, 1,000 and 2,724 of 18,724, and in proportion of another number.
    DataError, with `where` in front, for fewer than 19 letters.
    """
    count = len(images)
    if count < 19:
        raise mismatch(where, "at least 19 letters, to cut 15000/1000/2724", count)
    order = np.random.RandomState(SEED).permutation(count)
    inputs = images[order].reshape(count, -1).astype(np.float32) / np.float32(255)
    bounds = [bound * count // COUNT for bound in BOUNDS]
    parts = zip(*(np.split(each, bounds) for each in (inputs, labels[order].astype(np.int64), order)), strict=True)
    train, validation, test = (Split(part, of, Origin(where, "images", rows)) for part, of, rows in parts)
    return train, validation, test


def _dataset(source: str, where: str, images: np.ndarray, labels: np.ndarray, note: str = "") -> Dataset:
    return Dataset("notmnist", source, *cut(where, images, labels), CLASSES, note)
