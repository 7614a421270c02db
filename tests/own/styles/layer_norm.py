"""Layer norm over (B, T, C) as two static methods with a cache."""

import numpy as np
import torch
from torch import nn


class LayerNorm:
    eps = 1e-5

    @staticmethod
    def forward(x, w, b):
        mean = x.mean(axis=-1, keepdims=True)
        xshift = x - mean
        var = (xshift**2).mean(axis=-1, keepdims=True)
        rstd = (var + LayerNorm.eps) ** -0.5
        norm = xshift * rstd
        return norm * w + b, (x, w, mean, rstd)

    @staticmethod
    def backward(dout, cache):
        x, w, mean, rstd = cache
        norm = (x - mean) * rstd
        db = dout.sum(axis=(0, 1))
        dw = (dout * norm).sum(axis=(0, 1))
        dnorm = dout * w
        dx = dnorm - dnorm.mean(axis=-1, keepdims=True) - norm * (dnorm * norm).mean(axis=-1, keepdims=True)
        dx = dx * rstd
        return dx, dw, db


def call():
    rng = np.random.default_rng(240)
    torch.manual_seed(240)
    x, w, b = rng.standard_normal((2, 3, 6)), rng.standard_normal(6), rng.standard_normal(6)
    return (LayerNorm.forward, LayerNorm.backward), nn.LayerNorm(6), (x,), {"params": [w, b]}
