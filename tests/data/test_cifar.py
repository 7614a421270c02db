"""CIFAR-10: the binary format, its splits, and both preparations against values worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.test_readers import form, refusal, steady, written
from twofold.compare import data
from twofold.compare.data import cifar10, cifar10_mean_image
from twofold.compare.data.cifar10 import FOLDER
from twofold.compare.data.readers import cifar_binary

SIX = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):  # one for all examples of a property
    return tmp_path_factory.mktemp("cifar")


def records(labels: list[int], first: int = 0) -> bytes:
    """Images of one grey each: `first`, first + 1, ..."""
    return b"".join(bytes([label]) + bytes([first + i]) * 3072 for i, label in enumerate(labels))


def batches(folder: Path, files: dict[str, bytes]) -> Path:
    (folder / FOLDER).mkdir()
    for name, content in files.items():
        (folder / FOLDER / name).write_bytes(content)
    return folder


def greys(split: data.Split) -> list[float]:
    """The one value of each image."""
    values = split.inputs.reshape(len(split), -1)
    assert (values == values[:, :1]).all()
    return values[:, 0].tolist()


# the format


@steady
@given(labels=st.lists(st.integers(0, 9), min_size=1, max_size=4), seed=st.integers(0, 2**32))
def test_cifar_gives_back_what_was_written(shared, labels, seed):
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32), np.uint8)
    content = b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True))
    back, back_labels = cifar_binary.read(written(shared, "roundtrip", content))
    assert back.dtype == back_labels.dtype == np.uint8
    np.testing.assert_array_equal(back, images)
    np.testing.assert_array_equal(back_labels, labels)


@steady
@given(length=st.integers(1, 3 * 3073 + 1))
def test_cifar_cut_anywhere_but_between_records_is_refused(shared, length):
    path = written(shared, "cut", (records([1, 2, 3]) + b"x")[:length])
    if length % 3073 == 0:
        assert cifar_binary.read(path)[1].tolist() == [1, 2, 3][: length // 3073]
    else:
        line = refusal(cifar_binary.read, path)
        assert line == f"{path}: expected one or more records of 3073 bytes, found {length} bytes"


@steady
@given(record=st.integers(0, 2), label=st.integers(10, 255))
def test_cifar_with_another_label_is_refused(shared, record, label):
    labels = [0, 9, 5]
    labels[record] = label
    path = written(shared, "labels", records(labels))
    assert refusal(cifar_binary.read, path) == f"{path}: expected labels from 0 to 9, found {label} in record {record}"


def test_cifar_without_a_file(tmp_path):
    assert "no such file" in refusal(cifar_binary.read, tmp_path / "none")


# the preparations


def test_cifar_standardised_by_channel():
    images = np.zeros((1, 3, 32, 32), np.uint8)
    images[0, :, 0, 0], images[0, :, 31, 31] = (255, 51, 0), (0, 255, 102)
    inputs = cifar10.standardise(images)
    assert inputs.dtype == np.float32
    corner = [(1 - 0.4914) / 0.2023, (0.2 - 0.4822) / 0.1994, (0 - 0.4465) / 0.2010]
    np.testing.assert_allclose(inputs[0, :, 0, 0], corner, rtol=1e-6)
    opposite = [(0 - 0.4914) / 0.2023, (1 - 0.4822) / 0.1994, (0.4 - 0.4465) / 0.2010]
    np.testing.assert_allclose(inputs[0, :, 31, 31], opposite, rtol=1e-5)


def test_cifar_minus_the_mean_image():
    images = np.zeros((3, 3, 32, 32), np.uint8)
    images[:, 1, 2, 3] = 10, 20, 255
    mean = cifar10_mean_image.mean_image(images)
    assert mean.shape == (3, 32, 32) and mean.dtype == np.float64 and mean[1, 2, 3] == 95 and mean.sum() == 95
    inputs = cifar10_mean_image.centre(images, mean)
    assert inputs.dtype == np.float32 and inputs[:, 1, 2, 3].tolist() == [-85, -75, 160]
    third = cifar10_mean_image.centre(images, np.full((3, 32, 32), 1 / 3))  # in float64, rounded once
    assert third[2, 1, 2, 3] == np.float32(255 - 1 / 3)


# the splits


@pytest.fixture
def small(monkeypatch):
    """As though the five training batches had 20 images, 17 of them trained on, and 2 of the test counted."""
    monkeypatch.setattr(cifar10, "ALL", 20)
    monkeypatch.setattr(cifar10, "KEPT", 17)
    monkeypatch.setattr(cifar10_mean_image, "TESTED", 2)


def test_all_batches_in_order(tmp_path, small):
    files = {name: records([n] * 4, first=4 * n) for n, name in enumerate(SIX)}
    np.save(batches(tmp_path, files) / cifar10_mean_image.MEAN_FILE, np.zeros((3, 32, 32)))
    pixels = cifar10.read_pixels(tmp_path)
    assert greys(pixels.train) == list(range(17)) and greys(pixels.validation) == [17, 18, 19]
    assert pixels.train.targets.tolist() == [*[0] * 4, *[1] * 4, *[2] * 4, *[3] * 4, 4]
    loaded = data.load("cifar10", tmp_path)
    assert [len(split) for split in (loaded.train, loaded.validation, loaded.test)] == [17, 3, 4]
    assert loaded.source == f"{FOLDER}/data_batch_1.bin and 5 more under {tmp_path}" and loaded.note == ""
    assert loaded.classes == ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    centred = data.load("cifar10-mean-image", tmp_path)  # the mean of 0, ..., 16, whatever the file says
    assert greys(centred.train) == list(range(-8, 9)) and greys(centred.validation) == [9, 10, 11]
    assert greys(centred.test) == [12, 13] and centred.note == "" and centred.name == "cifar10-mean-image"
    assert form(centred.test) == ((2, 3, 32, 32), "float32", (2,), "int64")


def few(folder: Path, more: dict[str, bytes] | None = None) -> Path:
    files = {"data_batch_1.bin": records(list(range(10))), "data_batch_3.bin": records([3] * 11, first=10)}
    return batches(folder, files | {"test_batch_first1017.bin": records([7, 8, 9], first=30)} | (more or {}))


def test_fewer_batches_hold_out_the_last_tenth(tmp_path):
    loaded = data.load("cifar10", few(tmp_path))
    assert loaded.train.targets.tolist() == [*range(10), *[3] * 9] and loaded.validation.targets.tolist() == [3, 3]
    assert loaded.test.targets.tolist() == [7, 8, 9]
    assert loaded.source == f"{FOLDER}/data_batch_1.bin and 2 more under {tmp_path}"
    held = "21 training images instead of 50,000, the last tenth of them validation"
    assert loaded.note == f"{held}; test images from test_batch_first1017.bin"
    (tmp_path / FOLDER / "test_batch.bin").write_bytes(records([1]))
    again = data.load("cifar10", tmp_path)
    assert again.test.targets.tolist() == [1] and again.note == held


def test_the_mean_image_of_fewer_batches(tmp_path):
    loaded = data.load("cifar10-mean-image", few(tmp_path))
    assert greys(loaded.train) == list(range(-9, 10)) and greys(loaded.validation) == [10, 11]
    assert greys(loaded.test) == [21, 22, 23] and loaded.note.endswith("; mean image of the 19 that are trained on")
    np.save(tmp_path / cifar10_mean_image.MEAN_FILE, np.full((3, 32, 32), 0.5))
    loaded = data.load("cifar10-mean-image", tmp_path)
    assert greys(loaded.train) == [i - 0.5 for i in range(19)]
    assert loaded.note.endswith("; mean image from mean_image_49000.npy")


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("data_batch_1.bin", b"x" * 3072, "expected one or more records of 3073 bytes, found 3072 bytes"),
        ("data_batch_3.bin", records([3, 10]), "expected labels from 0 to 9, found 10 in record 1"),
        ("test_batch.bin", b"", "expected CIFAR-10 in its binary version, found an empty file"),
    ],
)
def test_cifar_refusals(tmp_path, file, content, line):
    few(tmp_path, {file: content})
    for name in ("cifar10", "cifar10-mean-image"):
        assert refusal(data.load, name, tmp_path) == f"{tmp_path}/{FOLDER}/{file}: {line}"


def test_cifar_too_small_to_divide(tmp_path):
    batches(tmp_path, {"data_batch_1.bin": records([1] * 9), "test_batch.bin": records([1])})
    assert "at least 10 training images, to hold a tenth out, found 9" in refusal(data.load, "cifar10", tmp_path)


@pytest.mark.parametrize(
    ("mean", "line"),
    [
        (np.zeros((32, 32, 3)), "array with floats of shape (3, 32, 32), found float64 of shape (32, 32, 3)"),
        (np.zeros((3, 32, 32), np.uint8), "array with floats of shape (3, 32, 32), found uint8 of shape (3, 32, 32)"),
        (np.full((3, 32, 32), 300.0), "means of bytes, 0 to 255, found 300.0 in row 0"),
        (np.full((3, 32, 32), -1e-9), "means of bytes, 0 to 255, found -1e-09 in row 0"),
        (np.full((3, 32, 32), np.nan), "finite numbers of at most 1e+30 under array, found nan in row 0"),
        (np.full((3, 32, 32), None), "array with floats of shape (3, 32, 32), found object of shape (3, 32, 32)"),
    ],
)
def test_another_mean_image_is_refused(tmp_path, mean, line):
    path = few(tmp_path) / cifar10_mean_image.MEAN_FILE
    np.save(path, mean, allow_pickle=True)
    assert refusal(data.load, "cifar10-mean-image", tmp_path).startswith(f"{path}: expected {line}")
