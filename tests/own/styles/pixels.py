"""A net with a dict of parameters that takes images as they lie in files: uint8, the mean taken off within."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class PixelNet:
    def __init__(self, rng):
        self.params = {
            "W1": 0.4 * rng.standard_normal((9, 5)),
            "b1": 0.4 * rng.standard_normal(5),
            "W2": 0.4 * rng.standard_normal((5, 4)),
            "b2": 0.4 * rng.standard_normal(4),
        }

    def loss(self, X, y):
        p = self.params
        x = X.astype(p["W1"].dtype) - 128
        x = x.reshape(len(x), -1) / 64
        h = np.tanh(x @ p["W1"] + p["b1"])
        scores = h @ p["W2"] + p["b2"]
        scores = scores - scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        rows = np.arange(len(y))
        loss = -logs[rows, y].mean()

        d = np.exp(logs)
        d[rows, y] -= 1
        d = d / len(y)
        grads = {"W2": h.T @ d, "b2": d.sum(axis=0)}
        d = (d @ p["W2"].T) * (1 - h**2)
        grads |= {"W1": x.T @ d, "b1": d.sum(axis=0)}
        return loss, grads


class Pixels(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.fc1 = nn.Linear(9, 5)
        self.fc2 = nn.Linear(5, 4)

    def forward(self, images):
        x = (images.to(self.fc1.weight.dtype) - 128).flatten(1) / 64
        return self.fc2(torch.tanh(self.fc1(x)))


def call():
    rng = np.random.default_rng(5)
    net = PixelNet(rng)
    X = rng.integers(0, 256, (6, 3, 3), dtype=np.uint8)
    return net.loss, Pixels(), (X, np.array([3, 0, 1, 2, 2, 0])), {"loss": F.cross_entropy}


def call_floats():
    scratch, reference, (X, y), keywords = call()
    return scratch, reference, (X.astype(float), y), keywords
