"""Arrays from an HDF5 file, each held to the shape and type that its key announces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.fields import Field, check, finite


def read(path: Path, fields: Mapping[str, Field]) -> dict[str, np.ndarray]:
    """The arrays under the keys of `fields`.

    DataError for a file that HDF5 cannot read to its end, a missing key, another shape or type, NaN and infinity.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            present = {key: item for key, item in file.items() if isinstance(item, h5py.Dataset)}
            check(path, fields, present)
            arrays = {key: np.asarray(present[key][()]) for key in fields}
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:  # h5py raises all of these
        raise mismatch(path, "a readable HDF5 file", f"{type(error).__name__}: {error}") from error
    finite(path, arrays)
    return arrays
