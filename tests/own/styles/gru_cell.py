"""A GRU cell of twelve attributes, and the loop over time that its owner has anyway."""

import numpy as np
import torch
from torch import nn


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class GRUCell:
    def __init__(self, in_dim, hidden_dim, rng):
        self.Wrx, self.Wzx, self.Wnx = (rng.standard_normal((hidden_dim, in_dim)) for _ in range(3))
        self.Wrh, self.Wzh, self.Wnh = (rng.standard_normal((hidden_dim, hidden_dim)) for _ in range(3))
        self.brx, self.bzx, self.bnx = (rng.standard_normal(hidden_dim) for _ in range(3))
        self.brh, self.bzh, self.bnh = (rng.standard_normal(hidden_dim) for _ in range(3))
        self.zero_grad()

    def zero_grad(self):
        for name, value in list(vars(self).items()):
            if name[0] in "Wb":
                setattr(self, "d" + name, np.zeros_like(value))

    def forward(self, x, h):
        r = sigmoid(self.Wrx @ x + self.brx + self.Wrh @ h + self.brh)
        z = sigmoid(self.Wzx @ x + self.bzx + self.Wzh @ h + self.bzh)
        inner = self.Wnh @ h + self.bnh
        n = np.tanh(self.Wnx @ x + self.bnx + r * inner)
        return (1 - z) * n + z * h, (x, h, r, z, inner, n)

    def backward(self, delta, cache):
        x, h, r, z, inner, n = cache
        dn = delta * (1 - z) * (1 - n**2)
        dz = delta * (h - n) * z * (1 - z)
        dr = dn * inner * r * (1 - r)
        dinner = dn * r
        self.dWrx += np.outer(dr, x)
        self.dWzx += np.outer(dz, x)
        self.dWnx += np.outer(dn, x)
        self.dWrh += np.outer(dr, h)
        self.dWzh += np.outer(dz, h)
        self.dWnh += np.outer(dinner, h)
        self.dbrx += dr
        self.dbrh += dr
        self.dbzx += dz
        self.dbzh += dz
        self.dbnx += dn
        self.dbnh += dinner
        dx = self.Wrx.T @ dr + self.Wzx.T @ dz + self.Wnx.T @ dn
        dh = delta * z + self.Wrh.T @ dr + self.Wzh.T @ dz + self.Wnh.T @ dinner
        return dx, dh


def run_sequence(cell, xs, h, target):
    cell.zero_grad()
    states, caches = [], []
    for x in xs:
        h, cache = cell.forward(x, h)
        states.append(h)
        caches.append(cache)
    dhs = [2 * (state - wanted) for state, wanted in zip(states, target, strict=True)]
    delta = np.zeros_like(h)
    for t in reversed(range(len(xs))):
        _, delta = cell.backward(dhs[t] + delta, caches[t])
    return np.stack(states), np.sum((np.stack(states) - target) ** 2)


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(180)
        self.gru = nn.GRU(3, 4)

    def forward(self, xs, h):
        return self.gru(xs, h[None])[0]


def call():
    rng = np.random.default_rng(181)
    cell = GRUCell(3, 4, rng)
    layout = {
        "gru.weight_ih_l0": "concatenate([Wrx, Wzx, Wnx])",
        "gru.weight_hh_l0": "concatenate([Wrh, Wzh, Wnh])",
        "gru.bias_ih_l0": "concatenate([brx, bzx, bnx])",
        "gru.bias_hh_l0": "concatenate([brh, bzh, bnh])",
    }
    data = rng.standard_normal((6, 3)), rng.standard_normal(4), rng.standard_normal((6, 4))
    keywords = {"params": cell, "loss": nn.MSELoss(reduction="sum"), "layout": layout}
    return lambda xs, h, target: run_sequence(cell, xs, h, target), Loop(), data, keywords
