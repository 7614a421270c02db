"""Layers as two functions or two methods: several outputs, several data, parameters as one argument, dicts returned."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def split_forward(x, w, b):
    """Two outputs of one layer."""
    z = x @ w + b
    left, right = np.tanh(z[:, :2]), np.exp(0.3 * z[:, 2:])
    return left, right, (x, w, left, right)


def split_backward(dleft, dright, cache):
    x, w, left, right = cache
    dz = np.concatenate([dleft * (1 - left**2), 0.3 * dright * right], axis=1)
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)


def bilinear_forward(a, c, M):
    return np.einsum("ni,ij,nj->n", a, M, c), (a, c, M)


def bilinear_backward(dout, cache):
    a, c, M = cache
    da = dout[:, None] * (c @ M.T)
    dc = dout[:, None] * (a @ M)
    return da, dc, np.einsum("n,ni,nj->ij", dout, a, c)


def gate_forward(x, p):
    g = 1 / (1 + np.exp(-(x @ p["Wg"] + p["bg"])))
    return g * x, {"x": x, "g": g, "p": p}


def gate_backward(dout, cache):
    x, g = cache["x"], cache["g"]
    dg = dout * x * g * (1 - g)
    return {"x": dout * g + dg @ cache["p"]["Wg"].T, "Wg": x.T @ dg, "bg": dg.sum(0)}


@dataclass
class Scale:
    gain: np.ndarray
    shift: np.ndarray


def scale_forward(x, params):
    return x * params.gain + params.shift, (x, params)


def scale_backward(dout, cache):
    x, params = cache
    return dout * params.gain, {"gain": (dout * x).sum(axis=0), "shift": dout.sum(axis=0)}


class Dense:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, delta):
        self.grad_w = self.x.T @ delta
        self.grad_b = delta.sum(axis=0)
        return delta @ self.w.T


class Stack:
    """Layers in a list, each with its own gradients."""

    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, delta):
        for layer in reversed(self.layers):
            delta = layer.backward(delta)
        return delta


class Squash:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, delta):
        return delta * (1 - self.out**2)


def recur_forward(xs, h0, Wx, Wh, b):
    """Time comes first."""
    hs = [h0]
    for x in xs:
        hs.append(np.tanh(x @ Wx + hs[-1] @ Wh + b))
    return np.stack(hs[1:]), (xs, hs, Wx, Wh)


def recur_backward(dout, cache):
    xs, hs, Wx, Wh = cache
    dxs, dWx, dWh, dh = np.zeros_like(xs), np.zeros_like(Wx), np.zeros_like(Wh), 0
    db = np.zeros(Wh.shape[0])
    for t in range(len(xs) - 1, -1, -1):
        dz = (dout[t] + dh) * (1 - hs[t + 1] ** 2)
        dxs[t] = dz @ Wx.T
        dWx += xs[t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ Wh.T
    return dxs, dh, dWx, dWh, db


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4)

    def forward(self, xs, h0):
        out, _last = self.rnn(xs, h0[None])
        return out


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 4)

    def forward(self, x):
        z = self.lin(x)
        return torch.tanh(z[:, :2]), torch.exp(0.3 * z[:, 2:])


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 4)

    def forward(self, x):
        return torch.sigmoid(self.gate(x)) * x


def start(seed=51):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    return rng, rng.standard_normal


def call_outputs():
    _rng, normal = start()
    return (split_forward, split_backward), Halves(), (normal((5, 3)),), {"params": [normal((3, 4)), normal(4)]}


def call_two_data():
    _rng, normal = start()
    data = normal((5, 3)), normal((5, 4))

    def reference(a, c, M):
        return torch.einsum("ni,ij,nj->n", a, M, c)

    return (bilinear_forward, bilinear_backward), reference, data, {"params": normal((3, 4))}


def call_two_data_list():
    scratch, reference, data, keywords = call_two_data()
    return scratch, reference, data, {"params": [keywords["params"]]}


def call_dict():
    _rng, normal = start()
    params = {"Wg": normal((4, 4)), "bg": normal(4)}
    return (gate_forward, gate_backward), Gate(), (normal((6, 4)),), {"params": params}


def call_object():
    _rng, normal = start()

    def reference(x, gain, shift):
        return x * gain + shift

    return (scale_forward, scale_backward), reference, (normal((6, 4)),), {"params": Scale(normal(4), normal(4))}


def call_methods():
    _rng, normal = start()
    layer = Dense(normal((3, 4)), normal(4))
    return (layer.forward, layer.backward), nn.Linear(3, 4), (normal((5, 3)),), {}


def call_stack():
    _rng, normal = start()
    stack = Stack(Dense(normal((3, 4)), normal(4)), Squash(), Dense(normal((4, 4)), normal(4)))
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4))
    return (stack.forward, stack.backward), net, (normal((5, 3)),), {"params": stack}


def call_stack_object():
    (forward, _), net, data, _ = call_stack()
    return forward.__self__, net, data, {}


def call_time_major():
    _rng, normal = start()
    params = [normal((3, 4)), 0.5 * normal((4, 4)), normal(4)]
    return (recur_forward, recur_backward), Recurrent(), (normal((5, 2, 3)), normal((2, 4))), {"params": params}


def call_lambda_linear():
    _rng, normal = start()

    def forward(x, w, b):
        return x @ w.T + b, (x, w)

    def backward(dout, cache):
        x, w = cache
        return dout @ w, dout.T @ x, dout.sum(axis=0)

    return (
        (forward, backward),
        (lambda x, w, b: F.linear(x, w, b)),
        (normal((5, 3)),),
        {"params": [normal((4, 3)), normal(4)]},
    )
