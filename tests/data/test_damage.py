"""Files of every format, damaged at random and made at random: each is refused in one line, or read as sound data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.data import made
from tests.data.test_readers import steady
from twofold.compare import data
from twofold.compare.data import notmnist

SETS = made.sets()
Damage = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):  # one for all examples of a property
    return tmp_path_factory.mktemp("damage")


def loaded(name: str, folder: Path, files: dict[str, bytes]) -> str:
    """ "read" or the line that refuses; what is neither fails."""
    shutil.rmtree(folder)
    made.lay(folder, files)
    try:
        found = data.load(name, folder)
    except data.DataError as error:
        line = str(error)
        assert line.startswith(str(folder)) and ": expected " in line and ", found " in line
        assert line.isprintable() and "allow_pickle" not in line and len(line) < 1000
        return line
    for split in filter(None, (found.train, found.validation, found.test)):
        assert len(split.inputs) == len(split.targets) > 0
        assert {split.inputs.dtype.name, split.targets.dtype.name} <= {"float32", "int64"}
        assert np.isfinite(split.inputs).all() and np.isfinite(split.targets).all()
        if split.targets.dtype == np.int64 and found.classes:
            assert split.targets.min() >= 0 and split.targets.max() < len(found.classes)
    return "read"


# A place is drawn near the start, where headers are, as often as anywhere.
PLACES = st.one_of(st.integers(0, 600), st.integers(0, 2**20))
RUNS = st.one_of(
    st.binary(min_size=1, max_size=9), st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\xff" * 3, b"\x80", b"\n"])
)


def at(content: bytes, place: int) -> int:
    return place % (len(content) + 1)


DAMAGES: st.SearchStrategy[Damage] = st.one_of(
    st.builds(lambda place, run: lambda c: c[: at(c, place)] + run + c[at(c, place) + len(run) :], PLACES, RUNS),
    st.builds(lambda place, run: lambda c: c[: at(c, place)] + run + c[at(c, place) :], PLACES, RUNS),
    st.builds(lambda place, n: lambda c: c[: at(c, place)] + c[at(c, place) + n :], PLACES, st.integers(1, 5000)),
    st.builds(lambda place, bit: lambda c: flipped(c, at(c, place), bit), PLACES, st.integers(0, 7)),
    st.builds(lambda place: lambda c: c[: at(c, place)], PLACES),
    st.builds(lambda a, b, n: lambda c: moved(c, at(c, a), at(c, b), n), PLACES, PLACES, st.integers(1, 300)),
    st.just(lambda c: c + c),
)


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes(byte ^ 1 << bit for byte in content[place : place + 1]) + content[place + 1 :]


def moved(content: bytes, source: int, target: int, count: int) -> bytes:
    run = content[source : source + count]
    return content[:target] + run + content[target + len(run) :]


@pytest.mark.parametrize("form", SETS)
def test_right_files_are_read(folder, form):
    name, files = SETS[form]
    assert loaded(name, folder, files) == "read"


@pytest.mark.parametrize("form", SETS)
@settings(steady, max_examples=45)
@given(which=st.integers(0, 9), damages=st.lists(DAMAGES, min_size=1, max_size=3))
def test_damaged_files(folder, form, which, damages):
    name, files = SETS[form]
    path = list(files)[which % len(files)]
    content = files[path]
    for damage in damages:
        content = damage(content)
    loaded(name, folder, files | {path: content})


# arrays of any type and shape under any key

TYPES = st.one_of(arrays.scalar_dtypes(), arrays.byte_string_dtypes(), arrays.array_dtypes(max_size=2))
KEYED = {"catcar": made.pictures, "trigrams": made.grams, "activity": made.signals,
         "patches": lambda: {"data": made.drawn(12, 3, 16, 16) / 255},
         "npz": lambda: {"images": made.drawn(20, 28, 28), "labels": made.classes(20)}}  # fmt: skip


@st.composite
def contents(draw: st.DrawFn, form: str) -> made.Contents:
    """The right arrays of `form`, one of them changed: in type, in shape, in a value, or in all."""
    found = KEYED[form]()
    key = draw(st.sampled_from(sorted(found)))
    values = found[key]
    match draw(st.integers(0, 3)):
        case 0:
            values = draw(arrays.arrays(TYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
        case 1 if values.dtype.kind != "S":
            kind = draw(st.sampled_from(["u1", "u8", "i2", ">i4", "f2", "f4", ">f8", "longdouble", "bool", "c8"]))
            values = values.astype(kind)
        case 2 if values.dtype.kind != "S":
            values = values.astype(float)
            values.flat[draw(PLACES) % values.size] = draw(st.floats(width=64))
        case _:
            values = values[draw(st.integers(0, 3)) :]
    return found | {key: values}


@pytest.mark.parametrize("form", KEYED)
@settings(steady, max_examples=45)
@given(draw=st.data())
def test_arrays_of_any_kind(folder, form, draw):
    name, files = SETS[form]
    (path,) = files
    found = draw.draw(contents(form))
    try:
        content = (made.npz if path == notmnist.ARCHIVE else made.hdf5)(found)
    except TypeError:  # a type that HDF5 has not: there is no such file
        return
    loaded(name, folder, {path: content})


STARTS = [b"", b"\0\0\x08\x03", b"\0\0\x08\x01", b"\x1f\x8b\x08\0", b"PK\x03\x04", b"\x93NUMPY\x01\0"]


@pytest.mark.parametrize("form", SETS)
@settings(steady, max_examples=20)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=80), which=st.integers(0, 9))
def test_bytes_of_any_kind(folder, form, start, rest, which):
    name, files = SETS[form]
    path = list(files)[which % len(files)]
    assert loaded(name, folder, files | {path: start + rest}) != "read"


@settings(steady, max_examples=60)
@given(content=st.text(max_size=200))
def test_any_text_is_refused_or_read(folder, content):
    name, files = SETS["text"]
    (path,) = files
    loaded(name, folder, {path: content.encode("utf-8", "surrogatepass")})
    loaded(name, folder, {path: files[path] + content.encode("utf-8", "surrogatepass")})
