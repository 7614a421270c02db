"""Gradients and updates while training: equal on both sides, right through time, and measured without a trace left."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.judge.planting import plant
from tests.training.small import SIDES, at_check_size
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Twin
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.training import through_time
from twofold.compare.training.gradients import Watched, first_batch, measure, norm, update_ratios
from twofold.compare.training.through_time import Call, Unrolled, unrolled
from twofold.compare.training.train import Training

RNG = np.random.default_rng(0)
PAIRS = ("fc-net", "fc-net-dropout", "bn-convnet", "activity-rnn", "activity-lstm", "activity-gru", "sine-rnn")
CELLS = ("RNN", "LSTM", "GRU", "SigmoidRNN", "ResetFirstGRU")


def everything(training: Training) -> dict[str, Any]:
    """Whatever measuring could leave behind."""
    side = training.side
    optimizer = {f"{name}.{key}": a for name, entry in side.optimizer_state().items() for key, a in entry.items()}
    found = {**side.state(), **{f"grad {k}": v for k, v in side.gradients().items()}, **optimizer}
    found |= {"modes": side.modes(), "batches": training.generator.bit_generator.state, "order": training.order}
    if isinstance(side, Reference):
        return found | {"generator": side.torch.get_rng_state().numpy()}
    drawing = {path: vars(module) for path, module in side.model.named_modules() if "rng" in vars(module)}
    found |= {f"{path} draws": fields["rng"].bit_generator.state for path, fields in drawing.items()}
    return found | {f"{path} mask": fields["mask"].copy() for path, fields in drawing.items() if "mask" in fields}


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in found.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
        else:
            assert value == expected[name], name


@pytest.mark.parametrize("backend", SIDES)
@pytest.mark.parametrize("name", PAIRS)
def test_measuring_leaves_no_trace(name: str, backend: str) -> None:
    """Bit for bit: what stands before and after a record, and the training with and without."""
    plain, watched = at_check_size(name, backend), at_check_size(name, backend)
    for training, watch in ((plain, None), (watched, Watched(watched))):
        for step in range(3):
            before = everything(training)
            if watch and step != 1:
                training.side.train(step == 0)
                watch.record(*training.batch(step))
                training.side.train()
                assert_same(everything(training), before)
            training.one_step()
            if watch:
                watch.stepped()
    assert_same(everything(watched), everything(plain))
    assert watched.steps == plain.steps


@pytest.mark.parametrize("name", PAIRS[:1] + PAIRS[2:])
def test_both_sides_measure_the_same(name: str) -> None:
    """All but dropout, whose masks differ."""
    found = []
    for backend in SIDES:
        training = at_check_size(name, backend)
        watched = Watched(training)
        for step in range(3):
            watched.record(*training.batch(step))
            training.one_step()
            watched.stepped()
        found.append(watched.rows)
    ours, theirs = found
    assert [row[:4] for row in ours] == [row[:4] for row in theirs]
    # a bias in front of a batch norm has rounding for a gradient, which Adam magnifies
    told = [not (name == "bn-convnet" and "conv" in row.name and "bias" in row.name) for row in ours]
    values = [np.array([row.value for row in rows])[told] for rows in found]
    np.testing.assert_allclose(*values, rtol=1e-10)


@pytest.mark.parametrize("backend", SIDES)
@pytest.mark.parametrize("name", PAIRS)
def test_the_gradients_are_those_of_the_step(name: str, backend: str) -> None:
    """With its dropout masks; the step's own gradients stand in the side after it."""
    training = at_check_size(name, backend)
    for step in range(2):
        found = measure(training, *training.batch(step)).parameters
        training.one_step()
        expected = {parameter: norm(gradient) for parameter, gradient in training.side.gradients().items()}
        assert found.keys() == expected.keys()
        for parameter, value in expected.items():
            assert found[parameter] == pytest.approx(value, rel=1e-10, abs=1e-14), parameter


