"""Attention with heads from one matrix for queries, keys and values: which block is whose, and heads in or out."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BLOCKS = "kqv"
OUTSIDE = True  # (heads, 3, size) side by side, or (3, heads, size)
WIDTH, HEADS = 6, 2
SIZE = WIDTH // HEADS


def split(z):
    """(N, T, 3 WIDTH) -> queries, keys, values by name, each (N, HEADS, T, SIZE)."""
    N, T, _ = z.shape
    cut = z.reshape(N, T, HEADS, 3, SIZE) if OUTSIDE else z.reshape(N, T, 3, HEADS, SIZE).transpose(0, 1, 3, 2, 4)
    return {block: cut[:, :, :, n].transpose(0, 2, 1, 3) for n, block in enumerate(BLOCKS)}


def join(parts):
    """The way back."""
    cut = np.stack([parts[block].transpose(0, 2, 1, 3) for block in BLOCKS], axis=3)
    cut = cut if OUTSIDE else cut.transpose(0, 1, 3, 2, 4)
    return cut.reshape(*cut.shape[:2], -1)


class Attention:
    def __init__(self, rng):
        self.weights = {
            "W_out": 0.5 * rng.standard_normal((WIDTH, WIDTH)),
            "W_in": 0.5 * rng.standard_normal((WIDTH, 3 * WIDTH)),
            "b_out": rng.standard_normal(WIDTH),
            "b_in": rng.standard_normal(3 * WIDTH),
        }
        self.grads = {}

    def forward(self, x):
        w = self.weights
        self.x = x
        parts = split(x @ w["W_in"] + w["b_in"])
        self.q, self.k, self.v = parts["q"], parts["k"], parts["v"]
        scores = self.q @ self.k.transpose(0, 1, 3, 2) / np.sqrt(SIZE)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        self.probs = e / e.sum(axis=-1, keepdims=True)
        mixed = self.probs @ self.v
        self.joined = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
        return self.joined @ w["W_out"] + w["b_out"]

    def backward(self, dout):
        w = self.weights
        flat = dout.reshape(-1, WIDTH)
        dmixed = (dout @ w["W_out"].T).reshape(*dout.shape[:2], HEADS, SIZE).transpose(0, 2, 1, 3)
        dprobs = dmixed @ self.v.transpose(0, 1, 3, 2)
        dscores = self.probs * (dprobs - (dprobs * self.probs).sum(axis=-1, keepdims=True)) / np.sqrt(SIZE)
        dq = dscores @ self.k
        dk = dscores.transpose(0, 1, 3, 2) @ self.q
        dv = self.probs.transpose(0, 1, 3, 2) @ dmixed
        dz = join({"q": dq, "k": dk, "v": dv})
        self.grads = {"W_out": self.joined.reshape(-1, WIDTH).T @ flat, "b_out": flat.sum(axis=0)}
        self.grads["W_in"] = self.x.reshape(-1, WIDTH).T @ dz.reshape(-1, 3 * WIDTH)
        self.grads["b_in"] = dz.sum(axis=(0, 1))
        return dz @ w["W_in"].T


class Reference(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(317)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (HEADS, SIZE)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MultiHead(nn.Module):
    """Torch's own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(318)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x, need_weights=False)[0]


def build(reference):
    rng = np.random.default_rng(319)
    layer = Attention(rng)
    keywords = {"params": layer.weights, "grads": lambda: layer.grads}
    return (layer.forward, layer.backward), reference, (rng.standard_normal((3, 5, WIDTH)),), keywords


def call():
    return build(Reference())


def call_multi_head():
    return build(MultiHead())
