"""Words in, words out, by one matrix: rows of it are read, and its transpose gives the scores."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WORDS, WIDTH = 9, 5


class Tied:
    def __init__(self, rng):
        self.p = {
            "mix": 0.6 * rng.standard_normal((WIDTH, WIDTH)),
            "E": rng.standard_normal((WORDS, WIDTH)),
            "c": 0.4 * rng.standard_normal(WORDS),
            "shift": 0.4 * rng.standard_normal(WIDTH),
        }

    def loss(self, ids, labels):
        E, mix, shift, c = (self.p[name] for name in ("E", "mix", "shift", "c"))
        n, T = np.arange(len(ids)), ids.shape[1]
        mean = E[ids].mean(axis=1)
        h = np.tanh(mean @ mix + shift)
        scores = h @ E.T + c
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[n, labels]).mean()

        d = p.copy()
        d[n, labels] -= 1
        d = d / len(n)
        dE = d.T @ h
        dc = d.sum(axis=0)
        dz = d @ E * (1 - h**2)
        dmean = dz @ mix.T
        np.add.at(dE, ids, dmean[:, None] / T)
        return loss, scores, {"E": dE, "mix": mean.T @ dz, "shift": dz.sum(axis=0), "c": dc}


class Shared(nn.Module):
    """The output's weight is the embedding's, one parameter in two modules."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(308)
        self.emb, self.mix, self.out = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WORDS)
        self.out.weight = self.emb.weight

    def forward(self, ids):
        return self.out(torch.tanh(self.mix(self.emb(ids).mean(1))))


class Outside(nn.Module):
    """The embedding's weight is used again outside of any module."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(309)
        self.emb, self.mix = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.c = nn.Parameter(0.4 * torch.randn(WORDS))

    def forward(self, ids):
        return F.linear(torch.tanh(self.mix(self.emb(ids).mean(1))), self.emb.weight, self.c)


def build():
    rng = np.random.default_rng(310)
    net = Tied(rng)
    data = rng.integers(0, WORDS, (6, 3)), np.array([1, 8, 3, 0, 2, 5])
    return net, data, {"params": net.p, "loss": F.cross_entropy}


def call_shared():
    net, data, keywords = build()
    return net.loss, Shared(), data, keywords


def call_outside():
    net, data, keywords = build()
    return net.loss, Outside(), data, keywords
