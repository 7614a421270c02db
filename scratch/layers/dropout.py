"""Dropout."""

import numpy as np

from twofold.scratch import init
from twofold.scratch.checks import gradient, number, numbers, refuse
from twofold.scratch.module import Array, Module


class Dropout(Module):
    """Zeroes each entry with probability p in training and scales the rest by 1 / (1 - p); nothing in evaluation.

    `mask` holds the entries that were kept last (Srivastava et al. 2014, in the inverted form).
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | int | None = None) -> None:
        self.p = number(self, "p", p)
        if not 0 <= p < 1:
            refuse(self, "a probability in [0, 1)", p)
        self.rng = init.generator(rng)

    def forward(self, x: Array) -> Array:
        x = numbers(self, x)
        if not self.training:
            self.cache = None, x.shape, x.dtype
            return x.copy()
        self.mask = self.rng.random(x.shape) >= self.p
        self.cache = self.mask, x.shape, x.dtype
        return x * self.mask / (1 - self.p)

    def backward(self, dout: Array) -> Array:
        mask, shape, dtype = self.cache
        dout = gradient(self, dout, shape, dtype)
        return dout.copy() if mask is None else dout * mask / (1 - self.p)
