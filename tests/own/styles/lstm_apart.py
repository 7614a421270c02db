"""An LSTM of sixteen arrays: a matrix and a bias a gate for the input, and again for the state."""

import numpy as np
import torch
from torch import nn


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Cell:
    def __init__(self, inputs, hidden, rng):
        self.p = {}
        for gate in "oigf":
            self.p["U" + gate] = 0.6 * rng.standard_normal((hidden, hidden))
            self.p["a" + gate] = 0.4 * rng.standard_normal(hidden)
            self.p["W" + gate] = 0.6 * rng.standard_normal((hidden, inputs))
            self.p["b" + gate] = 0.4 * rng.standard_normal(hidden)

    def gate(self, name, x, h):
        p = self.p
        return p["W" + name] @ x + p["b" + name] + p["U" + name] @ h + p["a" + name]

    def run(self, xs, ys):
        """xs (T, inputs), ys (T, hidden): the states, the summed squares, gradients by name."""
        p = self.p
        h = c = np.zeros(len(p["ai"]))
        states, steps = [], []
        for x in xs:
            i, f = sigmoid(self.gate("i", x, h)), sigmoid(self.gate("f", x, h))
            o, g = sigmoid(self.gate("o", x, h)), np.tanh(self.gate("g", x, h))
            new = f * c + i * g
            steps.append((x, h, c, i, f, o, g, new))
            h, c = o * np.tanh(new), new
            states.append(h)
        error = np.stack(states) - ys
        grads = {"d" + name: np.zeros_like(value) for name, value in p.items()}
        dh, dc = np.zeros_like(h), np.zeros_like(c)
        for (x, h, c, i, f, o, g, new), e in zip(reversed(steps), reversed(error), strict=True):
            dh = dh + 2 * e
            dc = dc + dh * o * (1 - np.tanh(new) ** 2)
            di = dc * g * i * (1 - i)
            df = dc * c * f * (1 - f)
            do = dh * np.tanh(new) * o * (1 - o)
            dg = dc * i * (1 - g**2)
            dh = np.zeros_like(h)
            for name, d in (("i", di), ("f", df), ("o", do), ("g", dg)):
                grads["dW" + name] += np.outer(d, x)
                grads["dU" + name] += np.outer(d, h)
                grads["da" + name] += d
                grads["db" + name] += d
                dh = dh + p["U" + name].T @ d
            dc = dc * f
        return np.stack(states), np.sum(error**2), grads


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(302)
        self.lstm = nn.LSTM(3, 4)

    def forward(self, xs):
        return self.lstm(xs)[0]


def call():
    rng = np.random.default_rng(303)
    cell = Cell(3, 4, rng)
    data = rng.standard_normal((6, 3)), rng.standard_normal((6, 4))
    keywords = {"params": cell.p, "loss": nn.MSELoss(reduction="sum")}
    return lambda xs, ys: cell.run(xs, ys), Steps(), data, keywords
