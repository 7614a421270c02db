"""Where a layer has two forms for speed, both give what the plain definition gives, at the border between them too."""

from unittest.mock import patch

import numpy as np
import pytest

from twofold.scratch import GRU, BatchNorm1d, Conv2d, Embedding
from twofold.scratch.layers.loops import LoopConv2d
from twofold.scratch.module import Array


def gradients(layer: Conv2d, x: Array, dout: Array) -> tuple[Array, Array]:
    layer.zero_grad()
    layer(x)
    dx = layer.backward(dout)
    return dx, layer.weight.grad.copy()


@pytest.mark.parametrize("kernel", [1, (1, 2), 2])
@pytest.mark.parametrize("padding", [0, 1, 2, (0, 3), 3])
@pytest.mark.parametrize("filters", [1, 4, 5])
def test_padding_up_to_and_beyond_the_kernel(kernel: int, padding: int, filters: int) -> None:
    rng = np.random.default_rng(1)
    layer, loops = (kind(2, filters, kernel, padding=padding) for kind in (Conv2d, LoopConv2d))
    loops.to(np.float64).load_state_dict(layer.to(np.float64).state_dict())
    x = rng.normal(size=(3, 2, 4, 5))
    out = layer(x)
    np.testing.assert_allclose(out, loops(x), rtol=1e-12, atol=1e-12)
    for found, expected in zip(gradients(layer, x, out), gradients(loops, x, out), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_folding_back_and_correlating_give_the_same(dtype: type) -> None:
    rng = np.random.default_rng(2)
    layer = Conv2d(3, 2, (3, 2), padding=(1, 0)).to(dtype)
    x = rng.normal(size=(4, 3, 6, 5)).astype(dtype)
    dout = rng.normal(size=layer(x).shape).astype(dtype)
    assert layer.correlates()
    correlated = gradients(layer, x, dout)
    with patch.object(Conv2d, "correlates", return_value=False):
        scattered = gradients(layer, x, dout)
    for found, expected in zip(correlated, scattered, strict=True):
        assert found.dtype == expected.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=float(100 * np.finfo(dtype).eps))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_gru_is_its_formula_in_every_digit_of_the_dtype(dtype: type, bias: bool) -> None:
    rng = np.random.default_rng(4)
    layer = GRU(3, 4, bias=bias).to(dtype)
    x = rng.normal(size=(5, 2, 3)).astype(dtype)
    w_ih, w_hh = layer.weight_ih_l0.data, layer.weight_hh_l0.data
    b_ih, b_hh = (b.data if b else np.zeros(12, dtype) for b in (layer.bias_ih_l0, layer.bias_hh_l0))
    h, known = np.zeros((2, 4), dtype), []
    for at in x:
        (i_r, i_z, i_n), (h_r, h_z, h_n) = (np.split(a, 3, axis=1) for a in (at @ w_ih.T + b_ih, h @ w_hh.T + b_hh))
        r, z = (1 / (1 + np.exp(-a)) for a in (i_r + h_r, i_z + h_z))
        h = (1 - z) * np.tanh(i_n + r * h_n) + z * h
        known.append(h)
    out, _ = layer(x)
    assert out.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(out, np.stack(known), rtol=0, atol=float(8 * eps))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_embedding_adds_in_its_own_dtype(dtype: type) -> None:
    layer = Embedding(4, 2).to(dtype)
    layer(np.array([[3, 1], [3, 3]]))
    eps = np.finfo(dtype).eps
    layer.backward(np.array([[[1, 2], [5, 6]], [[0, 0], [eps, 2 * eps]]], dtype))
    np.testing.assert_array_equal(layer.weight.grad, np.array([[0, 0], [5, 6], [0, 0], [1 + eps, 2 + 2 * eps]], dtype))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_batch_norm_of_short_lines(length: int) -> None:
    rng = np.random.default_rng(3)
    layer = BatchNorm1d(4).to(np.float64)
    x, dout = rng.normal(size=(2, 5, 4, length))
    out, dx = layer(x), layer.backward(dout)
    rows, drows = (a.transpose(1, 0, 2).reshape(4, -1) for a in (x, dout))  # a channel's entries
    scale = 1 / np.sqrt(rows.var(axis=1, keepdims=True) + layer.eps)
    normal = (rows - rows.mean(axis=1, keepdims=True)) * scale
    expected = (drows - drows.mean(axis=1, keepdims=True)) - normal * (drows * normal).mean(axis=1, keepdims=True)
    for found, known in ((out, normal), (dx, expected * scale)):
        np.testing.assert_allclose(found.transpose(1, 0, 2).reshape(4, -1), known, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, drows.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, (drows * normal).sum(axis=1), rtol=1e-12, atol=1e-12)
