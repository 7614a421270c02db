"""Work done in parts, blocks of rows or chunks of records, gives what it gives in one piece."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from twofold import scratch
from twofold.compare.pair import Twin
from twofold.compare.sides import Scratch
from twofold.scratch.models.notmnist_mlp import NotMnistMLP
from twofold.scratch.module import Array, Module, Parameter, blocks

LINEAR, OPTIM = "twofold.scratch.layers.linear.BLOCK_BYTES", "twofold.scratch.optim.BLOCK_BYTES"
OPTIMIZERS = [
    (scratch.SGD, {}),
    (scratch.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    (scratch.SGD, {"momentum": 0.9, "nesterov": True}),
    (scratch.Adam, {"weight_decay": 0.1}),
    (scratch.RMSprop, {}),
    (scratch.RMSprop, {"momentum": 0.9, "weight_decay": 0.1}),
    (scratch.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("size", "rows"), [(1, [1] * 5), (31, [1] * 5), (32, [2, 2, 1]), (79, [4, 1]), (80, [5])])
def test_blocks_hold_every_row_once_and_at_most_so_many_bytes(size: int, rows: list[int]) -> None:
    first, second = np.arange(10.0, dtype=np.float64).reshape(5, 2), np.arange(5)
    found = list(blocks(first, second, size=size))
    assert [len(block) for block, _ in found] == rows
    np.testing.assert_array_equal(np.concatenate([block for block, _ in found]), first)
    np.testing.assert_array_equal(np.concatenate([block for _, block in found]), second)
    assert all(np.shares_memory(block, first) for block, _ in found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize(("kind", "arguments"), OPTIMIZERS)
def test_an_optimizer_moves_a_weight_in_blocks_as_in_one_piece(
    kind: Any, arguments: dict[str, Any], dtype: Any
) -> None:
    def moved() -> list[Array]:
        rng = np.random.default_rng(0)
        weight = Parameter(rng.standard_normal((7, 3)).astype(dtype))
        optimizer = kind([("weight", weight)], **arguments)
        for _ in range(3):
            weight.grad = np.asfortranarray(rng.standard_normal((7, 3)).astype(dtype))  # no flat view of it is there
            optimizer.step()
        return [weight.data, *optimizer.state_dict()["weight"].values()]

    whole = moved()
    with patch(OPTIM, 2 * 3 * np.dtype(dtype).itemsize):
        parts = moved()
    assert [array.dtype for array in parts] == [array.dtype for array in whole]
    for part, one in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(part, one)


def test_a_linear_layer_adds_its_gradient_up_in_blocks() -> None:
    rng = np.random.default_rng(0)
    layer = scratch.Linear(3, 7, rng=rng).to(np.float64)
    x, dout = (rng.integers(-4, 5, shape).astype(float) for shape in ((2, 5, 3), (2, 5, 7)))
    with patch(LINEAR, 2 * 3 * layer.weight.data.itemsize):
        layer(x)
        layer.backward(dout)
        layer.accumulate(dout)
    expected = np.einsum("nto,nti->oi", dout, x)
    np.testing.assert_array_equal(layer.weight.grad, 2 * expected)


def net(*names: str) -> scratch.Sequential:
    rng = np.random.default_rng(0)
    kinds: dict[str, Module] = {
        "flatten": scratch.Flatten(),
        "fc1": scratch.Linear(6, 5, rng=rng),
        "relu": scratch.ReLU(),
        "fc2": scratch.Linear(5, 4, rng=rng),
    }
    return scratch.Sequential({name: kinds[name] for name in names})


NETS = [("flatten", "fc1", "relu", "fc2"), ("fc1", "fc2"), ("fc1", "relu"), ("flatten", "relu"), ("fc1",)]


@pytest.mark.parametrize("names", NETS)
def test_accumulate_adds_what_backward_adds_and_asks_the_first_weights_for_no_more(
    names: tuple[str, ...],
) -> None:
    rng = np.random.default_rng(1)
    model = net(*names).to(np.float64)
    out = model(rng.standard_normal((3, 6)))
    dout = rng.standard_normal(out.shape)
    model.backward(dout)
    expected = {name: parameter.grad.copy() for name, parameter in model.named_parameters()}
    model.zero_grad()
    for name in set(names) & {"flatten", "fc1"}:
        vars(model)[name].backward = None
    model.accumulate(dout)
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.grad, expected[name])


def test_a_layer_accumulates_by_its_backward_unless_it_says_otherwise() -> None:
    class Asked(Module):
        def forward(self, x: Any) -> Any:
            return x

        def backward(self, dout: Any) -> Any:
            self.cache = dout
            return dout

    asked = Asked()
    asked(2)
    asked.accumulate(3)
    assert asked.cache == 3


@pytest.mark.parametrize("chunk", [None, 1, 3, 4, 9, 20])
def test_a_training_step_in_chunks_is_that_of_the_whole_batch(
    chunk: int | None,
) -> None:
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((9, 6)), rng.integers(0, 4, 9)
    batches = []
    forward = NotMnistMLP.forward

    def counted(model: NotMnistMLP, x: Array) -> Array:
        batches.append(len(x))
        return forward(model, x)

    def step(chunk: int | None) -> tuple[float, Array, dict[str, Array]]:
        model = Twin("twofold.scratch.models.notmnist_mlp:NotMnistMLP", "", {"pixels": 6, "hidden": 5, "classes": 4})
        loss = Twin("twofold.scratch:CrossEntropyLoss", "", {"reduction": "sum"})
        optimizer = Twin("twofold.scratch:SGD", "", {"lr": 0.1, "momentum": 0.9})
        penalty = Twin("twofold.scratch:L2Penalty", "", {"reg": 0.1})
        side = Scratch(model, loss, optimizer, "float64", penalty=penalty, chunk=chunk)
        side.load(
            {
                name: np.full(value.shape, 0.1) + np.arange(value.size).reshape(value.shape) % 3
                for name, value in side.state().items()
            }
        )
        return *side.train_step(x, target), side.state()

    expected_loss, expected_out, expected_state = step(None)
    with patch.object(NotMnistMLP, "forward", counted):
        loss, out, state = step(chunk)
    assert batches == {None: [9], 1: [1] * 9, 3: [3] * 3, 4: [4, 4, 1], 9: [9], 20: [9]}[chunk]
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(out, expected_out, rtol=1e-12)
    for name, value in state.items():
        np.testing.assert_allclose(value, expected_state[name], rtol=1e-12, atol=1e-14)
