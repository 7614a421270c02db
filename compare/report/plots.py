"""Pictures, as PNG bytes. matplotlib is imported only where something is drawn."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.environment import import_matplotlib
from twofold.compare.names import plain_lines
from twofold.compare.pair import Pair
from twofold.compare.training.checkpoint import Curves
from twofold.compare.training.metrics import LABELS

SCRATCH, REFERENCE, TRAIN, VALIDATION, TEST = "#c2410c", "#1d4ed8", "#475569", "#dca5e3", "#0f766e"
# Each with dashes and a mark of its own, narrow over wide: told apart without colour, and seen where they coincide.
SETS: dict[str, dict[str, Any]] = {
    "train": {"color": TRAIN, "lw": 1.5, "marker": "s", "ms": 4},
    "validation": {"color": VALIDATION, "lw": 4, "marker": "D", "ms": 9, "ls": (0, (1, 0.5)), "zorder": 1.9},
    "test": {"color": TEST, "lw": 1.2, "marker": "o", "ms": 5, "ls": (0, (4, 2))},
}
# The metric that a loss is but for a factor, and what part of it the loss is.
SAME = {"HalfMSELoss": ("mse", "half of "), "MSELoss": ("mse", ""), "CrossEntropyLoss": ("cross_entropy", "")}
MARKED = 12  # values on a curve that get a mark
WIDE = 100  # times the lowest value, above which a scale is logarithmic


def sheet(width: float, height: float, images: bool = False) -> Any:
    """An empty figure, without a window system; images keep their shape and move together."""
    import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, compress=images)
    drawing = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(drawing)
    return drawing


def figure(columns: int, width: float = 5.0, height: float = 3.2, rows: int = 1) -> tuple[Any, list[Any]]:
    """A figure with axes side by side, row after row; width and height are those of one."""
    drawing = sheet(width * columns, height * rows)
    axes = [drawing.add_subplot(rows, columns, n + 1) for n in range(columns * rows)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return drawing, axes


def png(drawing: Any) -> bytes:
    """The drawing with an even margin, whatever the size that its figure was planned with."""
    literal(drawing)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for a letter that the font lacks
        drawing.savefig(buffer, format="png", dpi=110, bbox_inches="tight", pad_inches=0.12)
    return buffer.getvalue()


def literal(drawing: Any) -> None:
    """Every text letter for letter: a dollar in a name begins no formula, and what cannot be printed is written out.

    What matplotlib itself writes as formulas, the powers of ten along a logarithmic axis, stays as it is.
    """
    from matplotlib.axis import Axis
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    axes = drawing.findobj(Axis)
    formulas = {id(label) for axis in axes if powers(axis) for tick in ticks_of(axis) for label in labels_of(tick)}
    for text in drawing.findobj(Text):
        if id(text) not in formulas:
            text.set_parse_math(False)
            text.set_text(plain_lines(text.get_text()))
    for axis in axes:  # names along an axis are asked for again when it is drawn
        if isinstance(formatter := axis.get_major_formatter(), FuncFormatter):
            formatter.func = partial(written_out, formatter.func)


def written_out(names: Callable[..., str], value: float, place: int | None = None) -> str:
    return plain_lines(names(value, place))


def ticks_of(axis: Any) -> list[Any]:
    return [*axis.get_major_ticks(), *axis.get_minor_ticks()]


def labels_of(tick: Any) -> tuple[Any, Any]:
    return tick.label1, tick.label2


def powers(axis: Any) -> bool:
    from matplotlib.ticker import LogFormatter

    return isinstance(axis.get_major_formatter(), LogFormatter)


def smoothed(values: Sequence[float], window: int) -> np.ndarray:
    """The mean of the last `window` values at each step, of fewer at the start."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    return (total[last] - total[first]) / (last - first)


def summed(pair: Pair, name: str) -> bool:
    """Whether a figure is a sum over records, so that it grows with the size of the set."""
    return name == "loss" and pair.loss.arguments.get("reduction") == "sum"


def caption(pair: Pair, name: str) -> str:
    """What an axis is named after a figure."""
    label, unit = LABELS[name]
    return f"{label}, sum over records" if summed(pair, name) else f"{label}{unit}"


def count_along(axis: Any, what: str, last: int) -> None:
    """Steps or epochs from 1 to `last` along an axis: whole numbers, and room beside a single one."""
    axis.set_xlabel(what)
    axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if last == 1:
        axis.set_xlim(0.5, 1.5)


def fit_scale(axis: Any, values: Sequence[float] | np.ndarray) -> None:
    """A logarithmic scale where values, none of them negative, span orders of magnitude."""
    finite = np.asarray(values)[np.isfinite(values)]
    positive = finite[finite > 0]
    if len(positive) and finite.min() >= 0 and positive.max() > WIDE * positive.min():
        axis.set_yscale("log")


def figures_of(pair: Pair) -> dict[str, str]:
    """The figures that are curves of their own, loss and metrics, and what is to be said over each, mostly nothing."""
    metric, part = SAME.get(pair.loss.scratch.rpartition(":")[2], ("", ""))
    over_records = {"loss": "sums over sets of different sizes"} if summed(pair, "loss") else {}
    if metric not in pair.metrics or pair.penalty is not None:
        return {name: over_records.get(name, "") for name in ("loss", *pair.metrics)}
    total = "its sum over records" if over_records else "it"
    return {name: f"the loss is {part}{total}" if name == metric else "" for name in pair.metrics}


def training_curves(pair: Pair, backend: str, steps: Curves, epochs: Curves, within: Curves | None = None) -> bytes:
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
    return png(drawing)


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


def marker(count: int) -> str:
    """A dot for each of a few values."""
    return "o" if count <= MARKED else ""


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
    """As parts of the reference's; NaN where that is 0, or too small to be divided by, and the other is another."""
    apart, size = np.abs(np.subtract(scratch, reference)), np.abs(reference)
    shares = np.divide(apart, size, out=np.full(apart.shape, np.nan), where=size >= np.finfo(np.float64).tiny)
    return np.where(apart == 0, 0.0, shares)


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
    sides = ("scratch", SCRATCH, [row[1] for row in rows]), ("reference", REFERENCE, [row[2] for row in rows])
    for n, (label, color, times) in enumerate(sides):
        bars = axis.barh([r + 0.4 * n for r in range(len(rows))], times, 0.38, color=color, alpha=0.8, label=label)
        written = [f"{time:.3g} ms" if time < 999.5 else f"{time:,.0f} ms" for time in times]
        axis.bar_label(bars, written, padding=3, fontsize=8)
    axis.set_yticks([r + 0.2 for r in range(len(rows))], [row[0] for row in rows])
    axis.invert_yaxis()
    axis.set(xlabel="milliseconds a training step")
    axis.margins(x=0.2)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return png(drawing)
