"""Patches of natural images, 16x16, each to be reproduced by an autoencoder, from an HDF5 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import photograph
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import hdf5
from twofold.compare.data.readers.fields import FLOATS, Field
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Split

FILES = (("eee443/assign3_data1.h5",),)
FIELDS = {"data": Field(("N", 3, 16, 16), FLOATS)}
LUMINOSITY = (0.2126, 0.7152, 0.0722)  # of R, G, B
CLIP = 3.0  # standard deviations
LOW, HIGH = 0.1, 0.9  # what they are mapped to, away from where a sigmoid saturates
NOTE = "the last tenth is the test split, the source has none"


def read(directory: Path) -> Dataset:
    """The patches in the order stored; DataError names the key that is not as it should be."""
    path = locate(directory, FILES[0])
    return _dataset(described(directory, [path]), hdf5.read(path, FIELDS)["data"], NOTE)


def embedded() -> Dataset:
    """2,000 patches of the photograph that comes with matplotlib; they overlap."""
    return _dataset("embedded", photograph.patches(2000, 16, seed=13), f"{NOTE}; overlapping parts of one photograph")


def prepare(where: str, colour: np.ndarray) -> np.ndarray:
    """Colour (N, 3, 16, 16) -> float32 (N, 256) in [0.1, 0.9]; computed in float64.

    Luminosity; each patch minus its own mean; clipped to three standard deviations of all numbers, which are then
    mapped to 0.1 and 0.9. DataError, with `where` in front, where all patches are even.
    """
    grey = np.einsum("ncij,c->nij", colour, LUMINOSITY, dtype=np.float64).reshape(len(colour), -1)
    grey -= grey.mean(axis=1, keepdims=True)
    limit = CLIP * grey.std()
    if limit == 0:
        raise mismatch(where, "patches that are not all even", "a standard deviation of 0")
    np.clip(grey, -limit, limit, out=grey)
    return ((LOW + HIGH) / 2 + (HIGH - LOW) / 2 * grey / limit).astype(np.float32)


def _dataset(source: str, colour: np.ndarray, note: str) -> Dataset:
    if len(colour) < 10:
        raise mismatch(source, "at least 10 patches, to hold a tenth out for the test", len(colour))
    inputs = prepare(source, colour)
    train, test = np.split(inputs, [len(inputs) - len(inputs) // 10])
    return Dataset("patches", source, Split(train, train), None, Split(test, test), (), note, raw=colour)
