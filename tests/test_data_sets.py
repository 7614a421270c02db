"""The data sets: each preprocessing step against values worked by hand, the embedded sets, and the real files."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from compare import data
from compare.data import activity, catcar, idx, mnist, text, trigrams
from compare.data.embedded import documentation, glyphs, signals, silhouettes

REPO = Path(__file__).parents[1]
REAL = REPO.parent / "shared" / "data"


def refusal(call, *arguments) -> str:
    with pytest.raises(data.DataError) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line and ": expected " in line and ", found " in line
    return line


def arrays(loaded: data.Dataset) -> list[np.ndarray]:
    splits = [split for split in (loaded.train, loaded.validation, loaded.test) if split is not None]
    return [values for split in splits for values in (split.inputs, split.targets)]


def form(split: data.Split) -> tuple:
    return split.inputs.shape, split.inputs.dtype.name, split.targets.shape, split.targets.dtype.name


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
            path.write_bytes(gzip.compress(content) if pack else content)
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
        ((2, 28, 28), [0, 10], "train-labels-idx1-ubyte: expected labels from 0 to 9, found 10"),
    ],
)
def test_mnist_refusals(tmp_path, shape, labels, line):
    folder = mnist_files(tmp_path, {"train": shape, "t10k": (1, 28, 28)}, {"train": labels, "t10k": [0]}, False)
    assert refusal(data.load, "mnist", folder) == f"{tmp_path}/mnist/{line}"


# the HDF5 sets


def h5_file(path: Path, contents: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, values in contents.items():
            file[key] = values
    return path


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
        (251, " ", "eee443/raw_sentences.txt: expected 250 distinct tokens, found 251"),
        (250, "\n", "eee443/raw_sentences.txt under {}: expected at least 10 four-grams, to cut 80/10/10, found 0"),
    ],
)
def test_trigrams_from_other_sentences_are_refused(tmp_path, words, between, line):
    sentence_file(tmp_path, words, between)
    assert refusal(data.load, "trigrams", tmp_path).endswith(line.format(tmp_path))


def activity_contents() -> dict[str, np.ndarray]:
    signal, classes = np.arange(20 * 450.0).reshape(20, 150, 3), np.eye(6)[np.arange(20) % 6]
    return {"trX": signal, "trY": classes, "tstX": signal[:3], "tstY": classes[:3]}


def test_activity_standardised_by_one_mean_and_deviation():
    train, test = np.array([[[1.0, 3.0], [1.0, 3.0]]]), np.array([[[2.0, 5.0]]])
    inputs = activity.standardise("here", train, test)  # mean 2, deviation 1
    assert [array.dtype.name for array in inputs] == ["float32", "float32"]
    assert inputs[0].tolist() == [[[-1, 1], [-1, 1]]] and inputs[1].tolist() == [[[0, 3]]]
    assert "here: expected training signals that vary" in refusal(activity.standardise, "here", train * 0, test)


def test_activity_read_holds_out_a_tenth(tmp_path):
    contents = activity_contents()
    h5_file(tmp_path / activity.FILES[0][0], contents)
    loaded = data.load("activity", tmp_path)
    assert form(loaded.train) == ((18, 150, 3), "float32", (18,), "int64")
    assert form(loaded.validation) == ((2, 150, 3), "float32", (2,), "int64")
    scaled = ((contents["trX"] - contents["trX"].mean()) / contents["trX"].std()).astype(np.float32)
    rows = [int(np.flatnonzero(scaled[:, 0, 0] == first)[0]) for part in (loaded.train, loaded.validation)
            for first in part.inputs[:, 0, 0]]  # fmt: skip
    assert sorted(rows) == list(range(20)) and set(rows[18:]) not in ({0, 1}, {18, 19})
    np.testing.assert_array_equal(np.concatenate([loaded.train.targets, loaded.validation.targets]), np.array(rows) % 6)
    assert loaded.classes == ("downstairs", "jogging", "sitting", "standing", "upstairs", "walking")


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
        ("trigrams", "words", NUMBERS, "byte strings under words", "ndarray"),
        ("activity", "trX", np.zeros((20, 149, 3)), "trX with integers or floats of shape (N, 150, 3)", "(20, 149, 3)"),
        ("activity", "trX", np.ones((20, 150, 3)), "training signals that vary", "one number throughout"),
        ("activity", "trY", ONE_HOT * 2, "one-hot rows under trY", "row 0: [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]"),
        ("activity", "trY", ONE_HOT + np.eye(20, 6, 1), "one-hot rows under trY", "row 0: [1.0, 1.0, 0.0"),
        ("activity", "trY", ONE_HOT + np.eye(20, 6, 1) / 2, "one-hot rows under trY", "row 0: [1.0, 0.5, 0.0"),
        ("activity", "trY", np.zeros((20, 6)), "one-hot rows under trY", "row 0: [0.0,"),
    ],
)
def test_hdf5_sets_refuse(tmp_path, name, key, values, expected, found):
    contents = CONTENTS[name]() | {key: values}
    files = {entry.name: entry.files[0][0] for entry in data.known()}
    h5_file(tmp_path / files[name], {k: v for k, v in contents.items() if v is not None})
    line = refusal(data.load, name, tmp_path)
    assert "eee443/assign" in line and f"expected {expected}" in line and found in line.split(", found ")[1]


def test_hdf5_sets_too_small_to_divide(tmp_path):
    signal, classes = np.random.default_rng(0).random((9, 150, 3)), np.eye(6)[[0] * 9]
    h5_file(tmp_path / activity.FILES[0][0], {"trX": signal, "trY": classes, "tstX": signal, "tstY": classes})
    assert "at least 10 training records" in refusal(data.load, "activity", tmp_path)


# the embedded sets

EMBEDDED = {  # the trigrams' counts depend on Python's version
    "mnist": [((4000, 1, 28, 28), "float32", (4000,), "int64"), ((1000, 1, 28, 28), "float32", (1000,), "int64")],
    "catcar": [((1000, 1024), "float32", (1000, 1), "float32"), ((300, 1024), "float32", (300, 1), "float32")],
    "activity": [((810, 150, 3), "float32", (810,), "int64"), ((240, 150, 3), "float32", (240,), "int64")],
}


@pytest.mark.parametrize("name", [entry.name for entry in data.known()])
def test_embedded_set(name):
    np.random.seed(1)  # noqa: NPY002  global states, which must not matter
    random.seed(1)
    one = data.load(name, None)
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)
    for values, again in zip(arrays(one), arrays(data.load(name, None)), strict=True):
        np.testing.assert_array_equal(values, again)
    assert one.name == name and one.source == "embedded"
    if name in EMBEDDED:
        assert [form(one.train), form(one.test)] == EMBEDDED[name]
        seen = {record.tobytes() for record in one.train.inputs}
        assert not any(record.tobytes() in seen for record in one.test.inputs)


def test_embedded_digits_come_equally_often_and_fill_the_range():
    images, labels = glyphs.draw("0123456789", 200, seed=1)
    assert np.bincount(labels).tolist() == [20] * 10
    assert images.dtype == np.uint8 and images.min() == 0 and images.max() > 200
    assert (images.reshape(200, -1).std(axis=1) > 10).all()  # something is drawn in each
    assert not np.array_equal(images, glyphs.draw("0123456789", 200, seed=2)[0])


def test_embedded_silhouettes_are_stored_transposed():
    images, labels = silhouettes.draw(400, seed=1)
    assert images.shape == (400, 32, 32) and images.dtype == np.uint8 and np.bincount(labels).tolist() == [200, 200]
    cars = images[labels == 1].astype(float).mean(axis=0)
    wheels_and_roof = cars.T[20:24].mean(), cars.T[2:6].mean()  # dark wheels in the lower half of the upright image
    assert wheels_and_roof[0] < wheels_and_roof[1] - 20


def test_embedded_signals_carry_gravity_and_steps():
    inputs, labels = signals.generate(120, seed=1)
    assert inputs.shape == (120, 150, 3) and np.bincount(labels).tolist() == [20] * 6
    means = np.linalg.norm(inputs.mean(axis=1), axis=1)
    np.testing.assert_allclose(means, signals.GRAVITY, rtol=0.2)
    spread = [inputs[labels == index].std(axis=1).mean() for index in range(6)]  # down, jog, sit, stand, up, walk
    assert spread[1] == max(spread) and sorted(spread)[:2] == sorted([spread[2], spread[3]])


def test_embedded_text():
    sentences = documentation.sentences()
    words = documentation.commonest(sentences, 250)
    assert len(set(words)) == 250 and words[0] == "the"
    assert documentation.commonest([["b", "a", "a", "c"]], 3) == ("a", "b", "c")
    assert len(text.four_grams(sentences, words)) > 10_000
    loaded = data.load("trigrams", None)
    assert loaded.classes == words and loaded.train.inputs.max() < 250
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in loaded.note


def test_importing_loads_none_of_the_slow_libraries():
    code = "import sys, compare.data; print([m for m in ('torch', 'h5py', 'matplotlib', 'PIL') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    assert run.stdout.strip() == "[]"


# the real files


def real(name: str) -> data.Dataset:
    absent = [row.path for row in data.found(name, REAL) if row.size is None]
    if absent:
        pytest.skip(f"no {absent[0]} in {REAL}")
    return data.load(name, REAL)


def test_real_mnist():
    loaded = real("mnist")
    assert form(loaded.train)[0] == (60_000, 1, 28, 28) and form(loaded.test)[0] == (10_000, 1, 28, 28)
    pixels = idx.read(REAL / mnist.FILES[0][1], 3)
    assert (round(pixels.mean(), 3), round(pixels.std(), 3)) == (33.318, 78.567)
    assert loaded.train.inputs[0].min() == np.float32(-33) / np.float32(78)
    assert loaded.train.targets[:5].tolist() == [5, 0, 4, 1, 9]


def test_real_catcar():
    loaded = real("catcar")
    counts = [np.unique(split.targets, return_counts=True)[1].tolist() for split in (loaded.train, loaded.test)]
    assert counts == [[950, 950], [500, 500]]


def test_real_sentences():
    loaded = real("trigrams")
    assert loaded.validation is not None and len(loaded.classes) == 250
    if not loaded.note:
        pytest.skip("the HDF5 file is there, and comes before the sentences")
    assert [len(split) for split in (loaded.train, loaded.validation, loaded.test)] == [372_548, 46_569, 46_569]
    assert loaded.classes[:6] == ("no", ",", "he", "says", "now", ".")
