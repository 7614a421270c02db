"""What judging costs as a model grows."""

from collections.abc import Callable, Sequence

from twofold.compare.bench.rows import Judging
from twofold.compare.report.plots.hues import DTYPES
from twofold.compare.report.plots.sheet import Drawing, drawn, figure

MARKS = {"float64": "o-", "float32": "D--"}
PANELS: tuple[tuple[str, Callable[[Judging], float]], ...] = (
    ("passes of the reference", lambda row: row.passes),
    ("nanoseconds an entry", lambda row: 1e9 * row.seconds / row.entries),
    ("bytes an entry", lambda row: row.peak / row.entries),
)


@drawn
def judging_curves(rows: Sequence[Judging]) -> Drawing:
    """A panel each for passes, time and memory over the number of parameters, on logarithmic scales.

    An entry is one of a parameter or of an activation.
    """
    drawing, axes = figure(len(PANELS), 3.8, 3.2)
    for axis, (label, value) in zip(axes, PANELS, strict=True):
        for dtype, color in DTYPES.items():
            own = [row for row in rows if row.dtype == dtype]
            if own:
                axis.loglog(
                    [row.parameters for row in own], list(map(value, own)), MARKS[dtype], color=color, label=dtype
                )
        axis.set(xlabel="parameters", ylabel=label)
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, high / 100), high * 1.5)  # two decades at least: what is level looks it
        axis.yaxis.set_major_formatter("{x:g}")
    axes[0].legend(frameon=False, fontsize=8)
    batches = ", ".join(dict.fromkeys(f"{row.name}, batch {row.batch}" for row in rows))
    drawing.suptitle(f"What judging costs as a model grows, an entry of a parameter or activation: {batches}")
    return drawing
