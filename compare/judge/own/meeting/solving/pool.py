"""The values that scratch's code made, and whether one of torch's is among them, whatever the order of its axes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import permutations

import numpy as np

from twofold.scratch.module import Array

LEAST = 4  # entries: fewer meet by chance
MOST = 64  # slices along an axis
EXACT, COARSE = 1e-9, 1e-5  # of a value's size, in float64 and in float32


class Pool:
    """Arrays by their size and sum, with their slices."""

    def __init__(self, arrays: Iterable[Array], given: Iterable[Array] = ()) -> None:
        """What was `given` was not made: a parameter is no value of a layer that adds it to nothing."""
        entries = {np.sort(array, axis=None).tobytes() for array in given}
        found: dict[int, dict[tuple[float, bytes], Array]] = {}
        made = (array for array in arrays if not entries or np.sort(array, axis=None).tobytes() not in entries)
        for array in with_slices(made):
            found.setdefault(array.size, {}).setdefault((float(array.sum()), array.tobytes()), array)
        self.arrays = {size: [some[key] for key in sorted(some)] for size, some in found.items()}
        self.centred: dict[int, list[float]] = {}
        self.sums = {size: sorted(total for total, _ in some) for size, some in found.items()}

    def __contains__(self, value: Array) -> bool:
        """Whether it is there as a whole, or slice by slice along one of its axes."""
        return self.find(value) is not None or self.has_slices(value)

    def has_slices(self, value: Array) -> bool:
        """Whether it is there slice by slice along one of its axes."""
        for axis in range(min(value.ndim, 2) if value.ndim > 1 else 0):
            n = value.shape[axis]
            if n > 1 and value.size // n >= LEAST:
                ends = (value.take(k, axis) for k in (0, n - 1, n // 2))
                if all(self.find(part) is not None for part in ends):
                    return True
        return False

    def find(self, value: Array) -> Array | None:
        """The array of the same entries, in the order of its own axes."""
        sums = self.sums.get(value.size)
        if sums is None:
            return None
        total, flat = float(value.sum()), value.ravel()
        slack = COARSE * (float(flat @ flat) * value.size) ** 0.5
        if not slack < np.inf:
            return None
        first, last = bisect_left(sums, total - slack), bisect_right(sums, total + slack)
        if first == last or not flat.max() > flat.min():
            return None
        size = np.abs(flat).max()
        for array in self.arrays[value.size][first:last]:
            within = (COARSE if array.dtype == np.float32 else EXACT) * size
            if any(np.abs(turned - value).max() <= within for turned in turnings(array, value.shape)):
                return array
        return None

    @cached_property
    def units(self) -> "Pool":
        """Each array over its length."""
        found = Pool(())
        for size, arrays in self.arrays.items():
            some = [array / length for array in arrays if 0 < (length := np.linalg.norm(array)) < np.inf]
            found.arrays[size] = sorted(some, key=lambda array: float(array.sum()))
            found.sums[size] = [float(array.sum()) for array in found.arrays[size]]
        return found

    def has_multiple(self, value: Array) -> bool:
        """Whether some multiple of it is there as a whole."""
        length = np.linalg.norm(value)
        return bool(0 < length < np.inf) and any(self.units.find(sign * value / length) is not None for sign in (1, -1))

    def has_shifted(self, value: Array, axis: int) -> bool:
        """Whether something is there that a vector along this axis, added to the value, may have made of it."""
        if value.size not in self.centred:
            arrays = [array for array in self.arrays.get(value.size, ()) if array.ndim > 1]
            found = (spread(array, n) for array in arrays for n in range(array.ndim) if array.shape[n] < array.size)
            self.centred[value.size] = sorted(found)
        spreads, wanted = self.centred[value.size], spread(value, axis)
        n = bisect_left(spreads, wanted * (1 - COARSE))
        return n < len(spreads) and spreads[n] <= wanted * (1 + COARSE)

    def of_shape(self, shape: Sequence[int]) -> Iterator[Array]:
        """All that has this shape with its axes in some order, in that order."""
        for array in self.arrays.get(int(np.prod(shape)), ()):
            yield from turnings(array, shape)


def spread(array: Array, axis: int) -> float:
    """The squares of what is left of an array without its mean at each place of the axis."""
    rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
    rest = rows - rows.mean(axis=1, keepdims=True)
    return float((rest * rest).sum())


def with_slices(arrays: Iterable[Array]) -> Iterator[Array]:
    for array in arrays:
        if array.size < LEAST or array.dtype.kind != "f" or not np.isfinite(array).all():
            continue
        yield array
        for axis in range(array.ndim) if array.ndim > 1 else ():
            if 1 < array.shape[axis] <= MOST and array.size // array.shape[axis] >= LEAST:
                yield from np.moveaxis(array, axis, 0)


def turnings(array: Array, shape: Sequence[int]) -> Iterator[Array]:
    """The array with its axes in every order that has this shape, axes of one entry left out."""
    bare, wanted = array.squeeze(), tuple(n for n in shape if n != 1)
    if bare.size == int(np.prod(shape)) and bare.ndim == 1 != len(wanted):
        yield bare.reshape(shape)
    if bare.ndim != len(wanted):
        if bare.ndim > 1:
            yield from (turned.reshape(shape) for turned in merged(bare, wanted))
        return
    for axes in permutations(range(bare.ndim)):
        if tuple(bare.shape[n] for n in axes) == wanted:
            yield bare.transpose(axes).reshape(shape)


def merged(bare: Array, wanted: tuple[int, ...]) -> Iterator[Array]:
    """Of an array that has some axes as one, as (N, T H) of (N, T, H), those that it has apart, and the reverse."""
    yield bare.reshape(wanted)
    if bare.ndim == 2:
        for axes in permutations(range(len(wanted))):
            yield bare.reshape([wanted[n] for n in axes]).transpose(np.argsort(axes))
    elif bare.ndim <= 4:
        for axes in permutations(range(bare.ndim)):
            yield bare.transpose(axes).reshape(wanted)
