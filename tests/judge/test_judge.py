"""The judge by itself: curves, branches, what raises, and that watching changes nothing."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.judge.planting import plant
from twofold.compare import nest
from twofold.compare.faults.fault import reworded
from twofold.compare.judge.battery import examined, run
from twofold.compare.judge.checks import curves
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, Check
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Quantity, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case, Twin
from twofold.compare.pairs import MAIN, PAIRS
from twofold.compare.report.results import as_json
from twofold.compare.sides import Scratch
from twofold.scratch import Adam, BatchNorm1d, Dropout, Linear, ReLU, Sequential
from twofold.scratch.models.activity import Activity
from twofold.scratch.models.sine_rnn import SineRNN

EPS = np.finfo(np.float64).eps


def alone(model: Any) -> Any:
    """A model as the side that is pinned."""
    return SimpleNamespace(model=model, names={})


def test_redrawn_state_has_no_zero_and_no_equal_tensors() -> None:
    state = redrawn(PAIRS["mnist-cnn"].case().model.build("scratch").state_dict(), np.random.default_rng(0))
    assert all(array.all() for array in state.values())
    assert all(array.dtype == np.float32 for array in state.values())


def test_what_a_side_raises_is_a_failure_in_one_line() -> None:
    def breaks(trial: Trial) -> list[Quantity]:
        raise ValueError("two\nlines")

    finding = Check("x", "", breaks)(Trial(LAYERS[0], "float64"))
    assert finding.verdict is Verdict.FAIL
    assert finding.reason.startswith("ValueError: two lines at test_judge.py:")


def test_envelope_by_hand() -> None:
    """Distances 0, 2, 1 of the furthest twin: the running maximum stays at 2."""
    golden = np.array([1.0, 1.0, 1.0])
    twins = [golden + [0, 2, 1], golden + [0, -1, 0]]
    np.testing.assert_array_equal(curves.envelope(golden, twins), np.array([0, 2, 2]) + 8 * np.spacing(1.0))


CURVES = [
    ("inside", 0.5e-12, [1e-13, 1e-13], Verdict.PASS, ""),
    ("outside", 1e-11, [1e-13, 1e-12], Verdict.FAIL, "leaves the envelope at step 1"),
    ("informative at first", 0.5, [1e-13, 0.5], Verdict.FAIL, "leaves the envelope at step 1"),
    ("never informative", 0.5, [0.5, 0.5], Verdict.INCONCLUSIVE, "not informative from step 1"),
    ("NaN in a twin", 0.0, [1e-13, np.nan], Verdict.FAIL, "NaN or inf in a loss of reference"),
]


@pytest.mark.parametrize(("what", "error", "twin", "verdict", "reason"), CURVES, ids=[row[0] for row in CURVES])
def test_free_curve(what: str, error: float, twin: list[float], verdict: Verdict, reason: str) -> None:
    golden = np.ones(2)
    quantity = curves.inside(golden + error, golden, [golden + twin])
    assert (quantity.verdict, quantity.reason) == (verdict, reason)


def test_an_envelope_that_opens_ends_the_verdict() -> None:
    golden = np.ones(2)
    quantity = curves.inside(golden + [0, 5], golden, [golden + [1e-13, 0.5]])
    assert (quantity.verdict, quantity.reason) == (Verdict.PASS, "not informative from step 2")


def test_a_reference_that_does_not_repeat_itself_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its noise would become the floor, and any fault would lie below it."""
    import torch

    tanh = torch.nn.Tanh.forward
    monkeypatch.setattr(torch.nn.Tanh, "forward", lambda self, x: tanh(self, x) * (1 + 1e-3 * torch.randn(())))
    findings = run(PAIRS["catcar-mlp"].case(), "float32").findings
    (forward,) = (finding for finding in findings if finding.check == "forward")
    assert forward.verdict is Verdict.INCONCLUSIVE
    assert "does not repeat itself" in forward.reason


def test_sides_that_cannot_be_built_are_told_once() -> None:
    result = run(Case("broken", Twin("twofold.scratch:Linear", "torch.nn:Linear", {"features": 3}), ()), "float64")
    first, *others = result.findings
    assert first.verdict is Verdict.FAIL and "features" in first.reason and result.pair_is_wrong
    assert {finding.verdict for finding in others} == {Verdict.NOT_APPLICABLE}


def test_a_flip_at_the_kink_is_rounding() -> None:
    """An entry at 1e-18 here and -1e-18 there: the reference takes the branch of scratch and lists the flip."""
    import torch

    model = torch.nn.Sequential()
    model.add_module("relu", torch.nn.ReLU())
    given = np.array([[1e-18, 1.0]])
    x = torch.tensor([[-1e-18, 1.0]], dtype=torch.float64, requires_grad=True)
    with pinned(alone(model), {"relu": given}) as flips:
        model(x).sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0]]  # type: ignore[union-attr]
    assert [(flip.module, flip.count) for flip in flips] == [("relu", 1)]
    assert flips[0].ulps == pytest.approx(1e-18 / EPS)
    x.grad = None
    model(x).sum().backward()
    assert x.grad.tolist() == [[0.0, 1.0]]  # type: ignore[union-attr]


