"""The curves of many trainings over each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.pair import Pair
from twofold.compare.report.plots.scales import count_along, fit_scale, smoothed
from twofold.compare.report.plots.sheet import Drawing, drawn, figure
from twofold.compare.report.plots.training import caption, figures_of
from twofold.compare.training.metrics import LABELS
from twofold.compare.training.settings import label
from twofold.compare.training.sweep import Trained

NAMED = 12  # combinations in the legend
SPLITS = ("train", "validation", "test")


@drawn
def sweep_curves(pair: Pair, finished: Sequence[Trained], best: int | None) -> Drawing:
    """A row a figure: loss over the steps, then each figure per epoch on training, validation and test set.

    Last come training and validation over each other, which is where overfitting shows. The best is drawn thick.
    """
    names = figures_of(pair)
    sets = [split for split in SPLITS if f"{split}_loss" in finished[0].epochs]
    drawing, axes = figure(1 + len(sets), 4.2, 3.4, rows=len(names))
    styles = [style_of(n, len(finished), n == best) for n in range(len(finished))]
    rows = [axes[n * (1 + len(sets)) : (n + 1) * (1 + len(sets))] for n in range(len(names))]
    for row, (name, (first, *others)) in enumerate(zip(names, rows, strict=True)):
        if row == 0:
            over_steps(first, pair, finished, styles)
        else:
            both_sets(first, pair, name, finished, styles)
        for axis, split in zip(others, sets, strict=True):
            for one, style in zip(finished, styles, strict=True):
                per_epoch(axis, one.epochs[f"{split}_{name}"], **style)
            said = f"; {names[name]}" if name != "loss" and names[name] else ""
            finish(axis, pair, name, finished, f"{split}, after each epoch{said}")
    handles = rows[0][0].get_lines()
    shown = named(finished, best)
    labels = [label(one.settings) + (" (best)" if n == best else "") for n, one in enumerate(finished)]
    drawing.legend([handles[n] for n in shown], [labels[n] for n in shown], loc="outside right upper", frameon=False)
    drawing.suptitle(f"{' and '.join(titles(pair, finished))}: {len(finished)} combinations")
    return drawing


def titles(pair: Pair, finished: Sequence[Trained]) -> list[str]:
    names = list(dict.fromkeys(str(one.settings.get("pair", pair.name)) for one in finished))
    return names if len(names) <= 4 else [f"{len(names)} pairs"]


def style_of(number: int, count: int, best: bool) -> dict[str, Any]:
    from matplotlib import colormaps

    palette = "tab10" if count <= 10 else "viridis"
    color = colormaps[palette](number if palette == "tab10" else number / (count - 1))
    return {"color": color, "lw": 2.6 if best else 1.1, "zorder": 3 if best else 2}


def over_steps(axis: Any, pair: Pair, finished: Sequence[Trained], styles: Sequence[dict[str, Any]]) -> None:
    for one, style in zip(finished, styles, strict=True):
        at = np.arange(1, len(one.losses) + 1) * one.steps_a_block
        axis.plot(at, smoothed(one.losses, max(1, len(one.losses) // 25)), **style)
    axis.set(title="loss of each step, smoothed", ylabel=caption(pair, "loss"))
    count_along(axis, "step", max(len(one.losses) * one.steps_a_block for one in finished))
    fit_scale(axis, np.concatenate([line.get_ydata() for line in axis.get_lines()]))


def both_sets(axis: Any, pair: Pair, name: str, finished: Sequence[Trained], styles: Sequence[dict[str, Any]]) -> None:
    """Training, dashed, and the set that is held out, over each other."""
    held = "validation" if f"validation_{name}" in finished[0].epochs else "test"
    for one, style in zip(finished, styles, strict=True):
        for split, dashes in (("train", "--"), (held, "-")):
            per_epoch(axis, one.epochs[f"{split}_{name}"], ls=dashes, **style)
    finish(axis, pair, name, finished, f"train (dashed) and {held}")


def per_epoch(axis: Any, values: Sequence[float], **style: Any) -> None:
    axis.plot(np.arange(1, len(values) + 1), values, marker="o" if len(values) <= 2 else "", **style)


def finish(axis: Any, pair: Pair, name: str, finished: Sequence[Trained], title: str) -> None:
    axis.set(title=title, ylabel=caption(pair, name))
    count_along(axis, "epoch", max(len(values) for one in finished for values in one.epochs.values()))
    if not LABELS[name][1]:
        fit_scale(axis, np.concatenate([line.get_ydata() for line in axis.get_lines()]))


def named(finished: Sequence[Trained], best: int | None) -> list[int]:
    """The places in the legend: all of a few, else the best and as many others, spread over all."""
    if len(finished) <= NAMED:
        return list(range(len(finished)))
    spread = np.linspace(0, len(finished) - 1, NAMED - 1).round().astype(int).tolist()
    return sorted({*spread, *([] if best is None else [best])})
