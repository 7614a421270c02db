"""A sine and a triangle wave, to be continued: 50 values and the one that follows. Generated, there are no files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twofold.compare.data.embedded import series
from twofold.compare.data.splits import Dataset, Split

WINDOW = 50
VALUES = 200
TRAINED = 100  # the first records; the 50 after them are for validation
NOTE = "generated, the same whatever the directory; the test records are those of the validation"


def sine() -> Dataset:
    """Windows of sin(0), sin(1), ..., sin(199)."""
    return _dataset("sine", series.sine(VALUES), NOTE)


def triangle() -> Dataset:
    """Windows of a triangle wave of period 5."""
    repeats = f"; every window recurs after {series.PERIOD} steps, so that none of the validation is new"
    return _dataset("triangle", series.triangle(VALUES), NOTE + repeats)


def read_sine(directory: Path) -> Dataset:
    """`sine`, whatever `directory` holds."""
    return sine()


def read_triangle(directory: Path) -> Dataset:
    """`triangle`, whatever `directory` holds."""
    return triangle()


def windows(values: np.ndarray) -> Split:
    """(M,) -> every 50 neighbouring values (M - 50, 50) and the one that follows (M - 50, 1)."""
    runs = np.lib.stride_tricks.sliding_window_view(values, WINDOW + 1)
    return Split(runs[:, :-1].copy(), runs[:, -1:].copy())


def _dataset(name: str, values: np.ndarray, note: str) -> Dataset:
    records = windows(values)
    train = Split(records.inputs[:TRAINED], records.targets[:TRAINED])
    validation = Split(records.inputs[TRAINED:], records.targets[TRAINED:])
    return Dataset(name, "embedded", train, validation, validation, (), note)
