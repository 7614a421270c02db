"""Losses. `forward(input, target) -> loss`; `backward(dloss) -> dinput`; `reduction` is torch's: mean, sum or none."""

import numpy as np

from scratch.module import Array, Module


class Loss(Module):
    """Reduces one value a record or entry by `reduction`: "mean" (default), "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction must be mean, sum or none, found {reduction!r}")
        self.reduction = reduction

    def reduce(self, values: Array) -> Array:
        if self.reduction == "none":
            return values
        return values.mean() if self.reduction == "mean" else values.sum()

    def spread(self, dloss: Array | float, values: int) -> Array | float:
        """What each of the reduced values gets of `dloss`."""
        return dloss / values if self.reduction == "mean" else dloss


class CrossEntropyLoss(Loss):
    """-log softmax(x)[y]: logits (N, C) and class indices (N,) -> scalar, or (N,) with reduction "none".

    Raises ValueError for other shapes and IndexError for a class outside [0, C).
    """

    def forward(self, x: Array, target: Array) -> Array:
        if x.ndim != 2 or target.shape != x.shape[:1]:
            raise ValueError(f"expected logits (N, C) and classes (N,), found {x.shape} and {target.shape}")
        if not 0 <= target.min() <= target.max() < x.shape[1]:
            raise IndexError(f"classes from {target.min()} to {target.max()}, there are {x.shape[1]} logits")
        shifted = x - x.max(axis=1, keepdims=True)
        exp = np.exp(shifted)
        total = exp.sum(axis=1, keepdims=True)
        self.cache = exp / total, target
        return self.reduce(np.log(total[:, 0]) - shifted[np.arange(len(x)), target])

    def backward(self, dloss: Array | float = 1.0) -> Array:
        probabilities, target = self.cache
        dx = probabilities.copy()
        dx[np.arange(len(dx)), target] -= 1
        dx *= np.reshape(self.spread(dloss, len(dx)), (-1, 1))
        return dx


class MSELoss(Loss):
    """(x - y)^2 over equal shapes, averaged over all entries."""

    def forward(self, x: Array, target: Array) -> Array:
        if x.shape != target.shape:
            raise ValueError(f"input has shape {x.shape}, target {target.shape}")
        self.cache = x - target
        return self.reduce(self.cache * self.cache)

    def backward(self, dloss: Array | float = 1.0) -> Array:
        difference = self.cache
        return 2 * difference * self.spread(dloss, difference.size)


class HalfMSELoss(MSELoss):
    """Half of MSELoss, so that the gradient is the plain difference: `catcar-mlp`."""

    def forward(self, x: Array, target: Array) -> Array:
        return super().forward(x, target) / 2

    def backward(self, dloss: Array | float = 1.0) -> Array:
        return super().backward(dloss) / 2
