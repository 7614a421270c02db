"""The formats, and finding files. Every refusal is one line that names file, expected and found."""

from __future__ import annotations

import ast
import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from twofold.compare import data
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers import hdf5, idx, text
from twofold.compare.data.readers.fields import BYTES, NUMBERS, Field, whole

steady = settings(derandomize=True, database=None, deadline=None)


def refusal(call, *arguments) -> str:
    with pytest.raises(data.DataError) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line and ": expected " in line and ", found " in line
    return line


def form(split: data.Split) -> tuple:
    return split.inputs.shape, split.inputs.dtype.name, split.targets.shape, split.targets.dtype.name


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):  # one for all examples of a property
    return tmp_path_factory.mktemp("readers")


def test_an_error_is_one_line():
    assert str(mismatch("a\nb", "1\n2", 3)) == "a b: expected 1 2, found 3"


def test_nothing_is_unpickled():
    """No module of compare.data names pickle, or np.load, which knows of it."""
    for path in Path(data.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            unpickle = {"pickle", "_pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
            assert not {part for name in names for part in name.split(".")} & unpickle, path
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in {"np.load", "numpy.load"}), path


# idx

IMAGES = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)


@steady
@given(array=arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=6)), packed=st.booleans())
def test_idx_gives_back_what_was_written(folder, array, packed):
    content = idx_bytes(array)
    path = written(folder, "roundtrip", gzip.compress(content, mtime=0) if packed else content)
    back = idx.read(path, array.ndim)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("pack", [bytes, lambda content: gzip.compress(content, mtime=0)], ids=["plain", "gzip"])
def test_idx_cut_anywhere_is_refused(tmp_path, pack):
    content = pack(idx_bytes(IMAGES))
    for length in range(len(content)):
        path = written(tmp_path, "cut", content[:length])
        assert refusal(idx.read, path, 3).startswith(f"{path}: ")


@steady
@given(position=st.integers(0, 3), flip=st.integers(1, 255))
def test_idx_with_any_other_magic_is_refused(folder, position, flip):
    content = bytearray(idx_bytes(IMAGES))
    content[position] ^= flip
    assert "magic 2051" in refusal(idx.read, written(folder, "magic", bytes(content)), 3)


@steady
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_damaged_gzip_is_refused_or_reads_the_same(folder, position, flip):
    content = bytearray(gzip.compress(idx_bytes(IMAGES), mtime=0))
    content[position % len(content)] ^= flip
    path = written(folder, "damaged", bytes(content))
    try:
        np.testing.assert_array_equal(idx.read(path, 3), IMAGES)  # a byte of gzip's header that says nothing
    except data.DataError as error:
        assert str(error).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "dimensions", "expected", "found"),
    [
        (idx_bytes(IMAGES) + b"x", 3, "12 bytes of data for shape (2, 3, 2)", "13 bytes"),
        (idx_bytes(IMAGES)[:-1], 3, "12 bytes of data", "11 bytes"),
        (idx_bytes(IMAGES), 1, "magic 2049 (type byte 0x08, dimensions 1)", "2051 (type byte 0x08, dimensions 3)"),
        (b"\0\0\x0d\3" + idx_bytes(IMAGES)[4:], 3, "magic 2051", "3331 (type byte 0x0d, dimensions 3)"),
        (b"\0\0\x08\3" + b"\xff" * 12, 3, f"{(2**32 - 1) ** 3} bytes of data for shape", "0 bytes"),
        (idx_bytes(IMAGES[:0]), 3, "at least one record", "shape (0, 3, 2)"),
        (b"", 1, "a readable idx file, plain or gzip", "an empty file"),
        (gzip.compress(b"", mtime=0)[:-1], 1, "a readable idx file, plain or gzip", "EOFError"),
    ],
)
def test_idx_refusals(tmp_path, content, dimensions, expected, found):
    line = refusal(idx.read, written(tmp_path, "file", content), dimensions)
    assert f"expected {expected}" in line and found in line.split(", found ")[1]


@pytest.mark.parametrize("parts", [[5, 4], [1, 1, 1], [20], []])
@pytest.mark.parametrize("zeros", [0, 1, 100_000])
def test_gzip_in_several_members_and_with_zeros_behind(tmp_path, parts, zeros):
    content, packed = idx_bytes(IMAGES), b""
    for length in parts:
        packed += gzip.compress(content[:length], mtime=0) + bytes(zeros)
        content = content[length:]
    path = written(tmp_path, "members", packed + gzip.compress(content, mtime=0) + bytes(zeros))
    if (len(parts) + 1) * zeros <= 100_000:
        np.testing.assert_array_equal(idx.read(path, 3), IMAGES)
    else:
        assert refusal(idx.read, path, 3).endswith("bytes of gzip without content")


