"""Six activities from three-axis accelerometer signals of 150 steps, from an HDF5 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import signals
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import hdf5
from twofold.compare.data.readers.fields import NUMBERS, Field
from twofold.compare.data.readers.files import described, locate
from twofold.compare.data.splits import Dataset, Origin, Split, varied

CLASSES = ("downstairs", "jogging", "sitting", "standing", "upstairs", "walking")
SEED = 6  # of the holdout
FILES = (("eee443/assign3_data3.h5",),)
FIELDS = {
    "trX": Field(("N", 150, 3), NUMBERS),
    "trY": Field(("N", 6), NUMBERS),
    "tstX": Field(("M", 150, 3), NUMBERS),
    "tstY": Field(("M", 6), NUMBERS),
}


def read(directory: Path) -> Dataset:
    """The signals as stored; DataError names the key whose form or one-hot rows are wrong."""
    path = locate(directory, FILES[0])
    arrays = hdf5.read(path, FIELDS)
    train, test = (classes_of(path, key, arrays[key]) for key in ("trY", "tstY"))
    return _dataset(str(path), (arrays["trX"], train), (arrays["tstX"], test), described(directory, [path]))


def embedded() -> Dataset:
    """Generated signals, 900 for training and validation and 240 for the test."""
    return _dataset("embedded", signals.generate(900, seed=7), signals.generate(240, seed=8))


def classes_of(path: Path, key: str, rows: np.ndarray) -> np.ndarray:
    """One-hot (N, C) -> int64 (N,); DataError unless every row is a single 1 among zeros."""
    hot = rows == 1
    wrong = np.flatnonzero((hot.sum(axis=1) != 1) | (~hot & (rows != 0)).any(axis=1))
    if wrong.size:
        raise mismatch(path, f"one-hot rows under {key}", f"row {wrong[0]}: {rows[wrong[0]].tolist()}")
    return hot.argmax(axis=1).astype(np.int64)


def standardise(where: str, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32, minus ONE mean and over ONE deviation: those of all numbers in `train`, whatever the axis.

    DataError, with `where` in front, for signals that are all one number, and where one number is beyond all others.
    """
    mean, std = train.mean(dtype=np.float64), train.std(dtype=np.float64)
    if std == 0:
        raise mismatch(where, "training signals that vary under trX", "a standard deviation of 0")
    with np.errstate(over="ignore"):  # a Split refuses what comes of it
        scaled = [((signals - mean) / std).astype(np.float32) for signals in (train, test)]
    varied(Origin(where, "trX"), train, scaled[0])
    return scaled[0], scaled[1]


def hold_out(where: str, inputs: np.ndarray, targets: np.ndarray) -> tuple[Split, Split]:
    """Training and validation records, the latter a tenth of all.

    A permutation by a fixed seed picks them, not the last tenth, because a file may be sorted by class.
    DataError, with `where` in front, for fewer than 10 records.
    """
    if len(inputs) < 10:
        raise mismatch(where, "at least 10 training records, to hold a tenth out", len(inputs))
    order = np.random.default_rng(SEED).permutation(len(inputs))
    validation, train = np.split(order, [len(order) // 10])
    kept, held = (Split(inputs[rows], targets[rows], Origin(where, "trX", rows)) for rows in (train, validation))
    return kept, held


def _dataset(
    where: str, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], source: str = "embedded"
) -> Dataset:
    train_inputs, test_inputs = standardise(where, train[0], test[0])
    kept, held = hold_out(where, train_inputs, train[1])
    return Dataset("activity", source, kept, held, Split(test_inputs, test[1], Origin(where, "tstX")), CLASSES)
