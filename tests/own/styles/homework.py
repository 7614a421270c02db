"""A dict of layers, each a dict of w, b, the activation a, and velocities under the names dw and db."""

import numpy as np
import torch
from torch import nn


def init(sizes, rng):
    net = {}
    for k in range(1, len(sizes)):
        w = rng.uniform(-0.8, 0.8, (sizes[k - 1], sizes[k]))
        b = rng.uniform(-0.8, 0.8, (1, sizes[k]))
        net[k] = {"w": w, "b": b, "a": None, "dw": np.zeros_like(w), "db": np.zeros_like(b)}
    return net


def tanh(x):
    return np.tanh(x)


def forward(net, x):
    for k in net:
        net[k]["a"] = x = tanh(x @ net[k]["w"] + net[k]["b"])
    return x


def train(net, x, y, lr=0.5, alpha=0.8):
    out = forward(net, x)
    N = len(x)
    delta = 2 * (out - y) * (1 - out**2) / y.size
    for k in sorted(net, reverse=True):
        below = net[k - 1]["a"] if k > 1 else x
        grad_w = below.T @ delta
        grad_b = delta.sum(axis=0, keepdims=True)
        delta = (delta @ net[k]["w"].T) * (1 - below**2)
        net[k]["dw"] = alpha * net[k]["dw"] - lr * grad_w
        net[k]["db"] = alpha * net[k]["db"] - lr * grad_b
        net[k]["w"] += net[k]["dw"]
        net[k]["b"] += net[k]["db"]
    return np.mean((out - y) ** 2), N


def build(scale=1):
    rng = np.random.default_rng(200)
    torch.manual_seed(200)
    net = init((4, 5, 5, 2), rng)
    layers = nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2), nn.Tanh()
    x, y = rng.standard_normal((6, 4)), rng.uniform(-0.9, 0.9, (6, 2))
    x[2] *= scale
    keywords = {
        "loss": nn.MSELoss(),
        "step": lambda x, y: train(net, x, y),
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.8),
    }
    return net, (lambda x, y: forward(net, x)), nn.Sequential(*layers), (x, y), keywords


def call():
    net, predict, reference, data, keywords = build()
    return predict, reference, data, keywords | {"params": [part for k in net for part in (net[k]["w"], net[k]["b"])]}


def call_tree():
    net, predict, reference, data, keywords = build()
    return predict, reference, data, keywords | {"params": net}


def call_large():
    net, predict, reference, data, keywords = build(scale=5_000)
    return predict, reference, data, keywords | {"params": net}
