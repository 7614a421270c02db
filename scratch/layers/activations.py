"""Element-wise functions. All take and return arrays of one shape."""

import math

import numpy as np

from twofold.scratch.checks import finite, gradient, number, numbers, plain, refuse
from twofold.scratch.module import Array, Module


class ReLU(Module):
    """max(x, 0), with relu'(0) = 0 as torch has it; NaN stays, and the gradient passes it."""

    def forward(self, x: Array) -> Array:
        x = numbers(self, x)
        self.cache = x
        # a record of zeros, not the scalar 0, takes NumPy's vectorised path: three times faster on images in float32
        return np.maximum(np.zeros(x.shape[1:], x.dtype), x)

    def backward(self, dout: Array) -> Array:
        x = self.cache
        dout = gradient(self, dout, x.shape, x.dtype)
        passes = ~(x <= 0)
        # an infinity times 0 would be NaN; `where` sends 0 there too, and takes ten times as long
        return dout * passes if finite(dout) else np.where(passes, dout, 0)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = number(self, "negative_slope", negative_slope)

    def forward(self, x: Array) -> Array:
        x = numbers(self, x)
        self.cache = x
        return np.where(x > 0, x, self.negative_slope * x)

    def backward(self, dout: Array) -> Array:
        x = self.cache
        dout = gradient(self, dout, x.shape, x.dtype)
        return np.where(x > 0, dout, self.negative_slope * dout)


class Tanh(Module):
    """tanh(x)."""

    def forward(self, x: Array) -> Array:
        x = numbers(self, x)
        out = np.tanh(x)
        self.cache = out
        return out

    def backward(self, dout: Array) -> Array:
        out = self.cache
        dout = gradient(self, dout, out.shape, out.dtype)
        return dout * (1 - out * out)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); for very negative x the exponential is inf and the result the right one, 0."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Array) -> Array:
        x = numbers(self, x)
        out = sigmoid(x)
        self.cache = out
        return out

    def backward(self, dout: Array) -> Array:
        out = self.cache
        dout = gradient(self, dout, out.shape, out.dtype)
        return dout * (out * (1 - out))


class Flatten(Module):
    """(N, ...) -> (N, product of the rest), integers too."""

    def forward(self, x: Array) -> Array:
        x = plain(self, "an input", x)
        if x.ndim < 2 or x.dtype.kind not in "biuf" or not x.dtype.isnative:
            refuse(self, "an input of numbers and of two axes or more", x)
        flat = (len(x), math.prod(x.shape[1:]))
        self.cache = x.shape, flat, x.dtype
        return x.reshape(flat)

    def backward(self, dout: Array) -> Array:
        shape, flat, dtype = self.cache
        if dtype.kind != "f":
            refuse(self, "an input of floats, which alone have a gradient", f"one of {dtype}", TypeError)
        dout = gradient(self, dout, flat, dtype)
        return dout.reshape(shape)
