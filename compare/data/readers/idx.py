"""The idx format of MNIST and notMNIST, plain or gzip-compressed.

Two zero bytes, a type byte (0x08: unsigned bytes), the number of dimensions, each dimension's size as a big-endian
32-bit integer, then the bytes in C order. Images have magic 2051 (three dimensions), labels 2049 (one).
Source: the description published with "The MNIST database of handwritten digits" (LeCun, Cortes, Burges).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch

UNSIGNED_BYTES = 0x08
GZIP_START = b"\x1f\x8b"  # an idx file starts with two zero bytes, so content tells the two apart and names need not


def read(path: Path, dimensions: int) -> np.ndarray:
    """The read-only uint8 array in `path`, which must have `dimensions` axes; DataError for anything else."""
    data = _content(path)
    header = 4 + 4 * dimensions
    magic = UNSIGNED_BYTES << 8 | dimensions
    if len(data) < header:
        raise mismatch(path, f"an idx header of {header} bytes", f"{len(data)} bytes")
    if int.from_bytes(data[:4], "big") != magic:
        found = f"{int.from_bytes(data[:4], 'big')} (type byte 0x{data[2]:02x}, dimensions {data[3]})"
        raise mismatch(path, f"magic {magic} (type byte 0x{UNSIGNED_BYTES:02x}, dimensions {dimensions})", found)
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    if len(data) - header != math.prod(shape):
        raise mismatch(path, f"{math.prod(shape)} bytes of data for shape {shape}", f"{len(data) - header} bytes")
    if 0 in shape:
        raise mismatch(path, "at least one record", f"shape {shape}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP_START) else data
    except (OSError, EOFError, zlib.error) as error:
        raise mismatch(path, "a readable idx file, plain or gzip", f"{type(error).__name__}: {error}") from error
