"""The floor by its formula, and every verdict that it leads to."""

import math

import numpy as np
import pytest

from tests.judge.verdicts import quantity
from twofold.compare.judge.evidence.floor import farther, floors, judge, largest, rows_of, strays, sure
from twofold.compare.judge.finding import Quantity, Verdict, exactly, gravest, worst_by_name

EPS = np.finfo(np.float64).eps
STAR = np.array([[1.0, -4.0], [0.0, 2.0]])


def test_floor_by_hand() -> None:
    """Row 0: the re-runs stray by 3 and 1, the largest entry is 4; row 1: by 0 and 5, and 2."""
    first, second = (strays(STAR + by, STAR) for by in ([[0, 3], [0, 0]], [[-1, 0], [5, 0]]))
    strayed = farther({"x": first}, {"x": second, "y": second})
    np.testing.assert_array_equal(floors(largest(STAR), strayed["x"], "float64"), [3 + 32 * EPS, 5 + 16 * EPS])
    np.testing.assert_array_equal(strayed["y"], [1, 5])
    np.testing.assert_array_equal(floors(largest(STAR), None, "float64"), [32 * EPS, 16 * EPS])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("rows", [1, 5, 70_000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_rows_are_compared_in_blocks_as_they_are_whole(axis: int, rows: int, dtype: str) -> None:
    rng = np.random.default_rng(rows)
    array, golden = ((100 * rng.standard_normal((rows, 2, 3))).astype(dtype) for _ in range(2))
    whole = np.abs(rows_of(array, axis).astype(float) - rows_of(golden, axis)).max(axis=1)
    np.testing.assert_array_equal(strays(array, golden, axis), whole)


def test_a_re_run_of_another_shape_is_no_measure() -> None:
    with pytest.raises(ValueError, match="shape"):
        strays(STAR[:1], STAR)


@pytest.mark.parametrize(
    ("shape", "axis", "rows"),
    [((), 0, (1, 1)), ((7,), 0, (1, 7)), ((3, 4), 0, (3, 4)), ((3, 4, 5, 6), 0, (3, 120)), ((3, 4, 5), 1, (4, 15))],
)
def test_rows(shape: tuple[int, ...], axis: int, rows: tuple[int, int]) -> None:
    assert rows_of(np.zeros(shape), axis).shape == rows


def test_a_row_of_a_sequence_is_a_time_step() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(rows_of(x, 1)[1], x[:, 1].ravel())


def judged(actual: np.ndarray | None, golden: np.ndarray | None = STAR, moved: float = 1e-15) -> Quantity:
    strayed = None if golden is None else strays(golden + moved, golden)
    return judge("x", actual, golden, strayed, "float64")


JUDGEMENTS = [
    ("equal", STAR, Verdict.PASS, ""),
    ("within 8 floors", STAR + 7.9e-15, Verdict.PASS, ""),
    ("one part in ten thousand", STAR * 1.0001, Verdict.FAIL, "row"),
    ("NaN", np.where(STAR == 0, np.nan, STAR), Verdict.FAIL, "NaN or inf in scratch"),
    ("inf", np.where(STAR == 0, np.inf, STAR), Verdict.FAIL, "NaN or inf in scratch"),
    ("missing", None, Verdict.FAIL, "scratch does not have it"),
    ("another shape", STAR[None], Verdict.FAIL, "scratch has shape (1, 2, 2)"),
    ("transposed square", STAR.T, Verdict.FAIL, "row"),
    ("another dtype", STAR.astype(np.float32), Verdict.FAIL, "scratch gives float32 where float64 was given"),
    ("all zero", STAR * 0, Verdict.FAIL, "row"),
]


@pytest.mark.parametrize(("what", "actual", "verdict", "reason"), JUDGEMENTS, ids=[row[0] for row in JUDGEMENTS])
def test_judgement(what: str, actual: np.ndarray | None, verdict: Verdict, reason: str) -> None:
    quantity = judged(actual)
    assert quantity.verdict is verdict
    assert quantity.reason.startswith(reason)


def test_nan_on_the_reference_fails_even_where_scratch_has_it_too() -> None:
    bad = np.where(STAR == 0, np.nan, STAR)
    assert judged(STAR, bad).verdict is Verdict.FAIL
    assert judged(bad, bad).verdict is Verdict.FAIL


def test_a_tensor_that_only_scratch_has_fails() -> None:
    assert judged(STAR, None).reason == "reference does not have it"


def test_nothing_above_the_floor_is_vacuous_and_zero_rows_are_counted() -> None:
    assert judged(np.zeros((2, 2)), np.zeros((2, 2))).verdict is Verdict.VACUOUS
    assert judged(STAR, STAR, moved=1.0).verdict is Verdict.VACUOUS
    half = STAR * [[1], [0]]
    quantity = judge("x", half, half, None, "float64")
    assert (quantity.verdict, quantity.rows_proven, quantity.rows) == (Verdict.PASS, 1, 2)


def test_a_zero_row_of_the_reference_must_be_zero_in_scratch() -> None:
    half = STAR * [[1], [0]]
    assert judge("x", half + [[0], [1e-300]], half, None, "float64").verdict is Verdict.FAIL


def test_a_small_row_is_not_hidden_by_a_large_one() -> None:
    golden = np.array([[1.0, 1.0], [1e-12, 1e-12]])
    actual = golden * [[1], [1.0001]]
    assert judge("x", actual, golden, None, "float64").reason == "row 1 of 2"


def test_nothing_at_all_proves_nothing() -> None:
    assert gravest([]) is Verdict.VACUOUS


def test_of_many_rounds_the_worst_counts_and_one_proof_is_enough() -> None:
    rounds = [
        ("step 1", [quantity("a", Verdict.VACUOUS), quantity("b", Verdict.PASS, 2), quantity("c", Verdict.VACUOUS)]),
        ("step 2", [quantity("a", Verdict.PASS), quantity("b", Verdict.FAIL, 9), quantity("c", Verdict.VACUOUS)]),
    ]
    verdicts = {q.name: q for q in worst_by_name(rounds)}
    assert [q.verdict for q in verdicts.values()] == [Verdict.PASS, Verdict.FAIL, Verdict.VACUOUS]
    assert verdicts["b"].reason.startswith("step 2")


@pytest.mark.parametrize(
    "errors, told",
    [((3.0, 3.0000001), 1), ((3.0, 4.0), 2), ((3.0, 2.0), 1), ((3.0, math.nan), 2), ((math.nan, 3.0), 1)],
)
def test_of_rounds_that_fail_alike_the_first_is_told(errors: tuple[float, float], told: int) -> None:
    failing = [Quantity("a", error, 1.0, error, Verdict.FAIL, "") for error in errors]
    (found,) = worst_by_name((f"step {i}", [q]) for i, q in enumerate(failing, start=1))
    assert found.reason.startswith(f"step {told}")


def test_one_error_above_the_least_floor_asks_for_re_runs() -> None:
    least = judge("x", STAR + 40 * EPS, STAR, None, "float64")  # row 0: 40 eps of 32, row 1: of 16
    assert least.verdict is Verdict.PASS and least.ratio > 1
    assert not sure([least])
    assert sure([judge("x", STAR + 16 * EPS, STAR, None, "float64")])


def test_exactly() -> None:
    assert exactly("x", True, "unused").reason == ""
    assert exactly("x", False, "why") == Quantity("x", math.inf, 0.0, math.inf, Verdict.FAIL, reason="why")
