"""The curves of a training."""

from typing import Any

import numpy as np

from twofold.compare.pair import Pair
from twofold.compare.report.plots.hues import TEST, TRAIN, VALIDATION
from twofold.compare.report.plots.scales import MARKED, count_along, fit_scale, marker, smoothed
from twofold.compare.report.plots.sheet import Drawing, drawn, figure
from twofold.compare.training.checkpoint import Curves
from twofold.compare.training.metrics import LABELS

# Each with dashes and a mark of its own, narrow over wide: told apart without colour, and seen where they coincide.
SETS: dict[str, dict[str, Any]] = {
    "train": {"color": TRAIN, "lw": 1.5, "marker": "s", "ms": 4},
    "validation": {
        "color": VALIDATION,
        "lw": 4,
        "marker": "D",
        "ms": 9,
        "alpha": 0.55,
        "ls": (0, (1, 0.5)),
        "zorder": 1.9,
    },
    "test": {"color": TEST, "lw": 1.2, "marker": "o", "ms": 5, "ls": (0, (4, 2))},
}
# The metric that a loss is but for a factor, and what part of it the loss is.
SAME = {"HalfMSELoss": ("mse", "half of "), "MSELoss": ("mse", ""), "CrossEntropyLoss": ("cross_entropy", "")}


def summed(pair: Pair, name: str) -> bool:
    """Whether a figure is a sum over records, so that it grows with the size of the set."""
    return name == "loss" and pair.loss.arguments.get("reduction") == "sum"


def caption(pair: Pair, name: str) -> str:
    """What an axis is named after a figure."""
    label, unit = LABELS[name]
    return f"{label}, sum over records" if summed(pair, name) else f"{label}{unit}"


def figures_of(pair: Pair) -> dict[str, str]:
    """The figures that are curves of their own, loss and metrics, and what is to be said over each, mostly nothing."""
    metric, part = SAME.get(pair.loss.scratch.rpartition(":")[2], ("", ""))
    over_records = {"loss": "sums over sets of different sizes"} if summed(pair, "loss") else {}
    if metric not in pair.metrics or pair.penalty is not None:
        return {name: over_records.get(name, "") for name in ("loss", *pair.metrics)}
    total = "its sum over records" if over_records else "it"
    return {name: f"the loss is {part}{total}" if name == metric else "" for name in pair.metrics}


@drawn
def training_curves(pair: Pair, backend: str, steps: Curves, epochs: Curves, within: Curves | None = None) -> Drawing:
    """One backend's training: the loss of every step, then each figure after every epoch, on every set there is.

    Within a single epoch every figure is drawn over the steps, and the epoch's figures stand at its end. So are those
    `within` the epochs, where it was evaluated every so many steps.
    """
    names, done = figures_of(pair), len(epochs.get("train_loss", []))
    if done > 1 and not within:
        drawing, (first, *others) = figure(1 + len(names), 4.4)
        step_curve(first, pair, "loss", steps)
        for axis, name in zip(others, names, strict=True):
            epoch_curves(axis, pair, name, epochs)
    else:
        drawing, others = figure(len(names), 4.4)
        for axis, name in zip(others, names, strict=True):
            step_curve(axis, pair, name, steps)
            within_curves(axis, name, within or {})
            epoch_points(axis, name, len(steps["loss"]), epochs)
    for axis, said in zip(others, names.values(), strict=True):
        axis.set_title(said, fontsize=9)
        below = (
            {"loc": "upper left", "bbox_to_anchor": (0, -0.22)} if done <= 1 or within else {}
        )  # clear of the points
        axis.legend(frameon=False, fontsize=9, **below)
    drawing.suptitle(f"{pair.name}, {backend}: {done} epoch{'' if done == 1 else 's'}")
    return drawing


def step_curve(axis: Any, pair: Pair, name: str, steps: Curves) -> None:
    """A figure of every step's batch, and where there are many its mean over some of them."""
    values, count = steps[name], len(steps[name])
    at, window = np.arange(1, count + 1), count // 50
    mean = smoothed(values, max(1, window))
    alone = {"lw": 1.2, "marker": marker(count), "ms": 3} if window < 2 else {"alpha": 0.3, "lw": 0.7}
    axis.plot(at, values, color=TRAIN, label="each step", **alone)
    if window >= 2:
        axis.plot(at, mean, color=TRAIN, label=f"mean of {window}")
    axis.set(ylabel=caption(pair, name))
    count_along(axis, "step", count)
    if not LABELS[name][1]:
        fit_scale(axis, mean)
    axis.legend(frameon=False, fontsize=9)


def epoch_curves(axis: Any, pair: Pair, name: str, epochs: Curves) -> None:
    curves = {split: values for split in SETS if (values := epochs.get(f"{split}_{name}"))}
    for split, values in curves.items():
        every = -(-len(values) // MARKED)
        axis.plot(np.arange(1, len(values) + 1), values, markevery=every, label=split, **SETS[split])
    axis.set(ylabel=caption(pair, name))
    count_along(axis, "epoch", max(map(len, curves.values()), default=1))
    if not LABELS[name][1]:
        fit_scale(axis, np.concatenate([*curves.values(), []]))


def within_curves(axis: Any, name: str, within: Curves) -> None:
    """The figures of evaluations every so many steps."""
    for split, style in SETS.items():
        if values := within.get(f"{split}_{name}"):
            every = -(-len(values) // MARKED)
            axis.plot(within["step"], values, markevery=every, label=f"{split}, evaluated", **style)


def epoch_points(axis: Any, name: str, step: int, epochs: Curves) -> None:
    """The figures after the last epoch at its last step, written out."""
    _, unit = LABELS[name]
    for split, style in SETS.items():
        if values := epochs.get(f"{split}_{name}"):
            value = f"{values[-1]:.2f}{unit}" if unit else f"{values[-1]:.4g}"
            words = f"{split} at its end: {value}"
            point = {**style, "ls": "", "mfc": "none" if split == "validation" else style["color"], "mew": 1.5}
            axis.plot([step], values[-1:], clip_on=False, label=words, **point)
