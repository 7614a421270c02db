"""Losses. `forward(input, target) -> loss`; `backward(dloss) -> dinput`; `reduction` is torch's: mean, sum or none."""

from collections.abc import Iterable

import numpy as np

from twofold.scratch.checks import alike, logits, loss_gradient, number, numbers, plain, refuse, shaped
from twofold.scratch.module import Array, Module, Parameter


class Loss(Module):
    """Reduces one value a record or entry by `reduction`: "mean" (default), "sum" or "none".

    Raises TypeError for one without its name: torch's losses take others first.
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            refuse(self, "the reduction mean, sum or none", repr(reduction))
        self.reduction = reduction

    def reduce(self, values: Array) -> Array:
        if self.reduction == "none":
            return values
        total = values.sum()
        if self.reduction == "mean":
            return total / values.size if values.size else total * np.nan  # as torch has it
        return total

    def sent(self, dloss: Array | float, shape: tuple[int, ...], dtype: np.dtype) -> Array | float:
        """The gradient of the loss: of every one of its values for the reduction "none", else a number."""
        if type(dloss) is float and self.reduction != "none":
            return dloss
        return loss_gradient(self, dloss, shape if self.reduction == "none" else (), dtype)

    def spread(self, dloss: Array | float, values: int) -> Array | float:
        """What each of the reduced values gets of `dloss`."""
        return dloss / (values or 1) if self.reduction == "mean" else dloss


class CrossEntropyLoss(Loss):
    """-log softmax(x)[y]: logits (N, C) and class indices (N,) -> scalar, or (N,) with reduction "none".

    One record alone is (C,) and (). Raises ValueError for other shapes, TypeError for classes that are no integers and
    IndexError for a class outside [0, C).
    """

    def forward(self, x: Array, target: Array) -> Array:
        x, target = logits(self, x, target)
        shifted = x - x.max(axis=1, keepdims=True)
        exp = np.exp(shifted)
        total = exp.sum(axis=1, keepdims=True)
        self.cache = exp / total, target
        values = np.log(total[:, 0]) - shifted[np.arange(len(x)), target]
        return self.reduce(values.reshape(target.shape))

    def backward(self, dloss: Array | float = 1.0) -> Array:
        probabilities, target = self.cache
        dloss = self.sent(dloss, target.shape, probabilities.dtype)
        dx = probabilities.copy()
        dx[np.arange(len(dx)), target] -= 1
        dx *= np.reshape(self.spread(dloss, len(dx)), (-1, 1))
        return dx.reshape(*target.shape, dx.shape[1])


class SoftmaxBCELoss(Loss):
    """-log p_y - sum over the other classes j of log(1 - p_j), p = softmax(x): binary cross-entropy of every class.

    Logits (N, C), two or more, and class indices (N,) -> scalar, or (N,) with reduction "none"; the mean is over
    records, not over N x C. Raises ValueError for other shapes and IndexError for a class outside [0, C).
    """

    def forward(self, x: Array, target: Array) -> Array:
        x, target = logits(self, x, target, alone=False)
        if x.shape[1] < 2:
            refuse(self, "two or more logits a record", x.shape[1])
        rows, best = np.arange(len(x)), x.argmax(axis=1)
        first = x.max(axis=1, keepdims=True)
        shifted = x - first
        log_total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        log_p = shifted - log_total
        others = log_p.copy()
        others[rows, best] = -np.inf
        # 1 - p of the likeliest class is what all others have: as a difference it would lose its digits near p = 1,
        # and their shares would lose them if taken from logarithms, which are large there
        rest = x.copy()
        rest[rows, best] = -np.inf
        second = rest.max(axis=1, keepdims=True)
        shares = np.exp(rest - second)
        total = shares.sum(axis=1, keepdims=True)
        log_rest = np.log1p(-np.exp(others))  # log(1 - p)
        odds = np.exp(others - log_rest)  # p / (1 - p), but 0 of the likeliest
        log_rest[rows, best] = (second - first + np.log(total) - log_total)[:, 0]
        self.cache = np.exp(log_p), odds, shares / total, best, target
        log_rest[rows, target] = log_p[rows, target]
        return self.reduce(-log_rest.sum(axis=1))

    def backward(self, dloss: Array | float = 1.0) -> Array:
        probabilities, odds, shares, best, target = self.cache
        dloss = self.sent(dloss, target.shape, odds.dtype)
        rows = np.arange(len(odds))
        # the slope along each p_j, times p_j, is s_j = -1 for y and p_j / (1 - p_j) for others; so by the softmax's
        # Jacobian dx_k = s_k - p_k sum_j s_j
        slopes = odds.copy()
        slopes[rows, target] = -1
        dx = slopes - probabilities * slopes.sum(axis=1, keepdims=True)
        # s of the likeliest class may overflow: if it is not y it gets s (1 - p) = p, and the others lose that by share
        likeliest = np.where(best == target, 0, probabilities[rows, best])
        dx -= shares * likeliest[:, None]
        dx[rows, best] += likeliest
        dx *= np.reshape(self.spread(dloss, len(dx)), (-1, 1))
        return dx


class MSELoss(Loss):
    """(x - y)^2 over equal shapes, averaged over all entries."""

    def forward(self, x: Array, target: Array) -> Array:
        x, target = alike(self, x, target)
        self.cache = x - target
        return self.reduce(self.cache * self.cache)

    def backward(self, dloss: Array | float = 1.0) -> Array:
        difference = self.cache
        dloss = self.sent(dloss, difference.shape, difference.dtype)
        return difference * (2 * self.spread(dloss, difference.size))


class HalfMSELoss(MSELoss):
    """Half of MSELoss, so that the gradient is the plain difference: `catcar-mlp`."""

    def forward(self, x: Array, target: Array) -> Array:
        return super().forward(x, target) / 2

    def backward(self, dloss: Array | float = 1.0) -> Array:
        return super().backward(dloss) / 2


class MultiClassHingeLoss(Module):
    """Mean over records of the sum over wrong classes j of max(0, s_j - s_y + 1): (N, C), classes (N,) -> scalar.

    A margin that is NaN counts for nothing, as in torch's multi_margin_loss.
    """

    def forward(self, x: Array, target: Array) -> Array:
        x, target = logits(self, x, target, alone=False)
        rows = np.arange(len(x))
        margins = x - x[rows, target][:, None] + 1
        margins[rows, target] = 0
        self.cache = (margins > 0).astype(x.dtype), target
        values = np.fmax(margins, 0).sum(axis=1)
        return values.mean() if len(x) else values.sum() * np.nan

    def backward(self, dloss: Array | float = 1.0) -> Array:
        violated, target = self.cache
        dloss = loss_gradient(self, dloss, (), violated.dtype)
        dx = violated.copy()
        dx[np.arange(len(dx)), target] = -dx.sum(axis=1)
        return dx * (dloss / (len(dx) or 1))


class SparseAutoencoderLoss(Module):
    """1/(2N) sum ||x - x^||^2 + beta sum_j KL(rho || rho_j), rho_j the batch mean of hidden unit j.

    Takes (N, pixels + hidden): the reconstruction x^ with the hidden activations beside it, and x (N, pixels).
    """

    def __init__(self, beta: float = 0.01, rho: float = 0.2) -> None:
        self.beta, self.rho = number(self, "beta", beta), number(self, "rho", rho)
        if not 0 < rho < 1:
            refuse(self, "rho in (0, 1)", rho)

    def forward(self, out: Array, target: Array) -> Array:
        out, target = numbers(self, out), plain(self, "a target", target)
        if out.ndim != 2:
            shaped(self, out, None, ("N", "pixels + hidden"))
        if target.ndim != 2:
            shaped(self, target, None, ("N", "pixels"))
        pixels = target.shape[1]
        if pixels > out.shape[1] or len(out) == 0:
            refuse(self, "one record or more, the input no narrower than the target", f"{out.shape} and {target.shape}")
        reconstruction, target = alike(self, out[:, :pixels], target)
        difference = reconstruction - target
        mean = out[:, pixels:].sum(axis=0) / len(out)
        self.cache = difference, mean
        rho = self.rho
        divergence = rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))
        return (difference * difference).sum() / (2 * len(out)) + self.beta * divergence.sum()

    def backward(self, dloss: Array | float = 1.0) -> Array:
        difference, mean = self.cache
        dloss = loss_gradient(self, dloss, (), difference.dtype)
        dmean = self.beta * ((1 - self.rho) / (1 - mean) - self.rho / mean)
        records, pixels = difference.shape
        dout = np.empty((records, pixels + len(mean)), difference.dtype)
        dout[:, :pixels], dout[:, pixels:] = difference, dmean
        return dout * (dloss / records)


class L2Penalty:
    """0.5 reg sum ||W||^2 over weights, not biases nor gammas; `backward` adds reg W to the gradients.

    Raises ValueError for no parameters at all, as a generator gives that is used up.
    """

    def __init__(self, named_parameters: Iterable[tuple[str, Parameter]], reg: float = 0.0) -> None:
        if not isinstance(named_parameters, Iterable):
            refuse(self, "named parameters, (name, Parameter)", f"a {type(named_parameters).__name__}", TypeError)
        named = list(named_parameters)
        for entry in named:
            if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Parameter)):
                refuse(self, "named parameters, (name, Parameter)", f"a {type(entry).__name__}", TypeError)
        if not named:
            refuse(self, "pairs of a name and a parameter", "none")
        self.weights = [parameter for _, parameter in named if parameter.data.ndim > 1]
        self.reg = number(self, "reg", reg)

    def forward(self) -> Array | float:
        return sum((0.5 * self.reg * (weight.data * weight.data).sum() for weight in self.weights), 0.0)

    def backward(self) -> None:
        for weight in self.weights:
            weight.grad += self.reg * weight.data
