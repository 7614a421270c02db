"""What a mistake probably is: how tensors relate, and the planted faults that look the same, however it is worded."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.faults import FAULTS
from twofold.compare.faults.fault import Fault
from twofold.compare.faults.signatures import signature_of, signatures
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.judge.battery import Result
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.diagnosis.relations import RELATIONS, Scene, relation
from twofold.compare.judge.finding import Finding, Quantity, Verdict
from twofold.compare.pairs import PAIRS
from twofold.compare.report.console import explanations
from twofold.compare.report.results import as_json
from twofold.scratch.module import Array

RNG = np.random.default_rng(0)
SQUARE, KERNEL, STACKED, WEIGHT = (RNG.standard_normal(shape) for shape in ((6, 6), (4, 3, 3, 3), (8, 5), (8, 5)))


def swapped(stacked: Array) -> Array:
    i, f, g, o = np.split(stacked, 4)
    return np.concatenate([f, i, g, o])


def without(array: Array, row: int) -> Array:
    left = array.copy()
    left[row] = 0
    return left


# What is done to a gradient, and what must be told of it.
TOLD: dict[str, tuple[Array, Callable[[Array], Array], str]] = {
    "forgotten": (SQUARE, np.zeros_like, "all zero: it is forgotten"),
    "32 times": (
        SQUARE,
        lambda a: 32 * a,
        "residual is 31 x the reference, cosine 1.0000, batch 32: not divided by the batch size",
    ),
    "a 32nd": (
        SQUARE,
        lambda a: a / 32,
        "residual is -0.96875 x the reference, cosine -1.0000, batch 32: divided by the batch size once too often",
    ),
    "negative": (SQUARE, lambda a: -a, "residual is -2 x the reference, cosine -1.0000, the sign is reversed"),
    "twice": (SQUARE, lambda a: 2 * a, "residual is 1 x the reference, cosine 1.0000, it is counted twice"),
    "half": (SQUARE, lambda a: a / 2, "residual is -0.5 x the reference, cosine -1.0000, it is halved"),
    "some factor": (SQUARE, lambda a: 1.1 * a, "residual is 0.1 x the reference, cosine 1.0000"),
    "transposed": (SQUARE, lambda a: a.T, "equal after transposition"),
    "turned": (KERNEL, lambda a: a[..., ::-1, ::-1], "equal after turning the kernel by 180 degrees"),
    "upside down": (KERNEL, lambda a: a[..., ::-1, :], "equal after reversing axis 2"),
    "gates": (STACKED, swapped, "equal after exchanging gates i and f"),
    "one late": (SQUARE, lambda a: np.roll(a, 1, axis=0), "equal after shifting axis 0 by one"),
    "another's": (SQUARE, lambda a: SQUARE**2, "equal to the reference's gradient of other"),
    "decayed": (STACKED, lambda a: a + 0.1 * WEIGHT, "residual is 0.1 x the parameter itself: a decay or penalty"),
    "one gate": (STACKED, lambda a: a * np.repeat([1, 1, 1.1, 1], 2)[:, None], "differs only in gate g"),
    "a row": (KERNEL, lambda a: without(a, 2), "differs only at 2 of 4 along axis 0, where it is zero"),
    "mean": (
        SQUARE,
        lambda a: a - a.mean(axis=0),
        "residual is constant along axis 0: a mean or sum over it is missing or too many",
    ),
    "another": (SQUARE, np.tanh, ""),
    "NaN": (SQUARE, lambda a: a * np.nan, ""),
    "axes": (SQUARE, lambda a: a[None], "an axis of size 1 too many or too few: (1, 6, 6) against (6, 6)"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TOLD)
def test_a_relation_is_told(name: str, dtype: str) -> None:
    golden, done, told = TOLD[name]
    gates = ("i", "f", "g", "o") if golden is STACKED else ()
    parameter = WEIGHT if golden is STACKED else None
    scene = Scene(done(golden).astype(dtype), golden, parameter, {"batch size": 32}, {"other": SQUARE**2}, gates)
    assert relation(scene) == told


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 5), (2, 3, 4, 4)])
def test_no_relation_holds_between_strangers(shape: tuple[int, ...]) -> None:
    found, golden = (np.array(RNG.standard_normal(shape)) for _ in range(2))
    scene = Scene(found, golden, np.array(RNG.standard_normal(shape)), {"batch size": 3}, {})
    assert [told for holds in RELATIONS if (told := holds(scene))] == []


def found(pair: str, check: str, dtype: str = "float64", seed: int = 0) -> Result:
    result = battery.run(PAIRS[pair].case(), dtype, seed=seed, checks=[CHECKS_BY_NAME[check]], suspects=suspects)
    assert result.findings[0].verdict is Verdict.FAIL
    return result


def finding(result: Result) -> Finding:
    return result.findings[0]


def test_a_cause_is_named_in_other_words_another_pair_and_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue puts `pass` where the bias gradient is added, looks at mnist-cnn, in float64, and at seed 0."""
    backward = scratch.Linear.backward

    def without_bias(self: scratch.Linear, dout: Array) -> Array:
        before = self.bias.grad.copy() if self.bias is not None else None
        dx = backward(self, dout)
        if self.bias is not None:
            self.bias.grad[...] = before
        return dx

    monkeypatch.setattr(scratch.Linear, "backward", without_bias)
    for dtype in ("float64", "float32"):
        told = finding(found("catcar-mlp", "gradient", dtype, seed=3))
        assert told.causes == ("linear-bias-forgotten",)
        title = next(fault.title for fault in FAULTS if fault.id == "linear-bias-forgotten")
        assert told.probable_cause == f"fc2.bias: all zero: it is forgotten; as by linear-bias-forgotten: {title}"


