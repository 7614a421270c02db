"""Both sides of a pair beside each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.report.plots.hues import INK, REFERENCE, ROUNDING, SCRATCH
from twofold.compare.report.plots.scales import count_along, fit_scale
from twofold.compare.report.plots.sheet import Drawing, drawn, figure
from twofold.compare.report.plots.svg import HINT

EPS = float(np.finfo(np.float64).eps)
EQUAL = EPS / 8  # where a distance of 0 stands on a logarithmic scale
POINTS, STRIPS = 100, 30  # of a curve, and of what tells the steps
LINES: dict[str, dict[str, Any]] = {
    "reference": {"color": REFERENCE, "lw": 4, "alpha": 0.4, "label": "reference"},
    "scratch": {"color": SCRATCH, "lw": 1.1, "ls": (0, (4, 1.5)), "label": "scratch"},
}


@drawn
def both_curves(scratch: Sequence[float], reference: Sequence[float], twin: Sequence[float]) -> Drawing:
    """Both losses over each other; below, how far they are apart, inside of how far one ulp carries the reference.

    Of many steps the mean of some is drawn, of distances the largest.
    """
    distance, envelope = relative_distance(scratch, reference), envelope_of(twin, reference)
    drawing, (over, *below) = figure(1, 4.8, 2.3, rows=2 if distance.any() else 1)
    blocks = blocks_of(len(reference), POINTS)
    at = [(start + 1 + end) / 2 for start, end in blocks]
    every = blocks[0][1] - blocks[0][0]
    for values, style in ((reference, LINES["reference"]), (scratch, LINES["scratch"])):
        over.plot(at, [np.mean(values[start:end]) for start, end in blocks], **style)
    over.set(ylabel="loss" if every == 1 else f"loss, mean of {every}")
    fit_scale(over, np.array([*scratch, *reference]))
    over.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0)
    for apart in below:
        largest = [[np.max(values[start:end]) for start, end in blocks] for values in (envelope, distance)]
        draw_distance(apart, at, *largest)
        over.tick_params(labelbottom=False)
    count_along((below or [over])[0], "step", len(reference))
    for axis in drawing.axes:
        axis.set_xlim(*((0.5, 1.5) if len(reference) == 1 else (0, len(reference) + 1)))
    drawing.draw_without_rendering()  # places the axes
    strips(drawing.axes[-1], scratch, reference, distance, envelope)
    return drawing


def draw_distance(axis: Any, at: Sequence[float], envelope: Sequence[float], distance: Sequence[float]) -> None:
    axis.set_yscale("log")
    axis.fill_between(at, EQUAL, np.maximum(envelope, EQUAL), color=ROUNDING, alpha=0.3, lw=0)
    axis.plot(at, np.maximum(envelope, EQUAL), color=ROUNDING, lw=1, ls=":", label="one ulp, at most so far")
    axis.plot(at, np.maximum(distance, EQUAL), color=SCRATCH, lw=1, label="scratch from reference")
    top = max([value for value in (*distance, *envelope) if np.isfinite(value)] + [EPS])
    axis.set(ylabel="apart, of the loss", ylim=(EQUAL / 2, top * 30))
    powers = np.unique(np.linspace(-15, max(-14, np.floor(np.log10(top))), 4).astype(int))
    axis.set_yticks([EQUAL, *10.0**powers], ["equal", *(f"1e{power}" for power in powers)])
    axis.minorticks_off()
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, borderpad=0)


def blocks_of(count: int, most: int) -> list[tuple[int, int]]:
    """Steps in at most so many blocks of one size, the last perhaps shorter: first, behind the last."""
    size = -(-count // most)
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def strips(axis: Any, scratch: Sequence[float], reference: Sequence[float], *distances: np.ndarray) -> None:
    """Over all axes what tells the step that the pointer is at, the last of a few where there are many."""
    from matplotlib.patches import Rectangle

    first, last = axis.figure.axes[0].get_position(), axis.get_position()
    height = (first.y1 - last.y0) / last.height
    for start, end in blocks_of(len(reference), STRIPS):
        told = f"step {end}: {told_apart(scratch[end - 1], reference[end - 1], *(one[end - 1] for one in distances))}"
        strip = Rectangle((start + 0.5, 0), end - start, height, transform=axis.get_xaxis_transform(), color=INK)
        strip.set(gid=f"{HINT}{told}", clip_on=False, in_layout=False, alpha=0)
        axis.add_patch(strip)


def told_apart(scratch: float, reference: float, apart: float, ulp: float) -> str:
    ours, theirs = f"{scratch:.5g}", f"{reference:.5g}"
    if not apart:
        return f"both {ours}, equal; one ulp {ulp:.0e}"
    sides = f"both {ours}" if ours == theirs else f"scratch {ours}, reference {theirs}"
    return f"{sides}, apart {apart:.0e}; one ulp {ulp:.0e}"


def envelope_of(twin: Sequence[float], reference: Sequence[float]) -> np.ndarray:
    """The largest distance so far of the reference from its twin that began one unit in the last place away."""
    return np.fmax.accumulate(relative_distance(twin, reference))


def relative_distance(scratch: Sequence[float], reference: Sequence[float]) -> np.ndarray:
    """As parts of the reference's; NaN where that is 0, or too small to be divided by, and the other is another."""
    apart, size = np.abs(np.subtract(scratch, reference)), np.abs(reference)
    shares = np.divide(apart, size, out=np.full(apart.shape, np.nan), where=size >= np.finfo(np.float64).tiny)
    return np.where(apart == 0, 0.0, shares)


@drawn
def step_times(rows: Sequence[tuple[str, float, float]]) -> Drawing:
    """Milliseconds a training step of both sides: rows of label, scratch, reference."""
    bars = [(f"{side}, {label}", time, color) for label, *times in rows for side, color, time in both(times)]
    drawing, (axis,) = figure(1, 4.6, 0.6 + 0.3 * len(bars))
    places = range(len(bars))
    drawn_bars = axis.barh(places, [time for _, time, _ in bars], 0.7, color=[color for *_, color in bars], alpha=0.8)
    written = [f"{time:.3g} ms" if time < 999.5 else f"{time:,.0f} ms" for _, time, _ in bars]
    axis.bar_label(drawn_bars, written, padding=3, fontsize=9)
    axis.set_yticks(places, [label for label, *_ in bars])
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set(xlabel="milliseconds a training step")
    axis.margins(x=0.25)
    return drawing


def both(times: Sequence[float]) -> list[tuple[str, str, float]]:
    return list(zip(("scratch", "reference"), (SCRATCH, REFERENCE), times, strict=True))
