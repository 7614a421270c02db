"""How the time of a training step grows with its batch."""

from collections.abc import Sequence
from typing import Any

from twofold.compare.bench.rows import Row
from twofold.compare.report.plots.hues import REFERENCE, ROUNDING, SCRATCH
from twofold.compare.report.plots.sheet import Drawing, drawn, figure

SIDES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("reference", "second", REFERENCE, {"lw": 2.6, "alpha": 0.5, "marker": "s"}),
    ("scratch", "first", SCRATCH, {"lw": 1.3, "marker": "o"}),
)


@drawn
def growth_curves(rows: Sequence[Row]) -> Drawing:
    """A panel a pair: milliseconds a step over records a step, both sides, on logarithmic scales.

    The dashed line is what grows in proportion, from the reference's largest batch down.
    """
    timed = [row for row in rows if row.timing]
    names = list(dict.fromkeys(row.name for row in timed))
    drawing, axes = figure(max(1, len(names)), 3.4, 3.4)
    everything = [1e3 * getattr(row.timing, field) for row in timed for _, field, _, _ in SIDES]
    for axis, name in zip(axes, names, strict=False):
        own = [row for row in timed if row.name == name]
        batches = [row.batch for row in own]
        times = {side: [1e3 * getattr(row.timing, field) for row in own] for side, field, _, _ in SIDES}
        largest = times["reference"][-1]
        axis.loglog(
            batches,
            [largest * batch / batches[-1] for batch in batches],
            color=ROUNDING,
            ls=(0, (4, 3)),
            lw=1,
            label="in proportion",
        )
        for side, _, color, style in SIDES:
            axis.loglog(batches, times[side], ms=4, color=color, label=side, **style)
        axis.set_xticks(batches, [str(batch) for batch in batches])
        axis.set_ylim(0.5 * min(everything), 2 * max(everything))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.set(title=name, xlabel="records a step", ylabel="milliseconds a step" if axis is axes[0] else "")
    axes[0].legend(frameon=False, loc="upper left", fontsize=8)
    dtypes = ", ".join(dict.fromkeys(row.dtype for row in timed))
    drawing.suptitle(f"Time of a training step as its batch grows, {dtypes}")
    return drawing