def test_a_pool_winner_within_rounding_is_scratchs() -> None:
    import torch

    model = torch.nn.Sequential()
    model.add_module("pool", torch.nn.MaxPool2d(2))
    x = torch.tensor([[[[1.0, 1.0 + EPS], [0.0, 0.0]]]], dtype=torch.float64, requires_grad=True)
    with pinned(alone(model), {"pool": np.array([[[[1.0, 1.0 - EPS], [0.0, 0.0]]]])}) as flips:
        model(x).sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]  # type: ignore[union-attr]
    assert flips[0].count == 1


def test_a_nan_of_the_reference_does_not_hide_behind_a_branch() -> None:
    import torch

    model = torch.nn.Sequential()
    model.add_module("relu", torch.nn.ReLU())
    with pinned(alone(model), {"relu": np.array([-1.0])}):
        assert math.isnan(model(torch.tensor([math.nan])))


@pytest.mark.parametrize("side", ["scratch", "reference"])
@pytest.mark.parametrize("pair", MAIN)
def test_watching_changes_nothing(pair: str, side: str) -> None:
    trial = Trial(PAIRS[pair].case(), "float32")
    plain, watched = getattr(trial, side)(), getattr(trial, side)()
    results = []
    for which in (plain, watched):
        which.load(trial.state)
        if which is watched:
            with which.watch():
                out, dinputs = which.forward(trial.inputs), which.backward(trial.cotangents)
        else:
            out, dinputs = which.forward(trial.inputs), which.backward(trial.cotangents)
        results.append([*nest.flatten(out), *nest.flatten(dinputs), *which.gradients().values()])
    for first, second in zip(*results, strict=True):
        assert (first is None and second is None) or first.tobytes() == second.tobytes()
    assert not any("forward" in vars(module) for _, module in watched.model.named_modules())


