"""Digits and the HDF5 sets: each preprocessing step against values worked by hand."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.data.test_readers import form, h5_file, refusal
from tests.judge.planting import plant
from twofold.compare import data
from twofold.compare.data import activity, catcar, mnist, trigrams


def test_a_split_counts_its_records():
    assert len(data.Split(np.zeros((3, 2)), np.zeros(3))) == 3
    for inputs, targets in [((3, 2), (2,)), ((3,), ()), ((), ()), ((0, 2), (0,))]:
        refusal(data.Split, np.zeros(inputs), np.zeros(targets))


# mnist


def test_mnist_standardised_by_the_integers_of_the_training_images():
    train, test = (np.tile(np.uint8(row), (28, 14))[None] for row in ([2, 9], [5, 11]))
    inputs = mnist.standardise("here", train, test)  # mean 5.5 -> 5, deviation 3.5 -> 3
    for images, row in zip(inputs, ([-1, 4 / 3], [0, 2]), strict=True):
        assert images.shape == (1, 1, 28, 28) and images.dtype == np.float32
        np.testing.assert_array_equal(images[0, 0, 7, :2], np.float32(row))


def test_mnist_of_one_grey_is_refused():
    grey = np.full((2, 28, 28), 7, np.uint8)
    assert "here: expected training pixels with a standard deviation" in refusal(mnist.standardise, "here", grey, grey)


def mnist_files(folder: Path, images: dict[str, tuple[int, ...]], labels: dict[str, list[int]], pack: bool) -> Path:
    (folder / "mnist").mkdir()
    for part, shape in images.items():
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        contents = {
            f"{part}-images-idx3-ubyte": struct.pack(">4I", 2051, *shape) + pixels.tobytes(),
            f"{part}-labels-idx1-ubyte": struct.pack(">2I", 2049, len(labels[part])) + bytes(labels[part]),
        }
        for name, content in contents.items():
            path = folder / "mnist" / (f"{name}.gz" if pack else name)
            path.write_bytes(gzip.compress(content, mtime=0) if pack else content)
    return folder


@pytest.mark.parametrize("pack", [False, True])
def test_mnist_read(tmp_path, pack):
    shapes = {"train": (3, 28, 28), "t10k": (2, 28, 28)}
    loaded = data.load("mnist", mnist_files(tmp_path, shapes, {"train": [5, 0, 9], "t10k": [1, 2]}, pack))
    assert form(loaded.train) == ((3, 1, 28, 28), "float32", (3,), "int64")
    assert loaded.train.targets.tolist() == [5, 0, 9] and loaded.test.targets.tolist() == [1, 2]
    assert loaded.validation is None and loaded.classes == tuple("0123456789")
    assert loaded.source == f"mnist/train-images-idx3-ubyte{'.gz' * pack} and 3 more under {tmp_path}"


@pytest.mark.parametrize(
    ("shape", "labels", "line"),
    [
        ((2, 28, 27), [0, 1], "train-images-idx3-ubyte: expected images of 28x28, found 28x27"),
        ((2, 28, 28), [0], "train-labels-idx1-ubyte: expected 2 labels, one for each image, found 1"),
        ((2, 28, 28), [0, 10], "train-labels-idx1-ubyte: expected labels from 0 to 9, found 10 in row 1"),
    ],
)
def test_mnist_refusals(tmp_path, shape, labels, line):
    folder = mnist_files(tmp_path, {"train": shape, "t10k": (1, 28, 28)}, {"train": labels, "t10k": [0]}, False)
    assert refusal(data.load, "mnist", folder) == f"{tmp_path}/mnist/{line}"


# the HDF5 sets


def catcar_contents() -> dict[str, np.ndarray]:
    images = np.arange(3 * 1024).reshape(3, 32, 32).astype(np.uint8)
    labels = np.array([0.0, 0.0, 1.0])
    return {"trainims": images, "trainlbls": labels, "testims": images[1:], "testlbls": labels[1:]}


def test_catcar_by_hand():
    images = np.zeros((2, 32, 32), np.uint8)
    images[1, 0, :3], images[1, 1, 0] = (51, 102, 255), 204
    split = catcar.split(images, np.array([1, 0]))
    assert form(split) == ((2, 1024), "float32", (2, 1), "float32")
    np.testing.assert_array_equal(split.inputs[1, [0, 1, 2, 32]], np.float32([0.2, 0.4, 1.0, 0.8]))
    assert split.targets.tolist() == [[1.0], [-1.0]]


def test_catcar_read_in_the_order_stored(tmp_path):
    path = h5_file(tmp_path / catcar.FILES[0][0], catcar_contents())
    loaded = data.load("catcar", tmp_path)
    assert loaded.train.targets.ravel().tolist() == [-1, -1, 1] and loaded.test.targets.ravel().tolist() == [-1, 1]
    np.testing.assert_array_equal(loaded.train.inputs[1:], loaded.test.inputs)
    assert loaded.classes == ("cat", "car") and loaded.source == f"eee443/{path.name} under {tmp_path}"


def trigram_contents() -> dict[str, np.ndarray]:
    contents = {"words": np.array([f"word{i}".encode() for i in range(1, 251)])}
    for third, part in enumerate(("train", "val", "test"), start=3):
        contents[f"{part}x"] = np.array([[1, 2, third], [250, 4, 1]], np.uint8)
        contents[f"{part}d"] = np.array([250, third], np.uint8)
    return contents


@pytest.mark.parametrize("variable_length", [False, True])
def test_trigrams_read_from_hdf5_count_from_0(tmp_path, variable_length):
    contents = trigram_contents()
    if variable_length:
        contents["words"] = contents["words"].astype(h5py.string_dtype())
    h5_file(tmp_path / trigrams.FILES[0][0], contents)
    loaded = data.load("trigrams", tmp_path)
    for third, split in enumerate((loaded.train, loaded.validation, loaded.test), start=2):
        assert form(split) == ((2, 3), "int64", (2,), "int64")
        assert split.inputs.tolist() == [[0, 1, third], [249, 3, 0]] and split.targets.tolist() == [249, third]
    assert loaded.classes[0] == "word1" and loaded.classes[249] == "word250" and loaded.note == ""


def sentence_file(folder: Path, words: int, between: str = " ") -> None:
    (folder / "eee443").mkdir()
    tokens = between.join(f"w{i}" for i in range(words))
    (folder / trigrams.FILES[0][1]).write_text(f"{tokens}\nW1 w0 W0\n")


def test_trigrams_read_from_sentences_say_so(tmp_path):
    sentence_file(tmp_path, 250)
    loaded = data.load("trigrams", tmp_path)
    assert [len(split) for split in (loaded.train, loaded.validation, loaded.test)] == [197, 25, 25]  # of 247
    np.testing.assert_array_equal(loaded.train.inputs[:, 0] + 3, loaded.train.targets)
    assert loaded.classes[:2] == ("w0", "w1") and loaded.note == "from raw_sentences.txt: own split and numbering"


@pytest.mark.parametrize(
    ("words", "between", "line"),
    [
        (251, " ", "eee443/raw_sentences.txt: expected 250 distinct tokens, found more than 250"),
        (250, "\n", "eee443/raw_sentences.txt: expected at least 10 four-grams, to cut 80/10/10, found 0"),
    ],
)
def test_trigrams_from_other_sentences_are_refused(tmp_path, words, between, line):
    sentence_file(tmp_path, words, between)
    assert refusal(data.load, "trigrams", tmp_path) == f"{tmp_path}/{line}"


def activity_contents() -> dict[str, np.ndarray]:
    signal, classes = np.arange(20 * 450.0).reshape(20, 150, 3), np.eye(6)[np.arange(20) % 6]
    return {"trX": signal, "trY": classes, "tstX": signal[:3], "tstY": classes[:3]}


def test_activity_standardised_by_one_mean_and_deviation():
    train, test = np.array([[[1.0, 3.0], [1.0, 3.0]]]), np.array([[[2.0, 5.0]]])
    inputs = activity.standardise("here", train, test)  # mean 2, deviation 1
    assert [array.dtype.name for array in inputs] == ["float32", "float32"]
    assert inputs[0].tolist() == [[[-1, 1], [-1, 1]]] and inputs[1].tolist() == [[[0, 3]]]
    assert "here: expected training signals that vary" in refusal(activity.standardise, "here", train * 0, test)


def assert_held_out(loaded, signals):
    """Each record is in one of the two parts, with its own class."""
    scaled = ((signals - signals.mean()) / signals.std()).astype(np.float32)
    rows = [int(np.flatnonzero(scaled[:, 0, 0] == first)[0]) for part in (loaded.train, loaded.validation)
            for first in part.inputs[:, 0, 0]]  # fmt: skip
    assert sorted(rows) == list(range(20)), "not every record once"
    assert form(loaded.train) == ((18, 150, 3), "float32", (18,), "int64")
    assert form(loaded.validation) == ((2, 150, 3), "float32", (2,), "int64")
    assert set(rows[18:]) not in ({0, 1}, {18, 19})
    np.testing.assert_array_equal(np.concatenate([loaded.train.targets, loaded.validation.targets]), np.array(rows) % 6)


def test_activity_read_holds_out_a_tenth(tmp_path, monkeypatch):
    """F28: what is held out for validation is not left among the training records; where it is, it is seen."""
    contents = activity_contents()
    h5_file(tmp_path / activity.FILES[0][0], contents)
    loaded = data.load("activity", tmp_path)
    assert_held_out(loaded, contents["trX"])
    assert loaded.classes == ("downstairs", "jogging", "sitting", "standing", "upstairs", "walking")
    plant(monkeypatch, activity, "hold_out", "in (train, validation)", "in (order, validation)")
    with pytest.raises(AssertionError, match="not every record once"):
        assert_held_out(data.load("activity", tmp_path), contents["trX"])


ONE_HOT = np.eye(6)[np.arange(20) % 6]
NUMBERS = np.array([np.arange(i % 3) for i in range(250)], h5py.vlen_dtype("i4"))  # objects, as strings are
CONTENTS = {"catcar": catcar_contents, "trigrams": trigram_contents, "activity": activity_contents}


@pytest.mark.parametrize(
    ("name", "key", "values", "expected", "found"),
    [
        ("catcar", "trainims", None, "key trainims", "keys testims, testlbls, trainlbls"),
        ("catcar", "trainims", np.zeros((3, 32, 32)), "trainims with uint8", "float64 of shape (3, 32, 32)"),
        ("catcar", "testlbls", np.zeros(3), "testlbls with integers or floats of shape (2)", "float64 of shape (3)"),
        ("catcar", "testlbls", np.array([0, 2]), "whole numbers from 0 to 1 under testlbls", "2"),
        ("trigrams", "valx", np.zeros((2, 3), int), "whole numbers from 1 to 250 under valx", "0"),
        ("trigrams", "traind", np.array([1, 251]), "whole numbers from 1 to 250 under traind", "251"),
        ("trigrams", "words", np.array([b"a"] * 249), "words with strings of shape (250)", "|S1 of shape (249)"),
        ("trigrams", "words", NUMBERS, "byte strings under words", "objects of another type"),
        ("activity", "trX", np.zeros((20, 149, 3)), "trX with integers or floats of shape (N, 150, 3)", "(20, 149, 3)"),
        ("activity", "trX", np.ones((20, 150, 3)), "training signals that vary under trX", "a standard deviation of 0"),
        ("activity", "trY", ONE_HOT * 2, "one-hot rows under trY", "row 0: [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]"),
        ("activity", "trY", ONE_HOT + np.eye(20, 6, 1), "one-hot rows under trY", "row 0: [1.0, 1.0, 0.0"),
        ("activity", "trY", ONE_HOT + np.eye(20, 6, 1) / 2, "one-hot rows under trY", "row 0: [1.0, 0.5, 0.0"),
        ("activity", "trY", np.zeros((20, 6)), "one-hot rows under trY", "row 0: [0.0,"),
    ],
)
def test_hdf5_sets_refuse(tmp_path, name, key, values, expected, found):
    contents = CONTENTS[name]() | {key: values}
    files = {entry.name: entry.files[0][0] for entry in data.known() if entry.files}
    h5_file(tmp_path / files[name], {k: v for k, v in contents.items() if v is not None})
    line = refusal(data.load, name, tmp_path)
    assert "eee443/assign" in line and f"expected {expected}" in line and found in line.split(", found ")[1]


def test_hdf5_sets_too_small_to_divide(tmp_path):
    signal, classes = np.random.default_rng(0).random((9, 150, 3)), np.eye(6)[[0] * 9]
    h5_file(tmp_path / activity.FILES[0][0], {"trX": signal, "trY": classes, "tstX": signal, "tstY": classes})
    assert "at least 10 training records" in refusal(data.load, "activity", tmp_path)
