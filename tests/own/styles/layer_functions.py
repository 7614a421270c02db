"""Layers as two functions each: out, cache = forward(x, ...), and a tuple of gradients = backward(dout, cache)."""

import numpy as np
import torch
from torch import nn


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    x = cache
    dx = np.array(dout)
    dx[x <= 0] = 0
    return dx


def softmax_forward(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    return y, y


def softmax_backward(dout, cache):
    y = cache
    dx = y * dout
    dx = dx - y * dx.sum(axis=1, keepdims=True)
    return dx


def max_pool_forward(x, size=2):
    N, C, H, W = x.shape
    out = np.zeros((N, C, H // size, W // size))
    for i in range(H // size):
        for j in range(W // size):
            out[:, :, i, j] = x[:, :, i * size : i * size + size, j * size : j * size + size].max(axis=(2, 3))
    return out, (x, size)


def max_pool_backward(dout, cache):
    x, size = cache
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * size : i * size + size, j * size : j * size + size]
        a, b = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * size + a, j * size + b] += dout[n, c, i, j]
    return dx


def call_affine():
    rng = np.random.default_rng(10)
    torch.manual_seed(10)
    x, w, b = rng.standard_normal((6, 2, 2, 3)), rng.standard_normal((12, 4)), rng.standard_normal(4)
    return (affine_forward, affine_backward), nn.Sequential(nn.Flatten(), nn.Linear(12, 4)), (x,), {"params": [w, b]}


def call_square():
    rng = np.random.default_rng(11)
    torch.manual_seed(11)
    x, w, b = rng.standard_normal((6, 5)), rng.standard_normal((5, 5)), rng.standard_normal(5)
    return (affine_forward, affine_backward), nn.Linear(5, 5), (x,), {"params": [w, b]}


def call_relu():
    x = np.random.default_rng(12).standard_normal((5, 7))
    return (relu_forward, relu_backward), nn.ReLU(), (x,), {}


def call_softmax():
    x = np.random.default_rng(13).standard_normal((5, 6))
    return (softmax_forward, softmax_backward), nn.Softmax(dim=1), (x,), {}


def call_pool():
    x = np.random.default_rng(14).standard_normal((2, 3, 4, 6))
    return (max_pool_forward, max_pool_backward), nn.MaxPool2d(2), (x,), {}


def call_pool_ties():
    x = np.random.default_rng(15).integers(0, 3, (2, 3, 4, 6)).astype(float)
    return (max_pool_forward, max_pool_backward), nn.MaxPool2d(2), (x,), {}
