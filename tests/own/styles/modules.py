"""Modules with forward(x) and backward(dout), parameters as objects with data and grad, named as torch names them."""

import numpy as np
import torch
from torch import nn


class Parameter:
    def __init__(self, data):
        self.data = data
        self.grad = np.zeros_like(data)


class Linear:
    def __init__(self, n_in, n_out, rng):
        self.weight = Parameter(rng.standard_normal((n_out, n_in)))
        self.bias = Parameter(rng.standard_normal(n_out))

    def forward(self, x):
        self.x = x
        return x @ self.weight.data.T + self.bias.data

    def backward(self, dout):
        self.weight.grad = dout.T @ self.x
        self.bias.grad = dout.sum(axis=0)
        return dout @ self.weight.data


class Net:
    def __init__(self, rng):
        self.fc1 = Linear(4, 5, rng)
        self.fc2 = Linear(5, 5, rng)
        self.fc3 = Linear(5, 3, rng)

    def forward(self, x):
        self.h1 = np.tanh(self.fc1.forward(x))
        self.h2 = np.tanh(self.fc2.forward(self.h1))
        return self.fc3.forward(self.h2)

    def backward(self, dout):
        d2 = self.fc3.backward(dout) * (1 - self.h2**2)
        d1 = self.fc2.backward(d2) * (1 - self.h1**2)
        return self.fc1.backward(d1)


class Reference(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(270)
        self.fc1, self.fc2, self.fc3 = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


def call():
    rng = np.random.default_rng(271)
    return Net(rng), Reference(), (rng.standard_normal((6, 4)),), {}
