"""Small files that say or hold far too much: each is refused, and none costs memory on the way.

All are loaded one after the other in one process of their own. The highest memory that a process ever had only grows,
so that what it has grown by in the end bounds what each of them took.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.data import made
from tests.data.test_readers import refusal
from tests.places import ROOT
from twofold.compare import data
from twofold.compare.data import catcar, cifar10, cifar10_mean_image, mnist, notmnist, trigrams
from twofold.compare.data.readers import bound, hdf5, text
from twofold.compare.data.readers.source import PIECE

HUGE = 20 << 30
ALLOWED = 100 << 20  # bytes, for one of them and so for all: what is read of each is given back
CHILD = """
import json, resource, sys
from pathlib import Path
import h5py, zipfile
from twofold.compare import data
unit = 1 if sys.platform == "darwin" else 1024
highest = lambda: unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = highest()
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
told = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    try:
        data.load(folder.name.partition(" ")[0], folder)
        told[folder.name] = ["read", highest() - before]
    except Exception as error:
        told[folder.name] = [f"{type(error).__name__} {error}", highest() - before]
print(json.dumps(told))
"""
Put = Callable[[Path], None]
IMAGES, LABELS = mnist.FILES[0], mnist.FILES[1]
SETS = made.sets()


def head(*shape: int) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)


def endless(start: bytes, size: int, window: int = 31) -> bytes:
    """`start` and then zeros in `size` bytes or a little more, deflated: gzip's form, or zlib's with a window of 15."""
    stream = zlib.compressobj(9, zlib.DEFLATED, window)
    content = stream.compress(start) + stream.flush(zlib.Z_FULL_FLUSH)
    blocks = [stream.compress(bytes(10 * PIECE)) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    return content + blocks[0] + blocks[1] * (size // (10 * PIECE))


def in_place(name: str, changes: dict[str, bytes], sizes: dict[str, int] | None = None, without: tuple = ()) -> Put:
    """The right files of `name` but for `changes`; some of them made longer by zeros that are not on the disk."""

    def put(folder: Path) -> None:
        files = {path: content for path, content in SETS[name][1].items() if path not in without}
        made.lay(folder, files | changes)
        for path, size in (sizes or {}).items():
            os.truncate(folder / path, size)

    return put


def gz(content: bytes, size: int | None = None) -> Put:
    return in_place("idx", {IMAGES[1]: content}, {IMAGES[1]: size} if size else None, without=IMAGES[:1])


def in_hdf5(make: Callable[[h5py.File], None], *keys: str) -> Put:
    """The right file of cats and cars but for `keys`, which `make` puts there."""

    def put(folder: Path) -> None:
        contents = {key: values for key, values in made.pictures().items() if key not in keys}
        path = catcar.FILES[0][0]
        with h5py.File(made.lay(folder, {path: made.hdf5(contents)}) / path, "a") as file:
            make(file)

    return put


def announced(file: h5py.File, **of: object) -> None:
    file.create_dataset("trainims", (20_000_000, 32, 32), "u1", **of)
    file.create_dataset("trainlbls", (20_000_000,), "u1", chunks=(100_000,))


def one_chunk(file: h5py.File, content: bytes, shape: tuple[int, int, int] = (12, 32, 32), **of: object) -> None:
    made_here = file.create_dataset("trainims", (12, 32, 32), "u1", chunks=shape, maxshape=(None, 32, 32), **of)
    made_here.id.write_direct_chunk((0, 0, 0), content)


def deflated_twice(file: h5py.File) -> None:
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((12, 32, 32))
    how.set_deflate(9)
    how.set_deflate(9)
    space = h5py.h5s.create_simple((12, 32, 32))
    made_here = h5py.h5d.create(file.id, b"trainims", h5py.h5t.STD_U8LE, space, how)
    made_here.write_direct_chunk((0, 0, 0), zlib.compress(endless(b"", HUGE, 15), 9))


def zipped(members: dict[str, tuple[bytes, int]]) -> Put:
    """An archive; each member is what is given and then so many zeros."""

    def put(folder: Path) -> None:
        made.lay(folder, {notmnist.ARCHIVE: b""})
        with zipfile.ZipFile(folder / notmnist.ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, (start, zeros) in members.items():
                with archive.open(name, "w", force_zip64=True) as member:
                    member.write(start)
                    for _ in range(zeros // (16 * PIECE)):
                        member.write(bytes(16 * PIECE))

    return put


def many_members(folder: Path) -> None:
    made.lay(folder, {notmnist.ARCHIVE: b""})
    with zipfile.ZipFile(folder / notmnist.ARCHIVE, "w") as archive:
        for number in range(25_000):
            archive.writestr(f"{number}.npy", b"")


def array(*shape: int) -> bytes:
    """The header of an array of bytes."""
    content = {"descr": "|u1", "fortran_order": False, "shape": shape}
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(repr(content)) + 1) + repr(content).encode() + b"\n"


def words(folder: Path) -> None:
    contents = made.grams() | {"words": np.array(["a" * 40_000] * 250, h5py.string_dtype())}
    made.lay(folder, {trigrams.FILES[0][0]: made.hdf5(contents)})


LETTERS = {f"{key}.npy": (made.npy(values), 0) for key, values in
           (("images", made.drawn(20, 28, 28)), ("labels", made.classes(20)))}  # fmt: skip
BATCH, MEAN, TEXT = cifar10.FILES[0][0], cifar10_mean_image.MEAN_FILE, trigrams.FILES[0][1]
MANY = " ".join(f"w{n}" for n in range(250)).encode() + b"\n"

BOMBS: dict[str, tuple[Put, str]] = {
    "mnist gz, as the header says": (
        in_place("idx", {IMAGES[1]: endless(head(13 << 20, 28, 28), HUGE), LABELS[0]: head(13 << 20)},
                 {LABELS[0]: 8 + (13 << 20)}, IMAGES[:1]),
        "at most 0.25 GB for mnist (--max-gb or TWOFOLD_MAX_GB allows more), found 10.7 GB",
    ),
    "mnist gz, beyond a small header": (gz(endless(head(7, 28, 28), HUGE)), "5488 bytes of data for shape (7, 28, 28)"),
    "mnist gz, of empty members": (gz(gzip.compress(b"") * 100_000), "bytes of gzip without content"),
    "mnist gz, of a name": (gz(b"\x1f\x8b\x08\x08\0\0\0\0\0\3" + b"a" * PIECE), "bytes of gzip without content"),
    "mnist gz, of empty blocks": (
        gz(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\0\0\0\xff\xff" * PIECE), "bytes of gzip without content",
    ),
    "mnist gz, with zeros behind": (gz(made.zipped(made.idx(made.drawn(7, 28, 28))), HUGE), "without content"),
    "mnist idx, beyond its header": (in_place("idx", {}, {IMAGES[0]: HUGE}), "bytes of data for shape (7, 28, 28)"),
    "mnist idx, labels as the header says": (
        in_place("idx", {LABELS[0]: head(2**31)}, {LABELS[0]: 8 + 2**31}), "7 labels, one for each image, found",
    ),
    "cifar10 batch": (in_place("cifar10", {}, {BATCH: 7_000_000 * 3073}), "at most 1 GB for cifar10"),
    "cifar10 batches together": (
        in_place("cifar10", {}, {BATCH: 700 * 3073, cifar10.FILES[1][0]: 325_000 * 3073}), "at most 1 GB for cifar10",
    ),
    "cifar10-mean-image npy": (in_place("mean image", {}, {MEAN: HUGE}), "24576 bytes for array"),
    "cifar10-mean-image header": (
        in_place("mean image", {MEAN: b"\x93NUMPY\2\0\xff\xff\xff\xff"}, {MEAN: HUGE}), "npy header of 4,294,967,295",
    ),
    "notmnist asked for": (
        zipped({"images.npy": (array(4 << 20, 28, 28), 0), "labels.npy": (array(4 << 20), 0)}), "at most 0.06 GB for",
    ),
    "notmnist beside": (zipped(LETTERS | {"more.npy": (array(1 << 28), 1 << 28)}), "read"),
    "notmnist beyond a small header": (
        zipped(LETTERS | {"images.npy": (array(20, 28, 28), 1 << 28)}), "15680 bytes for images of shape (20, 28, 28)",
    ),
    "notmnist of many members": (many_members, "bytes to be read in one piece"),
    "trigrams text": (in_place("text", {}, {TEXT: HUGE}), "at most 0.02 GB for trigrams"),
    "trigrams line": (in_place("text", {TEXT: b"a b c d " * (2 << 20)}), "lines of less than 1,048,576 characters"),
    "trigrams lines": (in_place("text", {TEXT: MANY + b"\n" * (12 << 20)}), "at most 0.02 GB for trigrams"),
    "trigrams words": (
        in_place("text", {TEXT: "\n".join(map("{:x} {:x}".format, range(10**5), range(1, 10**5))).encode()}),
        "250 distinct tokens, found more than 250",
    ),
    "trigrams words in HDF5": (words, "strings of at most 1000 bytes under words, found 40000 bytes"),
    "catcar announced": (in_hdf5(announced, "trainims", "trainlbls"), "at most 0.02 GB for catcar"),
    "catcar announced and deflated": (
        in_hdf5(lambda file: announced(file, chunks=(1000, 32, 32), compression="gzip"), "trainims", "trainlbls"),
        "at most 0.02 GB for catcar (--max-gb or TWOFOLD_MAX_GB allows more), found 20.5 GB",
    ),
    "catcar beside": (in_hdf5(lambda file: file.create_dataset("more", (1 << 40,), "u1", chunks=(PIECE,))), "read"),
    "catcar chunk, announced": (
        in_hdf5(lambda file: one_chunk(file, b"x", (3 << 20, 32, 32)), "trainims"), "at most 0.02 GB for catcar",
    ),
    "catcar chunk, long": (
        in_hdf5(lambda file: one_chunk(file, endless(b"", HUGE, 15), compression="gzip"), "trainims"),
        "chunks of 12288 bytes under trainims, found more in the chunk at (0, 0, 0)",
    ),
    "catcar chunk, short": (
        in_hdf5(lambda file: one_chunk(file, endless(b"", 90 * PIECE, 15), compression="gzip", fletcher32=True,
                                       shuffle=True), "trainims"),
        "chunks of 12288 bytes under trainims, found more in the chunk at (0, 0, 0)",
    ),
    "catcar chunk, deflated twice": (in_hdf5(deflated_twice, "trainims"), "found 2 compressions, one upon the other"),
    "catcar chunks": (
        in_hdf5(lambda file: (file.create_dataset("trainims", (10**4, 32, 32), "u1", chunks=(1, 1, 1)),
                              file.create_dataset("trainlbls", (10**4,), "u1")), "trainims", "trainlbls"),
        "trainims in at most 100,000 chunks, found 10,240,000",
    ),
    "catcar keys": (
        in_hdf5(lambda file: [file.create_group(str(n)) for n in range(1200)], "testims"),
        "key testims, found 1,203 other keys",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What loading says of each, and the growth of memory after it."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (put, _) in BOMBS.items():
        put(folder / name)
    child = [sys.executable, "-c", CHILD, str(folder)]
    done = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_next_to_nothing(told, name):
    line, grown = told[name]
    expected = BOMBS[name][1]
    assert line == expected if expected == "read" else line.startswith("DataError ") and expected in line
    assert grown < ALLOWED, f"memory grew by {grown >> 20} MiB"


def test_the_bound_is_the_users_to_move(tmp_path, monkeypatch):
    name, files = SETS["catcar"]
    made.lay(tmp_path, files)
    monkeypatch.setenv(bound.VARIABLE, "0.00001")
    line = refusal(data.load, name, tmp_path)
    assert line.endswith("at most 1e-05 GB for catcar (--max-gb or TWOFOLD_MAX_GB allows more), found 1.75e-05 GB")
    monkeypatch.setenv(bound.VARIABLE, "0.00002")
    assert len(data.load(name, tmp_path).train) == 12
    for wrong in ("much", "nan", "0", "-1"):
        monkeypatch.setenv(bound.VARIABLE, wrong)
        assert (
            refusal(data.load, name, tmp_path) == f"{bound.VARIABLE}: expected a number of GB above 0, found '{wrong}'"
        )


def test_what_every_file_takes_is_added_up(tmp_path, monkeypatch):
    monkeypatch.setattr(bound, "GB", 1000)
    with bound.bounded("all", 1):
        bound.take(Path("a"), 600)
        bound.take(Path("a"), 700)  # the same file, read again
        assert "1 GB for all" in refusal(bound.take, Path("b"), 301)
    bound.take(Path("a"), 250)
    assert "0.25 GB for one file" in refusal(bound.take, Path("b"), 251)


def test_chunks_are_looked_into_only_if_they_can_be_large(tmp_path, monkeypatch):
    """Right files are read the same, looked into or not; deflated strings and chunks that are left out, too."""
    monkeypatch.setattr(hdf5, "SMALL", 0)
    for name in ("catcar deflated", "activity"):
        wanted, files = SETS[name]
        assert len(data.load(wanted, made.lay(tmp_path, files)).train) > 0


def test_a_line_of_the_text_may_be_long(tmp_path):
    path = tmp_path / "text"
    path.write_text("a " * (text.LONGEST // 2 - 1) + "b\n" + "c" * (text.LONGEST - 1))
    assert [len(line) for line in text.sentences(path)] == [text.LONGEST // 2, 1]
