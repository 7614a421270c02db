"""Time step and gate: correct layers agree, the map is what unrolling gives, and how it is told and drawn."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.judge.planting import plant
from tests.judge.recurrent_layers import BATCH, CASES, CELLS, HIDDEN, INPUTS, STEPS, drawn
from twofold import scratch
from twofold.compare import nest
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.diagnosis import recurrence
from twofold.compare.judge.diagnosis.recurrence import Call, gate_gradients, gate_map, of_trial, torch_run
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.gates import GateMap
from twofold.compare.report.plots.gates import gate_heat_map
from twofold.scratch.layers import recurrent


@pytest.mark.parametrize("stage", ["forward", "backward"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time-first", "batch-first"])
@pytest.mark.parametrize("state", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_correct_layers_agree(cell: str, dtype: str, state: bool, batch_first: bool, bias: bool, stage: Any) -> None:
    layer, other, inputs, grad_outputs = drawn(cell, dtype, state, batch_first, bias)
    found = gate_map(layer, other, inputs, grad_outputs, stage)
    assert found is not None and found.stage == stage
    assert found.ratios.shape == (STEPS, layer.gates) and len(found.gates) == layer.gates
    assert found.first is None and found.ratios.max() <= 8
    assert found.ratios.any()  # rounding is seen: it is not the same run twice


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_saturated_gates_are_no_fault(cell: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slope of a gate near its end hangs on its last digits, which re-runs need not move; worst for one sample."""
    monkeypatch.setattr(recurrence, "MOST_COLUMNS", 1)
    for seed in range(5):
        layer, other, inputs, grad_outputs = drawn(cell, dtype, state=True, seed=seed)
        for name, parameter in layer.named_parameters():
            parameter.data *= 6 if "bias" in name else 3
        found = gate_map(layer, other, inputs, grad_outputs)
        assert found is not None and found.stage == "backward" and found.first is None


