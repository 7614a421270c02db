"""What a mistake probably is: how tensors relate, and the planted faults that look the same, however it is worded."""

from collections.abc import Callable
from typing import Any

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
from twofold.compare.judge.diagnosis.relations import Scene, multiple, relation
from twofold.compare.judge.finding import Finding, Quantity, Verdict
from twofold.compare.pairs import PAIRS
from twofold.compare.report.results import as_json
from twofold.compare.report.telling.evidence import explanations
from twofold.scratch.module import Array

RNG = np.random.default_rng(0)
SQUARE, KERNEL, STACKED, WEIGHT, COLUMNS = (
    RNG.standard_normal(shape) for shape in ((6, 6), (4, 3, 3, 3), (8, 5), (8, 5), (4, 36))
)


def swapped(stacked: Array) -> Array:
    i, f, g, o = np.split(stacked, 4)
    return np.concatenate([f, i, g, o])


def gate_g_by(factor: float) -> Callable[[Array], Array]:
    return lambda a: a * np.repeat([1, 1, factor, 1], 2)[:, None]


def row_by(row: int, factor: float) -> Callable[[Array], Array]:
    return lambda a: a * np.where(np.arange(len(a)) == row, factor, 1.0).reshape(-1, *(1 for _ in a.shape[1:]))


def without(array: Array, row: int) -> Array:
    left = array.copy()
    left[row] = 0
    return left


def channels(array: Array) -> Array:
    """Columns that are 6 images of 2 x 3, channels last."""
    return array.reshape(4, 2, 3, 6).transpose(0, 3, 1, 2).reshape(4, 36)


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
    "a 7th": (
        SQUARE,
        lambda a: a / 7,
        "residual is -0.857143 x the reference, cosine -1.0000, time steps 7: divided by the time steps or the outputs "
        "once too often",
    ),
    "negative": (SQUARE, lambda a: -a, "residual is -2 x the reference, cosine -1.0000, the sign is reversed"),
    "twice": (SQUARE, lambda a: 2 * a, "residual is 1 x the reference, cosine 1.0000, it is counted twice"),
    "half": (SQUARE, lambda a: a / 2, "residual is -0.5 x the reference, cosine -1.0000, it is halved"),
    "some factor": (SQUARE, lambda a: 1.1 * a, "residual is 0.1 x the reference, cosine 1.0000"),
    "nearly half": (SQUARE, lambda a: 0.4999 * a, "residual is -0.5001 x the reference, cosine -1.0000"),
    "transposed": (SQUARE, lambda a: a.T, "equal after transposition"),
    "turned": (KERNEL, lambda a: a[..., ::-1, ::-1], "equal after turning the kernel by 180 degrees"),
    "upside down": (KERNEL, lambda a: a[..., ::-1, :], "equal after reversing axis 2"),
    "gates": (STACKED, swapped, "equal after exchanging gates i and f"),
    "one late": (SQUARE, lambda a: np.roll(a, 1, axis=0), "equal after rolling axis 0 by one"),
    "pushed": (SQUARE, lambda a: without(np.roll(a, 1, axis=0), 0), "equal after shifting axis 0 by one"),
    "another's": (SQUARE, lambda a: SQUARE**2, "equal to the reference's gradient of other"),
    "decayed": (STACKED, lambda a: a + 0.1 * WEIGHT, "residual is 0.1 x the parameter itself"),
    "without": (STACKED, lambda a: a - WEIGHT, "residual is -1 x the parameter itself: left out"),
    "one gate": (STACKED, gate_g_by(1.1), "differs only in gate g, where it is 1.1 x the reference"),
    "a row": (KERNEL, lambda a: without(a, 2), "differs only at 2 of 4 along axis 0, where it is zero"),
    "a row's half": (KERNEL, row_by(2, 0.5), "differs only at 2 of 4 along axis 0, where it is 0.5 x the reference"),
    "a wrong channel": (
        KERNEL,
        lambda a: a[:, [0, 0, 2]],
        "differs only at 1 of 3 along axis 1, where it is the reference's 0",
    ),
    "channels in another order": (KERNEL, lambda a: a[:, [1, 2, 0]], "equal after rolling axis 1 by one"),
    "records in another order": (
        SQUARE,
        lambda a: a[[0, 3, 2, 4, 1, 5]],
        "equal after permuting axis 0: 0, 3, 2, 4 and more",
    ),
    "channels last": (
        COLUMNS,
        channels,
        "equal after transposing its 36 as 6 x 6: flattened in another order",
    ),
    "a factor a channel": (
        KERNEL,
        lambda a: a * np.array([1.5, 2.0, 3.0])[:, None, None],
        "of every index along axis 1 its own multiple: 1.5, 2, 3",
    ),
    "mean": (SQUARE, lambda a: a - a.mean(axis=0), "residual is constant along axis 0"),
    "another": (SQUARE, np.tanh, ""),
    "NaN": (SQUARE, lambda a: a * np.nan, ""),
    "axes": (SQUARE, lambda a: a[None], "an axis of size 1 too many or too few: (1, 6, 6) against (6, 6)"),
}
SIZES = {"batch size": 32, "time steps": 7, "outputs": 7}


