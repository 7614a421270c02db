"""A GRU with its gates side by side, z r n; the update gate weighs the new state, as papers have it."""

import numpy as np
import torch
from torch import nn

ORDER = "zrn"


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class GRU:
    """x (N, T, D) -> all states (N, T, H)."""

    def __init__(self, D, H, rng):
        self.H = H
        shapes = {"kernel": (D, 3 * H), "recurrent_kernel": (H, 3 * H), "bias": (2, 3 * H)}
        self.weights = {name: 0.6 * rng.standard_normal(shape) for name, shape in shapes.items()}

    def forward(self, x):
        W, U, b = self.weights.values()
        h = np.zeros((len(x), self.H))
        self.x, self.steps, states = x, [], []
        for t in range(x.shape[1]):
            of_x = dict(zip(ORDER, np.split(x[:, t] @ W + b[0], 3, axis=1), strict=True))
            of_h = dict(zip(ORDER, np.split(h @ U + b[1], 3, axis=1), strict=True))
            z = sigmoid(of_x["z"] + of_h["z"])
            r = sigmoid(of_x["r"] + of_h["r"])
            n = np.tanh(of_x["n"] + r * of_h["n"])
            self.steps.append((h, z, r, n, of_h["n"]))
            h = z * n + (1 - z) * h
            states.append(h)
        return np.stack(states, axis=1)

    def backward(self, dout):
        W, U, _ = self.weights.values()
        self.dweights = {name: np.zeros_like(value) for name, value in self.weights.items()}
        dx, carried = np.zeros_like(self.x), np.zeros_like(dout[:, 0])
        for t in reversed(range(dout.shape[1])):
            h, z, r, n, inner = self.steps[t]
            dh = dout[:, t] + carried
            dz = dh * (n - h) * z * (1 - z)
            dn = dh * z * (1 - n**2)
            dr = dn * inner * r * (1 - r)
            for_x = np.hstack([{"z": dz, "r": dr, "n": dn}[gate] for gate in ORDER])
            for_h = np.hstack([{"z": dz, "r": dr, "n": dn * r}[gate] for gate in ORDER])
            self.dweights["kernel"] += self.x[:, t].T @ for_x
            self.dweights["recurrent_kernel"] += h.T @ for_h
            self.dweights["bias"] += np.stack([for_x.sum(axis=0), for_h.sum(axis=0)])
            dx[:, t] = for_x @ W.T
            carried = dh * (1 - z) + for_h @ U.T
        return dx


class States(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(304)
        self.gru = nn.GRU(3, 4, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0]


def call():
    rng = np.random.default_rng(305)
    layer = GRU(3, 4, rng)
    keywords = {"params": layer.weights, "grads": lambda: layer.dweights}
    return (layer.forward, layer.backward), States(), (rng.standard_normal((5, 6, 3)),), keywords
