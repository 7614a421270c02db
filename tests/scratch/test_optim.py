"""Losses, penalties and optimizers of scratch by hand."""

import numpy as np
import pytest

from twofold import scratch


def test_clipping_by_value() -> None:
    parameter = scratch.Parameter(np.zeros(3))
    parameter.grad[...] = [-20, 3, 20]
    scratch.clip_grad_value_([parameter], 10)
    assert parameter.grad.tolist() == [-10, 3, 10]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_keeps_a_momentum_only_where_it_has_one(momentum: float) -> None:
    layer = scratch.Linear(2, 1, bias=False)
    optimizer = scratch.RMSprop(layer.named_parameters(), lr=0.1, momentum=momentum)
    optimizer.step()
    assert ("momentum_buffer" in optimizer.state_dict()["weight"]) is bool(momentum)


def test_l2_penalty_by_hand() -> None:
    """0.5 * 0.1 * (1 + 4 + 9) on the weight alone, and 0.1 W into its gradient."""
    layer = scratch.Linear(3, 1)
    layer.weight.data[...] = [1, 2, 3]
    penalty = scratch.L2Penalty(layer.named_parameters(), reg=0.1)
    assert penalty.forward() == pytest.approx(0.7)
    layer.weight.grad[...] = 1
    penalty.backward()
    np.testing.assert_allclose(layer.weight.grad, [[1.1, 1.2, 1.3]], rtol=1e-6)
    assert not layer.bias.grad.any()


@pytest.mark.parametrize("optimizer", [scratch.SGD, scratch.Adam, scratch.RMSprop, scratch.Adagrad])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_optimizers_keep_the_dtype(optimizer, dtype) -> None:
    parameter = scratch.Parameter(np.ones(3, dtype))
    parameter.grad[...] = 1
    arguments = {"momentum": 0.5} if optimizer in (scratch.SGD, scratch.RMSprop) else {}
    updated = optimizer([("p", parameter)], weight_decay=0.1, **arguments)
    updated.step()
    assert parameter.data.dtype == dtype
    assert (parameter.data < 1).all()
    assert all(value.dtype == (np.int64 if key == "step" else dtype) for key, value in updated.state["p"].items())


def test_sgd_by_hand() -> None:
    """Two steps with momentum 0.5 and decay 0.1 from p = 1 with gradient 2 and lr 0.1, worked on paper."""
    parameter = scratch.Parameter(np.array([1.0]))
    optimizer = scratch.SGD([("p", parameter)], lr=0.1, momentum=0.5, weight_decay=0.1)
    parameter.grad[...] = 2
    optimizer.step()  # g = 2.1, v = 2.1, p = 0.79
    assert parameter.data[0] == pytest.approx(0.79, rel=1e-15, abs=0)
    optimizer.step()  # g = 2.079, v = 3.129, p = 0.4771
    assert parameter.data[0] == pytest.approx(0.4771, rel=1e-15, abs=0)


def test_the_first_momentum_is_a_copy_of_the_gradient() -> None:
    parameter = scratch.Parameter(np.zeros(1))
    optimizer = scratch.SGD([("p", parameter)], lr=0.5, momentum=0.5)
    parameter.grad[...] = 4
    optimizer.step()  # v = 4, p = -2
    parameter.grad[...] = 0
    optimizer.step()  # v = 2, p = -3
    assert parameter.data.tolist() == [-3]


def test_zero_grad_of_an_optimizer() -> None:
    parameter = scratch.Parameter(np.ones(3))
    parameter.grad[...] = 1
    scratch.SGD([("p", parameter)]).zero_grad()
    assert not parameter.grad.any()


CLASSIFYING = ("CrossEntropyLoss", "SoftmaxBCELoss", "MultiClassHingeLoss")


@pytest.mark.parametrize("name", [*CLASSIFYING, "MSELoss", "HalfMSELoss"])
def test_a_loss_goes_back_from_its_own_value(name: str) -> None:
    loss, rng = getattr(scratch, name)(), np.random.default_rng(0)
    classes = name in CLASSIFYING
    loss(rng.random((4, 5), np.float32), np.array([0, 1, 4, 2]) if classes else rng.random((4, 5), np.float32))
    assert loss.backward().dtype == np.float32
    np.testing.assert_array_equal(loss.backward(), loss.backward(1.0))


def test_the_autoencoders_loss_goes_back_from_its_own_value() -> None:
    loss, rng = scratch.SparseAutoencoderLoss(), np.random.default_rng(0)
    loss(rng.random((4, 5), np.float32), rng.random((4, 3), np.float32))
    assert loss.backward().dtype == np.float32
    np.testing.assert_array_equal(loss.backward(), loss.backward(1.0))


def test_binary_cross_entropy_of_a_softmax_by_hand() -> None:
    """p = (1/2, 1/3, 1/6), y = 1: -log 1/3 - log 1/2 - log 5/6; s = (1, -1, 1/5), their sum 1/5, dx = s - p / 5."""
    loss = scratch.SoftmaxBCELoss()
    assert loss(np.log([[3.0, 2.0, 1.0]]), np.array([1])) == pytest.approx(np.log(7.2), rel=1e-15, abs=0)
    np.testing.assert_allclose(loss.backward(), [[0.9, -16 / 15, 1 / 6]], rtol=1e-14)


def test_binary_cross_entropy_of_two_classes_is_twice_the_cross_entropy() -> None:
    x, target = np.random.default_rng(0).standard_normal((6, 2)), np.array([0, 1, 1, 0, 1, 0])
    loss, half = scratch.SoftmaxBCELoss(), scratch.CrossEntropyLoss()
    assert loss(x, target) == pytest.approx(2 * half(x, target), rel=1e-14, abs=0)
    np.testing.assert_allclose(loss.backward(), 2 * half.backward(), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_binary_cross_entropy_of_large_inputs_is_finite(dtype) -> None:
    """The likeliest class wrong: 2000 for y and as much for it, and a slope of 2; right: 0."""
    loss, x = scratch.SoftmaxBCELoss(reduction="none"), np.array([[-1000.0, -1000.0, 1000.0]] * 2, dtype)
    values = loss(x, np.array([0, 2]))
    assert values.dtype == dtype
    np.testing.assert_allclose(values, [4000 - np.log(2), 0], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(loss.backward(np.ones(2, dtype)), [[-1.5, -0.5, 2], [0, 0, 0]], rtol=1e-6, atol=1e-30)


def test_sigmoid_and_cross_entropy_of_large_inputs_are_finite() -> None:
    x = np.array([[-1000.0, 0.0, 1000.0]], np.float32)
    assert scratch.Sigmoid()(x).tolist() == [[0.0, 0.5, 1.0]]
    loss = scratch.CrossEntropyLoss()
    assert loss(x, np.array([0])) == 2000
    assert np.isfinite(loss.backward()).all()
