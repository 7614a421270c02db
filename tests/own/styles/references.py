"""References of every kind: functions of tensors, lambdas around modules, tuples, the loss itself, tied weights."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Last:
    """A recurrent net of which the last state is read, samples first."""

    def __init__(self, rng):
        self.Wx, self.Wh = 0.6 * rng.standard_normal((3, 4)), 0.6 * rng.standard_normal((4, 4))
        self.bh, self.Wo, self.bo = rng.standard_normal(4), rng.standard_normal((4, 2)), rng.standard_normal(2)

    def loss(self, x, y):
        hs = [np.zeros((len(x), 4))]
        for t in range(x.shape[1]):
            hs.append(np.tanh(x[:, t] @ self.Wx + hs[-1] @ self.Wh + self.bh))
        out = hs[-1] @ self.Wo + self.bo
        e = out - y
        d = 2 * e / e.size
        g = {"gWo": hs[-1].T @ d, "gbo": d.sum(0), "gWx": 0, "gWh": 0, "gbh": 0}
        dh = d @ self.Wo.T
        for t in range(x.shape[1] - 1, -1, -1):
            dz = dh * (1 - hs[t + 1] ** 2)
            g["gWx"] += x[:, t].T @ dz
            g["gWh"] += hs[t].T @ dz
            g["gbh"] += dz.sum(axis=0)
            dh = dz @ self.Wh.T
        return np.mean(e**2), out, g


class Tied:
    """Encoder and decoder share one matrix."""

    def __init__(self, rng):
        self.params = {"W": 0.5 * rng.standard_normal((5, 3)), "b": rng.standard_normal(3), "c": rng.standard_normal(5)}

    def loss(self, x):
        W, b, c = self.params.values()
        h = np.tanh(x @ W + b)
        e = h @ W.T + c - x
        d = 2 * e / e.size
        dz = d @ W * (1 - h**2)
        return np.mean(e**2), {"dW": x.T @ dz + d.T @ h, "db": dz.sum(0), "dc": d.sum(0)}


class TiedNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(5, 3)
        self.c = nn.Parameter(torch.randn(5))

    def forward(self, x):
        h = torch.tanh(self.enc(x))
        return ((F.linear(h, self.enc.weight.t(), self.c) - x) ** 2).mean()


class Tuple(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4, batch_first=True)

    def forward(self, x):
        return self.rnn(x)


class States:
    """All states and the last one, by forward and backward of an object; the state is carried nowhere."""

    def __init__(self, rng):
        self.weights = {"x": 0.6 * rng.standard_normal((4, 3)), "h": 0.6 * rng.standard_normal((4, 4))}
        self.offset = rng.standard_normal(4)

    def __call__(self, x):
        h, hs = np.zeros((len(x), 4)), []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ self.weights["x"].T + h @ self.weights["h"].T + self.offset)
            hs.append(h)
        return np.stack(hs, axis=1), h


def quadratic(params, x, y):
    """A fit of a parabola with three numbers in a vector each."""
    a, b, c = params["a"], params["b"], params["c"]
    r = x**2 @ a + x @ b + c - y
    d = 2 * r / len(x)
    return (r**2).mean(), {"nabla_a": (x**2).T @ d, "nabla_b": x.T @ d, "nabla_c": np.array([d.sum()])}


def attention_forward(x, Wq, Wk, Wv):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    s = q @ k.T / np.sqrt(q.shape[1])
    a = np.exp(s - s.max(axis=1, keepdims=True))
    a /= a.sum(axis=1, keepdims=True)
    return a @ v, (x, q, k, v, a, Wq, Wk, Wv)


def attention_backward(dout, cache):
    x, q, k, v, a, Wq, Wk, Wv = cache
    da, dv = dout @ v.T, a.T @ dout
    ds = a * (da - (da * a).sum(axis=1, keepdims=True)) / np.sqrt(q.shape[1])
    dq, dk = ds @ k, ds.T @ q
    return dq @ Wq.T + dk @ Wk.T + dv @ Wv.T, x.T @ dq, x.T @ dk, x.T @ dv


def start(seed=61):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    return rng


def call_last():
    rng = start()
    rnn, out = nn.RNN(3, 4, batch_first=True), nn.Linear(4, 2)
    data = rng.standard_normal((6, 5, 3)), rng.standard_normal((6, 2))
    return Last(rng).loss, (lambda x: out(rnn(x)[0][:, -1])), data, {"loss": nn.MSELoss()}


def call_loss_itself():
    rng = start()
    return Tied(rng).loss, TiedNet(), (rng.standard_normal((6, 5)),), {}


def call_tuple():
    rng = start()
    return States(rng), Tuple(), (rng.standard_normal((2, 5, 3)),), {}


def call_function():
    rng = start()
    params = {k: rng.standard_normal(n) for k, n in (("a", 2), ("b", 2), ("c", 1))}

    def model(x, a, b, c):
        return x**2 @ a + x @ b + c

    data = rng.standard_normal((7, 2)), rng.standard_normal(7)
    return (lambda x, y: quadratic(params, x, y)), model, data, {"params": params, "loss": F.mse_loss}


def call_function_loss():
    rng = start()
    params = {k: rng.standard_normal(n) for k, n in (("a", 2), ("b", 2), ("c", 1))}

    def loss(x, y, a, b, c):
        return ((x**2 @ a + x @ b + c - y) ** 2).mean()

    data = rng.standard_normal((7, 2)), rng.standard_normal(7)
    return (lambda x, y: quadratic(params, x, y)), loss, data, {"params": params}


def call_attention():
    rng = start()

    def reference(x, q, k, v):
        return F.scaled_dot_product_attention((x @ q)[None], (x @ k)[None], (x @ v)[None])[0]

    params = [rng.standard_normal((4, 4)) for _ in range(3)]
    return (attention_forward, attention_backward), reference, (rng.standard_normal((5, 4)),), {"params": params}


def call_layout():
    scratch, _reference, data, keywords = call_last()
    names = {"rnn.weight_ih_l0": "Wx.T", "rnn.weight_hh_l0": "Wh.T", "rnn.bias_ih_l0 + rnn.bias_hh_l0": "bh"}

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.RNN(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1])

    names |= {"out.weight": "Wo.T", "out.bias": "bo"}
    return scratch, Whole(), data, keywords | {"layout": names}
