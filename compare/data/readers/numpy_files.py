"""NumPy's own files: npy, of one array, and npz, of several under keys. Objects in one are never loaded.

A header is read first, and held against what is expected, and an array only then; of an archive only the members asked
for. Source: `numpy.lib.format`, whose functions read the headers.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.bound import take
from twofold.compare.data.readers.fields import Field, absent, check, finite
from twofold.compare.data.readers.source import Damaged, called, opened, outgrown, pieces

NPY, NPZ = "a readable npy file without objects", "a readable npz file without objects"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
LONGEST = 10_000  # bytes of a header; more is no plain array's
PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what NumPy writes


class Header(NamedTuple):
    """What stands before an array's bytes, and how long it is itself."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    length: int


def read_npy(path: Path, field: Field) -> np.ndarray:
    """The array in `path`; DataError for a file that NumPy cannot read, another form than `field`, NaN and infinity."""
    with opened(path, NPY, ("an npy file",)) as source:
        header = _header(source.read)
        check(path, {"array": field}, {"array": header})
        take(path, header.dtype.itemsize * math.prod(header.shape))
        array = _array(path, "array", source.read, header, source.size)
    return finite(path, {"array": array})["array"]


def read_npz(path: Path, fields: Mapping[str, Field]) -> dict[str, np.ndarray]:
    """The arrays under the keys of `fields`; DataError as for `read_npy`, and for a missing key."""
    with opened(path, NPZ, ("a zip archive",)) as source, zipfile.ZipFile(source) as archive, ExitStack() as stack:
        members = {key: _member(path, archive, key) for key in fields}
        streams = {key: stack.enter_context(archive.open(member)) for key, member in members.items()}
        headers = {key: _header(stream.read) for key, stream in streams.items()}
        check(path, fields, headers)
        take(path, sum(header.dtype.itemsize * math.prod(header.shape) for header in headers.values()))
        arrays = {
            key: _array(path, key, stream.read, headers[key], members[key].file_size) for key, stream in streams.items()
        }
    return finite(path, arrays)


def _member(path: Path, archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    names = archive.NameToInfo
    found = names.get(f"{key}.npy") or names.get(key)
    if found is None:
        raise absent(path, key, [name.removesuffix(".npy") for name in names])
    if found.compress_type not in PACKED:
        raise mismatch(path, f"{key} stored or deflated", f"compression {found.compress_type} of zip")
    if outgrown(found.compress_size, found.file_size):
        raise mismatch(path, f"{key} of {found.file_size} bytes", f"{found.compress_size} compressed bytes")
    return found


def _header(read: Callable[[int], bytes]) -> Header:
    start = bytes(pieces(read, np.lib.format.MAGIC_LEN))
    if not start.startswith(np.lib.format.MAGIC_PREFIX):
        raise Damaged(f"{called(start) or f'bytes {start!r}'} in place of an npy header")
    version = np.lib.format.read_magic(io.BytesIO(start))
    if version not in HEADERS:
        raise Damaged(f"version {version[0]}.{version[1]} of the npy format")
    count = bytes(pieces(read, 2 if version == (1, 0) else 4))
    length = int.from_bytes(count, "little")
    if length > LONGEST:
        raise Damaged(f"an npy header of {length:,} bytes")
    text = bytes(pieces(read, length))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's about headers of another age
        shape, fortran, dtype = HEADERS[version](io.BytesIO(count + text))
    if any(size < 0 for size in shape):
        raise Damaged(f"shape {shape}")
    return Header(shape, dtype, fortran, len(start) + len(count) + len(text))


def _array(path: Path, key: str, read: Callable[[int], bytes], header: Header, size: int) -> np.ndarray:
    """The array that follows on its header, in a stream of `size` bytes with it."""
    count = header.dtype.itemsize * math.prod(header.shape)
    if size - header.length != count:
        raise mismatch(path, f"{count} bytes for {key} of shape {header.shape}", f"{size - header.length} bytes")
    data = pieces(read, count)
    if len(data) < count or read(1):  # the one byte more also makes zip compare its checksum
        raise mismatch(path, f"{count} bytes for {key}", f"{len(data)} bytes" if len(data) < count else "more")
    return np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
