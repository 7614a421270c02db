"""Curves and their axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

MARKED = 12  # values on a curve that get a mark
WIDE = 100  # times the lowest value, above which a scale is logarithmic


def smoothed(values: Sequence[float], window: int) -> np.ndarray:
    """The mean of the last `window` values at each step, of fewer at the start."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    return (total[last] - total[first]) / (last - first)


def count_along(axis: Any, what: str, last: int) -> None:
    """Steps or epochs from 1 to `last` along an axis: whole numbers, and room beside a single one."""
    axis.set_xlabel(what)
    axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if last == 1:
        axis.set_xlim(0.5, 1.5)


def fit_scale(axis: Any, values: Sequence[float] | np.ndarray) -> None:
    """A logarithmic scale where values, none of them negative, span orders of magnitude."""
    finite = np.asarray(values)[np.isfinite(values)]
    positive = finite[finite > 0]
    if len(positive) and finite.min() >= 0 and positive.max() > WIDE * positive.min():
        axis.set_yscale("log")


def marker(count: int) -> str:
    """A dot for each of a few values."""
    return "o" if count <= MARKED else ""


def powers_along(axis: Any, low: float, high: float) -> None:
    """At most five powers of ten along a logarithmic axis, written out; twos and fives too where there are few."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    inside = powers[(powers >= low) & (powers <= high)]
    few = np.outer(powers, (1, 2, 5)).ravel()
    places = inside[:: -(-len(inside) // 5)] if len(inside) > 2 else few[(few >= low) & (few <= high)]
    axis.set_ticks(places, [f"{place:g}" for place in places])
