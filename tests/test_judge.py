"""The judge by itself: the floor by its formula, every verdict, branches, and that watching changes nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from planting import plant

from compare import nest
from compare.errors import BadInput
from compare.judge import curves
from compare.judge.battery import as_json, run
from compare.judge.branches import pinned
from compare.judge.checks import CHECKS_BY_NAME, Check
from compare.judge.finding import Finding, gravest, waived, worst_by_name
from compare.judge.floor import Quantity, Verdict, exactly, floors, judge, rows_of, sure
from compare.judge.rounding import nudged
from compare.judge.trial import Divergence, Trial, redrawn
from compare.pair import Case, Twin
from compare.pairs import MAIN, PAIRS
from compare.pairs.layers import LAYERS
from scratch import Conv2d, ReLU, Sequential

EPS = np.finfo(np.float64).eps
STAR = np.array([[1.0, -4.0], [0.0, 2.0]])


def test_floor_by_hand() -> None:
    """Row 0: the re-runs stray by 3 and 1, the largest entry is 4; row 1: by 0 and 5, and 2."""
    reruns = [STAR + [[0, 3], [0, 0]], STAR + [[-1, 0], [5, 0]]]
    np.testing.assert_array_equal(floors(STAR, reruns, "float64"), [3 + 32 * EPS, 5 + 16 * EPS])


@pytest.mark.parametrize(
    ("shape", "axis", "rows"),
    [((), 0, (1, 1)), ((7,), 0, (1, 7)), ((3, 4), 0, (3, 4)), ((3, 4, 5, 6), 0, (3, 120)), ((3, 4, 5), 1, (4, 15))],
)
def test_rows(shape: tuple[int, ...], axis: int, rows: tuple[int, int]) -> None:
    assert rows_of(np.zeros(shape), axis).shape == rows


def test_a_row_of_a_sequence_is_a_time_step() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(rows_of(x, 1)[1], x[:, 1].ravel())


def judged(found: np.ndarray | None, star: np.ndarray | None = STAR, moved: float = 1e-15) -> Quantity:
    return judge("x", found, star, [] if star is None else [star + moved, star - moved], "float64")


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


@pytest.mark.parametrize(("what", "found", "verdict", "reason"), JUDGEMENTS, ids=[row[0] for row in JUDGEMENTS])
def test_judgement(what: str, found: np.ndarray | None, verdict: Verdict, reason: str) -> None:
    quantity = judged(found)
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
    quantity = judge("x", half, half, [half], "float64")
    assert (quantity.verdict, quantity.rows_proven, quantity.rows) == (Verdict.PASS, 1, 2)


def test_a_zero_row_of_the_reference_must_be_zero_in_scratch() -> None:
    half = STAR * [[1], [0]]
    assert judge("x", half + [[0], [1e-300]], half, [half], "float64").verdict is Verdict.FAIL


def test_a_small_row_is_not_hidden_by_a_large_one() -> None:
    star = np.array([[1.0, 1.0], [1e-12, 1e-12]])
    found = star * [[1], [1.0001]]
    assert judge("x", found, star, [star], "float64").reason == "row 1 of 2"


def test_nothing_at_all_proves_nothing() -> None:
    assert gravest([]) is Verdict.VACUOUS


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
    moved = nudged(x, seed=3)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(moved[: len(x) // 2], moved[len(x) // 2 :])
    lower, upper = np.nextafter(x, dtype(-np.inf)), np.nextafter(x, dtype(np.inf))
    np.testing.assert_array_equal(x == 0, moved == 0)
    assert (((moved == lower) | (moved == upper)) | (x == 0)).all()
    assert moved.dtype == dtype


def test_nudges_go_both_ways_and_depend_on_the_seed() -> None:
    x = np.random.default_rng(0).standard_normal(1000)
    ups = [(nudged(x, seed) > x).mean() for seed in range(5)]
    assert all(0.4 < up < 0.6 for up in ups)
    assert len({nudged(x, seed).tobytes() for seed in range(5)}) == 5
    tokens = np.arange(3)
    assert nudged(tokens, 0) is tokens


def test_redrawn_state_has_no_zero_and_no_equal_tensors() -> None:
    state = redrawn(PAIRS["mnist-cnn"].case().model.build("scratch").state_dict(), np.random.default_rng(0))
    assert all(array.all() for array in state.values())
    assert all(array.dtype == np.float32 for array in state.values())


def quantity(name: str, verdict: Verdict, ratio: float = 1.0) -> Quantity:
    return Quantity(name, ratio, 1.0, ratio, verdict)


def test_of_many_rounds_the_worst_counts_and_one_proof_is_enough() -> None:
    rounds = [
        ("step 1", [quantity("a", Verdict.VACUOUS), quantity("b", Verdict.PASS, 2), quantity("c", Verdict.VACUOUS)]),
        ("step 2", [quantity("a", Verdict.PASS), quantity("b", Verdict.FAIL, 9), quantity("c", Verdict.VACUOUS)]),
    ]
    verdicts = {q.name: q for q in worst_by_name(rounds)}
    assert [q.verdict for q in verdicts.values()] == [Verdict.PASS, Verdict.FAIL, Verdict.VACUOUS]
    assert verdicts["b"].reason.startswith("step 2")


def test_waivers() -> None:
    finding = Finding("curve", Verdict.FAIL, (quantity("a", Verdict.FAIL), quantity("b", Verdict.PASS)))
    excused = waived(finding, {"curve: a": "a bias in front of a norm"})
    assert excused.verdict is Verdict.PASS
    assert excused.quantities[0].verdict is Verdict.NOT_APPLICABLE
    assert "a bias in front of a norm" in excused.quantities[0].reason
    assert waived(finding, {"forward": "elsewhere"}) == finding
    stale = waived(finding, {"curve: a": "needed", "curve: b": "not needed"})
    assert stale.verdict is Verdict.FAIL
    assert stale.quantities[-1].reason == "this waiver is no longer needed"


def test_what_a_side_raises_is_a_failure_in_one_line() -> None:
    def breaks(trial: Trial) -> list[Quantity]:
        raise ValueError("two\nlines")

    finding = Check("x", "", breaks)(Trial(LAYERS[0], "float64"))
    assert finding.verdict is Verdict.FAIL
    assert finding.reason.startswith("ValueError: two lines at test_judge.py:")


def test_envelope_by_hand() -> None:
    """Distances 0, 2, 1 of the furthest twin: the running maximum stays at 2."""
    star = np.array([1.0, 1.0, 1.0])
    twins = [star + [0, 2, 1], star + [0, -1, 0]]
    np.testing.assert_array_equal(curves.envelope(star, twins), np.array([0, 2, 2]) + 8 * np.spacing(1.0))


CURVES = [
    ("inside", 0.5e-12, [1e-13, 1e-13], Verdict.PASS, ""),
    ("outside", 1e-11, [1e-13, 1e-12], Verdict.FAIL, "leaves the envelope at step 1"),
    ("informative at first", 0.5, [1e-13, 0.5], Verdict.FAIL, "leaves the envelope at step 1"),
    ("never informative", 0.5, [0.5, 0.5], Verdict.INCONCLUSIVE, "not informative from step 1"),
    ("NaN in a twin", 0.0, [1e-13, np.nan], Verdict.FAIL, "NaN or inf in a loss of reference"),
]


@pytest.mark.parametrize(("what", "error", "twin", "verdict", "reason"), CURVES, ids=[row[0] for row in CURVES])
def test_free_curve(what: str, error: float, twin: list[float], verdict: Verdict, reason: str) -> None:
    star = np.ones(2)
    quantity = curves.inside(star + error, star, [star + twin])
    assert (quantity.verdict, quantity.reason) == (verdict, reason)


def test_an_envelope_that_opens_ends_the_verdict() -> None:
    star = np.ones(2)
    quantity = curves.inside(star + [0, 5], star, [star + [1e-13, 0.5]])
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


def test_a_side_that_cannot_be_built_fails_every_check() -> None:
    result = run(Case("broken", Twin("scratch:Linear", "torch.nn:Linear", {"features": 3}), ()), "float64")
    assert {finding.verdict for finding in result.findings} == {Verdict.FAIL}
    assert "features" in result.findings[0].reason


def test_a_waiver_of_no_check_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(BadInput, match="gradeint"):
        run(replace(LAYERS[0], waivers={"gradeint": "misspelt"}), "float64")


def test_a_flip_at_the_kink_is_rounding() -> None:
    """An entry at 1e-18 here and -1e-18 there: the reference takes the branch of scratch and lists the flip."""
    import torch

    model = torch.nn.Sequential()
    model.add_module("relu", torch.nn.ReLU())
    taken = np.array([[1e-18, 1.0]])
    x = torch.tensor([[-1e-18, 1.0]], dtype=torch.float64, requires_grad=True)
    with pinned(model, {"relu": taken}) as flips:
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
    with pinned(model, {"pool": np.array([[[[1.0, 1.0 - EPS], [0.0, 0.0]]]])}) as flips:
        model(x).sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]  # type: ignore[union-attr]
    assert flips[0].count == 1


def test_a_nan_of_the_reference_does_not_hide_behind_a_branch() -> None:
    import torch

    model = torch.nn.Sequential()
    model.add_module("relu", torch.nn.ReLU())
    with pinned(model, {"relu": np.array([-1.0])}):
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


def test_a_waiver_covers_rounding_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Conv2d, "add_bias_gradient", "dlines.sum(axis=2)", "(dlines.sum(axis=2) + 1)")
    finding = CHECKS_BY_NAME["gradient"](Trial(PAIRS["bn-convnet"].case(), "float64"))
    assert {q.name for q in finding.quantities if q.verdict is Verdict.FAIL} >= {"conv1.bias", "conv2.bias"}
    assert finding.first_divergence == Divergence("backward", "conv3")
    assert finding.blame and finding.blame.side == "scratch"


def test_a_waived_tensor_hides_no_fault_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam makes a whole step of rounding in a gradient that is zero."""
    plant(monkeypatch, Conv2d, "add_bias_gradient", "dlines.sum(axis=2)", "(dlines.sum(axis=2) + 1e-14)")
    monkeypatch.setattr(Sequential, "accumulate", lambda self, dout: self.backward(dout / 2))
    resync = CHECKS_BY_NAME["resync"](Trial(PAIRS["bn-convnet"].case(), "float64"))
    assert {q.verdict for q in resync.quantities} >= {Verdict.FAIL, Verdict.NOT_APPLICABLE}
    assert resync.first_divergence == Divergence("train_step", "conv1", 1, "conv1.weight")


