"""Patches of natural images, 16x16, each to be reproduced by an autoencoder, from an HDF5 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import photograph
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import hdf5
from twofold.compare.data.readers.fields import FLOATS, Field
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Origin, Split, varied

FILES = (("eee443/assign3_data1.h5",),)
FIELDS = {"data": Field(("N", 3, 16, 16), FLOATS)}
LUMINOSITY = (0.2126, 0.7152, 0.0722)  # of R, G, B
CLIP = 3.0  # standard deviations
LOW, HIGH = 0.1, 0.9  # what they are mapped to, away from where a sigmoid saturates
NOTE = "the last tenth is the test split, the source has none"


def read(directory: Path) -> Dataset:
    """The patches in the order stored; DataError names the key that is not as it should be."""
    path = locate(directory, FILES[0])
    return _dataset(str(path), hdf5.read(path, FIELDS)["data"], NOTE, described(directory, [path]))


def embedded() -> Dataset:
    """2,000 patches of the photograph that comes with matplotlib; they overlap."""
    return _dataset("embedded", photograph.patches(2000, 16, seed=13), f"{NOTE}; overlapping parts of one photograph")


def prepare(where: str, colour: np.ndarray) -> np.ndarray:
    """Colour (N, 3, 16, 16) -> float32 (N, 256) in [0.1, 0.9]; computed in float64.

    Luminosity; each patch minus its own mean; clipped to three standard deviations of all numbers, which are then
    mapped to 0.1 and 0.9. DataError, with `where` in front, where all patches are even, and where one number is beyond
    all others.
    """
    grey = np.einsum("ncij,c->nij", colour, LUMINOSITY, dtype=np.float64).reshape(len(colour), -1)
    grey -= grey.mean(axis=1, keepdims=True)
    limit = CLIP * grey.std()
    if limit == 0:
        raise mismatch(where, "patches that are not all even under data", "a standard deviation of 0")
    np.clip(grey, -limit, limit, out=grey)
    inputs = ((LOW + HIGH) / 2 + (HIGH - LOW) / 2 * grey / limit).astype(np.float32)
    varied(Origin(where, "data"), colour, inputs)
    return inputs


def _dataset(where: str, colour: np.ndarray, note: str, source: str = "embedded") -> Dataset:
    if len(colour) < 10:
        raise mismatch(where, "at least 10 patches, to hold a tenth out for the test", len(colour))
    inputs = prepare(where, colour)
    rows = np.split(np.arange(len(inputs)), [len(inputs) - len(inputs) // 10])
    parts = [inputs[place[0] : place[-1] + 1] for place in rows]
    train, test = (Split(part, part, Origin(where, "data", place)) for part, place in zip(parts, rows, strict=True))
    return Dataset("patches", source, train, None, test, (), note, raw=colour)
