"""The real files, as far as they lie beside the checkout."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.test_readers import form
from tests.places import REAL_DATA
from twofold.compare import data
from twofold.compare.data import cifar10, mnist
from twofold.compare.data.readers import cifar_binary, idx


def real(name: str) -> data.Dataset:
    absent = [row.path for row in data.found(name, REAL_DATA) if row.size is None]
    if absent:
        pytest.skip(f"no {absent[0]} in {REAL_DATA}")
    return data.load(name, REAL_DATA)


def test_real_mnist():
    loaded = real("mnist")
    assert form(loaded.train)[0] == (60_000, 1, 28, 28) and form(loaded.test)[0] == (10_000, 1, 28, 28)
    pixels = idx.read(REAL_DATA / mnist.FILES[0][1], 3)
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


def test_real_cifar10():
    loaded = real("cifar10")
    images, labels = cifar_binary.read(REAL_DATA / cifar10.FILES[0][0])
    assert loaded.train.targets[:6].tolist() == [6, 9, 9, 4, 1, 1]  # frog, truck, truck, deer, automobile, automobile
    undone = (loaded.train.inputs[:500] * cifar10.DEVIATIONS + cifar10.MEANS) * 255
    np.testing.assert_allclose(undone, images[:500], atol=1e-3)
    if (REAL_DATA / cifar10.MORE[0]).exists():
        pytest.skip("more than the first batch is there")
    assert form(loaded.train) == ((9000, 3, 32, 32), "float32", (9000,), "int64")
    assert loaded.validation is not None and loaded.validation.targets.tolist() == labels[9000:].tolist()
    assert np.bincount(labels).tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert loaded.note.startswith("10,000 training images instead of 50,000, the last tenth of them validation")


def test_real_cifar10_minus_its_mean_image():
    loaded = real("cifar10-mean-image")
    assert form(loaded.train)[:2] == ((len(loaded.train), 3, 32, 32), "float32")
    assert abs(loaded.train.inputs.mean(dtype=np.float64)) < 1  # of 255
    first = cifar_binary.read(REAL_DATA / cifar10.FILES[0][0])[0][0] - loaded.train.inputs[0]
    assert first.min() > 100 and first.max() < 150  # the mean image is a grey blur


def test_real_notmnist():
    loaded = real("notmnist")
    assert loaded.validation is not None and loaded.classes == tuple("ABCDEFGHIJ")
    assert (loaded.train.inputs.min(), loaded.train.inputs.max()) == (0, 1)
    if not loaded.note:
        pytest.skip("the npz file is there, and comes before the sample")
    parts = (loaded.train, loaded.validation, loaded.test)
    assert [len(part) for part in parts] == [8011, 534, 1455]
    assert np.bincount(np.concatenate([part.targets for part in parts])).tolist() == [1000] * 10
