"""NumPy's own files: npy, of one array, and npz, of several under keys. Pickled objects in one are never loaded."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.fields import Field, check, finite

# What NumPy and the zip archive under it raise for damaged files; ValueError also for arrays of pickled objects.
PROBLEMS = (
    OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RuntimeError, SyntaxError,
    TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_npy(path: Path, field: Field) -> np.ndarray:
    """The array in `path`; DataError for a file that NumPy cannot read, another form than `field`, NaN and infinity."""
    loaded = _load(path, "npy")
    check(path, {"array": field}, loaded)
    finite(path, loaded)
    return loaded["array"]


def read_npz(path: Path, fields: Mapping[str, Field]) -> dict[str, np.ndarray]:
    """The arrays under the keys of `fields`; DataError as for `read_npy`, and for a missing key."""
    loaded = _load(path, "npz")
    check(path, fields, loaded)
    arrays = {key: loaded[key] for key in fields}
    finite(path, arrays)
    return arrays


def _load(path: Path, kind: str) -> dict[str, np.ndarray]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays, found = {"array": loaded}, "npy"
        else:
            with loaded:
                arrays, found = {key: np.asarray(loaded[key]) for key in loaded.files}, "npz"
    except PROBLEMS as error:
        raise mismatch(path, f"a readable {kind} file without objects", f"{type(error).__name__}: {error}") from error
    if found != kind:
        raise mismatch(path, f"a readable {kind} file without objects", f"an {found} file")
    return arrays
