"""Pictures, as PNG bytes. matplotlib is imported only where something is drawn."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare.checkpoint import Curves
from compare.metrics import LABELS
from compare.pair import Pair

SCRATCH, REFERENCE, TRAIN, VALIDATION, TEST = "#c2410c", "#1d4ed8", "#475569", "#a21caf", "#0f766e"


def figure(columns: int, width: float = 5.0, height: float = 3.2) -> tuple[Any, list[Any]]:
    """A figure with axes side by side, without a window system."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = [drawing.add_subplot(1, columns, n + 1) for n in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return drawing, axes


def png(drawing: Any) -> bytes:
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def smoothed(values: Sequence[float], window: int) -> np.ndarray:
    """The mean of the last `window` values at each step, of fewer at the start."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    return (total[last] - total[first]) / (last - first)


def training_curves(pair: Pair, backend: str, steps: Curves, epochs: Curves) -> bytes:
    """One backend's training: the loss of every step, then loss and each metric per epoch on every set there is."""
    names = ["loss", *pair.metrics]
    drawing, (first, *others) = figure(1 + len(names))
    at, window = np.arange(1, len(steps["loss"]) + 1), len(steps["loss"]) // 50
    alone = {"lw": 1.2} if window < 2 else {"alpha": 0.3, "lw": 0.7}
    first.plot(at, steps["loss"], color=TRAIN, label="each step", **alone)
    if window >= 2:
        first.plot(at, smoothed(steps["loss"], window), color=TRAIN, label=f"mean of {window}")
    first.set(title=f"{pair.name}, {backend}", xlabel="step", ylabel="loss")
    first.xaxis.get_major_locator().set_params(integer=True)
    first.legend(frameon=False)
    for axis, name in zip(others, names, strict=True):
        for split, color in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
            if values := epochs.get(f"{split}_{name}"):
                axis.plot(np.arange(1, len(values) + 1), values, "o-", ms=3, color=color, label=split)
        label, unit = LABELS[name]
        axis.set(xlabel="epoch", ylabel=f"{label}{unit}")
        axis.xaxis.get_major_locator().set_params(integer=True)
        if axis.has_data():
            axis.legend(frameon=False)
    return png(drawing)


def both_curves(scratch: Sequence[float], reference: Sequence[float], twin: Sequence[float]) -> bytes:
    """Both sides' loss over each other, and their distance relative to the reference on a log scale.

    Beside it the distance of the reference from a twin that started one unit in the last place away.
    """
    drawing, (over, apart) = figure(2, 5.6)
    at = np.arange(1, len(reference) + 1)
    over.plot(at, reference, color=REFERENCE, lw=2.6, alpha=0.45, label="reference")
    over.plot(at, scratch, color=SCRATCH, lw=0.9, label="scratch")
    over.set(xlabel="step", ylabel="loss", title="both losses")
    over.legend(frameon=False)
    distance, own = relative_distance(scratch, reference), relative_distance(twin, reference)
    for values, color, label in (
        (own, "#a3a3a3", "reference from its one-ulp twin"),
        (distance, SCRATCH, "scratch from reference"),
    ):
        apart.semilogy(at, np.where(values > 0, values, np.nan), ".", ms=3, color=color, label=label)
    apart.axhline(np.finfo(np.float64).eps, color=TEST, lw=1, ls="--", label="one unit in the last place")
    equal = int((distance == 0).sum())
    apart.set(xlabel="step", ylabel="relative distance", title=f"difference (none in {equal} of {len(at)} steps)")
    apart.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=8, markerscale=3)
    return png(drawing)


def relative_distance(scratch: Sequence[float], reference: Sequence[float]) -> np.ndarray:
    return np.abs(np.subtract(scratch, reference)) / np.abs(reference)


def error_bars(rows: Sequence[tuple[str, Mapping[str, float]]], limit: float) -> bytes:
    """The worst multiple of the floor of each check, a bar a dtype, and the limit."""
    drawing, (axis,) = figure(1, 7.6, 0.5 + 0.42 * len(rows))
    dtypes = list(dict.fromkeys(dtype for _, ratios in rows for dtype in ratios))
    height = 0.8 / max(1, len(dtypes))
    for n, dtype in enumerate(dtypes):
        places = [row + n * height for row, (_, ratios) in enumerate(rows) if dtype in ratios]
        widths = [ratios[dtype] for _, ratios in rows if dtype in ratios]
        axis.barh(places, widths, height, color=(SCRATCH, REFERENCE)[n % 2], alpha=0.8, label=dtype)
    axis.axvline(limit, color="#b91c1c", lw=1.5, label=f"limit: {limit:g} floors")
    axis.set_yticks([row + 0.4 - height / 2 for row in range(len(rows))], [name for name, _ in rows])
    axis.invert_yaxis()
    axis.set(xlabel="largest error in floors", xlim=(0, limit * 1.15))
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return png(drawing)


def step_times(rows: Sequence[tuple[str, float, float]]) -> bytes:
    """Milliseconds a training step of both sides: rows of label, scratch, reference."""
    drawing, (axis,) = figure(1, 6.4, 0.8 + 0.5 * len(rows))
    for n, (label, color) in enumerate((("scratch", SCRATCH), ("reference", REFERENCE))):
        times = [row[1 + n] for row in rows]
        bars = axis.barh([r + 0.4 * n for r in range(len(rows))], times, 0.38, color=color, alpha=0.8, label=label)
        axis.bar_label(bars, [f"{time:.3g} ms" for time in times], padding=3, fontsize=8)
    axis.set_yticks([r + 0.2 for r in range(len(rows))], [row[0] for row in rows])
    axis.invert_yaxis()
    axis.set(xlabel="milliseconds a training step")
    axis.margins(x=0.15)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return png(drawing)
