"""Image patches: each step of their preparation against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.test_readers import form, h5_file, refusal
from tests.judge.planting import plant
from twofold.compare import data
from twofold.compare.data import patches


def random_patches(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, 16, 16))


def test_patches_by_hand():
    """A patch of 10 but for two pixels, and an even one; greys weighted, the mean of each gone."""
    colour = np.zeros((2, 3, 16, 16))
    colour[0, 0], colour[0, 1], colour[0, 2] = 10, 10, 10  # luminosity 10, for the weights add up to 1
    colour[0, 0, 3, 4] += 100  # red: 21.26 more
    colour[0, 1, 5, 6] -= 1  # green: 0.7152 less
    colour[1] = 7
    mean = (21.26 - 0.7152) / 256
    deviations = np.zeros((2, 256))
    deviations[0] = -mean
    deviations[0, 3 * 16 + 4] += 21.26
    deviations[0, 5 * 16 + 6] -= 0.7152
    limit = 3 * np.sqrt((deviations**2).mean())  # 2.82: the red pixel is clipped
    inputs = patches.prepare("here", colour)
    assert inputs.shape == (2, 256) and inputs.dtype == np.float32
    assert inputs[0, 3 * 16 + 4] == np.float32(0.9)
    assert inputs[0, 0] == pytest.approx(0.5 - 0.4 * mean / limit, rel=1e-6)
    assert inputs[0, 5 * 16 + 6] == pytest.approx(0.5 - 0.4 * (mean + 0.7152) / limit, rel=1e-6)
    assert (inputs[1] == np.float32(0.5)).all()
    assert patches.prepare("here", -colour)[0, 3 * 16 + 4] == np.float32(0.1)


@pytest.mark.parametrize(("channel", "weight"), [(0, 0.2126), (1, 0.7152), (2, 0.0722)])
def test_luminosity_weights(channel, weight):
    colour = np.zeros((2, 3, 16, 16))
    colour[0, channel, :8] = 1  # one channel in one half of the first patch, all three in the second
    colour[1, :, :8] = 1
    one, all_three = patches.prepare("here", colour)[:, 0] - 0.5
    assert one / all_three == pytest.approx(weight, rel=1e-5)


def assert_without_means():
    """Patches of other brightness come out the same."""
    colour = random_patches(12)
    shifted = colour + np.arange(12)[:, None, None, None]
    found, expected = patches.prepare("here", shifted), patches.prepare("here", colour)
    np.testing.assert_allclose(found, expected, atol=1e-6, err_msg="the brightness stays")


def test_the_mean_of_each_patch_is_removed(monkeypatch):
    """F32: a preparation without this step is seen."""
    assert_without_means()
    plant(monkeypatch, patches, "prepare", "grey -= grey.mean(axis=1, keepdims=True)", "pass")
    with pytest.raises(AssertionError, match="the brightness stays"):
        assert_without_means()


def test_patches_read_are_their_own_targets(tmp_path):
    colour = random_patches(21)
    h5_file(tmp_path / patches.FILES[0][0], {"data": colour, "xForm": np.zeros(3)})
    loaded = data.load("patches", tmp_path)
    assert form(loaded.train) == ((19, 256), "float32", (19, 256), "float32") and len(loaded.test) == 2
    assert loaded.train.inputs is loaded.train.targets and loaded.test.inputs is loaded.test.targets
    joined = np.concatenate([loaded.train.inputs, loaded.test.inputs])
    np.testing.assert_array_equal(joined, patches.prepare("here", colour))
    np.testing.assert_array_equal(loaded.raw, colour)
    assert loaded.validation is None and loaded.note == "the last tenth is the test split, the source has none"
    assert loaded.source == f"eee443/assign3_data1.h5 under {tmp_path}"


@pytest.mark.parametrize(
    ("values", "expected", "found"),
    [
        (np.zeros((20, 16, 16, 3)), "data with floats of shape (N, 3, 16, 16)", "float64 of shape (20, 16, 16, 3)"),
        (np.zeros((20, 3, 16, 16), np.uint8), "data with floats of shape (N, 3, 16, 16)", "uint8"),
        (np.full((20, 3, 16, 16), np.inf), "finite numbers of at most 1e+30 under data", "inf in row 0"),
        (np.ones((20, 3, 16, 16)), "patches that are not all even", "a standard deviation of 0"),
        (random_patches(9), "at least 10 patches", "9"),
    ],
)
def test_patches_refused(tmp_path, values, expected, found):
    h5_file(tmp_path / patches.FILES[0][0], {"data": values})
    line = refusal(data.load, "patches", tmp_path)
    assert "eee443/assign3_data1.h5" in line.split(": ")[0]
    assert f"expected {expected}" in line and found in line.split(", found ")[1]


def test_embedded_patches_keep_their_colours():
    loaded = data.load("patches", None)
    assert loaded.raw is not None and loaded.raw.shape == (2000, 3, 16, 16)
    assert loaded.raw.min() >= 0 and loaded.raw.max() <= 1
    assert np.ptp(loaded.train.inputs) == pytest.approx(0.8)
    np.testing.assert_array_equal(patches.prepare("here", loaded.raw)[1800:], loaded.test.inputs)
