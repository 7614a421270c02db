"""What the ratios are held beside. No goal is ever asserted: a slow machine is no fault."""

import statistics
from collections.abc import Iterable

# Time of a training step, scratch / reference, one thread: float32 and float64. They were set on one machine (two
# virtual cores, AMD Zen 5, OpenBLAS that takes it for a Haswell) and hold for that one; elsewhere they tell the order.
STEPS: dict[str, tuple[float, float]] = {
    "mnist-cnn": (1.0, 0.75),
    "sine-rnn": (0.5, 0.5),
    "sparse-autoencoder": (0.3, 0.4),
    "catcar-mlp": (0.4, 0.5),
    "trigram-lm": (0.8, 0.85),
    "fc-net": (0.6, 0.7),
    "three-layer-convnet": (1.3, 0.8),
    "two-conv-net": (1.6, 0.6),
    "bn-convnet": (1.5, 0.8),
    "activity-rnn": (0.45, 0.55),
    "activity-lstm": (1.5, 0.5),
    "activity-gru": (0.55, 0.65),
    "notmnist-mlp": (0.75, 0.75),
}
GEOMETRIC_MEAN = 0.65  # over the pairs, in either dtype
MEMORY = 1.5  # peak of a training step, scratch / reference
# Judging at the recipe's size in float64: passes of the reference, and bytes at the peak.
JUDGING: dict[str, tuple[float, float]] = {"two-layer-fc": (40, 2e9), "bn-convnet": (25, 1.5e9)}


def of_step(pair: str, dtype: str) -> float | None:
    """The goal of a pair's training step; a pair without one has None."""
    goals = STEPS.get(pair)
    return goals[("float32", "float64").index(dtype)] if goals else None


def geometric_mean(ratios: Iterable[float]) -> float:
    """A ratio and its inverse cancel. ValueError for none at all."""
    found = list(ratios)
    if not found:
        raise ValueError("expected at least one ratio, found none")
    return statistics.geometric_mean(found)
