"""Layers as pairs of functions, their arguments in another order, matrices (out, in), names that mean another thing."""

import numpy as np
import torch
from torch import nn


def affine_forward(x, u, v):
    out = x @ v.T + u[:, 0]
    return out, (x, v)


def affine_backward(dout, cache):
    x, v = cache
    dx = dout @ v
    dv = dout.T @ x
    du = dout.sum(axis=0).reshape(-1, 1)
    return dx, du, dv


def norm_forward(x, weight, bias):
    """`weight` is added, `bias` is a factor."""
    mean = x.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * rstd
    return xhat * bias + weight, (xhat, rstd, bias)


def norm_backward(dout, cache):
    xhat, rstd, bias = cache
    d = dout * bias
    dx = rstd * (d - d.mean(axis=-1, keepdims=True) - xhat * (d * xhat).mean(axis=-1, keepdims=True))
    return dx, dout.sum(axis=(0, 1)), (dout * xhat).sum(axis=(0, 1))


def call_affine():
    rng = np.random.default_rng(322)
    torch.manual_seed(322)
    x, u, v = rng.standard_normal((6, 5)), rng.standard_normal((5, 1)), rng.standard_normal((5, 5))
    return (affine_forward, affine_backward), nn.Linear(5, 5), (x,), {"params": [u, v]}


def call_norm():
    rng = np.random.default_rng(323)
    torch.manual_seed(323)
    x, weight, bias = rng.standard_normal((2, 3, 6)), rng.standard_normal(6), rng.standard_normal(6)
    return (norm_forward, norm_backward), nn.LayerNorm(6), (x,), {"params": [weight, bias]}