@pytest.mark.parametrize("shift", [8.0, 13.0])
@pytest.mark.parametrize("case", ["rnn", "lstm", "gru", "catcar-mlp"])
def test_saturated_units_are_no_fault(case: str, shift: float) -> None:
    """Their slope hangs on the last digits of their own value, which moving inputs and parameters leaves alone."""
    table = {case.name: case for case in (*LAYERS, PAIRS["catcar-mlp"].case())}
    for seed in range(4):
        trial = Trial(table[case], "float64", seed=seed)
        name = next(name for name in trial.state if "bias" in name)
        trial.state[name][: len(trial.state[name]) // 2] += shift
        assert CHECKS_BY_NAME["gradient"](trial).verdict is Verdict.PASS


@pytest.mark.parametrize("pair", ["activity-lstm-truncated-clipped", "sine-rnn"])
def test_clipping_that_is_left_out_is_found(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twofold.compare.sides.scratch.clip_grad_value_", lambda *_: None)
    assert examined(Trial(PAIRS[pair].case(), "float32"), CHECKS_BY_NAME["optimizer"]).verdict is Verdict.FAIL


@pytest.mark.parametrize(("pair", "tensor"), [("bn-convnet", "conv1.weight"), ("notmnist-mlp", "fc1.weight")])
def test_what_only_training_does_is_seen_and_placed(pair: str, tensor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of `accumulate` where `backward` has none."""
    monkeypatch.setattr(Sequential, "accumulate", lambda self, dout: self.backward(dout / 2))
    found = run(PAIRS[pair].case(), "float64", checks=[CHECKS_BY_NAME[name] for name in ("gradient", "resync")])
    gradient, resync = found.findings
    assert (gradient.verdict, resync.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert resync.first_divergence == Divergence("train_step", tensor.rpartition(".")[0], 1, tensor)
    assert resync.blame and resync.blame.side == "scratch"


TRAIN_STEP = [
    ("catcar-mlp", "self.optimizer.zero_grad()", "pass"),
    ("catcar-mlp", "losses, outs = [], []", "losses, outs = [], []; x *= 1.5"),
    ("activity-rnn-truncated-clipped", "self.step()", "self.optimizer.step()"),
    ("notmnist-mlp", "np.concatenate(outs)", "np.concatenate(outs[::-1])"),
]


@pytest.mark.parametrize(("pair", "right", "wrong"), TRAIN_STEP)
def test_a_fault_of_train_step_is_found(pair: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Scratch, "train_step", right, wrong)
    resync = examined(Trial(PAIRS[pair].case(), "float64"), CHECKS_BY_NAME["resync"])
    assert resync.verdict is Verdict.FAIL
    assert resync.first_divergence and resync.first_divergence.stage == "train_step"
    assert resync.blame and resync.blame.side == "scratch"


def test_a_fault_of_evaluate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Scratch, "evaluate", "self._objective(out, target)", "self.criterion(out, target)")
    modes = examined(Trial(PAIRS["fc-net-two-layer"].case(), "float64"), CHECKS_BY_NAME["modes"])
    assert {q.name for q in modes.quantities if q.verdict is Verdict.FAIL} == {"evaluate"}


def test_scratch_is_wrong_where_it_alone_minds_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Linear, "forward", "return out", "return out if self.training else out / 2")
    modes = examined(Trial(PAIRS["catcar-mlp"].case(), "float64"), CHECKS_BY_NAME["modes"])
    assert modes.first_divergence == Divergence("forward", "fc1", evaluating=True)
    assert modes.blame and modes.blame.side == "scratch"


def test_glue_of_a_model_is_named_in_evaluation_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Activity, "forward", "out[:, -1]", "(out[:, -1] if self.training else out.mean(axis=1))")
    modes = examined(Trial(PAIRS["activity-gru"].case(), "float64"), CHECKS_BY_NAME["modes"])
    assert modes.first_divergence == Divergence("forward", "activity-gru", evaluating=True)
    assert modes.blame and modes.blame.side == "scratch"


def test_glue_of_a_model_is_named_where_only_the_input_gradient_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, SineRNN, "backward", "np.arange(len(steps))", "np.arange(len(steps))[::-1]")
    gradient = examined(Trial(PAIRS["sine-rnn"].case(), "float64"), CHECKS_BY_NAME["gradient"])
    assert gradient.first_divergence == Divergence("backward", "sine-rnn")
    assert gradient.blame and gradient.blame.side == "scratch"


@pytest.mark.parametrize(
    ("pair", "owner", "method", "right", "wrong"),
    [
        ("bn-convnet", BatchNorm1d, "track", "momentum * batch", "momentum * batch[None]"),
        ("mnist-cnn", Adam, "update", 'state["step"] += 1', 'state["step"] = np.array([1, 2])'),
    ],
)
def test_a_state_that_the_reference_refuses_is_scratchs_fault(
    pair: str, owner: type, method: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, owner, method, right, wrong)
    resync = examined(Trial(PAIRS[pair].case(), "float64"), CHECKS_BY_NAME["resync"])
    assert resync.verdict is Verdict.FAIL
    assert resync.blame and resync.blame.side == "scratch"


def test_a_mask_may_be_kept_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    share = " / (1 - self.p)"
    drawn = "self.rng.random(x.shape) >= self.p"
    changes = [(drawn, f"({drawn}){share}"), (f"self.mask{share}", "self.mask")]
    monkeypatch.setattr(Dropout, "forward", reworded(Dropout.forward, changes))
    plant(monkeypatch, Dropout, "backward", f"dout * mask{share}", "dout * mask")
    trial = Trial(PAIRS["fc-net-dropout"].case(), "float64")
    assert all(CHECKS_BY_NAME[name](trial).verdict is Verdict.PASS for name in ("forward", "gradient", "modes"))


def test_a_mask_that_is_not_shown_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [(name, name.replace("self.mask", "mask")) for name in ("self.mask =", "= self.mask", "x * self.mask")]
    monkeypatch.setattr(Dropout, "forward", reworded(Dropout.forward, changes))
    forward = examined(Trial(PAIRS["fc-net-dropout"].case(), "float64"), CHECKS_BY_NAME["forward"])
    assert forward.verdict is Verdict.INCONCLUSIVE
    assert forward.reason.endswith(": scratch keeps no `mask` for it to take in dropout1")


@pytest.mark.parametrize("check", ["optimizer", "resync", "curve"])
@pytest.mark.parametrize("pair", ["trigram-lm", "two-layer-fc"])
def test_re_runs_are_left_out_only_where_they_change_nothing(
    pair: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = examined(Trial(PAIRS[pair].case(), "float64", seed=1), CHECKS_BY_NAME[check])
    monkeypatch.setattr("twofold.compare.judge.evidence.floor.SURE", -1.0)
    whole = examined(Trial(PAIRS[pair].case(), "float64", seed=1), CHECKS_BY_NAME[check])
    assert [(q.name, q.verdict) for q in quick.quantities] == [(q.name, q.verdict) for q in whole.quantities]
    assert all(q.ratio >= full.ratio for q, full in zip(quick.quantities, whole.quantities, strict=True))
    assert quick.quantities != whole.quantities


def test_one_seed_gives_one_result() -> None:
    first, second, other = (run(PAIRS["catcar-mlp"].case(), "float32", seed=seed) for seed in (4, 4, 5))
    assert first.findings == second.findings
    assert first.findings != other.findings


def test_json_holds_every_quantity_and_no_infinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReLU, "backward", lambda self, dout: dout * np.nan)
    result = run(PAIRS["mnist-cnn"].case(), "float64", checks=[CHECKS_BY_NAME["gradient"]])
    (entry,) = as_json([result])["results"]
    assert entry["verdict"] == "fail"
    (check,) = entry["checks"]
    assert check["first_divergence"]["module"] == "relu3"
    assert {"name", "error", "floor", "ratio", "limit", "verdict"} <= check["quantities"][0].keys()
    assert any(q["ratio"] is None and "NaN" in q["reason"] for q in check["quantities"])
