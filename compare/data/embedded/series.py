"""Waves sampled at 0, 1, 2, ...: float64, by the formulas that define them."""

from __future__ import annotations

import math

import numpy as np

PERIOD = 5  # of the triangle


def sine(count: int) -> np.ndarray:
    """(count,), by the C library's sine: NumPy's own may differ from one processor to the next."""
    return np.array([math.sin(x) for x in range(count)])


def triangle(count: int) -> np.ndarray:
    """(count,), between -1 and 1, rising from 0."""
    x = np.arange(count, dtype=np.float64)
    half = np.floor(2 * x / PERIOD + 1 / 2)  # how many half periods have passed, counted from peak to peak
    return 4 / PERIOD * (x - PERIOD / 2 * half) * (-1) ** half