def test_a_waived_tensor_is_not_where_a_fault_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what it is blamed by: in the backward pass the waived biases of conv3 and conv2 come before conv1."""
    plant(monkeypatch, Conv2d, "add_bias_gradient", "dlines.sum(axis=2)", "(dlines.sum(axis=2) + 1e-12)")
    back = Conv2d.backward

    def of_the_first_wrong(self: Conv2d, dout: np.ndarray) -> np.ndarray:
        dx = back(self, dout)
        if self.out_channels == 3:
            self.weight.grad += 1e-3
        return dx

    monkeypatch.setattr(Conv2d, "backward", of_the_first_wrong)
    found = run(PAIRS["bn-convnet"].case(), "float64", checks=[CHECKS_BY_NAME[name] for name in ("gradient", "resync")])
    for finding, step in zip(found.findings, (None, 1), strict=True):
        assert finding.first_divergence == Divergence("backward", "conv1", step)
        assert finding.blame and finding.blame.side == "scratch"


@pytest.mark.parametrize("pair", ["activity-lstm-truncated-clipped", "sine-rnn"])
def test_clipping_that_is_left_out_is_found(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.sides.clip_grad_value_", lambda *_: None)
    assert CHECKS_BY_NAME["optimizer"](Trial(PAIRS[pair].case(), "float32")).verdict is Verdict.FAIL


@pytest.mark.parametrize(("pair", "tensor"), [("bn-convnet", "conv1.weight"), ("notmnist-mlp", "fc1.weight")])
def test_what_only_training_does_is_seen_and_placed(pair: str, tensor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of `accumulate` where `backward` has none."""
    monkeypatch.setattr(Sequential, "accumulate", lambda self, dout: self.backward(dout / 2))
    found = run(PAIRS[pair].case(), "float64", checks=[CHECKS_BY_NAME[name] for name in ("gradient", "resync")])
    gradient, resync = found.findings
    assert (gradient.verdict, resync.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert resync.first_divergence == Divergence("train_step", tensor.rpartition(".")[0], 1, tensor)
    assert resync.blame and resync.blame.side == "scratch"


@pytest.mark.parametrize("check", ["optimizer", "resync", "curve"])
@pytest.mark.parametrize("pair", ["trigram-lm", "two-layer-fc"])
def test_re_runs_are_left_out_only_where_they_change_nothing(
    pair: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = CHECKS_BY_NAME[check](Trial(PAIRS[pair].case(), "float64"))
    monkeypatch.setattr("compare.judge.floor.SURE", -1.0)
    whole = CHECKS_BY_NAME[check](Trial(PAIRS[pair].case(), "float64"))
    assert [(q.name, q.verdict) for q in quick.quantities] == [(q.name, q.verdict) for q in whole.quantities]
    assert all(q.ratio >= full.ratio for q, full in zip(quick.quantities, whole.quantities, strict=True))
    assert quick.quantities != whole.quantities


def test_one_error_above_the_least_floor_asks_for_re_runs() -> None:
    least = judge("x", STAR + 40 * EPS, STAR, [STAR], "float64")  # row 0: 40 eps of 32, row 1: of 16
    assert least.verdict is Verdict.PASS and least.ratio > 1
    assert not sure([least])
    assert sure([judge("x", STAR + 16 * EPS, STAR, [STAR], "float64")])


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


def test_exactly() -> None:
    assert exactly("x", True, "unused").reason == ""
    assert exactly("x", False, "why") == Quantity("x", math.inf, 0.0, math.inf, Verdict.FAIL, reason="why")
