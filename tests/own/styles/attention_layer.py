"""Self-attention as an object with backward(error): K, Q, V without biases, gradients as attributes grad_*."""

import numpy as np
import torch
from torch import nn


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class SelfAttention:
    def __init__(self, d_model, d_k, rng):
        self.scale = d_k**0.5
        self.K = rng.standard_normal((d_model, d_k))
        self.Q = rng.standard_normal((d_model, d_k))
        self.V = rng.standard_normal((d_model, d_k))
        self.O = rng.standard_normal((d_k, d_model))

    def forward(self, x):
        self.x = x
        self.k, self.q, self.v = x @ self.K, x @ self.Q, x @ self.V
        self.probs = softmax(self.q @ self.k.transpose(0, 2, 1) / self.scale)
        self.mixed = self.probs @ self.v
        return self.mixed @ self.O

    def backward(self, error):
        self.grad_O = np.einsum("btk,btd->kd", self.mixed, error)
        d_mixed = error @ self.O.T
        d_v = self.probs.transpose(0, 2, 1) @ d_mixed
        d_probs = d_mixed @ self.v.transpose(0, 2, 1)
        d_scores = self.probs * (d_probs - (d_probs * self.probs).sum(axis=-1, keepdims=True))
        d_scores = d_scores / self.scale
        d_q = d_scores @ self.k
        d_k = d_scores.transpose(0, 2, 1) @ self.q
        self.grad_K = np.einsum("btd,btk->dk", self.x, d_k)
        self.grad_Q = np.einsum("btd,btk->dk", self.x, d_q)
        self.grad_V = np.einsum("btd,btk->dk", self.x, d_v)
        return d_k @ self.K.T + d_q @ self.Q.T + d_v @ self.V.T


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(235)
        self.K, self.Q, self.V = (nn.Linear(6, 4, bias=False) for _ in range(3))
        self.O = nn.Linear(4, 6, bias=False)

    def forward(self, x):
        out = nn.functional.scaled_dot_product_attention(self.Q(x), self.K(x), self.V(x))
        return self.O(out)


def call():
    rng = np.random.default_rng(236)
    layer = SelfAttention(6, 4, rng)
    return (layer.forward, layer.backward), Attention(), (rng.standard_normal((3, 5, 6)),), {"params": layer}
