"""What the arrays of a file that names them, HDF5 or npz, must look like under each key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from twofold.compare.data.errors import DataError, mismatch

# Starts of NumPy's dtype strings, and what they are called in a message.
BYTES = {"u1": "uint8"}
FLOATS = {"f": "floats"}
NUMBERS = {"u": "integers", "i": "integers", "f": "floats"}
STRINGS = {"S": "strings", "O": "strings"}  # of fixed and of variable length
LARGEST = np.float64(
    1e30
)  # of the numbers in a file: no measurement is larger, and what is computed from them is finite
LISTED = 8  # keys in a message


class Field(NamedTuple):
    """One key's form. A letter in `shape` is any size of at least 1, the same wherever it recurs in the file."""

    shape: tuple[int | str, ...]
    types: Mapping[str, str]


class Shaped(Protocol):
    """An array in memory, or one that is still in its file."""

    @property
    def shape(self) -> tuple[int, ...] | None: ...  # None: h5py's way to say that there is no value at all

    @property
    def dtype(self) -> np.dtype: ...


def check(path: Path, fields: Mapping[str, Field], present: Mapping[str, Shaped]) -> None:
    """DataError for another shape or type than its field says; all keys are in `present`."""
    sizes: dict[int | str, int] = {}  # what each letter has turned out to be
    for key, (announced, types) in fields.items():
        shape, dtype = present[key].shape or (), present[key].dtype
        expected = tuple(sizes.get(n, n) for n in announced)
        if not _fits(shape, expected) or not dtype.str[1:].startswith(tuple(types)):
            names = " or ".join(dict.fromkeys(types.values()))
            raise mismatch(path, f"{key} with {names} of shape {_text(expected)}", f"{dtype} of shape {_text(shape)}")
        sizes.update(zip(announced, shape, strict=True))


def absent(path: Path, key: str, keys: Sequence[str]) -> DataError:
    """The DataError for a file without `key`, which has `keys`."""
    more = f" and {len(keys) - LISTED:,} more" if len(keys) > LISTED else ""
    return mismatch(path, f"key {key}", f"keys {', '.join(keys[:LISTED]) or '(none)'}{more}")


def finite(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays in the machine's byte order, floats in at most 64 bits.

    DataError for NaN, infinity, and what is so large that computing with it gives them.
    """
    found = {}
    for key, values in arrays.items():
        if values.dtype.kind == "f":
            expected = f"finite numbers of at most {LARGEST:g} under {key}"
            refuse_any(path, expected, values, ~(np.abs(values) <= LARGEST))
        wide = values.dtype.kind == "f" and values.dtype.itemsize > 8
        found[key] = values.astype(np.float64 if wide else values.dtype.newbyteorder("="), copy=False)
    return found


def whole(path: Path, key: str, values: np.ndarray, low: int, high: int) -> np.ndarray:
    """`values` as int64; DataError unless each is a whole number from `low` to `high` (files hold some as floats)."""
    wrong = (values != np.round(values)) | (values < low) | (values > high)
    refuse_any(path, f"whole numbers from {low} to {high} under {key}", values, wrong)
    return values.astype(np.int64)


def refuse_any(path: Path | str, expected: str, values: np.ndarray, wrong: np.ndarray) -> None:
    """DataError for the first of `values` where `wrong` is True, of the same shape, with its row."""
    if wrong.any():
        place = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise mismatch(path, expected, f"{values[place]} in row {place[0]}")


def _fits(shape: tuple[int, ...], expected: tuple[int | str, ...]) -> bool:
    if len(shape) != len(expected) or 0 in shape:
        return False
    return all(isinstance(n, str) or n == size for n, size in zip(expected, shape, strict=True))


def _text(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
