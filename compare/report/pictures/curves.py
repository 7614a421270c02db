"""The curves of many trainings over each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from compare.metrics import LABELS
from compare.pair import Pair
from compare.report.plots import figure, png, smoothed
from compare.sweep import Trained, label

NAMED = 12  # combinations in the legend


def sweep_curves(pair: Pair, finished: Sequence[Trained], best: int | None) -> bytes:
    """Of every combination the loss over its steps, then loss and metrics per epoch; the best one is drawn thick."""
    from matplotlib import colormaps

    names = ["loss", *pair.metrics]
    drawing, (first, *others) = figure(1 + len(names), 4.6, 3.6)
    last = max(1, len(finished) - 1)
    palette = "tab10" if len(finished) <= 10 else "viridis"
    colors = [colormaps[palette](n if palette == "tab10" else n / last) for n in range(len(finished))]
    for n, one in enumerate(finished):
        style: dict[str, Any] = {"color": colors[n], "lw": 2.6 if n == best else 1.1, "zorder": 3 if n == best else 2}
        at = np.arange(1, len(one.losses) + 1) * one.steps_a_block
        first.plot(
            at,
            smoothed(one.losses, max(1, len(one.losses) // 25)),
            label=label(one.settings) + (" (best)" if n == best else ""),
            **style,
        )
        for axis, name in zip(others, names, strict=True):
            values = one.epochs[f"test_{name}"]
            axis.plot(np.arange(1, len(values) + 1), values, marker="o" if len(values) == 1 else "", **style)
    first.set(title="training, smoothed", xlabel="step", ylabel="loss")
    for axis, name in zip(others, names, strict=True):
        caption, unit = LABELS[name]
        axis.set(title="test, after each epoch", xlabel="epoch", ylabel=f"{caption}{unit}")
        axis.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = first.get_legend_handles_labels()
    shown = named(finished, best)
    drawing.legend([handles[n] for n in shown], [labels[n] for n in shown], loc="outside right upper", frameon=False)
    drawing.suptitle(f"{pair.name}: {len(finished)} combinations")
    return png(drawing)


def named(finished: Sequence[Trained], best: int | None) -> list[int]:
    """The places in the legend: all of a few, else the best and as many others, spread over all."""
    if len(finished) <= NAMED:
        return list(range(len(finished)))
    spread = np.linspace(0, len(finished) - 1, NAMED - 1).round().astype(int).tolist()
    return sorted({*spread, *([] if best is None else [best])})
