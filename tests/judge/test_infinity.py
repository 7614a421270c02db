"""Infinities: equal where both sides have the same, as masks of attention do; NaN never is, wherever it lies."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.judge.battery import DTYPES, run
from twofold.compare.judge.checks.curves import inside
from twofold.compare.judge.checks.exact import bitwise
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.evidence.floor import floors, judge, largest, strays
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Verdict
from twofold.compare.pair import Case, Draw, Twin
from twofold.scratch.module import Array, Module

HERE = "tests.judge.test_infinity"
MASK = np.random.default_rng(0).random((6, 7)) < 0.4
MASK[:, 2] = False  # of every sample one score counts


class Masked(Module):
    """Scores (N, 7) with `hidden` where the mask lies."""

    def __init__(self, hidden: float) -> None:
        self.hidden = hidden

    def forward(self, x: Array) -> Array:
        return np.where(MASK[: len(x)], x.dtype.type(self.hidden), x)

    def backward(self, dout: Array) -> Array:
        return np.where(MASK[: len(dout)], dout.dtype.type(0), dout)


class Softmax(Module):
    def forward(self, x: Array) -> Array:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.cache = e / e.sum(axis=1, keepdims=True)
        return self.cache

    def backward(self, dout: Array) -> Array:
        out = self.cache
        return out * (dout - (dout * out).sum(axis=1, keepdims=True))


class Attention(Module):
    def __init__(self, hidden: float = -np.inf, rng: Any = None) -> None:
        self.scores, self.masked, self.softmax = scratch.Linear(5, 7), Masked(hidden), Softmax()

    def forward(self, x: Array) -> Array:
        return self.softmax(self.masked(self.scores(x)))

    def backward(self, dout: Array) -> Array:
        return self.scores.backward(self.masked.backward(self.softmax.backward(dout)))


class TorchMasked(nn.Module):
    def __init__(self, hidden: float) -> None:
        super().__init__()
        self.hidden = hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.masked_fill(torch.from_numpy(MASK[: len(x)]), self.hidden)


class TorchAttention(nn.Module):
    def __init__(self, hidden: float = -np.inf) -> None:
        super().__init__()
        self.scores, self.masked, self.softmax = nn.Linear(5, 7), TorchMasked(hidden), nn.Softmax(dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.softmax(self.masked(self.scores(x)))


ATTENTION = Case("attention", Twin(f"{HERE}:Attention", f"{HERE}:TorchAttention"), (Draw((6, 5)),))


def nan() -> Module:
    return Attention(np.nan)


def torch_nan() -> nn.Module:
    return TorchAttention(np.nan)


def large() -> Module:
    return Attention(-1e30)


def torch_large() -> nn.Module:
    return TorchAttention(-1e30)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_of_infinities_on_both_sides_is_equal(dtype: str) -> None:
    result = run(ATTENTION, dtype)
    assert result.passed, [finding for finding in result.findings if finding.verdict is Verdict.FAIL]
    (masked,) = (q for f in result.findings if f.check == "forward" for q in f.quantities if q.name == "masked")
    assert 0 < masked.floor < 1e-4
    assert masked.rows_proven == 6


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_nudge_makes_a_nan(dtype: str) -> None:
    trial = Trial(ATTENTION, dtype)
    for seed in range(3):
        moved = trial.observe(trial.reference(), seed)
        assert not any(np.isnan(array).any() for stage in moved.values() for array in stage.values())
        np.testing.assert_array_equal(np.isneginf(moved["forward"]["masked"]), MASK)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("here", "there", "blamed"),
    [
        ("nan", "torch_nan", "inconclusive"),
        ("nan", "TorchAttention", "scratch"),
        ("Attention", "torch_nan", "reference"),
        ("Attention", "torch_large", "scratch"),
        ("large", "TorchAttention", "reference"),
    ],
)
def test_what_is_not_the_same_on_both_sides_fails(here: str, there: str, blamed: str, dtype: str) -> None:
    case = replace(ATTENTION, model=Twin(f"{HERE}:{here}", f"{HERE}:{there}"))
    finding = only(case, dtype, "forward")
    assert (finding.first_divergence.module, finding.blame.side) == ("masked", blamed), finding.blame


class Exp(Module):
    """Past the range of float32 for inputs above 88.7."""

    def forward(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            self.cache = np.exp(x)
        return self.cache

    def backward(self, dout: Array) -> Array:
        with np.errstate(over="ignore"):
            return dout * self.cache


class TorchExp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp()


def test_what_passes_the_range_on_both_sides_is_equal_and_its_gradient_too() -> None:
    case = Case("exp", Twin(f"{HERE}:Exp", f"{HERE}:TorchExp"), (Draw((5, 7), scale=60.0),))
    trial = Trial(case, "float32")
    for stage, gradient in (("forward", "<output>"), ("gradient", "<input>")):
        assert np.isinf(trial.actual[stage][gradient]).any()
        assert np.isfinite(trial.actual[stage][gradient]).any()
        assert [q.verdict for q in trial.judged(stage)] == [Verdict.PASS]


STAR = np.array([[1.0, -4.0, np.inf], [np.inf, 2.0, -np.inf]])
JUDGEMENTS = [
    ("equal", STAR, STAR, Verdict.PASS, ""),
    ("wrong beside them", STAR * 1.0001, STAR, Verdict.FAIL, ""),
    ("finite here", np.where(np.isposinf(STAR), 3, STAR), STAR, Verdict.FAIL, "reference"),
    ("finite there", STAR, np.where(np.isposinf(STAR), 3, STAR), Verdict.FAIL, "scratch"),
    ("of the other sign", np.where(np.isinf(STAR), -STAR, STAR), STAR, Verdict.FAIL, ""),
    ("elsewhere", STAR[:, ::-1], STAR, Verdict.FAIL, ""),
    ("NaN here", np.where(np.isinf(STAR), np.nan, STAR), STAR, Verdict.FAIL, ""),
    ("one NaN here", np.where(STAR == 1, np.nan, STAR), STAR, Verdict.FAIL, "scratch"),
    ("one NaN there", STAR, np.where(STAR == 1, np.nan, STAR), Verdict.FAIL, "reference"),
    ("NaN on both", *2 * [np.where(STAR == 1, np.nan, STAR)], Verdict.FAIL, ""),
    ("nothing but infinity", *2 * [np.full((2, 3), np.inf)], Verdict.VACUOUS, ""),
]


@pytest.mark.parametrize(
    ("what", "actual", "golden", "verdict", "side"), JUDGEMENTS, ids=[row[0] for row in JUDGEMENTS]
)
def test_judgement(what: str, actual: Array, golden: Array, verdict: Verdict, side: str) -> None:
    """Of integers too, where the finite ones agree bit for bit; a NaN is named before a number that is off."""
    quantity = judge("x", actual, golden, np.zeros(2), "float64")
    assert (quantity.verdict, quantity.side) == (verdict, side)
    (exactly,) = bitwise({"x": actual}, {"x": golden})
    assert (exactly.verdict is Verdict.FAIL, exactly.side) == (verdict is Verdict.FAIL, side)


def test_a_re_run_that_is_not_finite_where_golden_is_convicts_the_reference() -> None:
    for stray in (np.nan, np.inf):
        strayed = strays(np.where(STAR == 1, stray, STAR), STAR)
        quantity = judge("x", STAR, STAR, strayed, "float64")
        assert (quantity.verdict, quantity.side) == (Verdict.FAIL, "reference")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_infinities_on_both_sides_are_as_if_they_were_not_there(data: Any) -> None:
    """Errors and floors of the finite entries are those of a tensor with zeros in the others' place."""
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    numbers = arrays.arrays(np.float64, shape, elements=st.floats(-1e6, 1e6))
    golden, error, moved = (data.draw(numbers) for _ in range(3))
    infinite = data.draw(arrays.arrays(np.float64, shape, elements=st.sampled_from([0, np.inf, -np.inf])))

    def with_them(array: Array, instead: Array) -> Array:
        return np.where(infinite == 0, array, instead)

    found = []
    for instead in (infinite, np.zeros(shape)):
        star = with_them(golden, instead)
        strayed = strays(with_them(golden + 1e-12 * moved, instead), star)
        judged = judge("x", with_them(golden + 1e-15 * error, instead), star, strayed, "float64")
        found.append((judged, floors(largest(star), strayed, "float64").tolist()))
    assert found[0] == found[1]