def scene(found: Array, golden: Array, dtype: str = "float64", **more: Any) -> Scene:
    """With the least floor that there is, of 8 units of a row's largest entry."""
    return Scene(found.astype(dtype), golden, floors_of(golden, dtype), SIZES, **more)


def floors_of(golden: Array, dtype: str) -> Array:
    axes = tuple(range(min(1, golden.ndim - 1), golden.ndim)) if golden.ndim else None
    return np.broadcast_to(8 * np.finfo(dtype).eps * np.abs(golden).max(axis=axes, keepdims=True), golden.shape)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TOLD)
def test_a_relation_is_told(name: str, dtype: str) -> None:
    golden, done, told = TOLD[name]
    gates = ("i", "f", "g", "o") if golden is STACKED else ()
    terms = {"the parameter itself": WEIGHT} if golden is STACKED else {}
    others = {"the reference's gradient of other": SQUARE**2}
    assert relation(scene(done(golden), golden, dtype, others=others, terms=terms, gates=gates)) == told


@pytest.mark.parametrize("size", [1e-3, 1e-9, 1e-12])
@pytest.mark.parametrize("name", [name for name, (golden, *_) in TOLD.items() if golden is SQUARE])
def test_a_relation_explains_what_differs(name: str, size: float) -> None:
    """Of a tensor that is right but for a little, nothing is told that would hold of any tensor so near."""
    golden, done, _ = TOLD[name]
    if done(golden).shape == golden.shape:
        noise = np.random.default_rng(1).standard_normal(golden.shape)
        assert relation(scene(golden * (1 + size * noise), golden)) == ""


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize(
    "name", ["32 times", "twice", "transposed", "upside down", "gates", "a row", "a wrong channel"]
)
def test_a_relation_explains_all_that_differs(name: str, size: float) -> None:
    """With something else besides that is above the floor, the relation alone is not the cause."""
    golden, done, told = TOLD[name]
    besides = size * np.random.default_rng(1).standard_normal(golden.shape)
    gates = ("i", "f", "g", "o") if golden is STACKED else ()
    assert relation(scene(done(golden) + besides, golden, gates=gates)) != told


def test_only_is_not_said_of_what_hides_below_the_floor() -> None:
    """A factor on everything: where the floor hides it, the rest is no "only"."""
    golden = 10.0 ** -np.arange(6.0)
    floor = np.full(6, 1e-7)  # of the whole, as a bias has it
    off = golden * np.where(np.arange(6) % 2, 1.001, 1.0007)
    assert "only" not in relation(Scene(off, golden, floor))
    away = golden + np.array([0, 0, 1e-3, 0, 0, 0])
    assert relation(Scene(away, golden, floor)) == "differs only at 2 of 6 along axis 0"


def test_a_residual_of_a_few_floors_has_no_cause() -> None:
    """Ten floors: any relation that leaves eight is as good as any other."""
    golden = np.ones((4, 5)) + SQUARE[:4, :5]
    away = np.random.default_rng(2).uniform(-10, 10, golden.shape) * floors_of(golden, "float64")
    told = relation(scene(golden + away, golden))
    assert "x the reference" not in told and "constant" not in told and "equal" not in told


def test_the_cosine_is_computed() -> None:
    """A factor that leaves much of the residual has none: nothing is told, and no cosine of 1 printed."""
    half = SQUARE * np.where(np.arange(6) < 3, 1.5, 2.0)[:, None]
    assert "cosine" not in relation(scene(half, SQUARE))
    ((told, *_),) = [
        one for one in multiple(scene(half, SQUARE)) if one[0].startswith("residual") and one[0].count(",") == 1
    ]
    residual, golden = (half - SQUARE).ravel(), SQUARE.ravel()
    cosine = residual @ golden / np.linalg.norm(residual) / np.linalg.norm(golden)
    assert f"cosine {cosine:.4f}" in told and 0.5 < cosine < 0.999


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 5), (2, 3, 4, 4)])
def test_no_relation_holds_between_strangers(shape: tuple[int, ...]) -> None:
    found, golden = (np.array(RNG.standard_normal(shape)) for _ in range(2))
    terms = {"the parameter itself": np.array(RNG.standard_normal(shape))}
    assert relation(scene(found, golden, terms=terms)) == ""


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
        checks=[CHECKS_BY_NAME[n] for n in ("gradient", "grad_output")],
        suspects=suspects,
    )
    lines = [line for line in explanations(result) if "probable cause" in line]
    told = "what tanh2 sends back: equal to dy (1 - y) or dy (1 - |y|); as by tanh-not-squared: tanh' as 1 - tanh"
    assert lines == [f"    probable cause: {told}"]
    for check in as_json([result])["results"][0]["checks"]:
        assert check["probable_cause"] == told
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
    assert (kept.case, kept.check, kept.entries, kept.fails) == (
        measured.case,
        measured.check,
        measured.entries,
        measured.fails,
    )
    shown = [
        Quantity(name, error, 0.0, 1.0, Verdict.FAIL, entries=measured.entries.get(name, ""))
        for name, error in measured.errors.items()
    ]
    assert kept.fits(shown)
