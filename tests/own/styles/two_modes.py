"""Dropout with a generator of its own, batch norm with running statistics, a state that is carried on purpose."""

import numpy as np
import torch
from torch import nn


class Dropped:
    def __init__(self, rng, p=0.4):
        self.W, self.c = 0.6 * rng.standard_normal((4, 5)), rng.standard_normal(5)
        self.V = 0.6 * rng.standard_normal((5, 2))
        self.p, self.training, self.rng = p, True, np.random.default_rng(0)

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def run(self, x, y):
        h = np.tanh(x @ self.W + self.c)
        m = np.ones_like(h)
        if self.training:
            m = (self.rng.random(h.shape) >= self.p) / (1 - self.p)
        out = (h * m) @ self.V
        e = out - y
        d = 2 * e / e.size
        dz = d @ self.V.T * m * (1 - h**2)
        return np.mean(e**2), out, {"W": x.T @ dz, "c": dz.sum(axis=0), "V": (h * m).T @ d}


class Normed:
    """Batch norm behind a linear map; gradients in attributes, running statistics too."""

    def __init__(self, rng, n=4, momentum=0.1):
        self.W = rng.standard_normal((3, n))
        self.gamma, self.beta = np.ones(n), np.zeros(n)
        self.mu, self.sigma2 = np.zeros(n), np.ones(n)
        self.momentum, self.mode = momentum, "train"

    def forward(self, x):
        self.x = x
        z = x @ self.W
        if self.mode == "train":
            mean, var = z.mean(axis=0), z.var(axis=0)
            self.mu = (1 - self.momentum) * self.mu + self.momentum * mean
            self.sigma2 = (1 - self.momentum) * self.sigma2 + self.momentum * var * len(x) / (len(x) - 1)
        else:
            mean, var = self.mu, self.sigma2
        self.std = np.sqrt(var + 1e-5)
        self.xhat = (z - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        d = dout * self.gamma
        if self.mode == "train":
            d = d - d.mean(axis=0) - self.xhat * (d * self.xhat).mean(axis=0)
        d = d / self.std
        self.dW = self.x.T @ d
        return d @ self.W.T

    def set_mode(self, mode):
        self.mode = mode


class Carrying:
    """Truncated through time: the last state of one call is the first of the next."""

    def __init__(self, rng):
        self.params = {
            "Wx": 0.5 * rng.standard_normal((3, 4)),
            "Wh": 0.5 * rng.standard_normal((4, 4)),
            "b": rng.standard_normal(4),
        }
        self.state = {"h": np.zeros((2, 4))}

    def loss(self, xs, ys):
        p, hs = self.params, [self.state["h"]]
        for x in xs:
            hs.append(np.tanh(x @ p["Wx"] + hs[-1] @ p["Wh"] + p["b"]))
        g, dh, total = {k: np.zeros_like(v) for k, v in p.items()}, 0, 0.0
        for t in range(len(xs) - 1, -1, -1):
            e = hs[t + 1] - ys[t]
            total += np.sum(e**2) / ys.size
            dz = (2 * e / ys.size + dh) * (1 - hs[t + 1] ** 2)
            g["Wx"] += xs[t].T @ dz
            g["Wh"] += hs[t].T @ dz
            g["b"] += dz.sum(axis=0)
            dh = dz @ p["Wh"].T
        self.state["h"] = hs[-1]
        return total, g


class CarryingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4)
        self.register_buffer("h", torch.zeros(2, 4))

    def forward(self, xs):
        out, last = self.rnn(xs, self.h[None])
        self.h = last[0].detach()
        return out


def start(seed=81):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    return rng


def call_dropout():
    rng = start()
    model = Dropped(rng)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.4), nn.Linear(5, 2, bias=False))
    data = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    return model.run, net, data, {"loss": nn.MSELoss(), "modes": (model.train, model.eval)}


def call_batch_norm():
    rng = start()
    model = Normed(rng)
    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4))
    modes = (lambda: model.set_mode("train")), (lambda: model.set_mode("test"))
    return (model.forward, model.backward), net, (rng.standard_normal((8, 3)),), {"modes": modes}


def call_statistics():
    rng = start()
    model = Normed(rng)
    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4))
    buffers = {"mean": model.mu, "var": model.sigma2}
    del buffers
    modes = (lambda: model.set_mode("train")), (lambda: model.set_mode("test"))
    params = {"W": model.W, "gamma": model.gamma, "beta": model.beta}
    keywords = {"modes": modes, "params": params, "grads": lambda: {k: getattr(model, f"d{k}") for k in params}}
    return (model.forward, model.backward), net, (rng.standard_normal((8, 3)),), keywords


def call_carried():
    rng = start()
    model = Carrying(rng)
    data = rng.standard_normal((5, 2, 3)), rng.uniform(-0.9, 0.9, (5, 2, 4))
    return model.loss, CarryingNet(), data, {"loss": nn.MSELoss(), "params": model.params, "buffers": model.state}
