"""Values that no random draw gives: planted where ordinary numbers pass, in layers, dtypes and places that vary."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.judge.battery import DTYPES, run
from twofold.compare.judge.checks.places import tensor
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case, Draw
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import scratch as scratch_side
from twofold.scratch import optim
from twofold.scratch.layers import norm

CASES: dict[str, Case] = {case.name: case for case in (*LAYERS, *(pair.case() for pair in PAIRS.values()))}

SQUARES = "(row_mean(rows, rows) - row_mean(rows) ** 2)"

# owner, function, right, wrong, case, the tensors that must fail among others
PLANTED = [
    (
        norm,
        "centre",
        "row_mean(centred, centred)",
        "(row_mean(rows, rows) - row_mean(rows) ** 2)",
        "group-norm",
        "output",
    ),
    (scratch.Sigmoid, "forward", "sigmoid(x)", "np.exp(x) / (1 + np.exp(x))", "fc-net-sigmoid", "sigmoid1 output"),
    (scratch.Tanh, "forward", "np.tanh(x)", "np.nan_to_num(np.tanh(x))", "catcar-mlp", "tanh1 output"),
    (scratch.ReLU, "backward", "~(x <= 0)", "(x > 0)", "mnist-cnn", "relu1 input gradient[0]"),
    (
        scratch.MSELoss,
        "forward",
        "self.cache * self.cache",
        "np.nan_to_num(self.cache) ** 2",
        "mse-sum",
        "mse-sum output",
    ),
    (
        scratch.Linear,
        "forward",
        "out = x @ self.weight.data.T",
        "out = np.clip(x, -50, 50) @ self.weight.data.T",
        "trigram-lm",
        "fc1 output",
    ),
    (
        scratch.CrossEntropyLoss,
        "forward",
        "x - x.max(axis=1, keepdims=True)",
        "x - x[:, :-1].max(axis=1, keepdims=True)",
        "fc-net",
        "loss output",
    ),
    (
        scratch.ReLU,
        "backward",
        "return dout * passes",
        "return np.where(abs(dout) < 1e-20, 0, dout) * passes",
        "mnist-cnn",
        "relu1 input gradient[0]",
    ),
    (
        scratch.LSTM,
        "backward_steps",
        "dh = dh + dout[t]",
        "dh = np.clip(dh + dout[t], -50, 50)",
        "activity-lstm",
        "recurrent input gradient[0]",
    ),
    (
        scratch.MaxPool2d,
        "forward",
        "self.cache = x.shape, beats",
        "out[out == -np.inf] = 0; self.cache = x.shape, beats",
        "pool-overlapping",
        "output",
    ),
    (
        scratch_side,
        "clip_grad_value_",
        "np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)",
        "np.fmin(np.fmax(parameter.grad, -clip_value), clip_value, out=parameter.grad)",
        "activity-rnn-truncated-clipped",
        "optimizer parameter",
    ),
    (optim.Adam, "update", 'int(state["step"])', 'min(int(state["step"]), 200)', "mnist-cnn", "optimizer parameter"),
    (
        optim.SGD,
        "update",
        "p -= self.lr * g",
        "p -= self.lr * np.clip(g, -100, 100)",
        "trigram-lm",
        "optimizer parameter",
    ),
]


def extremes(case: str, dtype: str, seed: int = 0) -> Finding:
    (finding,) = run(CASES[case], dtype, seed=seed, checks=[CHECKS_BY_NAME["extremes"]]).findings
    return finding


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", PLANTED, ids=lambda row: f"{getattr(row[0], '__name__', '')}-{row[4]}")
def test_what_ordinary_numbers_do_not_show_is_found(row: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, right, wrong, case, failing = row
    plant(monkeypatch, owner, name, right, wrong)
    finding = extremes(case, dtype)
    assert finding.verdict is Verdict.FAIL
    assert any(q.name.endswith(failing) for q in finding.quantities if q.verdict is Verdict.FAIL)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = [CHECKS_BY_NAME[check] for check in ("forward", "gradient")]
        assert run(CASES[case], dtype, checks=checks).passed


def test_where_ordinary_values_differ_nothing_new_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convention such as another eps is none of this check's convictions."""
    plant(monkeypatch, norm, "centre", "row_mean(centred, centred) + eps", "row_mean(centred, centred) + 3 * eps")
    finding = extremes("layer-norm", "float64")
    assert finding.verdict is Verdict.NOT_APPLICABLE
    assert {q.reason for q in finding.quantities} == {"ordinary values differ already, as other checks say"}


