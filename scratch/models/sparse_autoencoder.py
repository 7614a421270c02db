"""Image patches through a narrow hidden layer whose units are seldom active: the pair `sparse-autoencoder`."""

import numpy as np
from numpy.random import Generator

from twofold.scratch import Linear, Module, Sigmoid, init
from twofold.scratch.module import Array


class SparseAutoencoder(Module):
    """Pixels (N, pixels) -> (N, pixels + hidden): the reconstruction and, for the loss, the hidden activations."""

    def __init__(self, pixels: int = 256, hidden: int = 64, *, rng: Generator | None = None) -> None:
        rng = init.generator(rng)
        self.encoder = Linear(pixels, hidden, rng=rng)
        self.sigmoid1 = Sigmoid()
        self.decoder = Linear(hidden, pixels, rng=rng)
        self.sigmoid2 = Sigmoid()
        bound = (6 / (pixels + hidden)) ** 0.5
        for _, parameter in self.named_parameters():
            parameter.data = init.uniform(parameter.data.shape, bound, rng)

    def forward(self, x: Array) -> Array:
        self.cache = x.shape[1]
        hidden = self.sigmoid1(self.encoder(x))
        return np.concatenate([self.sigmoid2(self.decoder(hidden)), hidden], axis=1)

    def backward(self, dout: Array) -> Array:
        pixels = self.cache
        dhidden = self.decoder.backward(self.sigmoid2.backward(dout[:, :pixels]))
        return self.encoder.backward(self.sigmoid1.backward(dhidden + dout[:, pixels:]))
