"""Arrays from an HDF5 file, and from no other file, each held to the shape and type that its key announces."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.bound import take
from twofold.compare.data.readers.fields import Field, absent, check, finite
from twofold.compare.data.readers.source import PIECE, opened, outgrown

if TYPE_CHECKING:
    import h5py

FORM = "a readable HDF5 file"
HOPS = 16  # soft links on the way to one array
NAMES = 1000  # keys of a file that are listed, if it has no more
CHUNKS = 100_000  # of one array: what takes more is made to be read for ever
LONGEST = 1000  # bytes of a string of variable length
SMALL = 1 << 26  # bytes that one chunk may inflate to without a closer look
RATIO = 1032  # no deflated byte gives more


def read(path: Path, fields: Mapping[str, Field]) -> dict[str, np.ndarray]:
    """The arrays under the keys of `fields`.

    DataError for a file that HDF5 cannot read to its end, a missing key, another shape or type, NaN and infinity, and
    for data that does not lie in the file: links to other files, external storage and virtual data sets.
    """
    import h5py

    with opened(path, FORM, ("an HDF5 file",)) as source, h5py.File(path, "r") as file:
        present = {key: _dataset(path, file, key) for key in fields}
        check(path, fields, present)
        variable = any(dataset.dtype.kind == "O" for dataset in present.values())
        take(path, sum(map(_needed, present.values())) + source.size * variable)
        arrays = {key: _values(path, key, dataset) for key, dataset in present.items()}
    return finite(path, arrays)


def _dataset(path: Path, file: h5py.File, key: str) -> h5py.Dataset:
    """What lies under `key` in the file itself. Links are followed by hand: HDF5 would follow them out of the file."""
    import h5py

    place, steps, hops = file, key.split("/"), 0
    while steps:
        step = steps.pop(0).encode()
        if step in (b"", b"."):
            continue
        links = place.id.links if isinstance(place, h5py.Group) else None
        if links is None or not links.exists(step):
            if len(file) > NAMES:
                raise mismatch(path, f"key {key}", f"{len(file):,} other keys")
            raise absent(path, key, list(file))
        kind = links.get_info(step).type
        if kind == h5py.h5l.TYPE_HARD:
            place = place[step]
        elif kind == h5py.h5l.TYPE_SOFT and hops < HOPS:
            target = links.get_val(step).decode()
            place, steps, hops = file if target.startswith("/") else place, target.split("/") + steps, hops + 1
        elif kind == h5py.h5l.TYPE_SOFT:
            raise mismatch(path, f"{key} in the file", f"more than {HOPS} soft links on the way")
        else:
            external = kind == h5py.h5l.TYPE_EXTERNAL
            found = f"an external link to {links.get_val(step)[0].decode()!r}" if external else "a link of another kind"
            raise mismatch(path, f"{key} in the file itself", found)
    if not isinstance(place, h5py.Dataset):
        raise mismatch(path, f"an array under {key}", "a group" if isinstance(place, h5py.Group) else "no array")
    if place.is_virtual:
        raise mismatch(path, f"{key} in the file itself", "a virtual data set")
    if place.external:
        raise mismatch(path, f"{key} in the file itself", f"external storage in {place.external[0][0]!r}")
    return place


def _needed(dataset: h5py.Dataset) -> int:
    """Bytes of memory that reading it takes: a single chunk may be larger than all that is used of it."""
    chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
    return max(dataset.nbytes, chunk)


def _values(path: Path, key: str, dataset: h5py.Dataset) -> np.ndarray:
    import h5py

    if dataset.chunks:
        _look_at_chunks(path, key, dataset)
    if dataset.dtype.kind != "O":
        return np.asarray(dataset[()])
    if h5py.check_string_dtype(dataset.dtype) is None:
        raise mismatch(path, f"byte strings under {key}", "objects of another type")
    strings = np.empty(dataset.shape, object)
    for place in np.ndindex(dataset.shape):  # one at a time: many may name one and the same long string
        strings[place] = dataset[place]
        if len(strings[place]) > LONGEST:
            raise mismatch(path, f"strings of at most {LONGEST} bytes under {key}", f"{len(strings[place])} bytes")
    return strings


def _look_at_chunks(path: Path, key: str, dataset: h5py.Dataset) -> None:
    """DataError for too many chunks, and for one that holds more than it announces, which HDF5 would inflate whole."""
    import h5py

    count = math.prod(-(-size // part) for size, part in zip(dataset.shape, dataset.chunks, strict=True))
    if count > CHUNKS:
        raise mismatch(path, f"{key} in at most {CHUNKS:,} chunks", f"{count:,}, of shape {dataset.chunks}")
    most = math.prod(dataset.chunks) * dataset.dtype.itemsize
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(place)[0] for place in range(plist.get_nfilters())]
    keeping = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)  # the size
    shrinking = [n for n, code in enumerate(filters) if code not in keeping]
    if len(shrinking) > 1:
        raise mismatch(path, f"{key} compressed once", f"{len(shrinking)} compressions, one upon the other")
    deflated = bool(shrinking) and filters[shrinking[0]] == h5py.h5z.FILTER_DEFLATE
    chunks: list[tuple[tuple[int, ...], int, int]] = []
    if shrinking:
        dataset.id.chunk_iter(lambda chunk: chunks.append((chunk.chunk_offset, chunk.size, chunk.filter_mask)))
    for offset, stored, skipped in chunks:
        packed = deflated and not skipped >> shrinking[0] & 1
        if outgrown(stored, most) or (packed and stored * RATIO > SMALL and _inflates(dataset, offset, most)):
            raise mismatch(path, f"chunks of {most} bytes under {key}", f"more in the chunk at {offset}")


def _inflates(dataset: h5py.Dataset, offset: tuple[int, ...], most: int) -> bool:
    """Whether the deflated chunk at `offset` holds more than `most` bytes."""
    _, rest = dataset.id.read_direct_chunk(offset)
    stream, given = zlib.decompressobj(), 0
    while given <= most and (piece := stream.decompress(rest, PIECE)):
        given, rest = given + len(piece), stream.unconsumed_tail
    return given > most
