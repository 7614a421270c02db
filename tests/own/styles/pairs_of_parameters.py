"""Layers with dicts of params and grads; the net gives pairs of both one after another. Squares are summed."""

import numpy as np
import torch
from torch import nn


class Linear:
    def __init__(self, rng, input_size, output_size):
        self.params = {"w": rng.standard_normal((input_size, output_size)), "b": rng.standard_normal(output_size)}
        self.grads = {}

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.params["w"] + self.params["b"]

    def backward(self, grad):
        self.grads["b"] = np.sum(grad, axis=0)
        self.grads["w"] = self.inputs.T @ grad
        return grad @ self.params["w"].T


class Tanh:
    def __init__(self):
        self.params, self.grads = {}, {}

    def forward(self, inputs):
        self.inputs = inputs
        return np.tanh(inputs)

    def backward(self, grad):
        return (1 - np.tanh(self.inputs) ** 2) * grad


class NeuralNet:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, inputs):
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def params_and_grads(self):
        for layer in self.layers:
            for name, param in layer.params.items():
                yield param, layer.grads[name]


def total_squares(predicted, actual):
    return np.sum((predicted - actual) ** 2)


def total_squares_grad(predicted, actual):
    return 2 * (predicted - actual)


def train_step(net, x, y, lr=0.01):
    predicted = net.forward(x)
    net.backward(total_squares_grad(predicted, y))
    for param, grad in net.params_and_grads():
        param -= lr * grad


SQUARES = nn.MSELoss(reduction="sum")


def build():
    rng = np.random.default_rng(130)
    torch.manual_seed(130)
    net = NeuralNet([Linear(rng, 3, 5), Tanh(), Linear(rng, 5, 5), Tanh(), Linear(rng, 5, 2)])
    reference = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2))
    data = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    return net, reference, data


def call():
    net, reference, data = build()

    def once(x, y):
        predicted = net.forward(x)
        net.backward(total_squares_grad(predicted, y))
        return predicted, total_squares(predicted, y)

    keywords = {
        "params": [layer.params for layer in net.layers],
        "grads": lambda: [layer.grads for layer in net.layers],
        "loss": SQUARES,
    }
    return once, reference, data, keywords


def call_step():
    net, reference, data = build()
    keywords = {
        "params": [layer.params for layer in net.layers],
        "loss": SQUARES,
        "step": lambda x, y: train_step(net, x, y),
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.01),
    }
    return lambda x, y: net.forward(x), reference, data, keywords
