"""Dropout."""

import numpy as np

from twofold.scratch import init
from twofold.scratch.module import Array, Module


class Dropout(Module):
    """Zeroes each entry with probability p in training and scales the rest by 1 / (1 - p); nothing in evaluation.

    `mask` holds the entries that were kept last (Srivastava et al. 2014, in the inverted form).
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | int | None = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"expected a probability in [0, 1), found {p}")
        self.p, self.rng = p, init.generator(rng)

    def forward(self, x: Array) -> Array:
        if not self.training:
            self.cache = None
            return x.copy()
        self.mask = self.rng.random(x.shape) >= self.p
        self.cache = self.mask
        return x * self.mask / (1 - self.p)

    def backward(self, dout: Array) -> Array:
        mask = self.cache
        return dout.copy() if mask is None else dout * mask / (1 - self.p)
