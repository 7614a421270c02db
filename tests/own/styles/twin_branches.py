"""Two branches of one form, whose results are added: left and right may be exchanged."""

import numpy as np
import torch
from torch import nn


class Twin:
    def __init__(self, rng):
        self.p = {
            "top": rng.standard_normal((5, 2)),
            "b": 0.6 * rng.standard_normal((4, 5)),
            "a": 0.6 * rng.standard_normal((4, 5)),
            "d": rng.standard_normal(5),
            "c": rng.standard_normal(5),
        }

    def loss(self, x, y):
        p = self.p
        one = np.tanh(x @ p["a"] + p["c"])
        two = np.tanh(x @ p["b"] + p["d"])
        out = (one + two) @ p["top"]
        e = out - y
        d = 2 * e / e.size
        both = d @ p["top"].T
        done = both * (1 - one**2)
        dtwo = both * (1 - two**2)
        grads = {"a": x.T @ done, "c": done.sum(axis=0), "b": x.T @ dtwo, "d": dtwo.sum(axis=0)}
        return np.mean(e**2), out, grads | {"top": (one + two).T @ d}


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(315)
        self.left, self.right, self.top = nn.Linear(4, 5), nn.Linear(4, 5), nn.Linear(5, 2, bias=False)

    def forward(self, x):
        return self.top(torch.tanh(self.left(x)) + torch.tanh(self.right(x)))


class Unlike(Branches):
    """One of the branches counts twice: they may not be exchanged."""

    def forward(self, x):
        return self.top(torch.tanh(self.left(x)) + 2 * torch.tanh(self.right(x)))


def call():
    rng = np.random.default_rng(316)
    net = Twin(rng)
    data = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    return net.loss, Branches(), data, {"params": net.p, "loss": nn.MSELoss()}


def call_unlike():
    scratch, _, data, keywords = call()
    return scratch, Unlike(), data, keywords
