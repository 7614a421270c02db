"""An LSTM of four matrices over [a; x], inputs as (features, batch, time); loss and totals of gradients in a dict."""

import numpy as np
import torch
from torch import nn


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_cell_forward(xt, a_prev, c_prev, p):
    concat = np.concatenate([a_prev, xt])
    ft = sigmoid(p["Wf"] @ concat + p["bf"])
    it = sigmoid(p["Wi"] @ concat + p["bi"])
    cct = np.tanh(p["Wc"] @ concat + p["bc"])
    c_next = ft * c_prev + it * cct
    ot = sigmoid(p["Wo"] @ concat + p["bo"])
    a_next = ot * np.tanh(c_next)
    return a_next, c_next, (concat, c_next, c_prev, ft, it, cct, ot)


def lstm_cell_backward(da_next, dc_next, cache, p):
    concat, c_next, c_prev, ft, it, cct, ot = cache
    tanh_c = np.tanh(c_next)
    dc = dc_next + da_next * ot * (1 - tanh_c**2)
    dot = da_next * tanh_c * ot * (1 - ot)
    dcct = dc * it * (1 - cct**2)
    dit = dc * cct * it * (1 - it)
    dft = dc * c_prev * ft * (1 - ft)
    grads = {}
    for gate, d in (("f", dft), ("i", dit), ("c", dcct), ("o", dot)):
        grads["dW" + gate] = d @ concat.T
        grads["db" + gate] = d.sum(axis=1, keepdims=True)
    dconcat = p["Wf"].T @ dft + p["Wi"].T @ dit + p["Wc"].T @ dcct + p["Wo"].T @ dot
    n_a = c_prev.shape[0]
    return dconcat[:n_a], dconcat[n_a:], dc * ft, grads


def model(x, y, p):
    n_a, (_, m, T) = p["bf"].shape[0], x.shape
    a_next, c_next = np.zeros((n_a, m)), np.zeros((n_a, m))
    y_pred, states, caches = np.zeros_like(y), [], []
    for t in range(T):
        a_next, c_next, cache = lstm_cell_forward(x[:, :, t], a_next, c_next, p)
        states.append(a_next)
        caches.append(cache)
        y_pred[:, :, t] = p["Wy"] @ a_next + p["by"]
    loss = np.sum((y_pred - y) ** 2) / 2

    totals = {"d" + name: np.zeros(value.shape) for name, value in p.items()}
    totals["dx"] = np.zeros(x.shape)
    da_prev, dc_prev = np.zeros((n_a, m)), np.zeros((n_a, m))
    for t in reversed(range(T)):
        dy = y_pred[:, :, t] - y[:, :, t]
        totals["dWy"] += dy @ states[t].T
        totals["dby"] += dy.sum(axis=1, keepdims=True)
        da_next = p["Wy"].T @ dy + da_prev
        da_prev, totals["dx"][:, :, t], dc_prev, grads = lstm_cell_backward(da_next, dc_prev, caches[t], p)
        for name, value in grads.items():
            totals[name] += value
    return y_pred, loss, totals


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(50)
        self.lstm = nn.LSTM(3, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        out, _ = self.lstm(x.permute(2, 1, 0))
        return self.fc(out).permute(2, 1, 0)


def half_squares(output, target):
    return ((output - target) ** 2).sum() / 2


def call():
    rng = np.random.default_rng(51)
    p = {}
    for gate in "fico":
        p["W" + gate], p["b" + gate] = 0.6 * rng.standard_normal((4, 7)), 0.3 * rng.standard_normal((4, 1))
    p["Wy"], p["by"] = rng.standard_normal((2, 4)), rng.standard_normal((2, 1))
    data = rng.standard_normal((3, 5, 6)), rng.standard_normal((2, 5, 6))
    layout = {
        "lstm.weight_ih_l0": "concatenate([Wi[:, 4:], Wf[:, 4:], Wc[:, 4:], Wo[:, 4:]])",
        "lstm.weight_hh_l0": "concatenate([Wi[:, :4], Wf[:, :4], Wc[:, :4], Wo[:, :4]])",
        "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([bi, bf, bc, bo]).reshape(16)",
        "fc.weight": "Wy",
        "fc.bias": "by.reshape(2)",
    }
    return lambda x, y: model(x, y, p), Sequence(), data, {"params": p, "loss": half_squares, "layout": layout}
