"""What the arrays of a file that names them, HDF5 or npz, must look like under each key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from twofold.compare.data.errors import mismatch

# Starts of NumPy's dtype strings, and what they are called in a message.
BYTES = {"u1": "uint8"}
FLOATS = {"f": "floats"}
NUMBERS = {"u": "integers", "i": "integers", "f": "floats"}
STRINGS = {"S": "strings", "O": "strings"}  # of fixed and of variable length


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
    """DataError for a missing key and for another shape or type than its field says."""
    sizes: dict[int | str, int] = {}  # what each letter has turned out to be
    for key, (announced, types) in fields.items():
        if key not in present:
            raise mismatch(path, f"key {key}", f"keys {', '.join(present) or '(none)'}")
        shape, dtype = present[key].shape or (), present[key].dtype
        expected = tuple(sizes.get(n, n) for n in announced)
        if not _fits(shape, expected) or not dtype.str[1:].startswith(tuple(types)):
            names = " or ".join(dict.fromkeys(types.values()))
            raise mismatch(path, f"{key} with {names} of shape {_text(expected)}", f"{dtype} of shape {_text(shape)}")
        sizes.update(zip(announced, shape, strict=True))


def finite(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """DataError for NaN and infinity."""
    for key, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise mismatch(path, f"finite numbers under {key}", "NaN or infinity")


def whole(path: Path, key: str, values: np.ndarray, low: int, high: int) -> np.ndarray:
    """`values` as int64; DataError unless each is a whole number from `low` to `high` (files hold some as floats)."""
    wrong = values[(values != np.round(values)) | (values < low) | (values > high)]
    if wrong.size:
        raise mismatch(path, f"whole numbers from {low} to {high} under {key}", wrong[0])
    return values.astype(np.int64)


def _fits(shape: tuple[int, ...], expected: tuple[int | str, ...]) -> bool:
    if len(shape) != len(expected) or 0 in shape:
        return False
    return all(isinstance(n, str) or n == size for n, size in zip(expected, shape, strict=True))


def _text(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
