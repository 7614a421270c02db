"""What training prints beside the loss: each metric is a mean over the records of a batch or of a whole set."""

from collections.abc import Callable

import numpy as np

from twofold.scratch.module import Array


def accuracy(out: Array, target: Array) -> float:
    """Percent of records whose largest logit is the target's: (N, C), (N,)."""
    return 100 * float(np.mean(out.argmax(axis=1) == target))


def sign_accuracy(out: Array, target: Array) -> float:
    """Percent of outputs on the target's side of 0, with 0 itself on neither: (N, 1), (N, 1)."""
    return 100 * float(np.mean(out * target > 0))


def mse(out: Array, target: Array) -> float:
    """Mean squared error over all entries."""
    return float(np.mean(np.square(out - target)))


def confusion(predicted: Array, actual: Array, classes: int) -> Array:
    """How many records of each class were taken for which: rows actual, columns predicted, (classes, classes)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (actual, predicted), 1)
    return counts


def reconstruction_mse(out: Array, target: Array) -> float:
    """The same of an autoencoder's first columns, its reconstruction: (N, pixels + hidden), (N, pixels)."""
    return mse(out[:, : target.shape[1]], target)


def cross_entropy(out: Array, target: Array) -> float:
    """Mean cross-entropy, for a loss that is a sum: logits (N, C), classes (N,)."""
    shifted = out - out.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(out)), target]))


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": accuracy,
    "sign_accuracy": sign_accuracy,
    "mse": mse,
    "reconstruction_mse": reconstruction_mse,
    "cross_entropy": cross_entropy,
}
HIGHER_IS_BETTER = {"accuracy", "sign_accuracy"}
# How a metric is printed: label and unit.
LABELS = {
    "loss": ("loss", ""),
    "accuracy": ("accuracy", " %"),
    "sign_accuracy": ("accuracy", " %"),
    "mse": ("MSE", ""),
    "reconstruction_mse": ("MSE", ""),
    "cross_entropy": ("cross-entropy", ""),
}


def spoken(name: str, value: float) -> str:
    """A figure as people read it: "accuracy 97.30 %"."""
    label, unit = LABELS[name]
    return f"{label} {value:.2f}{unit}" if unit else f"{label} {value:.4f}"
