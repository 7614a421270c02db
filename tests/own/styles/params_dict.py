"""A net with a dict of parameters, (in, out); without labels its loss gives scores."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class ScoreNet:
    def __init__(self, rng, dim, hidden, classes, reg=0.0, scale=0.5):
        self.reg = reg
        self.params = {
            "W1": scale * rng.standard_normal((dim, hidden)),
            "b1": scale * rng.standard_normal(hidden),
            "W2": scale * rng.standard_normal((hidden, hidden)),
            "b2": scale * rng.standard_normal(hidden),
            "W3": scale * rng.standard_normal((hidden, classes)),
            "b3": scale * rng.standard_normal(classes),
        }

    def loss(self, X, y=None):
        W1, W2, W3 = (self.params[k] for k in ("W1", "W2", "W3"))
        b1, b2, b3 = (self.params[k] for k in ("b1", "b2", "b3"))
        N = X.shape[0]
        h1 = np.maximum(0, X @ W1 + b1)
        h2 = np.maximum(0, h1 @ W2 + b2)
        scores = h2 @ W3 + b3
        if y is None:
            return scores
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss = -logs[np.arange(N), y].mean()
        loss += 0.5 * self.reg * sum((W * W).sum() for W in (W1, W2, W3))

        grads = {}
        dscores = np.exp(logs)
        dscores[np.arange(N), y] -= 1
        dscores /= N
        grads["W3"] = h2.T @ dscores + self.reg * W3
        grads["b3"] = dscores.sum(axis=0)
        dh2 = dscores @ W3.T
        dh2[h2 <= 0] = 0
        grads["W2"] = h1.T @ dh2 + self.reg * W2
        grads["b2"] = dh2.sum(axis=0)
        dh1 = dh2 @ W2.T
        dh1[h1 <= 0] = 0
        grads["W1"] = X.T @ dh1 + self.reg * W1
        grads["b1"] = dh1.sum(axis=0)
        return loss, grads


class Regularised(nn.Module):
    def __init__(self, net, reg):
        super().__init__()
        self.net = net
        self.reg = reg

    def forward(self, x, y):
        squares = sum((w**2).sum() for w in self.net.parameters() if w.ndim == 2)
        return F.cross_entropy(self.net(x), y) + 0.5 * self.reg * squares


def sequential():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))


def batch(rng):
    return rng.standard_normal((7, 4)), np.array([0, 2, 1, 1, 0, 2, 1])


def call():
    rng = np.random.default_rng(0)
    net = ScoreNet(rng, 4, 6, 3)
    return net.loss, sequential(), batch(rng), {"loss": F.cross_entropy}


def call_scores():
    rng = np.random.default_rng(6)
    X, _ = batch(rng)
    net = ScoreNet(rng, 4, 6, 3)
    return net.loss, sequential(), (X,), {"params": net.params}


def call_regularised():
    rng = np.random.default_rng(2)
    net = ScoreNet(rng, 4, 6, 3, reg=0.1)
    return net.loss, Regularised(sequential(), 0.1), batch(rng), {}


def call_large():
    rng = np.random.default_rng(3)
    X, y = batch(rng)
    X[[2, 5]] *= 500_000
    net = ScoreNet(rng, 4, 6, 3)
    return net.loss, sequential(), (X, y), {"loss": F.cross_entropy}
