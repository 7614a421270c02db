"""Attributes U, V, W and no biases; one row more of states than steps, the last is the state before the first."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()


class RNNNumpy:
    def __init__(self, word_dim, hidden_dim, rng, bptt_truncate=9):
        self.word_dim, self.hidden_dim, self.bptt_truncate = word_dim, hidden_dim, bptt_truncate
        self.U = rng.uniform(-0.5, 0.5, (hidden_dim, word_dim))
        self.V = rng.uniform(-0.5, 0.5, (word_dim, hidden_dim))
        self.W = rng.uniform(-0.5, 0.5, (hidden_dim, hidden_dim))

    def forward_propagation(self, x):
        T = len(x)
        s = np.zeros((T + 1, self.hidden_dim))
        o = np.zeros((T, self.word_dim))
        for t in range(T):
            s[t] = np.tanh(self.U[:, x[t]] + self.W @ s[t - 1])
            o[t] = softmax(self.V @ s[t])
        return o, s

    def calculate_loss(self, x, y):
        o, _ = self.forward_propagation(x)
        return -np.sum(np.log(o[np.arange(len(y)), y]))

    def bptt(self, x, y):
        T = len(y)
        o, s = self.forward_propagation(x)
        dLdU, dLdV, dLdW = np.zeros(self.U.shape), np.zeros(self.V.shape), np.zeros(self.W.shape)
        delta_o = o
        delta_o[np.arange(len(y)), y] -= 1.0
        for t in reversed(range(T)):
            dLdV += np.outer(delta_o[t], s[t])
            delta_t = self.V.T @ delta_o[t] * (1 - s[t] ** 2)
            for step in range(t, max(-1, t - self.bptt_truncate - 1), -1):
                dLdW += np.outer(delta_t, s[step - 1])
                dLdU[:, x[step]] += delta_t
                delta_t = self.W.T @ delta_t * (1 - s[step - 1] ** 2)
        return [dLdU, dLdV, dLdW]


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(70)
        self.rnn = nn.RNN(8, 5, bias=False)
        self.out = nn.Linear(5, 8, bias=False)

    def forward(self, x):
        states, _ = self.rnn(F.one_hot(x, 8).to(self.out.weight.dtype))
        return self.out(states)


def call():
    model = RNNNumpy(8, 5, np.random.default_rng(71))
    layout = {"rnn.weight_ih_l0": "U", "rnn.weight_hh_l0": "W", "out.weight": "V"}
    keywords = {"params": model, "loss": nn.CrossEntropyLoss(reduction="sum"), "layout": layout}
    data = np.array([0, 3, 7, 2, 5, 3]), np.array([3, 7, 2, 5, 3, 1])
    return lambda x, y: (model.calculate_loss(x, y), model.bptt(x, y)), Words(), data, keywords
