"""Layers behind dropout: in two modes, with a generator of its own; or always, its mask drawn anew from a seed."""

import numpy as np
import torch
from torch import nn


class Net:
    def __init__(self, rng, p=0.4):
        self.q = {
            "last": 0.6 * rng.standard_normal((5, 2)),
            "inner": 0.6 * rng.standard_normal((5, 5)),
            "first": 0.6 * rng.standard_normal((5, 4)),
            "b3": rng.standard_normal(2),
            "b2": rng.standard_normal(5),
            "b1": rng.standard_normal(5),
        }
        self.p, self.training, self.rng = p, True, np.random.default_rng(0)

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def keep(self, shape):
        return (self.rng.random(shape) >= self.p) / (1 - self.p)

    def loss(self, x, y):
        q = self.q
        h = np.tanh(x @ q["first"].T + q["b1"])
        mask = self.keep(h.shape) if self.training else np.ones(h.shape)
        dropped = h * mask
        k = np.tanh(dropped @ q["inner"] + q["b2"])
        out = k @ q["last"] + q["b3"]
        e = out - y
        d = 2 * e / e.size
        dk = d @ q["last"].T * (1 - k**2)
        dh = dk @ q["inner"].T * mask * (1 - h**2)
        grads = {"last": k.T @ d, "b3": d.sum(axis=0), "inner": dropped.T @ dk, "b2": dk.sum(axis=0)}
        return np.mean(e**2), out, grads | {"first": dh.T @ x, "b1": dh.sum(axis=0)}


class Seeded(Net):
    """Each call draws the same mask."""

    def keep(self, shape):
        return (np.random.default_rng(7).random(shape) >= self.p) / (1 - self.p)


def sequential(p=0.4):
    torch.manual_seed(313)
    layers = nn.Linear(4, 5), nn.Tanh(), nn.Dropout(p), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2)
    return nn.Sequential(*layers)


def build(kind):
    rng = np.random.default_rng(314)
    net = kind(rng)
    data = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    return net, data, {"params": net.q, "loss": nn.MSELoss()}


def call_modes():
    net, data, keywords = build(Net)
    return net.loss, sequential(), data, keywords | {"modes": (net.train, net.eval)}


def call_training():
    """In training alone, and no mode is spoken of."""
    net, data, keywords = build(Net)
    return net.loss, sequential(), data, keywords


def call_seeded():
    net, data, keywords = build(Seeded)
    return net.loss, sequential(), data, keywords