def test_outputs_come_in_order_of_execution() -> None:
    norms = measure(*(training := at_check_size("activity-rnn"), *training.batch(0)))
    order = ["recurrent[0]", *(f"classifier.{name}" for name in ("fc1", "tanh1", "fc2", "tanh2", "fc3"))]
    assert list(norms.outputs) == order[: len(order)]
    assert list(norms.states) == ["recurrent"]
    assert len(norms.states["recurrent"]) == 7
    # the last state alone is read: what reaches it is what reaches the output
    assert norms.states["recurrent"][-1] == pytest.approx(norms.outputs["recurrent[0]"], rel=1e-12)


@pytest.mark.parametrize("backend", SIDES)
def test_a_truncated_gradient_reaches_the_last_steps_alone(backend: str) -> None:
    training = at_check_size("activity-rnn-truncated-clipped", backend)
    values = measure(training, *training.batch(0)).states["recurrent"]
    assert [value > 0 for value in values] == [False] * 3 + [True] * 4


def layer_of(side: str, cell: str, batch_first: bool) -> tuple[Side, Any]:
    """A layer of 4 inputs and 5 units with the same random weights on either side."""
    found = next(case for case in LAYERS if case.model.scratch.endswith(f":{cell}")).model
    twin = Twin(found.scratch, found.reference, {"input_size": 4, "hidden_size": 5, "batch_first": batch_first})
    made: Side = (Scratch if side == "scratch" else Reference)(twin, dtype="float64")
    rng = np.random.default_rng(3)
    made.load({name: 0.6 * rng.standard_normal(array.shape) for name, array in sorted(made.state().items())})
    return made, made.model


def call_of(cell: str, batch_first: bool, given: bool) -> Call:
    """Three records of six steps; `given`: with initial states, and with gradients of the last ones."""
    rng, states = np.random.default_rng(4), 2 if cell == "LSTM" else 1
    lead = (3, 6) if batch_first else (6, 3)
    first = tuple(rng.standard_normal((1, 3, 5)) if given else np.zeros((1, 3, 5)) for _ in range(states))
    of_last = tuple(rng.standard_normal((1, 3, 5)) if given else None for _ in range(states))
    return Call(rng.standard_normal((*lead, 4)), first, rng.standard_normal((*lead, 5)), of_last)


def whole(side: Side, call: Call) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The layer's own gradients of x and of its parameters, over the whole sequence."""
    side.zero_grad()
    first = call.first[0] if len(call.first) == 1 else call.first
    out = side.forward((call.x, first))
    assert out[0].shape == call.of_out.shape  # type: ignore[union-attr]
    last = tuple(np.zeros((1, 3, 5)) if sent is None else sent for sent in call.of_last)
    dx = side.backward((call.of_out, last[0] if len(last) == 1 else last))[0]
    return dx, side.gradients()


def distance(found: Unrolled, dx: np.ndarray, parameters: dict[str, np.ndarray]) -> float:
    """The largest relative distance of the unrolled gradients from the layer's own."""
    assert found.parameters.keys() == parameters.keys()
    pairs = [(found.x, dx), *((found.parameters[name], parameters[name]) for name in parameters)]
    return max(float(np.abs(ours - own).max() / np.abs(own).max()) for ours, own in pairs)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_step_by_step_gives_the_gradients_of_the_layer_itself(cell: str, batch_first: bool, given: bool) -> None:
    call, states = call_of(cell, batch_first, given), []
    for backend in SIDES:
        side, layer = layer_of(backend, cell, batch_first)
        own = whole(side, call)
        found = unrolled(side, layer, call)
        assert distance(found, *own) < 1e-13
        states.append(np.stack(found.states))
    assert states[0].shape == (6, 3, 5)
    np.testing.assert_allclose(*states, rtol=1e-10, atol=1e-14)


def test_the_path_through_time_is_what_the_layer_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the state's gradient handed on, the sum is another one."""
    side, layer = layer_of("scratch", "RNN", True)
    call = call_of("RNN", True, True)
    plant(monkeypatch, through_time, "by_scratch", "dstate = nest.flatten(before)", "dstate = [0 * before]")
    assert distance(unrolled(side, layer, call), *whole(side, call)) > 1e-2


