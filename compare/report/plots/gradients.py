"""Gradients on their way back, by layer and through time, and updates beside their weights."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from twofold.compare.report.plots.hues import RULE, series
from twofold.compare.report.plots.scales import count_along
from twofold.compare.report.plots.sheet import Drawing, drawn, figure
from twofold.compare.training.gradients import Kind, Watched, path_of

TIMES = 5  # training steps whose gradients through time are drawn
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
MARKS = "osD^vPX"
Curve = list[tuple[int, float]]  # (step or time, value)


@drawn
def gradient_curves(watched: Watched) -> Drawing:
    """Norms of gradients by layer over the steps, by time step at a few of them, and updates relative to the weights.

    Layers are those with weights, by the gradient of what they give. A curve that is 0 throughout is named so.
    """
    owners = {name.rpartition(".")[0] for name in curves(watched, "parameter")}
    layers = by_layer({name: curve for name, curve in curves(watched, "output").items() if path_of(name) in owners})
    states, updates = through_time(watched), curves(watched, "update")
    drawing, (first, *others, last) = figure(2 + len(states), 5.4, 4.2)
    first.set(title="gradient of each layer's output", ylabel="norm, over the batch")
    lines(first, layers)
    for axis, (name, steps) in zip(others, states.items(), strict=True):
        axis.set(title=f"{name}: gradient of its state through time")
        axis.set(xlabel="time step t", ylabel="norm, over the batch")
        lines(axis, steps)
        shade_zeros(axis, list(steps.values()))
    last.set(title="updates: norm over that of the weights")
    lines(last, updates, [name.rpartition(".")[0] for name in updates])
    for axis, found in ((first, layers), (last, updates)):
        count_along(axis, "step", max((step for curve in found.values() for step, _ in curve), default=1))
    training = watched.training
    drawing.suptitle(f"{training.pair.name}, {training.configuration.backend}: gradients and updates")
    return drawing


@drawn
def layer_norms(nets: Sequence[tuple[str, Mapping[str, float]]], heading: str) -> Drawing:
    """A line a net: the norm of the gradient of what each of its layers gives, from the first layer to the last.

    `nets` as `first_batch` gives them. Layers are named where all nets have the longest one's names, else numbered.
    """
    drawing, (axis,) = figure(1, 7.2, 4.2)
    named = max((list(norms) for _, norms in nets), key=len)
    lines(axis, {name: list(enumerate(norms.values())) for name, norms in nets}, marked=True)
    same = all(list(norms) == named[: len(norms)] for _, norms in nets)
    axis.set_xticks(range(len(named)), named if same else [str(n + 1) for n in range(len(named))])
    axis.set(xlabel="layer, from the input to the output", ylabel="norm of its output's gradient")
    drawing.suptitle(heading)
    return drawing


def curves(watched: Watched, kind: Kind) -> dict[str, Curve]:
    """By name the values over the training steps."""
    found: dict[str, Curve] = {}
    for row in watched.rows:
        if row.kind == kind:
            found.setdefault(row.name, []).append((row.step, row.value))
    return found


def by_layer(found: dict[str, Curve]) -> dict[str, Curve]:
    """Under the layers' own names, where each has given one output that a gradient reached."""
    paths = [path_of(name) for name in found]
    return dict(zip(paths, found.values(), strict=True)) if len(set(paths)) == len(paths) else found


def through_time(watched: Watched) -> dict[str, dict[str, Curve]]:
    """By recurrent layer, at a few training steps spread over those recorded, the values over the time steps."""
    rows = [row for row in watched.rows if row.kind == "state"]
    recorded = sorted({row.step for row in rows})
    chosen = {recorded[n] for n in np.linspace(0, len(recorded) - 1, TIMES).round().astype(int)} if recorded else set()
    found: dict[str, dict[str, Curve]] = {}
    for row in rows:
        if row.step in chosen and row.time is not None:
            steps = found.setdefault(row.name, {})
            steps.setdefault(f"step {row.step:,}", []).append((row.time, row.value))
    return found


def lines(axis: Any, found: Mapping[str, Curve], groups: Sequence[str] = (), marked: bool = False) -> None:
    """On whole powers of ten: a colour a group, by default each curve's own, and dashes within it.

    Dots stand where `marked` or a curve is one point; of curves that coincide the later ones are narrower.
    """
    groups = groups or list(found)
    places, seen = {group: n for n, group in enumerate(dict.fromkeys(groups))}, Counter[str]()
    colors = series(len(places))
    everything = []
    for n, ((name, curve), group) in enumerate(zip(found.items(), groups, strict=True)):
        at, values = np.array(curve).T
        shown = np.where((values > 0) & np.isfinite(values), values, np.nan)
        dashes = DASHES[(seen[group] if len(places) < len(found) else n) % len(DASHES)]
        dots = MARKS[n % len(MARKS)] if marked or np.isfinite(shown).sum() == 1 else ""
        style = {"ls": dashes, "lw": 1.2 + 1.8 * (1 - n / len(found)), "marker": dots, "ms": 6}
        label = name if values.any() else f"{name}: 0 throughout"
        axis.plot(at, shown, color=colors[places[group]], label=label, **style)
        seen[group] += 1
        everything += shown[np.isfinite(shown)].tolist()
    axis.set_yscale("log")
    if everything:
        low, high = np.floor(np.log10(min(everything))), np.ceil(np.log10(max(everything)))
        axis.set_ylim(10**low, 10 ** max(high, low + 1))
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), handlelength=3)


def shade_zeros(axis: Any, found: Sequence[Curve]) -> None:
    """The time steps from the first on that no gradient reaches at any of the training steps."""
    reached = [t for curve in found for t, value in curve if value != 0]
    start = min(reached, default=len(found[0]))
    if start:
        axis.axvspan(-0.5, start - 0.5, color=RULE, alpha=0.5, lw=0)
        words = f"exactly 0\nup to t = {start - 1}"
        axis.text((start - 1) / 2, 0.5, words, transform=axis.get_xaxis_transform(), ha="center", va="center")
        axis.set_xlim(-0.5, len(found[0]) - 0.5)