def test_what_is_on_no_list_is_told_by_its_relation(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = scratch.Linear.backward

    def decayed(self: scratch.Linear, dout: Array) -> Array:
        self.weight.grad += 0.25 * self.weight.data
        return backward(self, dout)

    monkeypatch.setattr(scratch.Linear, "backward", decayed)
    told = finding(found("catcar-mlp", "gradient"))
    assert told.causes == ()
    assert told.probable_cause == "fc2.weight: residual is 0.25 x the parameter itself: a decay or penalty"


def test_the_terminal_and_the_json_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "(1 - out * out)", "(1 - out)")
    result = battery.run(
        PAIRS["catcar-mlp"].case(),
        "float64",
        checks=[CHECKS_BY_NAME[n] for n in ("gradient", "backward")],
        suspects=suspects,
    )
    lines = [line for line in explanations(result) if "probable cause" in line]
    assert lines == ["    probable cause: as by tanh-not-squared: tanh' as 1 - tanh"]
    for check in as_json([result])["results"][0]["checks"]:
        assert check["probable_cause"] == "as by tanh-not-squared: tanh' as 1 - tanh"
        assert check["causes"] == ("tanh-not-squared",)


def test_nothing_is_suspected_of_a_wrong_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import Tensor, nn

    def stray(self: nn.Linear, x: Tensor) -> Tensor:
        return nn.functional.linear(x.detach(), self.weight, self.bias)

    monkeypatch.setattr(nn.Linear, "forward", stray)
    told = finding(found("catcar-mlp", "gradient"))
    assert told.blame and told.blame.side == "reference"
    assert told.causes == ()


@pytest.mark.parametrize("fault", FAULTS[::12], ids=lambda fault: fault.id)
def test_the_kept_signatures_are_those_of_today(fault: Fault) -> None:
    """A sample; that each fault is named at home holds them all."""
    kept, measured = signatures()[fault.id], signature_of(fault)
    assert (kept.case, kept.check, kept.errors.keys()) == (measured.case, measured.check, measured.errors.keys())
    assert kept.fits([Quantity(name, error, 0.0, 1.0, Verdict.FAIL) for name, error in measured.errors.items()])
