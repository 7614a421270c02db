"""An engine of scalars: every number is an object with .data and .grad."""

import math

import numpy as np
import torch
from torch import nn


class Value:
    def __init__(self, data, children=()):
        self.data = data
        self.grad = 0.0
        self._backward = lambda: None
        self._prev = set(children)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def tanh(self):
        out = Value(math.tanh(self.data), (self,))

        def _backward():
            self.grad += (1 - out.data**2) * out.grad

        out._backward = _backward
        return out

    def backward(self):
        order, visited = [], set()

        def build(value):
            if value not in visited:
                visited.add(value)
                for child in value._prev:
                    build(child)
                order.append(value)

        build(self)
        self.grad = 1.0
        for value in reversed(order):
            value._backward()


def layer(w, b, x):
    outs = []
    for weights, bias in zip(w, b, strict=True):
        total = bias
        for weight, value in zip(weights, x, strict=True):
            total = total + weight * value
        outs.append(total)
    return outs


def run(X, Y, p):
    for name in p:
        for value in np.ravel(p[name]):
            value.grad = 0.0
    loss = Value(0.0)
    for x, y in zip(X, Y, strict=True):
        hidden = [value.tanh() for value in layer(p["w1"], p["b1"], [float(number) for number in x])]
        (out,) = layer(p["w2"], p["b2"], hidden)
        error = out + (-float(y))
        loss = loss + error * error
    loss.backward()
    return loss


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(210)
        self.net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x):
        return self.net(x)[:, 0]


def call():
    rng = np.random.default_rng(211)
    p = {
        "w1": [[Value(rng.normal()) for _ in range(2)] for _ in range(4)],
        "b1": [Value(rng.normal()) for _ in range(4)],
        "w2": [[Value(rng.normal()) for _ in range(4)]],
        "b2": [Value(rng.normal())],
    }
    data = rng.standard_normal((5, 2)), rng.standard_normal(5)
    return lambda X, Y: run(X, Y, p), Flat(), data, {"params": p, "loss": nn.MSELoss(reduction="sum")}


def call_turned():
    """The first layer as (in, out), the second as a flat list, by names that say nothing."""
    rng = np.random.default_rng(212)
    kept = {
        "p0": [Value(rng.normal())],
        "q7": [[Value(rng.normal()) for _ in range(4)] for _ in range(2)],
        "r2": [Value(rng.normal()) for _ in range(4)],
        "s5": [Value(rng.normal()) for _ in range(4)],
    }

    def once(X, Y):
        return run(
            X, Y, {"w1": [*zip(*kept["q7"], strict=True)], "b1": kept["r2"], "w2": [kept["s5"]], "b2": kept["p0"]}
        )

    data = rng.standard_normal((5, 2)), rng.standard_normal(5)
    return once, Flat(), data, {"params": kept, "loss": nn.MSELoss(reduction="sum")}