def test_hidden_states_by_hand() -> None:
    """dL/dh_t = dout_t + W^T ((1 - h_(t+1)^2) dL/dh_(t+1)) of a tanh layer."""
    side, layer = layer_of("scratch", "RNN", True)
    call = call_of("RNN", True, False)
    out, _ = side.forward((call.x,))
    of_out, weight = call.of_out, side.state()["weight_hh_l0"]
    assert of_out is not None
    expected = [of_out[:, 5]]
    for t in reversed(range(5)):
        expected.append(of_out[:, t] + ((1 - out[:, t + 1] ** 2) * expected[-1]) @ weight)
    np.testing.assert_allclose(unrolled(side, layer, call).states[::-1], expected, rtol=1e-12)


def test_a_gradient_of_the_last_state_alone_is_enough() -> None:
    """As where a model reads h_n and not the outputs."""
    call = Call(RNG.standard_normal((3, 6, 4)), (np.zeros((1, 3, 5)),), None, (RNG.standard_normal((1, 3, 5)),))
    states = [np.stack(unrolled(*layer_of(backend, "GRU", True), call).states) for backend in SIDES]
    np.testing.assert_array_equal(states[0][-1], call.of_last[0][0])  # type: ignore[index]
    np.testing.assert_allclose(*states, rtol=1e-10, atol=1e-14)
    assert call.reached
    assert not Call(call.x, call.first, None, (None,)).reached


def test_update_ratios_by_hand() -> None:
    before = {"w": np.array([[3.0, 0], [0, 4]], np.float32), "new": np.zeros(2), "still": np.zeros(3)}
    after = {"w": np.array([[3.0, 1], [0, 4]], np.float32), "new": np.ones(2), "still": np.zeros(3)}
    assert update_ratios(before, after) == {"w": 0.2, "new": np.inf, "still": 0.0}


def test_norms_of_tiny_and_huge_numbers() -> None:
    assert norm(np.array([3e-200, 4e-200])) == pytest.approx(5e-200)
    assert norm(np.full(4, 2e-30, np.float32)) == pytest.approx(4e-30)
    assert norm(np.zeros((2, 2))) == 0
    assert norm(np.array([np.inf, 1])) == np.inf
    assert np.isnan(norm(np.array([np.nan, 1])))


def test_rows_of_the_steps_that_were_recorded() -> None:
    training = at_check_size("fc-net-adagrad")
    watched = Watched(training)
    for step in range(4):
        if step % 3 == 0:
            watched.record(*training.batch(step))
        training.one_step()
        watched.stepped()
    assert {row.step for row in watched.rows} == {1, 4}
    assert {row.kind for row in watched.rows} == {"output", "parameter", "update"}
    assert all(row.time is None for row in watched.rows)
    ratios = {(row.step, row.name): row.value for row in watched.rows if row.kind == "update"}
    assert set(ratios) == {(step, name) for step in (1, 4) for name in training.side.gradients()}
    assert ratios[4, "fc1.weight"] < ratios[1, "fc1.weight"], "AdaGrad's steps shrink"
    assert ratios[1, "fc1.bias"] == np.inf


def test_layers_of_several_nets_at_their_first_batch() -> None:
    """In a deep sigmoid net less than a tenth of what reaches the last hidden layer reaches the first; of ReLU more."""
    wide = {"hidden": (19,) * 5, "weight_scale": 0.25}
    nets = [(name, at_check_size(name, **wide)) for name in ("fc-net", "fc-net-sigmoid", "fc-net-leaky-relu")]
    found = dict(first_batch(nets))
    assert {tuple(layers) for layers in found.values()} == {tuple(f"fc{n}" for n in range(1, 7))}
    fraction = {name: layers["fc1"] / layers["fc5"] for name, layers in found.items()}
    assert fraction["fc-net-sigmoid"] < 0.1 * fraction["fc-net"]
    assert fraction["fc-net-leaky-relu"] == pytest.approx(fraction["fc-net"], rel=0.2)
    assert all(len(training.steps) == 0 for _, training in nets)


def test_recurrent_layers_count_among_the_layers_with_weights() -> None:
    ((_, layers),) = first_batch([("rnn", at_check_size("activity-rnn"))])
    assert list(layers) == ["recurrent[0]", "classifier.fc1", "classifier.fc2", "classifier.fc3"]
