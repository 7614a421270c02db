"""An MLP of attributes in float32, weights as .T views, parameters() and backward() as dicts of the same keys."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class MLP:
    def __init__(self, rng, vocab_size=9, context=3, embedding=4, hidden=6):
        self.wte = rng.standard_normal((vocab_size, embedding)).astype(np.float32)
        self.fc1_weight = 0.4 * rng.standard_normal((hidden, context * embedding)).astype(np.float32).T
        self.fc1_bias = 0.1 * rng.standard_normal(hidden).astype(np.float32)
        self.fc2_weight = 0.4 * rng.standard_normal((vocab_size, hidden)).astype(np.float32).T
        self.fc2_bias = 0.1 * rng.standard_normal(vocab_size).astype(np.float32)
        self.cache = {}

    def parameters(self):
        return {
            "wte": self.wte,
            "fc1_weight": self.fc1_weight,
            "fc1_bias": self.fc1_bias,
            "fc2_weight": self.fc2_weight,
            "fc2_bias": self.fc2_bias,
        }

    def forward(self, idx):
        emb = self.wte[idx].reshape(len(idx), -1)
        hidden = np.tanh(emb @ self.fc1_weight + self.fc1_bias)
        self.cache = {"idx": idx, "emb": emb, "hidden": hidden}
        return hidden @ self.fc2_weight + self.fc2_bias

    def backward(self, dlogits):
        idx, emb, hidden = (self.cache[name] for name in ("idx", "emb", "hidden"))
        dfc2_weight = hidden.T @ dlogits
        dfc2_bias = np.sum(dlogits, axis=0)
        dhidden = dlogits @ self.fc2_weight.T
        dprehidden = dhidden * (1 - hidden**2)
        dfc1_weight = emb.T @ dprehidden
        dfc1_bias = np.sum(dprehidden, axis=0)
        demb = (dprehidden @ self.fc1_weight.T).reshape(*idx.shape, -1)
        dwte = np.zeros_like(self.wte)
        np.add.at(dwte, idx, demb)
        return {
            "wte": dwte,
            "fc1_weight": dfc1_weight,
            "fc1_bias": dfc1_bias,
            "fc2_weight": dfc2_weight,
            "fc2_bias": dfc2_bias,
        }


def cross_entropy(logits, targets):
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    probs = np.exp(shifted) / np.sum(np.exp(shifted), axis=1, keepdims=True)
    rows = np.arange(len(targets))
    loss = -np.mean(np.log(probs[rows, targets]))
    dlogits = probs
    dlogits[rows, targets] -= 1
    return loss, dlogits / len(targets)


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(190)
        self.wte = nn.Embedding(9, 4)
        self.fc1 = nn.Linear(12, 6)
        self.fc2 = nn.Linear(6, 9)

    def forward(self, idx):
        return self.fc2(torch.tanh(self.fc1(self.wte(idx).flatten(1))))


def build():
    rng = np.random.default_rng(191)
    model = MLP(rng)
    return model, np.array([[0, 3, 3], [8, 3, 1], [2, 0, 5], [5, 5, 5], [7, 1, 0]]), np.array([1, 4, 3, 2, 8])


def call():
    model, idx, targets = build()

    def once(idx, targets):
        logits = model.forward(idx)
        loss, dlogits = cross_entropy(logits, targets)
        return logits, loss, model.backward(dlogits)

    return once, Embedded(), (idx, targets), {"params": model.parameters(), "loss": F.cross_entropy}


def call_pair():
    model, idx, _ = build()
    return (model.forward, model.backward), Embedded(), (idx,), {"params": model.parameters()}
