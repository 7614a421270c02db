"""The fourth word from the three before it, in any order: the pair `trigram-lm`."""

import numpy as np
from numpy.random import Generator

from twofold.scratch import Embedding, Linear, Module, Sigmoid, init
from twofold.scratch.module import Array


class TrigramLM(Module):
    """Tokens (N, 3) -> logits over the words (N, words); the embeddings are summed."""

    def __init__(
        self, words: int = 250, embedding: int = 16, hidden: int = 128, *, rng: Generator | None = None
    ) -> None:
        rng = init.generator(rng)
        self.embedding = Embedding(words, embedding, rng=rng)
        self.fc1 = Linear(embedding, hidden, rng=rng)
        self.sigmoid = Sigmoid()
        self.fc2 = Linear(hidden, words, rng=rng)
        for _, parameter in self.named_parameters():
            parameter.data = init.normal(parameter.data.shape, 0.01, rng)

    def forward(self, tokens: Array) -> Array:
        self.cache = tokens.shape
        total = self.embedding(tokens).sum(axis=1)  # (N, 3, D) -> (N, D)
        return self.fc2(self.sigmoid(self.fc1(total)))

    def backward(self, dout: Array) -> None:
        shape = self.cache
        dtotal = self.fc1.backward(self.sigmoid.backward(self.fc2.backward(dout)))
        self.embedding.backward(np.repeat(dtotal[:, None], shape[1], axis=1))
