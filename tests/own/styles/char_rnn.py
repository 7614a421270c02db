"""Weights as globals of the module; lists of integers; loss, gradients as a flat tuple, then the state."""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

rng = np.random.default_rng(60)
vocab_size, hidden_size = 7, 5
Wxh = 0.5 * rng.standard_normal((hidden_size, vocab_size))
Whh = 0.5 * rng.standard_normal((hidden_size, hidden_size))
Why = 0.5 * rng.standard_normal((vocab_size, hidden_size))
bh = np.zeros((hidden_size, 1))
by = np.zeros((vocab_size, 1))


def loss_fun(inputs, targets, hprev):
    xs, hs, ps = {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
        y = Why @ hs[t] + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        dh = Why.T @ dy + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += dhraw @ xs[t].T
        dWhh += dhraw @ hs[t - 1].T
        dhnext = Whh.T @ dhraw
    for dparam in (dWxh, dWhh, dWhy, dbh, dby):
        np.clip(dparam, -50, 50, out=dparam)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs) - 1]


class Plain(nn.Module):
    """The same five tensors under names of their own."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(61)
        for name in ("Wxh", "Whh", "Why", "bh", "by"):
            shape = globals()[name].shape
            self.register_parameter(name, nn.Parameter(0.5 * torch.randn(shape, generator=generator)))

    def forward(self, inputs, targets, h):
        loss = 0
        for letter, target in zip(inputs, targets, strict=True):
            h = torch.tanh(self.Wxh[:, letter, None] + self.Whh @ h + self.bh)
            loss = loss + F.cross_entropy((self.Why @ h + self.by).T, target[None])
        return loss


class Cells(nn.Module):
    """The same as torch has it, with two biases in the cell."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(62)
        self.rnn = nn.RNN(vocab_size, hidden_size)
        self.out = nn.Linear(hidden_size, vocab_size)

    def forward(self, inputs, targets, h):
        x = F.one_hot(inputs, vocab_size).to(h.dtype)
        return F.cross_entropy(self.out(self.rnn(x, h.T)[0]), targets, reduction="sum")


def data():
    return [3, 1, 4, 1, 5, 6], [1, 4, 1, 5, 6, 2], 0.3 * np.ones((hidden_size, 1))


def call_list():
    return loss_fun, Plain(), data(), {"params": [Wxh, Whh, Why, bh, by]}


def call_module():
    layout = {
        "rnn.weight_ih_l0": "Wxh",
        "rnn.weight_hh_l0": "Whh",
        "rnn.bias_ih_l0 + rnn.bias_hh_l0": "bh.reshape(5)",
        "out.weight": "Why",
        "out.bias": "by.reshape(7)",
    }
    return loss_fun, Cells(), data(), {"params": sys.modules[__name__], "layout": layout}
