"""Planted faults of recurrent layers are placed at their time step and gate."""

from types import MethodType
from typing import Any

import pytest
from torch import nn

from tests.judge.planting import plant
from tests.judge.recurrent_layers import CASES, HIDDEN, INPUTS, drawn, mapped
from twofold import scratch
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.diagnosis.recurrence import gate_map, of_trial
from twofold.compare.judge.evidence.trial import Trial
from twofold.scratch.layers import recurrent


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gate_that_takes_the_wrong_step(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.LSTM, "backward_steps", "dc * c[t] *", "dc * (f * c[t] + i * g) *")
    found = mapped("LSTM", dtype=dtype)
    assert found.stage == "backward" and found.first == (6, ("f",))
    assert found.line() == "backward: gate f from t = 6 down to t = 0; i, g and o follow at t = 5"


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cell_state_dropped(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """o knows of it one step later than the others: it gets dh alone."""
    plant(monkeypatch, scratch.LSTM, "backward_steps", "dc * f, dz", "0 * dc, dz")
    found = mapped("LSTM", dtype=dtype, state=True)
    assert found.stage == "backward" and found.first == (5, ("i", "f", "g"))
    assert found.failing.sum(axis=1).tolist() == [4, 4, 4, 4, 4, 3, 0]
    assert found.line() == "backward: gates i, f and g from t = 5 down to t = 0; o follows at t = 4; t = 6 agrees"


@pytest.mark.parametrize("cell", ["RNN", "GRU", "ResetFirstGRU"])
def test_the_first_step_left_out(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = recurrent.add_gradients
    monkeypatch.setattr(
        recurrent, "add_gradients", lambda w, b, *terms: original(w, b, *((d[1:], m[1:]) for d, m in terms))
    )
    found = mapped(cell, state=True)
    which = "h" if cell == "RNN" else "every gate"
    assert found.line() == f"backward: {which} only at t = 0; t = 1 to 6 agree"


def test_one_gates_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.GRU, "backward_steps", "np.multiply(gate, r * (1 - r)", "np.multiply(gate, r * r")
    assert mapped("GRU").first == (6, ("r",))


def test_a_fault_on_one_instance() -> None:
    """A closure over the layer sees the map's runs: they are made by the layer itself."""
    layer, other, inputs, grad_outputs = drawn("LSTM")
    original = layer.backward

    def too_much(_: Any, *douts: Any) -> Any:
        result = original(*douts)
        layer.weight_ih_l0.grad *= 1.001
        return result

    layer.backward = MethodType(too_much, layer)
    found = gate_map(layer, other, inputs, grad_outputs)
    assert found is not None
    assert found.line() == "backward: every gate from t = 6 down to t = 0"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("state", [False, True], ids=["zeros", "state"])
def test_gates_exchanged(dtype: str, state: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.LSTM, "forward", "i, f, g, o = np.matmul", "f, i, g, o = np.matmul")
    found = mapped("LSTM", dtype=dtype, state=state)
    assert found.stage == "forward" and found.first == (0, ("i", "f"))
    assert found.line() == "forward: gates i and f from t = 0 up to t = 6"


def test_one_gates_bias_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before t = 1 the forget gate has nothing to forget."""
    plant(
        monkeypatch,
        scratch.LSTM,
        "joined",
        "joined = np",
        "bias[self.hidden_size:2 * self.hidden_size] = 0\n    joined = np",
    )
    assert mapped("LSTM").line() == "forward: gate f from t = 1 up to t = 6; t = 0 agrees"
    assert mapped("LSTM", state=True).line() == "forward: gate f from t = 0 up to t = 6"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gate", range(4))
def test_an_offset_in_one_gate(gate: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there whatever the weights are, and so whichever gate is tried."""
    of_gate = f"bias[{gate} * self.hidden_size:{gate + 1} * self.hidden_size]"
    plant(monkeypatch, scratch.LSTM, "joined", "joined = np", f"{of_gate} += 1\n    joined = np")
    found = mapped("LSTM", dtype=dtype, state=True)
    assert found.stage == "forward" and found.first == (0, ("ifgo"[gate],)), found.line()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", ["GRU", "ResetFirstGRU"])
@pytest.mark.parametrize(("gate", "right"), [("r", "of_h[0]"), ("z", "of_h[1]"), ("n", "candidate(")])
def test_an_offset_in_one_gate_of_a_gru(
    cell: str, gate: str, right: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = recurrent.sigmoid

    def offset(x: Any, *rest: Any) -> Any:
        moved = x.copy()
        moved["rz".index(gate)] += 0.5
        return own(moved, *rest)

    if gate == "n":
        plant(monkeypatch, scratch.GRU, "forward", "np.tanh(", "np.tanh(0.5 + ")
    else:
        monkeypatch.setattr(recurrent, "sigmoid", offset)
    found = mapped(cell, dtype=dtype, state=True)
    seen = ("r", "n") if gate == "n" else (gate,)  # r is seen through n alone
    assert found.stage == "forward" and found.first == (0, seen), found.line()


def test_a_fault_of_no_gate_belongs_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.LSTM, "forward", "np.tanh(c[t + 1], out=tanh_c[t])", "tanh_c[t] = c[t + 1]")
    assert mapped("LSTM").line() == "forward: every gate from t = 0 up to t = 6"


def test_the_state_not_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.RNN, "forward", "h[t] @ w_hh", "h[0] @ w_hh")
    assert mapped("RNN").line() == "forward: h from t = 1 up to t = 6; t = 0 agrees"


def test_the_last_state_belongs_to_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.GRU, "forward", "h[-1:].copy()", "h[-2:-1].copy()")
    assert mapped("GRU").line() == "forward: every gate only at t = 6; t = 0 to 5 agree"


@pytest.mark.parametrize(("bias", "state", "start"), [(True, False, 0), (False, False, 1), (False, True, 0)])
def test_another_reset_gate(bias: bool, state: bool, start: int) -> None:
    """The two kinds of GRU differ where r meets n: r (W_hn h + b_hn) is no W_hn (r h) + b_hn."""
    layer, _, inputs, grad_outputs = drawn("ResetFirstGRU", bias=bias, state=state)
    found = gate_map(layer, nn.GRU(INPUTS, HIDDEN, bias=bias), inputs, grad_outputs)
    assert found is not None and found.stage == "forward" and found.first == (start, ("r", "n"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("case", "path", "last"),
    [
        ("activity-lstm", "recurrent", 6),
        ("activity-lstm-linear", "recurrent", 6),
        ("activity-lstm-truncated-clipped", "recurrent", 3),
        ("lstm-batch-first-state", "lstm-batch-first-state", 6),
    ],
)
def test_a_trials_layer_is_found(case: str, path: str, last: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A truncated layer is called twice, and only the second call is sent anything."""
    plant(monkeypatch, scratch.LSTM, "backward_steps", "dc * c[t] *", "dc * (f * c[t] + i * g) *")
    found = of_trial(Trial(CASES[case], dtype), path)
    assert found is not None and found.stage == "backward" and found.first == (last, ("f",))


def test_the_call_at_which_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.LSTM, "forward", "i, f, g, o = np.matmul", "f, i, g, o = np.matmul")
    found = of_trial(Trial(CASES["activity-lstm-truncated-clipped"], "float64"), "recurrent")
    assert found is not None and found.stage == "forward" and found.first == (0, ("i", "f"))
    assert len(found.ratios) == 3  # of the steps before the truncation
