"""Grey images of cats and cars, 32x32, from an HDF5 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import silhouettes
from twofold.compare.data.readers import hdf5
from twofold.compare.data.readers.fields import BYTES, NUMBERS, Field, whole
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Origin, Split

CLASSES = ("cat", "car")
FILES = (("eee443/assign2_data1.h5",),)
FIELDS = {
    "trainims": Field(("N", 32, 32), BYTES),
    "trainlbls": Field(("N",), NUMBERS),
    "testims": Field(("M", 32, 32), BYTES),
    "testlbls": Field(("M",), NUMBERS),
}


def read(directory: Path) -> Dataset:
    """Images in the order stored, which is by class; they are stored transposed, so show them as `.T`."""
    path = locate(directory, FILES[0])
    arrays = hdf5.read(path, FIELDS)
    train, test = (
        split(
            arrays[f"{part}ims"],
            whole(path, f"{part}lbls", arrays[f"{part}lbls"], 0, 1),
            Origin(str(path), f"{part}ims"),
        )
        for part in ("train", "test")
    )
    return _dataset(described(directory, [path]), train, test)


def embedded() -> Dataset:
    """Drawn cats and cars, 1,000 and 300, shuffled, and transposed as in the file."""
    return _dataset("embedded", split(*silhouettes.draw(1000, seed=3)), split(*silhouettes.draw(300, seed=4)))


def split(images: np.ndarray, labels: np.ndarray, origin: Origin | None = None) -> Split:
    """uint8 (N, 32, 32) -> float32 (N, 1024) in [0, 1]; labels 0 and 1 (N,) -> float32 -1 and +1 (N, 1)."""
    inputs = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return Split(inputs, (2 * labels[:, None] - 1).astype(np.float32), origin)


def _dataset(source: str, train: Split, test: Split) -> Dataset:
    return Dataset(name="catcar", source=source, train=train, validation=None, test=test, classes=CLASSES)
