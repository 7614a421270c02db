"""The idx format of MNIST and notMNIST, plain or gzip-compressed.

Two zero bytes, a type byte (0x08: unsigned bytes), the number of dimensions, each dimension's size as a big-endian
32-bit integer, then the bytes in C order. Images have magic 2051 (three dimensions), labels 2049 (one).
Source: the description published with "The MNIST database of handwritten digits" (LeCun, Cortes, Burges).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.bound import take
from twofold.compare.data.readers.gz import Inflated
from twofold.compare.data.readers.source import HEAD, called, opened, pieces

UNSIGNED_BYTES = 0x08
GZIP_START = b"\x1f\x8b"  # an idx file starts with two zero bytes, so content tells the two apart and names need not
FORM = "a readable idx file, plain or gzip"

Read = Callable[[int], bytes]


def shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """The shape that the header of `path` announces; DataError as for `read`, as far as a header shows it."""
    with _begun(path, dimensions) as (announced, _):
        return announced


def read(path: Path, dimensions: int) -> np.ndarray:
    """The read-only uint8 array in `path`, which must have `dimensions` axes; DataError for anything else."""
    with _begun(path, dimensions) as (announced, stream):
        count = math.prod(announced)
        take(path, count)
        data = pieces(stream, count)
        if len(data) < count or stream(1):  # the one byte more also makes gzip compare its checksum
            found = f"{len(data)} bytes" if len(data) < count else "more"
            raise mismatch(path, f"{count} bytes of data for shape {announced}", found)
    array = np.frombuffer(data, np.uint8).reshape(announced)
    array.flags.writeable = False
    return array


@contextmanager
def _begun(path: Path, dimensions: int) -> Iterator[tuple[tuple[int, ...], Read]]:
    """The shape in the header, and how the bytes after it are read."""
    length = 4 + 4 * dimensions
    magic = UNSIGNED_BYTES << 8 | dimensions
    with opened(path, FORM, ("a gzip file",)) as source:
        packed = source.head.startswith(GZIP_START)
        stream = Inflated(source).read if packed else source.read
        header = pieces(stream, length)
        if len(header) < length:
            raise mismatch(path, f"an idx header of {length} bytes", f"{len(header)} bytes")
        if int.from_bytes(header[:4], "big") != magic:
            if other := called(bytes(header + pieces(stream, HEAD))):
                raise mismatch(path, FORM, f"{other}, in gzip")
            found = f"{int.from_bytes(header[:4], 'big')} (type byte 0x{header[2]:02x}, dimensions {header[3]})"
            raise mismatch(path, f"magic {magic} (type byte 0x{UNSIGNED_BYTES:02x}, dimensions {dimensions})", found)
        announced = struct.unpack_from(f">{dimensions}I", header, 4)
        if 0 in announced:
            raise mismatch(path, "at least one record", f"shape {announced}")
        count = math.prod(announced)
        if not packed and source.size - length != count:
            raise mismatch(path, f"{count} bytes of data for shape {announced}", f"{source.size - length} bytes")
        yield announced, stream
