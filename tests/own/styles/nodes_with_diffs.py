"""An LSTM of one node a step: attributes wg, wi, wf, wo over [x, h], each with a *_diff that is added to."""

import numpy as np
import torch
from torch import nn


def sigmoid(x):
    return 1.0 / (1 + np.exp(-x))


class LstmParam:
    def __init__(self, cells, x_dim, rng):
        self.cells, self.x_dim = cells, x_dim
        for gate in "gifo":
            setattr(self, "w" + gate, rng.uniform(-0.7, 0.7, (cells, x_dim + cells)))
            setattr(self, "b" + gate, rng.uniform(-0.7, 0.7, cells))
        self.reset()

    def reset(self):
        for gate in "gifo":
            setattr(self, f"w{gate}_diff", np.zeros((self.cells, self.x_dim + self.cells)))
            setattr(self, f"b{gate}_diff", np.zeros(self.cells))


class LstmNode:
    def __init__(self, param):
        self.param = param

    def bottom_data_is(self, x, s_prev, h_prev):
        p = self.param
        self.s_prev, self.xc = s_prev, np.hstack((x, h_prev))
        self.g = np.tanh(p.wg @ self.xc + p.bg)
        self.i = sigmoid(p.wi @ self.xc + p.bi)
        self.f = sigmoid(p.wf @ self.xc + p.bf)
        self.o = sigmoid(p.wo @ self.xc + p.bo)
        self.s = self.g * self.i + s_prev * self.f
        self.squashed = np.tanh(self.s)
        self.h = self.squashed * self.o

    def top_diff_is(self, top_diff_h, top_diff_s):
        p = self.param
        ds = self.o * top_diff_h * (1 - self.squashed**2) + top_diff_s
        d = {
            "g": (1 - self.g**2) * self.i * ds,
            "i": self.i * (1 - self.i) * self.g * ds,
            "f": self.f * (1 - self.f) * self.s_prev * ds,
            "o": self.o * (1 - self.o) * self.squashed * top_diff_h,
        }
        dxc = np.zeros_like(self.xc)
        for gate, diff in d.items():
            setattr(p, f"w{gate}_diff", getattr(p, f"w{gate}_diff") + np.outer(diff, self.xc))
            setattr(p, f"b{gate}_diff", getattr(p, f"b{gate}_diff") + diff)
            dxc += getattr(p, "w" + gate).T @ diff
        self.bottom_diff_s = ds * self.f
        self.bottom_diff_h = dxc[p.x_dim :]


def once(param, xs, ys):
    param.reset()
    nodes, s, h = [], np.zeros(param.cells), np.zeros(param.cells)
    for x in xs:
        node = LstmNode(param)
        node.bottom_data_is(x, s, h)
        s, h = node.s, node.h
        nodes.append(node)
    loss = sum(((node.h - y) ** 2).sum() for node, y in zip(nodes, ys, strict=True))
    diff_h = diff_s = np.zeros(param.cells)
    for node, y in zip(reversed(nodes), reversed(ys), strict=True):
        node.top_diff_is(2 * (node.h - y) + diff_h, diff_s)
        diff_h, diff_s = node.bottom_diff_h, node.bottom_diff_s
    return np.stack([node.h for node in nodes]), loss


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(170)
        self.lstm = nn.LSTM(3, 4)

    def forward(self, xs):
        return self.lstm(xs)[0]


def call():
    rng = np.random.default_rng(171)
    param = LstmParam(4, 3, rng)
    layout = {
        "lstm.weight_ih_l0": "concatenate([wi[:, :3], wf[:, :3], wg[:, :3], wo[:, :3]])",
        "lstm.weight_hh_l0": "concatenate([wi[:, 3:], wf[:, 3:], wg[:, 3:], wo[:, 3:]])",
        "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([bi, bf, bg, bo])",
    }
    data = rng.standard_normal((6, 3)), rng.standard_normal((6, 4))
    keywords = {"params": param, "loss": nn.MSELoss(reduction="sum"), "layout": layout}
    return lambda xs, ys: once(param, xs, ys), Steps(), data, keywords