def test_beside_a_class_that_is_not_torchs_nobody_is_convicted(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.MultiClassHingeLoss, "forward", "np.fmax(", "np.maximum(")
    finding = extremes("hinge", "float64")
    assert finding.blame and finding.blame.side == "inconclusive"


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("case", ["gru-batch-first-state-batch-1", "softmax-bce-sum", "bn-convnet", "activity-lstm"])
def test_other_seeds_raise_no_false_alarm(case: str, seed: int) -> None:
    assert extremes(case, "float64", seed).verdict is Verdict.PASS


NAN, INF = float("nan"), float("inf")
COMPARED = [
    ([1.0, NAN], [1.0, NAN], True),
    ([1.0, 2.0], [1.0, NAN], False),
    ([1.0, NAN], [1.0, 2.0], False),
    ([1.0, INF], [1.0, INF], True),
    ([1.0, -INF], [1.0, INF], False),
    ([1.1, INF], [1.0, INF], False),
    ([NAN, NAN], [NAN, NAN], True),
    ([INF, 0.0], [NAN, 0.0], False),
]


@pytest.mark.parametrize(("ours", "theirs", "equal"), COMPARED)
def test_entries_that_are_not_finite_by_place_and_sign(ours: list, theirs: list, equal: bool) -> None:
    found = [np.array(ours), np.array(theirs), np.array(theirs)]
    assert (tensor("x", found, [], "float64").verdict is Verdict.PASS) is equal


def test_the_sign_of_zero_counts_where_torch_keeps_it() -> None:
    keeps = [np.array([0.0, 0.0]), np.array([-0.0, -0.0]), np.array([-0.0, -0.0])]
    mixed = [np.array([0.0, 0.0]), np.array([-0.0, 0.0]), np.array([-0.0, 0.0])]
    assert tensor("x", keeps, [], "float64", signed=True).verdict is Verdict.FAIL
    assert tensor("x", mixed, [], "float64", signed=True).verdict is not Verdict.FAIL


def test_a_draw_meets_every_index() -> None:
    rng = np.random.default_rng(0)
    drawn = Draw((3, 4), high=7, every=True)(rng, "float64")
    assert drawn.shape == (3, 4)
    assert set(drawn.ravel()) == set(range(7))
    with pytest.raises(ValueError, match="cannot hold every integer below 7"):
        Draw((6,), high=7, every=True)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_has_a_second_size_that_meets_every_class(pair: str) -> None:
    (other,) = PAIRS[pair].case().sizes
    assert other.target is not None
    assert other.target.high is None or other.target.every
    assert other.inputs[0].high is None or other.inputs[0].every  # type: ignore[union-attr]


def test_no_row_of_an_image_is_left_out_at_the_second_size_of_the_mnist_nets() -> None:
    for name, pair in PAIRS.items():
        if name.startswith("mnist"):
            (other,) = pair.case().sizes
            model = other.model.build("scratch")
            sizes = model.conv2.output_size(model.conv1.output_size(other.model.arguments["image"]))
            assert all(size % model.pool.kernel_size[0] == 0 for size in sizes), name


def test_a_fault_that_only_coinciding_sizes_show_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(
        monkeypatch,
        scratch.Linear,
        "backward",
        "return dout @ self.weight.data",
        "return dout @ (self.weight.data.T if self.in_features == self.out_features else self.weight.data)",
    )
    result = run(CASES["trigram-lm"], "float32", checks=[CHECKS_BY_NAME[name] for name in ("gradient", "sizes")])
    gradient, sizes = result.findings
    assert gradient.verdict is Verdict.PASS
    assert sizes.verdict is Verdict.FAIL
    assert sizes.first_divergence and sizes.first_divergence.module == "fc2"
    assert sizes.blame and sizes.blame.side == "scratch"


def test_an_image_row_that_no_size_reaches_is_vacuous() -> None:
    """At mnist-cnn's check size the pool leaves a row of conv2 out; alone that proves nothing of it."""
    case = CASES["mnist-cnn"]
    checks = [CHECKS_BY_NAME["sizes"]]
    (reached,) = run(case, "float64", checks=checks).findings
    counted = {q.name: (q.rows, q.rows_proven) for q in reached.quantities if "along axis" in q.name}
    assert reached.verdict is Verdict.PASS
    assert counted["conv2 sent back along axis 2"] == (5, 4)
    (alone,) = run(replace(case, sizes=(replace(case, sizes=()),)), "float64", checks=checks).findings
    assert alone.verdict is Verdict.VACUOUS
    assert {q.name for q in alone.quantities if q.verdict is Verdict.VACUOUS} >= {"conv2 sent back along axis 2"}
