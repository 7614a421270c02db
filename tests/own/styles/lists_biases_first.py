"""Lists of weights (out, in) and biases (n, 1), one sample a call; the two lists of gradients come biases first."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


class Network:
    def __init__(self, sizes, rng):
        self.num_layers = len(sizes)
        self.biases = [rng.standard_normal((y, 1)) for y in sizes[1:]]
        self.weights = [rng.standard_normal((y, x)) for x, y in pairwise(sizes)]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activation, activations, zs = x, [x], []
        for b, w in zip(self.biases, self.weights, strict=True):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].T)
        for i in range(2, self.num_layers):
            delta = np.dot(self.weights[-i + 1].T, delta) * sigmoid_prime(zs[-i])
            nabla_b[-i] = delta
            nabla_w[-i] = np.dot(delta, activations[-i - 1].T)
        return nabla_b, nabla_w

    def update_mini_batch(self, mini_batch, eta):
        sum_b = [np.zeros(b.shape) for b in self.biases]
        sum_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            nabla_b, nabla_w = self.backprop(x, y)
            sum_b = [total + part for total, part in zip(sum_b, nabla_b, strict=True)]
            sum_w = [total + part for total, part in zip(sum_w, nabla_w, strict=True)]
        rate = eta / len(mini_batch)
        self.weights = [w - rate * nw for w, nw in zip(self.weights, sum_w, strict=True)]
        self.biases = [b - rate * nb for b, nb in zip(self.biases, sum_b, strict=True)]


def pairs(X, Y):
    return [(x.reshape(-1, 1), y.reshape(-1, 1)) for x, y in zip(X, Y, strict=True)]


def half_squares(output, target):
    return ((output - target) ** 2).sum() / (2 * len(target))


class OneColumn(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.T).T


def sequential():
    torch.manual_seed(80)
    return nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 5), nn.Sigmoid(), nn.Linear(5, 3), nn.Sigmoid())


def call():
    rng = np.random.default_rng(81)
    net = Network((4, 5, 5, 3), rng)
    x, y = rng.standard_normal((4, 1)), np.array([[0.0], [1.0], [0.0]])
    keywords = {"params": net, "loss": lambda output, target: ((output - target) ** 2).sum() / 2}
    return lambda x, y: (net.feedforward(x), net.backprop(x, y)), OneColumn(sequential()), (x, y), keywords


def call_step():
    rng = np.random.default_rng(82)
    net = Network((4, 5, 5, 3), rng)
    X, Y = rng.standard_normal((6, 4)), np.eye(3)[[0, 2, 1, 1, 0, 2]]
    keywords = {
        "params": net,
        "loss": half_squares,
        "step": lambda x, y: net.update_mini_batch(pairs(x, y), 1.0),
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=1.0),
    }
    return lambda x, y: net.feedforward(x.T), sequential(), (X, Y), keywords