@pytest.mark.parametrize("more", [b"x", b"\0" * 10_000])
def test_gzip_that_goes_on_is_refused(tmp_path, more):
    path = written(tmp_path, "on", gzip.compress(idx_bytes(IMAGES) + more, mtime=0))
    assert refusal(idx.read, path, 3).endswith("12 bytes of data for shape (2, 3, 2), found more")


def test_gzip_is_held_to_its_checksum(tmp_path):
    content = gzip.compress(idx_bytes(IMAGES), mtime=0)
    path = written(tmp_path, "checksum", content[:-8] + bytes(byte ^ 1 for byte in content[-8:-4]) + content[-4:])
    assert "incorrect data check" in refusal(idx.read, path, 3)


def test_idx_without_a_file(tmp_path):
    assert "no such file" in refusal(idx.read, tmp_path / "none", 3)


# HDF5

FIELDS = {"x": Field(("N", 2), NUMBERS), "y": Field(("N",), BYTES)}
GOOD = {"x": np.array([[1.0, 2.0], [3.0, 4.0]]), "y": np.array([5, 6], np.uint8)}


def h5_file(path: Path, contents: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, values in contents.items():
            file[key] = values
    return path


def test_hdf5_gives_back_what_was_written(tmp_path):
    back = hdf5.read(h5_file(tmp_path / "good.h5", GOOD | {"other": np.zeros(3)}), FIELDS)
    assert list(back) == ["x", "y"]
    for key, values in GOOD.items():
        assert back[key].dtype == values.dtype
        np.testing.assert_array_equal(back[key], values)


@pytest.mark.parametrize(
    ("changed", "expected", "found"),
    [
        ({"x": None}, "key x", "keys y"),
        ({"x": None, "y": None}, "key x", "keys (none)"),
        ({"x": np.zeros((2, 3))}, "x with integers or floats of shape (N, 2)", "float64 of shape (2, 3)"),
        ({"x": np.zeros(2)}, "x with integers or floats of shape (N, 2)", "float64 of shape (2)"),
        ({"x": np.zeros((0, 2))}, "x with integers or floats of shape (N, 2)", "float64 of shape (0, 2)"),
        ({"x": np.full((2, 2), b"a")}, "x with integers or floats", "|S1 of shape (2, 2)"),
        ({"x": h5py.Empty("f8")}, "x with integers or floats", "float64 of shape ()"),
        ({"x": np.full((2, 2), np.nan)}, "finite numbers of at most 1e+30 under x", "nan in row 0"),
        ({"y": np.zeros(3, np.uint8)}, "y with uint8 of shape (2)", "uint8 of shape (3)"),
        ({"y": np.zeros(2, np.uint16)}, "y with uint8", "uint16"),
    ],
)
def test_hdf5_refusals(tmp_path, changed, expected, found):
    contents = {key: values for key, values in (GOOD | changed).items() if values is not None}
    path = h5_file(tmp_path / "bad.h5", contents)
    line = refusal(hdf5.read, path, FIELDS)
    assert line.startswith(f"{path}: expected {expected}") and found in line.split(", found ")[1]


def test_hdf5_group_in_place_of_an_array(tmp_path):
    path = h5_file(tmp_path / "group.h5", {"x/inner": np.zeros(2), "y": GOOD["y"]})
    assert refusal(hdf5.read, path, FIELDS).endswith("expected an array under x, found a group")


def test_hdf5_cut_anywhere_is_refused(tmp_path):
    content = h5_file(tmp_path / "whole.h5", GOOD).read_bytes()
    for length in range(0, len(content), 7):
        path = written(tmp_path, "cut.h5", content[:length])
        assert refusal(hdf5.read, path, FIELDS).startswith(f"{path}: expected a readable HDF5 file")


def test_whole_numbers(tmp_path):
    path = tmp_path / "labels"
    kept = whole(path, "y", np.array([[0.0], [2.0]]), 0, 2)
    assert kept.dtype == np.int64 and kept.tolist() == [[0], [2]]
    for wrong in (-1.0, 0.5, 3.0):
        line = refusal(whole, path, "y", np.array([1.0, wrong]), 0, 2)
        assert line == f"{path}: expected whole numbers from 0 to 2 under y, found {wrong} in row 1"


# text


def test_four_grams_by_hand(tmp_path):
    path = written(tmp_path, "text", b" No ,  he says now .\nIt 's\n\nno it says no x no\n")
    lines = list(text.sentences(path))
    assert lines == [["no", ",", "he", "says", "now", "."], ["it", "'s"], [], ["no", "it", "says", "no", "x", "no"]]
    words = text.vocabulary(lines, 9)
    assert text.vocabulary(iter(lines), 6) == words[:8]  # no further than the sentence that goes beyond
    assert words == ("no", ",", "he", "says", "now", ".", "it", "'s", "x")
    first = [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]
    assert text.four_grams(lines, words).tolist() == [*first, [0, 6, 3, 0], [6, 3, 0, 8], [3, 0, 8, 0]]
    assert text.four_grams(lines, words[:-1]).tolist() == [*first, [0, 6, 3, 0]]  # "x" is outside


def test_cut_by_hand():
    grams = np.arange(84).reshape(21, 4)
    parts = text.cut(grams, seed=1)
    assert [len(part) for part in parts] == [16, 2, 3]  # 21 * 8 // 10 = 16, 21 * 9 // 10 = 18
    joined = np.concatenate([np.column_stack([part.inputs, part.targets]) for part in parts])
    assert not np.array_equal(joined, grams)
    np.testing.assert_array_equal(joined[joined[:, 0].argsort()], grams)


SENTENCES = st.lists(st.lists(st.sampled_from("abcdef"), max_size=7), max_size=12)


@steady
@given(tokens=SENTENCES, known=st.integers(0, 6))
def test_four_grams_are_the_runs_within_sentences_and_vocabulary(tokens, known):
    words = tuple("abcdef"[:known])
    runs = [line[i : i + 4] for line in tokens for i in range(len(line) - 3)]
    grams = text.four_grams(tokens, words)
    assert grams.dtype == np.int64 and grams.shape[1:] == (4,)
    assert [[words[i] for i in gram] for gram in grams] == [run for run in runs if set(run) <= set(words)]


@steady
@given(count=st.integers(10, 200), seed=st.integers(0, 99))
def test_cut_loses_nothing_and_repeats(count, seed):
    grams = np.arange(4 * count).reshape(count, 4)
    parts, again = text.cut(grams, seed), text.cut(grams, seed)
    assert sorted(np.concatenate([part.targets for part in parts])) == grams[:, 3].tolist()
    for part, other in zip(parts, again, strict=True):
        np.testing.assert_array_equal(part.inputs, other.inputs)
        np.testing.assert_array_equal(part.inputs[:, 2] + 1, part.targets)


def test_text_that_is_not_text(tmp_path):
    assert "UnicodeDecodeError" in refusal(list, text.sentences(written(tmp_path, "latin", b"caf\xe9 \n")))


# the registry


def test_found_looks_and_does_not_read(tmp_path):
    (tmp_path / "mnist").mkdir()
    written(tmp_path / "mnist", "train-images-idx3-ubyte.gz", b"not read")
    rows = data.found("mnist", tmp_path)
    assert rows[0] == ("mnist/train-images-idx3-ubyte.gz", 8, "")
    missing = "mnist/train-labels-idx1-ubyte or mnist/train-labels-idx1-ubyte.gz"
    assert rows[1] == (missing, None, "no such file")
    assert data.found("catcar", tmp_path / "none") == [("eee443/assign2_data1.h5", None, "no such directory")]


def test_found_lists_further_files_that_are_there_and_no_file_twice(tmp_path):
    for name in ("cifar-10-batches-bin/data_batch_3.bin", "notmnist/notMNIST.npz"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"123")
    assert [row.path for row in data.found("cifar10", tmp_path) if row.size == 3] == [
        "cifar-10-batches-bin/data_batch_3.bin"
    ]
    assert len(data.found("cifar10", tmp_path)) == 3
    assert data.found("notmnist", tmp_path) == [("notmnist/notMNIST.npz", 3, "")]
    assert data.found("sine", tmp_path) == []


def test_unknown_name_and_missing_files(tmp_path):
    names = " or ".join(entry.name for entry in data.known())
    for call in (data.load, data.found):
        assert refusal(call, "iris", tmp_path) == f"data set: expected {names}, found 'iris'"
    for entry in (entry for entry in data.known() if entry.files):
        line = refusal(data.load, entry.name, tmp_path)
        assert line == f"{tmp_path}: expected {' or '.join(entry.files[0])}, found no such file"
        assert "found no such directory" in refusal(data.load, entry.name, tmp_path / "none")