def unrolled(kind: str, layer: Any, x: Any, state: tuple[Any, ...], grad_outputs: tuple[Any, ...]) -> Any:
    """The gradients of the gates' pre-activations (T, gates, N, H), by torch operations step by step."""
    w_x, w_h, b_x, b_h = (
        parameter.detach().double()
        for parameter in (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    )
    h, c = state[0][0], state[-1][0]
    met, outs = [], []
    for step in x:
        of_x, of_h = step @ w_x.T + b_x, h @ w_h.T + b_h
        if kind == "GRU":
            a = of_x.clone().requires_grad_()  # n's part of the recurrent product is scaled by r before it is added
            size = of_h.shape[1] // 3
            r, z = torch.sigmoid(a[:, : 2 * size] + of_h[:, : 2 * size]).split(size, 1)
            n = torch.tanh(a[:, 2 * size :] + r * of_h[:, 2 * size :])
            h = (1 - z) * n + z * h
        else:
            a = of_x + of_h
            a.requires_grad_() if not a.requires_grad else a.retain_grad()
            if kind == "LSTM":
                i, f, g, o = a.chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
            else:
                h = torch.tanh(a)
        met.append(a)
        outs.append(h)
    last = (h[None], c[None]) if kind == "LSTM" else (h[None],)
    torch.autograd.backward([torch.stack(outs), *last], list(grad_outputs))
    return torch.stack([a.grad.reshape(len(h), -1, h.shape[1]).swapaxes(0, 1) for a in met]).numpy()


@pytest.mark.parametrize("batch_first", [False, True], ids=["time-first", "batch-first"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_the_map_is_what_unrolling_gives(cell: str, batch_first: bool) -> None:
    layer, other, inputs, grad_outputs = drawn(cell, state=True, batch_first=batch_first)
    call = recurrence.call_of(layer, inputs, grad_outputs)
    assert call is not None
    other.double().load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    x, *states = (torch.tensor(array) for array in nest.flatten(inputs))
    douts = [torch.tensor(array) for array in nest.flatten(grad_outputs)]
    if batch_first:
        x, douts[0] = x.transpose(0, 1), douts[0].transpose(0, 1)
    expected = unrolled(cell, other, x, tuple(states), tuple(douts))
    np.testing.assert_allclose(gate_gradients(torch_run(other), call), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gate_gradients(recurrence.scratch_run(layer), call), expected, rtol=1e-12, atol=1e-14)


def test_nothing_is_changed() -> None:
    layer, other, inputs, grad_outputs = drawn("LSTM", "float32", state=True)
    layer(*inputs)
    layer.backward(*grad_outputs)
    taken = nest.apply(torch.tensor, inputs)
    before, own = other(*taken), dict(vars(layer))
    torch.autograd.backward(nest.flatten(before), [torch.ones_like(out) for out in nest.flatten(before)])

    def held() -> Iterator[bytes]:
        for _, parameter in layer.named_parameters():
            yield from (parameter.data.tobytes(), parameter.grad.tobytes())
        for parameter in other.parameters():
            yield from (parameter.detach().numpy().tobytes(), parameter.grad.numpy().tobytes())
        for array in nest.flatten((inputs, grad_outputs, layer.cache)):
            yield np.asarray(array).tobytes()

    kept = list(held())
    gate_map(layer, other, inputs, grad_outputs, "forward")
    gate_map(layer, other, inputs, grad_outputs, "backward")
    assert list(held()) == kept
    assert vars(layer).keys() == own.keys() and all(vars(layer)[name] is value for name, value in own.items())
    assert other.input_size == INPUTS
    assert all(torch.equal(a, b) for a, b in zip(nest.flatten(before), nest.flatten(other(*taken)), strict=True))


def test_long_sequences_by_their_first_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, other, inputs, grad_outputs = drawn("LSTM", state=True, batch_first=True)
    every = recurrence.call_of(layer, inputs, grad_outputs)
    monkeypatch.setattr(recurrence, "MOST_COLUMNS", STEPS * BATCH - 1)
    first = recurrence.call_of(layer, inputs, grad_outputs)
    assert isinstance(every, Call) and isinstance(first, Call) and first.columns == STEPS
    run = torch_run(other)
    np.testing.assert_allclose(gate_gradients(run, first), gate_gradients(run, every)[:, :, :1], rtol=1e-12, atol=1e-14)
    plant(monkeypatch, scratch.LSTM, "backward_steps", "dc * c[t] *", "dc * (f * c[t] + i * g) *")
    found = gate_map(layer, other, inputs, grad_outputs)
    assert found is not None and found.first == (6, ("f",))


def test_outputs_that_are_sent_nothing() -> None:
    layer, other, inputs, (dout, (dh_n, _)) = drawn("LSTM")
    for grad_outputs in ((dout,), (dout, None), (None, (dh_n, None)), (dout, (None, None))):
        found = gate_map(layer, other, inputs, grad_outputs)
        assert found is not None and found.stage == "backward" and found.first is None
    assert gate_map(layer, other, inputs) is None


def test_layers_that_do_not_fit() -> None:
    layer, other, inputs, grad_outputs = drawn("LSTM")
    assert gate_map(scratch.Linear(3, 4), nn.Linear(3, 4), (inputs[0][0],), (grad_outputs[0][0],)) is None
    assert gate_map(layer, nn.LSTM(INPUTS, HIDDEN + 1), inputs, grad_outputs) is None
    assert gate_map(layer, nn.GRU(INPUTS, HIDDEN), inputs, grad_outputs) is None
    assert gate_map(layer, nn.LSTM(INPUTS, HIDDEN, num_layers=2), inputs, grad_outputs) is None
    assert gate_map(layer, nn.LSTM(INPUTS, HIDDEN, batch_first=True), inputs, grad_outputs) is None
    assert other.input_size == INPUTS


def recurrent_paths() -> Iterator[tuple[str, str]]:
    for name, case in CASES.items():
        for path, module in case.model.build("scratch").named_modules():
            if isinstance(module, recurrent.Recurrent):
                yield name, path or name


@pytest.mark.parametrize(("case", "path"), list(recurrent_paths()))
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_correct_trial_agrees(case: str, path: str, dtype: str) -> None:
    found = of_trial(Trial(CASES[case], dtype), path)
    assert found is not None and found.stage == "backward"
    assert found.first is None and found.line().endswith("at every step")


@pytest.mark.parametrize("path", ["classifier", "classifier.fc1", "nowhere", "activity-lstm"])
def test_what_is_not_recurrent_has_no_map(path: str) -> None:
    assert of_trial(Trial(CASES["activity-lstm"], "float64"), path) is None


@pytest.mark.parametrize(
    ("stage", "cells", "line"),
    [
        ("forward", [], "forward: every gate agrees at every step"),
        ("forward", [(1, 0), (3, 0)], "forward: gate r at t = 1 and 3; t = 0 agrees"),
        ("backward", [(3, 1)], "backward: gate z only at t = 3"),
        (
            "backward",
            [(2, 0), (2, 2), (1, 1)],
            "backward: gates r and n from t = 2 down to t = 1; z follows at t = 1; t = 3 agrees",
        ),
    ],
)
def test_the_line(stage: Any, cells: list[tuple[int, int]], line: str) -> None:
    ratios = np.full((4, 3), 0.5)
    for cell in cells:
        ratios[cell] = np.inf
    assert GateMap(stage, ("r", "z", "n"), ratios).line() == line


def test_nan_fails() -> None:
    assert GateMap("forward", ("h",), np.array([[0.0], [np.nan]])).first == (1, ("h",))


def test_the_heat_map() -> None:
    """Every cell has its number, and what fails is outlined."""
    ratios = np.full((4, 3), 0.5)
    ratios[1:3, 0], ratios[3] = np.inf, [1e13, np.nan, 0]
    found = GateMap("backward", ("r", "z", "n"), ratios)
    axis = gate_heat_map(found, "gru").axes[0]
    outlined = {tuple(patch.get_xy()) for patch in axis.patches if not patch.get_fill()}
    assert outlined == {(0.5, -0.5), (1.5, -0.5), (2.5, -0.5), (2.5, 0.5)}
    assert [label.get_text() for label in axis.get_yticklabels()] == ["r", "z", "n"]
    told = np.array([text.get_text() for text in axis.texts]).reshape(4, 3)
    assert told[3].tolist() == ["1e13", "∞", "0.0"] and set(told[:3, 0]) == {"0.5", "∞"}