LOSSES = np.array([4.0, 3.0, np.inf, 2.0])


@pytest.mark.parametrize(
    ("actual", "golden", "verdict", "side"),
    [
        (LOSSES, LOSSES, Verdict.PASS, ""),
        (LOSSES * 1.1, LOSSES, Verdict.FAIL, ""),
        (np.where(np.isinf(LOSSES), 2.5, LOSSES), LOSSES, Verdict.FAIL, "reference"),
        (LOSSES, np.where(np.isinf(LOSSES), 2.5, LOSSES), Verdict.FAIL, "scratch"),
        (-LOSSES, LOSSES, Verdict.FAIL, ""),
        (np.where(np.isinf(LOSSES), np.nan, LOSSES), np.where(np.isinf(LOSSES), np.nan, LOSSES), Verdict.FAIL, ""),
        (np.full(4, np.inf), np.full(4, np.inf), Verdict.VACUOUS, ""),
    ],
)
def test_a_curve_through_infinity(actual: Array, golden: Array, verdict: Verdict, side: str) -> None:
    quantity = inside(actual, golden, [golden * (1 + 1e-15)])
    assert (quantity.verdict, quantity.side) == (verdict, side)


def test_a_fault_beside_the_mask_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Softmax.backward
    monkeypatch.setattr(Softmax, "backward", lambda self, dout: 1.001 * plain(self, dout))
    (finding,) = run(ATTENTION, "float64", checks=[CHECKS_BY_NAME["grad_output"]]).findings
    assert (finding.verdict, finding.first_divergence.module) == (Verdict.FAIL, "softmax")  # type: ignore[union-attr]
