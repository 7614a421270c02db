"""Convolution by loops: images NHWC, filters (f, f, in, out), bias (1, 1, 1, out); alone, and within a net."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def conv_forward(A_prev, W, b, stride=2, pad=1):
    m, H, width, _ = A_prev.shape
    f, _, _, n_C = W.shape
    padded = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    n_H, n_W = (H + 2 * pad - f) // stride + 1, (width + 2 * pad - f) // stride + 1
    Z = np.zeros((m, n_H, n_W, n_C))
    for i, h, w, c in np.ndindex(Z.shape):
        patch = padded[i, h * stride : h * stride + f, w * stride : w * stride + f]
        Z[i, h, w, c] = np.sum(patch * W[:, :, :, c]) + b[0, 0, 0, c]
    return Z, (A_prev, W, b, stride, pad)


def conv_backward(dZ, cache):
    A_prev, W, b, stride, pad = cache
    f = W.shape[0]
    padded = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dpadded, dW, db = np.zeros(padded.shape), np.zeros(W.shape), np.zeros(b.shape)
    for i, h, w, c in np.ndindex(dZ.shape):
        rows, columns = slice(h * stride, h * stride + f), slice(w * stride, w * stride + f)
        dpadded[i, rows, columns] += W[:, :, :, c] * dZ[i, h, w, c]
        dW[:, :, :, c] += padded[i, rows, columns] * dZ[i, h, w, c]
        db[:, :, :, c] += dZ[i, h, w, c]
    return dpadded[:, pad:-pad, pad:-pad], dW, db


def pool_forward(A, f=2, stride=2):
    n_H, n_W = (A.shape[1] - f) // stride + 1, (A.shape[2] - f) // stride + 1
    out = np.zeros((A.shape[0], n_H, n_W, A.shape[3]))
    for h, w in np.ndindex(n_H, n_W):
        out[:, h, w] = A[:, h * stride : h * stride + f, w * stride : w * stride + f].max(axis=(1, 2))
    return out, (A, f, stride)


def pool_backward(dout, cache):
    A, f, stride = cache
    dA = np.zeros(A.shape)
    for i, h, w, c in np.ndindex(dout.shape):
        top, left = h * stride, w * stride
        window = A[i, top : top + f, left : left + f, c]
        mask = np.arange(f * f).reshape(f, f) == window.argmax()
        dA[i, top : top + f, left : left + f, c] += mask * dout[i, h, w, c]
    return dA


def net(X, Y, p):
    Z, conv_cache = conv_forward(X, p["W1"], p["b1"], stride=1)
    P, pool_cache = pool_forward(np.maximum(0, Z))
    flat = P.reshape(len(X), -1)
    out = flat @ p["W2"] + p["b2"]
    cost = np.sum((out - Y) ** 2) / Y.size
    dout = 2 * (out - Y) / Y.size
    grads = {"dW2": flat.T @ dout, "db2": dout.sum(axis=0)}
    dZ = pool_backward((dout @ p["W2"].T).reshape(P.shape), pool_cache) * (Z > 0)
    _, grads["dW1"], grads["db1"] = conv_backward(dZ, conv_cache)
    return cost, grads


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(40)
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.fc = nn.Linear(12, 2)

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.conv(images.permute(0, 3, 1, 2))), 2)
        return self.fc(x.permute(0, 2, 3, 1).flatten(1))


def plain(x, W, b):
    return F.conv2d(x.permute(0, 3, 1, 2), W.permute(3, 2, 0, 1), b.flatten(), 2, 1).permute(0, 2, 3, 1)


def call_layer():
    rng = np.random.default_rng(41)
    data = rng.standard_normal((2, 5, 7, 2)), rng.standard_normal((3, 3, 2, 4)), rng.standard_normal((1, 1, 1, 4))
    return (conv_forward, conv_backward), plain, data, {}


def call_net():
    rng = np.random.default_rng(42)
    shapes = {"W1": (3, 3, 2, 3), "b1": (1, 1, 1, 3), "W2": (12, 2), "b2": (2,)}
    parameters = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
    X, Y = rng.standard_normal((5, 4, 4, 2)), rng.standard_normal((5, 2))
    layout = {
        "conv.weight": "W1.transpose(3, 2, 0, 1)",
        "conv.bias": "b1.reshape(3)",
        "fc.weight": "W2.T",
        "fc.bias": "b2",
    }
    return lambda X, Y: net(X, Y, parameters), Images(), (X, Y), {"loss": nn.MSELoss(), "layout": layout}
