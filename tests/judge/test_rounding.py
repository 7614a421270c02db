"""The nudges by which rounding is measured: one unit in the last place, up or down by a hash of the value's bits."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from twofold.compare.judge.evidence import rounding
from twofold.compare.judge.evidence.rounding import move, move_tensor, perturbed

SEEDS = range(15)  # as many as there are re-runs
COUNT = 4096


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.data())
def test_a_nudge_is_one_ulp(dtype, data) -> None:
    """Zeros stay, equal values move together, integers and the array itself are left alone."""
    width = np.dtype(dtype).itemsize * 8
    elements = st.floats(-1e6, 1e6, width=width, allow_subnormal=False)
    x = data.draw(arrays.arrays(dtype, st.integers(0, 20), elements=elements))
    x = np.concatenate([x, x])
    before = x.copy()
    away = perturbed(x, seed=3)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(away[: len(x) // 2], away[len(x) // 2 :])
    lower, upper = np.nextafter(x, dtype(-np.inf)), np.nextafter(x, dtype(np.inf))
    np.testing.assert_array_equal(x == 0, away == 0)
    assert (((away == lower) | (away == upper)) | (x == 0)).all()
    assert away.dtype == dtype


def test_nudges_go_both_ways_and_depend_on_the_seed() -> None:
    x = np.random.default_rng(0).standard_normal(1000)
    ups = [(perturbed(x, seed) > x).mean() for seed in range(5)]
    assert all(0.4 < up < 0.6 for up in ups)
    assert len({perturbed(x, seed).tobytes() for seed in range(5)}) == 5
    tokens = np.arange(3)
    assert perturbed(tokens, 0) is tokens


STILL = [0.0, -0.0, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_stays_and_nothing_comes_to_be(dtype) -> None:
    most = np.finfo(dtype).max
    x = np.array([*STILL, most, -most, 1.0], dtype)
    for seed in SEEDS:
        away = perturbed(x, seed)
        np.testing.assert_array_equal(away[: len(STILL)], x[: len(STILL)])
        np.testing.assert_array_equal(np.signbit(away[:2]), [False, True])
        assert np.isfinite(away[len(STILL) :]).all()
        assert away[-1] != 1


def ups(x: np.ndarray, seed: int) -> np.ndarray:
    """1 where a value's magnitude grows and -1 where it shrinks."""
    return np.where(np.abs(perturbed(x, seed)) > np.abs(x), 1, -1)


VALUES: dict[str, Callable[[type], np.ndarray]] = {
    "normal": lambda dtype: np.random.default_rng(0).standard_normal(COUNT).astype(dtype),
    "whole": lambda dtype: np.arange(1, COUNT + 1).astype(dtype),
    "eighths": lambda dtype: (np.arange(1, COUNT + 1) / 8).astype(dtype),
    "of a float32": lambda dtype: np.random.default_rng(1).standard_normal(COUNT).astype(np.float32).astype(dtype),
    "neighbours": lambda dtype: (1 + np.arange(COUNT) * np.finfo(dtype).eps).astype(dtype),
    "powers": lambda dtype: np.ldexp(np.ones(240, dtype), np.arange(-120, 120)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", VALUES)
def test_every_bit_of_a_value_and_the_seed_decide(kind: str, dtype: type) -> None:
    """Within five sigma: as many go up as down, and seeds, values beside each other, x and -x know nothing of it."""
    x = VALUES[kind](dtype)
    signs, bound = np.array([ups(x, seed) for seed in SEEDS]), 5 / np.sqrt(len(x))
    assert np.abs(signs.mean(axis=1)).max() < bound
    assert np.abs(signs @ signs.T / len(x) - np.eye(len(signs))).max() < bound
    assert max(np.abs((signs[:, n:] * signs[:, :-n]).mean(axis=1)).max() for n in range(1, 9)) < bound
    assert np.abs((signs[0] * ups(-x, 0)).mean()) < bound


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "view", [lambda a: a, lambda a: a.T, lambda a: a[::2, 1:], lambda a: a[:, 3]], ids=["whole", "T", "part", "column"]
)
def test_any_array_and_tensor_is_moved_in_place_whatever_its_blocks(view, dtype, monkeypatch) -> None:
    x = np.random.default_rng(0).standard_normal((30, 50)).astype(dtype)
    x[::3] = 0
    expected = view(perturbed(x, 4))
    monkeypatch.setattr(rounding, "BLOCK", 64)
    array, tensor = x.copy(), torch.from_numpy(x.copy())
    move(view(array), 4)
    move_tensor(view(tensor), 4)
    np.testing.assert_array_equal(view(array), expected)
    np.testing.assert_array_equal(view(tensor.numpy()), expected)
    untouched = np.ones(x.shape, bool)
    view(untouched)[...] = False
    np.testing.assert_array_equal(array[untouched], x[untouched])
