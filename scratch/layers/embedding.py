"""The table of vectors that integers index."""

import numpy as np
from numpy.random import Generator

from twofold.scratch import init
from twofold.scratch.checks import gradient, indices, whole
from twofold.scratch.module import Array, Module, Parameter


class Embedding(Module):
    """Row i of the weight for every token i: integers (...) -> (..., embedding_dim).

    Integers have no gradient: `backward` returns None. Raises IndexError for a token outside [0, num_embeddings),
    TypeError for floats and booleans.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, rng: Generator | int | None = None) -> None:
        self.num_embeddings = num_embeddings = whole(self, "num_embeddings", num_embeddings)
        self.embedding_dim = embedding_dim = whole(self, "embedding_dim", embedding_dim)
        self.weight = Parameter(init.normal((num_embeddings, embedding_dim), 1.0, init.generator(rng)))

    def forward(self, tokens: Array) -> Array:
        tokens = indices(self, tokens, self.num_embeddings, "tokens")
        self.cache = tokens
        return self.weight.data[tokens]

    def backward(self, dout: Array) -> None:
        shape = (*self.cache.shape, self.embedding_dim)
        dout = gradient(self, dout, shape, self.weight.data.dtype)
        tokens = self.cache.reshape(-1)
        # A token that occurs twice gets both gradients. Entry by entry and not row by row, for which `add.at` takes
        # four times as long: twice as fast as a product with the one-hot matrix in float32, five times in float64
        entries = tokens[:, None] * self.embedding_dim + np.arange(self.embedding_dim)
        total = np.zeros(self.weight.data.size, dout.dtype)
        np.add.at(total, entries.reshape(-1), dout.reshape(-1))
        self.weight.grad += total.reshape(self.weight.data.shape)
