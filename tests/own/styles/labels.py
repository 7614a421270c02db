"""A net whose arrays' names say nothing, with targets of every kind: labels from 1, signs, one-hot, columns."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Net:
    def __init__(self, rng, n_out=3):
        self.p = {
            "q7": 0.5 * rng.standard_normal(n_out),
            "p0": 0.5 * rng.standard_normal((5, 4)),
            "s5": 0.5 * rng.standard_normal((5, n_out)),
            "r2": 0.5 * rng.standard_normal(5),
        }

    def forward(self, x):
        h = np.tanh(x @ self.p["p0"].T + self.p["r2"])
        return h, h @ self.p["s5"] + self.p["q7"]

    def backward(self, x, h, d):
        dz = d @ self.p["s5"].T * (1 - h**2)
        return {"s5": h.T @ d, "q7": d.sum(axis=0), "p0": dz.T @ x, "r2": dz.sum(axis=0)}

    def classes(self, x, wanted):
        """`wanted` has a row of zeros and a one a sample."""
        h, scores = self.forward(x)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        d = (p - wanted) / len(x)
        return -(wanted * np.log(p)).sum() / len(x), p, self.backward(x, h, d)

    def from_one(self, x, labels):
        wanted = np.eye(3)[labels - 1]
        return self.classes(x, wanted)

    def columns(self, X, Y):
        return self.classes(X.T, Y.T)

    def signs(self, x, y):
        h, scores = self.forward(x)
        margin = y * scores[:, 0]
        d = -y / (1 + np.exp(margin)) / len(y)
        return np.log1p(np.exp(-margin)).mean(), self.backward(x, h, d[:, None])


LABELS = np.array([0, 2, 1, 1, 0, 2])


def sequential(n_out=3, *more):
    torch.manual_seed(320)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, n_out), *more)


def build(n_out=3):
    rng = np.random.default_rng(321)
    net = Net(rng, n_out)
    return net, rng.standard_normal((6, 4)), {"params": net.p}


def call_from_one():
    net, x, keywords = build()
    return net.from_one, sequential(), (x, LABELS + 1), keywords | {"loss": F.cross_entropy}


def call_one_hot():
    """Torch's loss takes classes."""
    net, x, keywords = build()
    reference = sequential(3, nn.LogSoftmax(1))
    return net.classes, reference, (x, np.eye(3)[LABELS]), keywords | {"loss": nn.NLLLoss()}


def call_columns():
    net, x, keywords = build()
    reference = sequential(3, nn.LogSoftmax(1))
    return net.columns, reference, (x.T.copy(), np.eye(3)[:, LABELS]), keywords | {"loss": nn.NLLLoss()}


def call_signs():
    """Torch's loss takes 0 and 1."""
    net, x, keywords = build(1)
    y = np.array([1.0, -1, -1, 1, 1, -1])
    return net.signs, sequential(1, nn.Flatten(0)), (x, y), keywords | {"loss": nn.BCEWithLogitsLoss()}
