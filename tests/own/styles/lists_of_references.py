"""An LSTM layer whose weights lie in an object, and again in lists of references taken once; gates i, f, o, c."""

import numpy as np
import torch
from torch import nn


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Parameters:
    def __init__(self):
        self._params, self._grads = {}, {}


GATES = "ifoc"


class LSTM:
    def __init__(self, hidden_dim, n_in, rng):
        self.hidden_dim = hidden_dim
        self._params = Parameters()
        p = self._params._params
        for gate in GATES:
            p["W_" + gate] = 0.5 * rng.standard_normal((n_in, hidden_dim))
            p["U_" + gate] = 0.5 * rng.standard_normal((hidden_dim, hidden_dim))
            p["b_" + gate] = 0.3 * rng.standard_normal(hidden_dim)
        self.W = [p["W_" + gate] for gate in GATES]
        self.U = [p["U_" + gate] for gate in GATES]
        self.b = [p["b_" + gate] for gate in GATES]
        self.last_hidden = None

    def forward_pass(self, X):
        n_samples, n_timesteps, _ = X.shape
        h = np.zeros((n_samples, self.hidden_dim))
        c = np.zeros((n_samples, self.hidden_dim))
        self.last_input, self.cells = X, []
        self.states = np.zeros((n_samples, n_timesteps, self.hidden_dim))
        for t in range(n_timesteps):
            gates = [X[:, t] @ W + h @ U + b for W, U, b in zip(self.W, self.U, self.b, strict=True)]
            i, f, o, g = [*map(sigmoid, gates[:3]), np.tanh(gates[3])]
            before = h, c
            c = f * c + i * g
            h = o * np.tanh(c)
            self.cells.append((*before, c, i, f, o, g))
            self.states[:, t] = h
        self.last_hidden = h, c
        return self.states

    def backward_pass(self, delta):
        grads = {name: np.zeros_like(value) for name, value in self._params._params.items()}
        output = np.zeros_like(self.last_input)
        dh_next = dc_next = np.zeros_like(delta[:, 0])
        for t in reversed(range(delta.shape[1])):
            h_prev, c_prev, c, i, f, o, g = self.cells[t]
            dh = delta[:, t] + dh_next
            dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
            d_i = dc * g * i * (1 - i)
            d_f = dc * c_prev * f * (1 - f)
            d_o = dh * np.tanh(c) * o * (1 - o)
            d_c = dc * i * (1 - g**2)
            dh_next = np.zeros_like(dh)
            for n, d in enumerate((d_i, d_f, d_o, d_c)):
                grads["W_" + GATES[n]] += self.last_input[:, t].T @ d
                grads["U_" + GATES[n]] += h_prev.T @ d
                grads["b_" + GATES[n]] += d.sum(axis=0)
                dh_next += d @ self.U[n].T
                output[:, t] += d @ self.W[n].T
            dc_next = dc * f
        self._params._grads = grads
        return output


class States(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(160)
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


def call():
    rng = np.random.default_rng(161)
    layer = LSTM(4, 3, rng)
    layout = {
        "lstm.weight_ih_l0": "concatenate([W_i.T, W_f.T, W_c.T, W_o.T])",
        "lstm.weight_hh_l0": "concatenate([U_i.T, U_f.T, U_c.T, U_o.T])",
        "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([b_i, b_f, b_c, b_o])",
    }
    keywords = {"params": layer._params._params, "grads": lambda: layer._params._grads, "layout": layout}
    return (layer.forward_pass, layer.backward_pass), States(), (rng.standard_normal((5, 6, 3)),), keywords
