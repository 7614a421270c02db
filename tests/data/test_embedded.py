"""The embedded sets: the same for a seed, nothing of the test among the training records, and what they show."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest

from tests.data.test_readers import form
from tests.places import ROOT
from twofold.compare import data
from twofold.compare.data import cifar10
from twofold.compare.data.embedded import documentation, figures, glyphs, photograph, signals, silhouettes
from twofold.compare.data.readers import text


def arrays(loaded: data.Dataset) -> list[np.ndarray]:
    splits = [split for split in (loaded.train, loaded.validation, loaded.test) if split is not None]
    return [values for split in splits for values in (split.inputs, split.targets)]


EMBEDDED = {  # the trigrams' counts depend on Python's version
    "mnist": [((4000, 1, 28, 28), "float32", (4000,), "int64"), ((1000, 1, 28, 28), "float32", (1000,), "int64")],
    "catcar": [((1000, 1024), "float32", (1000, 1), "float32"), ((300, 1024), "float32", (300, 1), "float32")],
    "activity": [((810, 150, 3), "float32", (810,), "int64"), ((240, 150, 3), "float32", (240,), "int64")],
    "cifar10": [((2000, 3, 32, 32), "float32", (2000,), "int64"), ((400, 3, 32, 32), "float32", (400,), "int64")],
    "notmnist": [((2403, 784), "float32", (2403,), "int64"), ((437, 784), "float32", (437,), "int64")],
    "patches": [((1800, 256), "float32", (1800, 256), "float32"), ((200, 256), "float32", (200, 256), "float32")],
    "sine": [((100, 50), "float64", (100, 1), "float64"), ((50, 50), "float64", (50, 1), "float64")],
}


@pytest.mark.parametrize("name", [entry.name for entry in data.known() if entry.name != "cifar10-mean-image"])
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


def test_embedded_figures():
    images, labels = figures.draw(400, seed=1)
    assert images.shape == (400, 3, 32, 32) and images.dtype == np.uint8 and np.bincount(labels).tolist() == [40] * 10
    assert images.flags.c_contiguous and sorted(figures.OUTLINES) == sorted(figures.CLASSES)
    assert (images.reshape(400, 3, -1).std(axis=2) > 4).all()  # something varies in every channel of each
    colours = images.mean(axis=(2, 3))
    centres = np.stack([colours[labels == kind].mean(axis=0) for kind in range(10)])
    nearest = ((colours[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == labels).mean() < 0.3  # a mean colour alone does not tell


def test_embedded_figures_minus_their_mean_image(monkeypatch):
    """The set that the test of all leaves out, because drawing the same figures twice more takes seconds."""
    images, labels = figures.draw(40, seed=1)
    part = data.Split(images, labels.astype(np.int64))
    monkeypatch.setattr(cifar10, "draw_pixels", lambda: cifar10.Pixels("embedded", part, part, part, figures.CLASSES))
    loaded = data.load("cifar10-mean-image", None)
    np.testing.assert_allclose(loaded.train.inputs, images - images.mean(axis=0), rtol=1e-6, atol=1e-5)
    assert (loaded.name, loaded.source, loaded.classes) == ("cifar10-mean-image", "embedded", figures.CLASSES)
    assert form(loaded.test) == ((40, 3, 32, 32), "float32", (40,), "int64")


def test_embedded_patches_are_cut_from_the_photograph():
    image = photograph._pixels()
    patches = photograph.patches(50, 16, seed=1)
    assert patches.shape == (50, 3, 16, 16) and patches.dtype == np.float64
    assert len({patch.tobytes() for patch in patches}) == 50
    windows = np.lib.stride_tricks.sliding_window_view(image, (16, 16), axis=(0, 1))
    first = np.round(patches[0] * 255).astype(np.uint8)
    places = np.argwhere((windows[:, :, :, 0, 0] == first[:, 0, 0]).all(axis=2))
    assert any((windows[row, column] == first).all() for row, column in places)


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
    slow = ("torch", "torchvision", "h5py", "matplotlib", "PIL")
    code = f"import sys, twofold.compare.data; print([m for m in {slow} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
