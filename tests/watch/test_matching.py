"""What is searched by value: found with its axes moved, by a factor, as a slice; and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.compare.watch.matching import Match, Pool, alike
from twofold.scratch.module import Array

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple).filter(lambda shape: np.prod(shape) > 1)
SEEDS = st.integers(0, 2**32 - 1)
FACTORS = st.sampled_from([1.0, -1.0, 3.0, 1 / 7, -0.013, 2e-120, 1e150])


def drawn(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def pool_with(array: Array, seed: int) -> Pool:
    """It among others of the same and other shapes."""
    others = [drawn(shape, seed + n + 1) for n, shape in enumerate((array.shape, array.shape[::-1], (7,), (2, 3)))]
    return Pool([*enumerate(others), ("it", array)])


def fits(found: Match | None, value: Array, array: Array) -> bool:
    """Whether a match says what makes the value of the array."""
    if found is None or found.label != "it" or not found.exact:
        return False
    index = [slice(None)] * array.ndim
    for axis, n in found.at:
        index[axis] = n  # type: ignore[call-overload]
    part = found.factor * array[tuple(index)]
    return np.allclose(np.sort(part.ravel()), np.sort(value.ravel()), rtol=1e-8, atol=0)


@SETTINGS
@given(SHAPES, SEEDS, FACTORS, st.randoms(use_true_random=False), st.booleans())
def test_any_order_of_axes_and_any_factor(shape, seed, factor, random, flat) -> None:  # type: ignore[no-untyped-def]
    array = drawn(shape, seed)
    order = list(range(array.ndim))
    random.shuffle(order)
    value = factor * array.transpose(order)
    value = value.ravel() if flat else value[None]
    found = pool_with(array, seed).find(value)
    assert fits(found, value, array)
    assert found is not None
    assert found.factor == pytest.approx(factor, rel=1e-8)


@SETTINGS
@given(SHAPES.filter(lambda shape: len(shape) > 1), SEEDS, st.data())
def test_any_slice(shape, seed, data) -> None:  # type: ignore[no-untyped-def]
    array = drawn(shape, seed)
    count = data.draw(st.integers(1, min(2, array.ndim - 1)))
    axes = data.draw(st.permutations(range(array.ndim)))[:count]
    at = {axis: data.draw(st.integers(0, shape[axis] - 1)) for axis in axes}
    value = array[tuple(at.get(axis, slice(None)) for axis in range(array.ndim))]
    if value.size > 1:  # a number alone is no slice that says anything
        factor = data.draw(st.sampled_from([1.0, 5.0, 0.25]))
        assert fits(pool_with(array, seed).find(factor * value), factor * value, array)


@SETTINGS
@given(SHAPES, SEEDS, st.data())
def test_a_changed_entry_is_another(shape, seed, data) -> None:  # type: ignore[no-untyped-def]
    array = drawn(shape, seed)
    value = array.copy()
    index = data.draw(st.integers(0, array.size - 1))
    value.flat[index] += data.draw(st.sampled_from([1e-6, -1e-3, 0.1])) * np.abs(array).max()
    found = pool_with(array, seed).find(value)
    assert found is None or not found.exact or found.label != "it" or value.size < 3


@SETTINGS
@given(SHAPES.filter(lambda shape: np.prod(shape) > 3), SEEDS)
def test_exchanged_entries_are_the_same_as_a_multiset_alone(shape, seed) -> None:  # type: ignore[no-untyped-def]
    array = drawn(shape, seed)
    value = array.copy()
    value.flat[[0, 1, 2]] = value.flat[[1, 2, 0]]
    found = pool_with(array, seed).find(value)
    assert found is not None
    assert found.label == "it"
    # what is moved so may be an axis moved in 2 x 2
    assert not found.exact or sorted(n for n in shape if n > 1) == [2, 2]


ONES = np.ones((2, 3))
SIGNS = np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
BALANCED = np.array([1.0, -1.0, 2.0, -2.0, 3.0, -3.0])
CASES: dict[str, tuple[Array, Array, tuple[float, bool] | None]] = {  # the pool's, the value, factor and exact
    "zeros": (np.zeros(3), np.zeros(3), None),
    "zeros beside": (np.zeros(3), np.array([0.0, 0.0, 1.0]), None),
    "one number throughout": (ONES * 2, ONES.T * 2, (1, True)),
    "one number throughout, twice": (ONES, ONES * 2, None),
    "one number": (np.array(0.25), np.array([0.25]), (1, True)),
    "one number, twice": (np.array(0.25), np.array(0.5), None),
    "one number, nothing": (np.array(0.0), np.array(0.0), None),
    "signs": (SIGNS, SIGNS.T, (1, True)),
    "signs turned": (SIGNS, -SIGNS, None),
    "signs elsewhere": (SIGNS, SIGNS[::-1], None),
    "balanced": (BALANCED, BALANCED, (1, True)),
    "balanced, turned": (BALANCED, -BALANCED, (-1, True)),
    "balanced, turned twice": (BALANCED, -2 * BALANCED, (-2, True)),
    "balanced, in another order": (BALANCED, BALANCED[[2, 0, 1, 5, 4, 3]], (1, False)),
    "nothing": (np.zeros((0, 3)), np.zeros((0, 3)), None),
    "not a number": (np.array([1.0, np.nan]), np.array([1.0, np.nan]), None),
    "infinite": (np.array([1.0, np.inf]), np.array([1.0, np.inf]), None),
    "whole numbers": (np.array([1.0, 2.0]), np.array([1, 2]), None),
    "of no size": (np.array([1e-200, 3e-200]), np.array([1e-200, 3e-200]), (1, True)),
    "of another size": (np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0]), None),
}


@pytest.mark.parametrize("what", CASES)
def test_what_says_little(what: str) -> None:
    array, value, expected = CASES[what]
    found = Pool([("it", array)]).find(value)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert (found.factor, found.exact) == (pytest.approx(expected[0]), expected[1])


def test_the_whole_before_a_slice_and_one_before_other_factors() -> None:
    array = drawn((2, 3), 1)
    pool = Pool([("twice", 2 * array), ("rows", np.stack([array, 3 * array])), ("it", array)])
    found = pool.find(array.T)
    assert found == Match("it", (), found.factor if found else 0, True)
    assert found.factor == pytest.approx(1)


def test_rows_of_rank_one_are_no_slices_of_one_another() -> None:
    outer = np.outer([1.0, 0.37, -2.2], [0.3, 1.7, 0.9])
    pool = Pool([("it", outer)])
    assert pool.find(0.811 * outer[0]) is None
    assert pool.find(outer[1]) is not None


def test_float32_by_its_own_rounding() -> None:
    array = drawn((5, 4), 3)
    value = array.astype(np.float32)
    assert Pool([("it", array)]).find(value) is None
    assert fits(Pool([("it", array)]).find(value, "float32"), array, array)


def test_alike() -> None:
    values = {(1.0, -1.0): True, (0.0, 0.0): True, (0.0, 1.0): False, (1.0, 1.1): False}
    assert {one: alike(np.array(one)) for one in values} == values
