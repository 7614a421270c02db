"""Layers that each have a list of params and a parallel list of grads, written in place; a net joins the lists."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _ = self.params
        dx = np.dot(dout, W.T)
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return dx


class Sigmoid:
    def __init__(self):
        self.params, self.grads = [], []

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out


class SoftmaxWithLoss:
    def forward(self, x, t):
        x = x - x.max(axis=1, keepdims=True)
        self.y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        self.t = t
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + 1e-12)) / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx * dout / len(self.t)


class TwoLayerNet:
    def __init__(self, rng, sizes=(3, 6, 6, 4)):
        a, b, c, d = sizes
        self.layers = [
            Affine(rng.standard_normal((a, b)).astype("f"), rng.standard_normal(b).astype("f")),
            Sigmoid(),
            Affine(rng.standard_normal((b, c)).astype("f"), rng.standard_normal(c).astype("f")),
            Sigmoid(),
            Affine(rng.standard_normal((c, d)).astype("f"), rng.standard_normal(d).astype("f")),
        ]
        self.loss_layer = SoftmaxWithLoss()
        self.params, self.grads = [], []
        for layer in self.layers:
            self.params += layer.params
            self.grads += layer.grads

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def forward(self, x, t):
        return self.loss_layer.forward(self.predict(x), t)

    def backward(self):
        dout = self.loss_layer.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


def call():
    rng = np.random.default_rng(90)
    torch.manual_seed(90)
    net = TwoLayerNet(rng)
    reference = nn.Sequential(nn.Linear(3, 6), nn.Sigmoid(), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, 4))
    x, t = rng.standard_normal((5, 3)), np.array([3, 0, 1, 2, 0])
    keywords = {"params": net.params, "grads": net.grads, "loss": F.cross_entropy}
    return lambda x, t: (net.forward(x, t), net.backward()), reference, (x, t), keywords
