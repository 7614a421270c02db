"""An LSTM with all gates side by side in two matrices, in an order of its own; gradients in a dict of the same keys."""

import numpy as np
import torch
from torch import nn

ORDER = "fgio"
NAMES = "Wx", "Wh", "b"


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LSTM:
    """x (N, T, D) -> all states (N, T, H)."""

    def __init__(self, D, H, rng):
        self.H = H
        shapes = (D, 4 * H), (H, 4 * H), (4 * H,)
        self.params = {name: 0.6 * rng.standard_normal(shape) for name, shape in zip(NAMES, shapes, strict=True)}
        self.grads = {}

    def forward(self, x):
        Wx, Wh, b = (self.params[name] for name in NAMES)
        h = c = np.zeros((len(x), self.H))
        self.x, self.steps, states = x, [], []
        for t in range(x.shape[1]):
            z = x[:, t] @ Wx + h @ Wh + b
            part = dict(zip(ORDER, np.split(z, 4, axis=1), strict=True))
            i, f, o = sigmoid(part["i"]), sigmoid(part["f"]), sigmoid(part["o"])
            g = np.tanh(part["g"])
            c_next = f * c + i * g
            squashed = np.tanh(c_next)
            self.steps.append((h, c, i, f, o, g, squashed))
            h, c = o * squashed, c_next
            states.append(h)
        return np.stack(states, axis=1)

    def backward(self, dout):
        Wx, Wh, b = (self.params[name] for name in NAMES)
        dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
        dx, dh, dc = np.zeros_like(self.x), 0.0, 0.0
        for t in reversed(range(dout.shape[1])):
            h, c, i, f, o, g, squashed = self.steps[t]
            dh = dout[:, t] + dh
            dc = dc + dh * o * (1 - squashed**2)
            d = {"i": dc * g * i * (1 - i), "f": dc * c * f * (1 - f), "g": dc * i * (1 - g**2)}
            d["o"] = dh * squashed * o * (1 - o)
            dz = np.hstack([d[gate] for gate in ORDER])
            dWx += self.x[:, t].T @ dz
            dWh += h.T @ dz
            db += dz.sum(axis=0)
            dx[:, t] = dz @ Wx.T
            dh, dc = dz @ Wh.T, dc * f
        self.grads = dict(zip(NAMES, (dWx, dWh, db), strict=True))
        return dx


class States(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(300)
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


class TimeFirst(nn.Module):
    """Steps first, as torch has it by default, in and out."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(302)
        self.lstm = nn.LSTM(3, 4)

    def forward(self, x):
        return self.lstm(x)[0]


class OneLinear(nn.Module):
    """A cell of torch's parts: one linear map of input and state, its rows in the order i f g o."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(303)
        self.gates = nn.Linear(7, 16)

    def forward(self, x):
        h = c = x.new_zeros(len(x), 4)
        states = []
        for step in x.unbind(1):
            i, f, g, o = self.gates(torch.cat([step, h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        return torch.stack(states, 1)


def build(reference):
    rng = np.random.default_rng(301)
    layer = LSTM(3, 4, rng)
    keywords = {"params": layer.params, "grads": lambda: layer.grads}
    return (layer.forward, layer.backward), reference, (rng.standard_normal((5, 6, 3)),), keywords


def call():
    return build(States())


def call_time_first():
    return build(TimeFirst())


def call_one_linear():
    return build(OneLinear())
