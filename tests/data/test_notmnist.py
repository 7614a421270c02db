"""NumPy's own files, and the letters that come in one."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.test_readers import form, refusal, steady, written
from twofold.compare import data
from twofold.compare.data import notmnist
from twofold.compare.data.readers import numpy_files
from twofold.compare.data.readers.fields import BYTES, NUMBERS, Field

FIELDS = {"x": Field(("N", 2), NUMBERS), "y": Field(("N",), BYTES)}
GOOD = {"x": np.array([[1.0, 2.0], [3.0, 4.0]]), "y": np.array([5, 6], np.uint8)}

# the formats


@pytest.fixture(scope="module")
def shared(tmp_path_factory):  # one for all examples of a property
    return tmp_path_factory.mktemp("numpy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_gives_back_what_was_written(tmp_path, save):
    save(tmp_path / "good.npz", other=np.zeros(3), **GOOD)
    back = numpy_files.read_npz(tmp_path / "good.npz", FIELDS)
    assert list(back) == ["x", "y"]
    for key, values in GOOD.items():
        assert back[key].dtype == values.dtype
        np.testing.assert_array_equal(back[key], values)


def test_npy_gives_back_what_was_written(tmp_path):
    np.save(tmp_path / "good.npy", GOOD["x"])
    np.testing.assert_array_equal(numpy_files.read_npy(tmp_path / "good.npy", FIELDS["x"]), GOOD["x"])


def test_one_form_in_place_of_the_other(tmp_path):
    np.save(tmp_path / "one.npy", GOOD["x"])
    np.savez(tmp_path / "several.npz", **GOOD)
    assert refusal(numpy_files.read_npz, tmp_path / "one.npy", FIELDS).endswith("found an npy file")
    assert refusal(numpy_files.read_npy, tmp_path / "several.npz", FIELDS["x"]).endswith("found a zip archive")


@steady
@pytest.mark.filterwarnings("ignore")  # NumPy's about headers of another age
@given(position=st.integers(0, 10_000), flip=st.integers(0, 255), keep=st.integers(0, 10_000), npz=st.booleans())
def test_damaged_files_are_refused_or_read(shared, position, flip, keep, npz):
    path = shared / "damaged"
    with path.open("wb") as file:
        np.savez(file, **GOOD) if npz else np.save(file, GOOD["x"])
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= flip
    path.write_bytes(content[: len(content) - keep % len(content) if flip % 2 else None])
    try:
        numpy_files.read_npz(path, FIELDS) if npz else numpy_files.read_npy(path, FIELDS["x"])
    except data.DataError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)


def test_an_archive_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("x", b"no array")
        archive.writestr("y.npy", b"")
    line = refusal(numpy_files.read_npz, tmp_path / "other.npz", FIELDS)
    assert line.endswith("without objects, found bytes b'no array' in place of an npy header")
    assert "no such file" in refusal(numpy_files.read_npz, tmp_path / "none", FIELDS)


# the letters


def letters(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Letter number i has i in its first two pixels and the label i % 10."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(count) // 256, np.arange(count) % 256
    return images, (np.arange(count) % 10).astype(np.uint8)


def numbers(split: data.Split) -> list[int]:
    pixels = np.round(split.inputs * 255).astype(int)
    return (pixels[:, 0] * 256 + pixels[:, 1]).tolist()


def test_letters_shuffled_and_cut_as_published():
    splits = notmnist.cut("here", *letters(18_724))
    assert [len(split) for split in splits] == [15_000, 1_000, 2_724]
    state = np.random.RandomState(521)
    order = np.arange(18_724)
    state.shuffle(order)  # the published way
    assert [number for split in splits for number in numbers(split)] == order.tolist()
    for split in splits:
        assert form(split) == ((len(split), 784), "float32", (len(split),), "int64")
        np.testing.assert_array_equal(split.targets, np.array(numbers(split)) % 10)


def test_letters_by_hand():
    images = np.zeros((19, 28, 28), np.uint8)
    images[:, 1, 2] = 51
    train, validation, test = notmnist.cut("here", images, np.zeros(19))
    assert [len(train), len(validation), len(test)] == [15, 1, 3]  # 15000 * 19 // 18724, 16000 * 19 // 18724 = 16
    np.testing.assert_array_equal(validation.inputs[0, [29, 30, 31]], np.float32([0, 0.2, 0]))
    line = refusal(notmnist.cut, "here", images[:18], np.zeros(18))
    assert line == "here: expected at least 19 letters, to cut 15000/1000/2724, found 18"


def archive(folder: Path, **contents: np.ndarray) -> Path:
    (folder / "notmnist").mkdir()
    np.savez(folder / notmnist.ARCHIVE, **contents)
    return folder


def test_letters_from_the_archive_come_first(tmp_path):
    images, labels = letters(40)
    loaded = data.load("notmnist", archive(tmp_path, images=images, labels=labels))
    assert loaded.source == f"notmnist/notMNIST.npz under {tmp_path}" and loaded.classes == tuple("ABCDEFGHIJ")
    assert loaded.note == "40 letters instead of 18,724, cut in the same proportions"
    for name, content in zip(notmnist.SAMPLE, (b"not read", b"nor this"), strict=True):
        (tmp_path / name).write_bytes(content)
    assert numbers(data.load("notmnist", tmp_path).train) == numbers(loaded.train)


def test_letters_from_the_sample(tmp_path):
    images, labels = letters(40)
    (tmp_path / "notmnist").mkdir()
    (tmp_path / notmnist.SAMPLE[0]).write_bytes(struct.pack(">4I", 2051, 40, 28, 28) + images.tobytes())
    (tmp_path / notmnist.SAMPLE[1]).write_bytes(struct.pack(">2I", 2049, 40) + labels.tobytes())
    loaded = data.load("notmnist", tmp_path)
    assert loaded.source == f"{notmnist.SAMPLE[0]} and 1 more under {tmp_path}"
    parts = (loaded.train, loaded.validation, loaded.test)
    assert [len(part) for part in parts] == [32, 2, 6]
    assert sorted(number for part in parts for number in numbers(part)) == [*range(40)]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"images": None}, "expected key images, found keys labels"),
        ({"images": np.zeros((20, 28, 28))}, "images with uint8 of shape (N, 28, 28), found float64 of shape"),
        ({"labels": np.zeros(19, int)}, "labels with integers or floats of shape (20), found int64 of shape (19)"),
        ({"labels": np.full(20, 10)}, "whole numbers from 0 to 9 under labels, found 10 in row 0"),
        ({"labels": np.full(20, "A")}, "labels with integers or floats of shape (20), found <U1 of shape (20)"),
        ({"labels": np.full(20, None)}, "labels with integers or floats of shape (20), found object of shape (20)"),
        ({"images": np.zeros((20, 28, 28), object)}, "images with uint8 of shape (N, 28, 28), found object of shape"),
    ],
)
def test_letters_refused(tmp_path, changed, line):
    images, labels = letters(20)
    contents = {"images": images, "labels": labels} | changed
    archive(tmp_path, **{key: values for key, values in contents.items() if values is not None})
    refused = refusal(data.load, "notmnist", tmp_path)
    assert refused.startswith(f"{tmp_path}/notmnist/notMNIST.npz: ") and line in refused


def test_an_archive_that_is_a_pickle(tmp_path):
    (tmp_path / "notmnist").mkdir()
    written(tmp_path / "notmnist", "notMNIST.npz", b"\x80\x04]\x94.")
    assert "found a Python pickle, which is never loaded" in refusal(data.load, "notmnist", tmp_path)
