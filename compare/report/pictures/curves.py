"""The curves of many trainings over each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.pair import Pair
from twofold.compare.report.plots import caption, count_along, figure, figures_of, fit_scale, png, smoothed
from twofold.compare.training.metrics import LABELS
from twofold.compare.training.sweep import Trained, label

NAMED = 12  # combinations in the legend


def sweep_curves(pair: Pair, finished: Sequence[Trained], best: int | None) -> bytes:
    """Of every combination the loss over its steps, then each figure per epoch; the best one is drawn thick."""
    from matplotlib import colormaps

    names = figures_of(pair)
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
    first.set(title="training, smoothed", ylabel=caption(pair, "loss"))
    count_along(first, "step", max(len(one.losses) * one.steps_a_block for one in finished))
    fit_scale(first, np.concatenate([line.get_ydata() for line in first.get_lines()]))
    for axis, name in zip(others, names, strict=True):
        curves = [one.epochs[f"test_{name}"] for one in finished]
        said = "" if name == "loss" or not names[name] else f"; {names[name]}"
        axis.set(title=f"test, after each epoch{said}", ylabel=caption(pair, name))
        count_along(axis, "epoch", max(map(len, curves)))
        if not LABELS[name][1]:
            fit_scale(axis, np.concatenate(curves))
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
