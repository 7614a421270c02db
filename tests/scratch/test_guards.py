"""What the tables of contracts do not reach: what only scratch has, what draws at random, what people derive."""

from collections.abc import Callable

import numpy as np
import pytest

from twofold import scratch
from twofold.scratch import Linear, Module, Parameter
from twofold.scratch.layers.conv import Conv2d
from twofold.scratch.layers.loops import LoopConv2d, LoopMaxPool2d
from twofold.scratch.layers.pooling import MaxPool2d
from twofold.scratch.models.bn_convnet import BNConvNet
from twofold.scratch.module import Array
from twofold.scratch.optimizer import Optimizer

X = np.random.default_rng(3).standard_normal((2, 5, 4)).astype(np.float32)


def backward(layer: Module, x: Array, dout: Array) -> Array:
    layer(x)
    return layer.backward(dout)


def loss(out: Array, target: Array) -> Array:
    return scratch.SparseAutoencoderLoss()(out, target)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "dropout of integers": (lambda: scratch.Dropout()(np.ones((2, 3), int)), "Dropout expected an input of float"),
    "dropout's gradient": (lambda: backward(scratch.Dropout(), X, X[:1]), "Dropout expected a gradient of shape"),
    "pooling's gradient": (lambda: backward(LoopMaxPool2d(2), X, X), "LoopMaxPool2d expected a gradient of shape"),
    "no axis": (lambda: scratch.LayerNorm(()), "LayerNorm expected a normalized_shape of one axis or more"),
    "a list": (lambda: loss(X[0].tolist(), X[0]), "SparseAutoencoderLoss expected an input as a NumPy array"),
    "a list for a target": (lambda: loss(X[0], X[0].tolist()), "SparseAutoencoderLoss expected a target as a NumPy"),
    "a record": (lambda: loss(X[0, 0], X[0]), r"expected an input of shape \(N, pixels \+ hidden\), found"),
    "a record's target": (lambda: loss(X[0], X[0, 0]), r"expected an input of shape \(N, pixels\), found"),
    "a wider target": (lambda: loss(X[0, :, :3], X[0]), "the input no narrower than the target"),
    "no record": (lambda: loss(X[0, :0], X[0, :0, :3]), "expected one record or more"),
    "a number for values": (lambda: backward_of_none(1.0), r"MSELoss expected a gradient of shape \(2,\)"),
}


def backward_of_none(dloss: float) -> Array:
    values = scratch.MSELoss(reduction="none")
    values(X[:, 0, 0], X[:, 1, 1])
    return values.backward(dloss)


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str) -> None:
    call, told = REFUSED[what]
    with pytest.raises((TypeError, ValueError), match=told):
        call()


def test_a_loss_whose_hidden_units_are_none() -> None:
    out, target = X[0], X[1]
    assert loss(out, target) == pytest.approx(((out - target) ** 2).sum() / 10, rel=1e-6)


def test_the_mean_of_no_record_warns_of_nothing() -> None:
    assert np.isnan(scratch.MSELoss()(X[:0], X[:0]))


ALONE = {
    "conv": (lambda: LoopConv2d(2, 3, 2, padding=1, rng=0), lambda: Conv2d(2, 3, 2, padding=1, rng=0)),
    "pool": (lambda: LoopMaxPool2d(2), lambda: MaxPool2d(2)),
}


@pytest.mark.parametrize("name", ALONE)
def test_loops_over_one_record_alone(name: str) -> None:
    loops, fast = (make() for make in ALONE[name])
    out, same = loops(X), fast(X)
    assert out.shape == same.shape
    np.testing.assert_allclose(out, same, rtol=1e-5, atol=1e-6)
    dx = loops.backward(same)
    assert dx.shape == X.shape
    np.testing.assert_allclose(dx, fast.backward(same), rtol=1e-5, atol=1e-5)


def test_groups_as_large_as_the_batch() -> None:
    out = scratch.GroupNorm(1, 2)(X[:, :2, 0])  # of two records two values each
    np.testing.assert_allclose(out.sum(axis=1), 0, atol=1e-6)


def test_sizes_in_a_list() -> None:
    assert scratch.LayerNorm([5, 4]).normalized_shape == (5, 4)


def test_a_seed_is_one_generator_for_a_whole_net() -> None:
    one, other = BNConvNet(rng=5), BNConvNet(rng=np.random.default_rng(5))
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name], err_msg=name)


def scaled() -> type[Linear]:
    """A user's layer, made while the test runs."""

    class Scaled(Linear):
        def forward(self, x: Array, scale: float = 1.0) -> Array:
            return scale * super().forward(x)

        def accumulate(self, dout: Array) -> None:
            self.weight.grad += dout.sum()  # a mistake of his, which needs no cache

    return Scaled


def test_what_is_given_by_name_arrives() -> None:
    layer = scaled()(4, 2, rng=0)
    np.testing.assert_allclose(layer(X, scale=3.0), 3 * layer(X), rtol=1e-6)


def test_an_own_method_is_held_to_the_same() -> None:
    with pytest.raises(RuntimeError, match="Scaled expected a forward pass before its backward pass, found none"):
        scaled()(4, 2, rng=0).accumulate(X)


def test_what_a_cache_holds_is_no_part() -> None:
    layer = Linear(4, 2, rng=0)
    layer.cache = [Linear(2, 2, rng=0)]
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


def counting() -> type[Optimizer]:
    """A user's, with a state of another shape than the parameter, and no word of what it keeps."""

    class Counting(Optimizer):
        def __init__(self, params: object, *, size: int = 3) -> None:
            super().__init__(params)
            self.size = size

        def update(self, data: Array, grad: Array, state: dict[str, Array]) -> None:
            state["seen"] = state.get("seen", np.zeros(self.size)) + 1
            data -= grad

    return Counting


def test_an_own_optimizer_keeps_what_it_likes() -> None:
    parameter = Parameter(np.ones((2, 2)))
    optimizer = counting()([("w", parameter)])
    for _ in range(2):
        optimizer.step()
        parameter.data = parameter.data.copy()
    np.testing.assert_array_equal(optimizer.state["w"]["seen"], [2, 2, 2])


def test_an_own_optimizer_names_itself() -> None:
    with pytest.raises(TypeError, match="Counting expected"):
        counting()([Parameter(np.ones(2))], sise=3)
