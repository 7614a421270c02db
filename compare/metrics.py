"""What training prints beside the loss: each metric is a mean over the records of a batch or of a whole set."""

from collections.abc import Callable

import numpy as np

from scratch.module import Array


def accuracy(out: Array, target: Array) -> float:
    """Percent of records whose largest logit is the target's: (N, C), (N,)."""
    return 100 * float(np.mean(out.argmax(axis=1) == target))


def sign_accuracy(out: Array, target: Array) -> float:
    """Percent of outputs on the target's side of 0, with 0 itself on neither: (N, 1), (N, 1)."""
    return 100 * float(np.mean(out * target > 0))


def mse(out: Array, target: Array) -> float:
    """Mean squared error over all entries."""
    return float(np.mean(np.square(out - target)))


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": accuracy,
    "sign_accuracy": sign_accuracy,
    "mse": mse,
}
# How a metric is printed: label and unit.
LABELS = {"loss": ("loss", ""), "accuracy": ("accuracy", " %"), "sign_accuracy": ("accuracy", " %"), "mse": ("MSE", "")}


def spoken(name: str, value: float) -> str:
    """A figure as people read it: "accuracy 97.30 %"."""
    label, unit = LABELS[name]
    return f"{label} {value:.2f}{unit}" if unit else f"{label} {value:.4f}"
