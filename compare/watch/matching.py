"""Whether an array holds the numbers of one of many others: as a multiset up to one factor, then entry by entry.

A stranger's code may have samples in columns, a batch as single records, a sequence as single steps, and take 1 / n
late: so the others are searched whole and by slices along each axis, and equal is what is a multiple with the axes
moved.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from twofold.scratch.module import Array

WITHIN = {"float64": 1e-9, "float32": 3e-5, "longdouble": 1e-9}  # of the largest entry
ONE = 1e-9  # how near 1 a factor is none
MOST_SLICES = 4096  # of one array
MOST_AXES = 4


@dataclass(frozen=True)
class Match:
    """What an array was found to be."""

    label: Any  # of the array in the pool
    at: tuple[tuple[int, int], ...]  # the slice of it: (axis, index); () for all of it
    factor: float  # times the pool's is the array
    exact: bool  # entry by entry with its axes moved; else a multiset alone


class Pool:
    """Labelled arrays to be searched by value."""

    def __init__(self, arrays: Iterable[tuple[Any, Array]], slices: bool = True) -> None:
        self.arrays: list[tuple[Any, Array]] = []
        groups: dict[int, list[tuple[float, int, tuple[tuple[int, int], ...]]]] = {}
        seen: set[Any] = set()
        for label, array in arrays:
            if array.dtype.kind != "f" or not array.size:
                continue
            array = np.asarray(array, np.float64)
            key = array.shape, array.tobytes()
            if key in seen:
                continue
            seen.add(key)
            number = len(self.arrays)
            self.arrays.append((label, array))
            for at, rows in sliced(array, slices):
                for index, sign in zip(at, signatures(rows), strict=True):
                    if np.isfinite(sign):
                        groups.setdefault(rows.shape[1], []).append((float(sign), number, index))
        self.groups = {size: sorted(found, key=lambda one: one[0]) for size, found in groups.items()}
        self.signs = {size: np.array([one[0] for one in found]) for size, found in self.groups.items()}

    def find(self, array: Array, dtype: str = "float64") -> Match | None:
        """The best match: whole before slices, entry by entry before multisets, the factor 1 before others."""
        best: Match | None = None
        for match in self.matches(array, dtype):
            if best is None or rank(match) < rank(best):
                best = match
                if rank(best) == (False, False, 0):
                    break
        return best

    def matches(self, array: Array, dtype: str = "float64") -> Iterator[Match]:
        if array.dtype.kind != "f" or array.size not in self.groups:
            return
        value = np.asarray(array, np.float64)
        if not np.isfinite(value).all():
            return
        within = WITHIN.get(dtype, 3e-5)
        flat = value.ravel()
        if flat.size == 1 or alike(flat):  # a number, or one throughout but for its sign: no multiples of it
            yield from self.numbers(value, within)
            return
        (sign,) = signatures(flat[None])
        slack = within * (4 + flat.size)
        low, high = np.searchsorted(self.signs[flat.size], [sign * (1 - slack), sign * (1 + slack)])
        ordered = np.sort(flat)
        for _, number, at in self.groups[flat.size][low:high]:
            label, whole = self.arrays[number]
            other = part(whole, at)
            factor = multiple(ordered, other.ravel(), within)
            if factor is None or (at and not is_count(factor)):
                continue
            exact = moved(value, factor * other, within)
            if not exact and moved(value, -factor * other, within):  # as many times the same entries with either sign
                exact, factor = True, -factor
            yield Match(label, at, factor, exact)

    def numbers(self, value: Array, within: float) -> Iterator[Match]:
        if not value.any():
            return
        for _, number, at in self.groups[value.size]:
            label, whole = self.arrays[number]
            if moved(value, part(whole, at), within):
                yield Match(label, at, 1.0, True)
                return


def rank(match: Match) -> tuple[bool, bool, int]:
    return not match.exact, abs(match.factor - 1) > 1e-9, len(match.at)


def is_count(factor: float) -> bool:
    """Whether a slice may be meant: rows of a gradient of rank one are multiples of one another by any number."""
    size = max(abs(factor), 1 / abs(factor))
    return abs(size - round(size)) <= 1e-9 * size


def alike(flat: Array) -> bool:
    """Whether all entries have one magnitude."""
    sizes = np.abs(flat)
    return bool((np.abs(sizes - sizes[0]) <= 1e-12 * sizes[0]).all())


def signatures(rows: Array) -> Array:
    """Of each row a number that neither the order of its entries nor a factor changes."""
    with np.errstate(all="ignore"):
        sizes = np.abs(rows)
        sizes = sizes / sizes.max(axis=1, keepdims=True)  # neither overflows nor vanishes
        return sizes.sum(axis=1) / np.sqrt((sizes * sizes).sum(axis=1)) + (sizes**3).sum(axis=1) / (
            (sizes * sizes).sum(axis=1) ** 1.5
        )


def sliced(array: Array, slices: bool) -> Iterator[tuple[list[tuple[tuple[int, int], ...]], Array]]:
    """The whole as one row, then its slices along one axis and along two, a row each."""
    yield [()], array.reshape(1, -1)
    if not slices or array.ndim < 2:
        return
    for count in (1, 2):
        for axes in combinations(range(array.ndim), count):
            sizes = [array.shape[axis] for axis in axes]
            number = int(np.prod(sizes))
            if array.ndim <= count or number > MOST_SLICES or number < 2 or array.size // number < 2:
                continue
            rows = np.moveaxis(array, axes, range(count)).reshape(number, -1)
            places = [tuple(zip(axes, map(int, at), strict=True)) for at in np.ndindex(*sizes)]
            yield places, rows


def part(array: Array, at: tuple[tuple[int, int], ...]) -> Array:
    index: list[Any] = [slice(None)] * array.ndim
    for axis, n in at:
        index[axis] = n
    return array[tuple(index)]


def multiple(ordered: Array, other: Array, within: float) -> float | None:
    """The factor by which the entries of another, in any order, are these; None for none."""
    size, others = float(np.abs(ordered).max()), float(np.abs(other).max())
    if not others:
        return None
    factor = size / others  # then by all entries; of the largest alone squares neither overflow nor vanish
    factor *= float(np.linalg.norm(ordered / (size or 1.0)) / np.linalg.norm(other / others))
    limit = within * size
    if (np.abs(np.sort(factor * other) - ordered) <= limit).all():
        return factor
    if (np.abs(np.sort(-factor * other) - ordered) <= limit).all():
        return -factor
    return None


def off_by(actual: Array, golden: Array | None) -> float | None:
    """The factor by which a result differs from torch's; None where it is no multiple, or the same."""
    if golden is None or actual.shape != golden.shape or actual.size < 2:
        return None
    factor = multiple(np.sort(actual.ravel().astype(float)), golden.ravel().astype(float), WITHIN["float64"])
    return None if factor is None or abs(factor - 1) <= ONE else factor


def moved(value: Array, other: Array, within: float) -> bool:
    """Whether it is the other with its axes moved, unit axes and flattening left aside."""
    limit = within * float(np.abs(value).max())
    flat = value.ravel()
    bare = other.reshape([n for n in other.shape if n != 1])
    orders = permutations(range(bare.ndim)) if bare.ndim <= MOST_AXES else iter([tuple(range(bare.ndim))])
    return any((np.abs(bare.transpose(order).ravel() - flat) <= limit).all() for order in orders)
