"""Layers of scratch by themselves: dtypes, borders, and any shape against the plain loops."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twofold import scratch
from twofold.compare import nest
from twofold.compare.layers import LAYERS


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("case", LAYERS, ids=[case.name for case in LAYERS])
def test_every_layer_keeps_the_dtype(case, dtype) -> None:
    rng = np.random.default_rng(0)
    layer = case.model.build("scratch").to(dtype)
    inputs = nest.apply(lambda draw: draw(rng, dtype), case.inputs)
    out = layer(*inputs)
    sent = out if isinstance(out, tuple) else (out,)
    back = nest.flatten(layer.backward(*sent))
    grads = [parameter.grad for _, parameter in layer.named_parameters()]
    assert {array.dtype for array in (*nest.flatten(out), *back, *grads) if array is not None} == {np.dtype(dtype)}


def test_dropout_keeps_the_mean_and_draws_from_its_generator() -> None:
    x = np.ones((400, 500), np.float32)
    first, second = (scratch.Dropout(0.3, rng=np.random.default_rng(5)) for _ in range(2))
    out = first(x)
    np.testing.assert_array_equal(out, second(x))
    assert set(np.unique(out)) == {np.float32(0), np.float32(1) / np.float32(1 - 0.3)}
    assert abs(out.mean() - 1) < 5 * (0.3 / 0.7 / x.size) ** 0.5
    np.testing.assert_array_equal(first.backward(x), out)
    for result in (first.eval()(x), first.backward(x)):
        np.testing.assert_array_equal(result, x)
        assert not np.shares_memory(result, x)


@pytest.mark.parametrize(
    ("p", "draws", "kept"), [(0.25, [0.0, 0.25, 0.5], [0, 1, 1]), (0, [0.0, 0.5, 0.75], [1, 1, 1])]
)
def test_dropout_zeroes_what_is_drawn_below_p(p: float, draws: list[float], kept: list[int]) -> None:
    drawn = SimpleNamespace(random=lambda shape: np.array(draws).reshape(shape))
    out = scratch.Dropout(p, rng=drawn)(np.ones(3))
    np.testing.assert_array_equal(out, np.array(kept) / (1 - p))


@pytest.mark.parametrize("tokens", [(-1, 2), (0, 3)])
def test_tokens_outside_the_table_are_refused(tokens: tuple[int, int]) -> None:
    with pytest.raises(IndexError, match=rf"tokens in \[0, 3\), found tokens from {tokens[0]} to {tokens[1]}"):
        scratch.Embedding(3, 2)(np.array(tokens))


def test_a_token_by_itself_and_none_at_all_are_taken() -> None:
    table = scratch.Embedding(3, 2)
    np.testing.assert_array_equal(table(np.array([2])), table.weight.data[2:])
    assert table(np.empty((0, 4), int)).shape == (0, 4, 2)


def test_a_leaky_relu_has_its_lower_slope_at_zero() -> None:
    layer = scratch.LeakyReLU(0.25)
    layer(np.array([-1.0, 0.0, 1.0]))
    assert layer.backward(np.ones(3)).tolist() == [0.25, 0.25, 1]


@pytest.mark.parametrize("layer", [scratch.Conv2d(1, 1, 5), scratch.MaxPool2d(5)])
def test_a_window_that_does_not_fit_is_refused(layer) -> None:
    with pytest.raises(ValueError, match="does not fit an input of \\(4, 6\\)"):
        layer(np.zeros((1, 1, 4, 6), np.float32))


def test_two_values_a_channel_are_enough_for_a_batch_norm() -> None:
    out = scratch.BatchNorm1d(1)(np.array([[1.0], [3.0]], np.float32))
    np.testing.assert_allclose(out, [[-1], [1]], rtol=1e-4)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", ["RNN", "SigmoidRNN", "LSTM", "GRU", "ResetFirstGRU"])
def test_what_a_recurrent_layer_returns_is_the_callers_own(cell: str, batch_first: bool) -> None:
    """Written to before the backward pass, it changes no gradient."""
    rng = np.random.default_rng(0)
    layer, x = getattr(scratch, cell)(3, 4, batch_first=batch_first), rng.standard_normal((5, 2, 3)).astype(np.float32)
    found = []
    for written in (False, True):
        results = nest.flatten(layer(x))
        dout = np.ones_like(results[0])
        for array in results if written else ():
            array.fill(77)
        layer.zero_grad()
        back = nest.flatten(layer.backward(dout))
        found.append(back + [parameter.grad.copy() for _, parameter in layer.named_parameters()])
    for once, again in zip(*found, strict=True):
        assert once.dtype == np.float32
        np.testing.assert_array_equal(once, again)


def test_a_convolutions_gradient_over_a_long_batch_keeps_its_digits() -> None:
    """Of 200000 images, where a sum one by one in float32 is off by 1e-5 and more."""
    rng = np.random.default_rng(0)
    x, dout = (rng.random((200_000, 1, 1, 1), np.float32) for _ in range(2))
    layer = scratch.Conv2d(1, 1, 1)
    layer(x)
    layer.backward(dout)
    np.testing.assert_allclose(layer.weight.grad, (x.astype(np.float64) * dout).sum(), rtol=1e-6)


sizes = st.integers(1, 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_convolution_of_any_shape_is_the_loops(data) -> None:
    """On small integers, where every sum is exact, fast and plain agree bit for bit."""
    draw = data.draw
    n, c, o, kh, kw, sh, sw, ph, pw = (draw(sizes) for _ in range(9))
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    assume(h + 2 * (ph - 1) >= kh and w + 2 * (pw - 1) >= kw)
    agree_on_integers("Conv2d", (n, c, h, w), c, o, (kh, kw), (sh, sw), (ph - 1, pw - 1))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_pooling_of_any_shape_is_the_loops(data) -> None:
    draw = data.draw
    n, c, kh, kw, sh, sw = (draw(sizes) for _ in range(6))
    h, w = draw(st.integers(kh, 9)), draw(st.integers(kw, 9))
    agree_on_integers("MaxPool2d", (n, c, h, w), (kh, kw), (sh, sw))


def agree_on_integers(layer: str, shape: tuple[int, ...], *arguments) -> None:
    rng = np.random.default_rng(0)
    fast, plain = (getattr(scratch, name)(*arguments) for name in (layer, f"Loop{layer}"))
    state = {name: rng.integers(-3, 4, a.shape).astype(a.dtype) for name, a in fast.state_dict().items()}
    x = rng.integers(-3, 4, shape).astype(np.float32)
    results = []
    for module in (fast, plain):
        module.load_state_dict(state)
        out = module(x)
        dx = module.backward(np.arange(out.size, dtype=np.float32).reshape(out.shape) % 5 - 2)
        results.append([out, dx, *(parameter.grad for _, parameter in module.named_parameters())])
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("layer", ["ReLU", "LeakyReLU", "Tanh", "Sigmoid"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 1)])
def test_an_elementwise_layer_takes_any_shape(layer: str, shape: tuple[int, ...]) -> None:
    function = getattr(scratch, layer)()
    x = np.full(shape, 0.5)
    assert np.shape(function(x)) == np.shape(function.backward(np.ones(shape))) == shape


@pytest.mark.parametrize("kind", [scratch.MaxPool2d, scratch.LoopMaxPool2d])
def test_a_pool_of_nan_by_hand(kind: type[scratch.Module]) -> None:
    """NaN wins, and of several the last one, as in torch; windows without one go on as they do."""
    x = np.array(
        [[[[np.nan, np.nan, 5.0, 4.0], [np.nan, 2.0, 3.0, 6.0], [7.0, 7.0, np.nan, 0.0], [7.0, 0.0, 1.0, 2.0]]]]
    )
    pool = kind(2)
    np.testing.assert_array_equal(pool(x), [[[[np.nan, 6.0], [7.0, np.nan]]]])
    dx = pool.backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]))
    expected = np.zeros((4, 4))
    expected[1, 0], expected[1, 3], expected[2, 0], expected[2, 2] = 1.0, 2.0, 3.0, 4.0
    np.testing.assert_array_equal(dx, expected[None, None])
