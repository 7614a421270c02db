"""Batch norm as an object with running statistics and two modes."""

import numpy as np
import torch
from torch import nn


class BatchNorm:
    def __init__(self, features, momentum=0.1, eps=1e-5):
        self.gamma = np.linspace(0.5, 1.5, features)
        self.beta = np.linspace(-1, 1, features)
        self.running = {"mean": np.zeros(features), "var": np.ones(features)}
        self.momentum, self.eps, self.training = momentum, eps, True

    def train(self):
        self.training = True

    def eval(self):
        self.training = False

    def forward(self, x):
        N = x.shape[0]
        if self.training:
            mean = x.mean(axis=0)
            var = x.var(axis=0)
            kept, new = 1 - self.momentum, self.momentum
            self.running["mean"][...] = kept * self.running["mean"] + new * mean
            self.running["var"][...] = kept * self.running["var"] + new * var * N / (N - 1)
        else:
            mean, var = self.running["mean"], self.running["var"]
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        d = dout * self.gamma
        if self.training:
            d = d - d.mean(axis=0) - self.xhat * (d * self.xhat).mean(axis=0)
        return d / self.std


def call():
    rng = np.random.default_rng(20)
    torch.manual_seed(20)
    bn = BatchNorm(4)
    x = rng.standard_normal((6, 4)) * [1.0, 2.0, 0.5, 3.0] + [0.0, 1.0, -2.0, 0.5]
    reference = nn.BatchNorm1d(4)
    keywords = {"params": {"gamma": bn.gamma, "beta": bn.beta}, "buffers": bn.running, "modes": (bn.train, bn.eval)}
    return (bn.forward, bn.backward), reference, (x,), keywords
