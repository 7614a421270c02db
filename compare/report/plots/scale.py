"""What a net costs as it grows."""

from collections.abc import Sequence
from typing import NamedTuple

from twofold.compare.report.plots.hues import COUNT, REFERENCE, SCRATCH
from twofold.compare.report.plots.scales import powers_along
from twofold.compare.report.plots.sheet import Drawing, drawn, figure


class Cost(NamedTuple):
    """Of one pair at recipe size: seconds of a judged gradient, and of a step of either side."""

    name: str
    parameters: int
    judged: float
    scratch: float | None = None
    reference: float | None = None


SERIES = (
    ("judged", "a gradient judged", COUNT, {"marker": "s", "ms": 6}),
    ("reference", "a step of the reference", REFERENCE, {"marker": "o", "ms": 6, "alpha": 0.6}),
    ("scratch", "a step of scratch", SCRATCH, {"marker": "D", "ms": 3.5}),
)


@drawn
def costs(rows: Sequence[Cost]) -> Drawing:
    """A mark a pair and kind, over the number of its parameters."""
    drawing, (axis,) = figure(1, 4.8, 3.4)
    for field, label, color, style in SERIES:
        points = [(row.parameters, value) for row in rows if (value := getattr(row, field))]
        if points:
            axis.plot(*zip(*points, strict=True), ls="", color=color, label=label, **style)
    axis.set(xscale="log", yscale="log", xlabel="parameters", ylabel="seconds")
    powers_along(axis.xaxis, *axis.get_xlim())
    powers_along(axis.yaxis, *axis.get_ylim())
    axis.minorticks_off()
    axis.legend(loc="upper left", bbox_to_anchor=(0, -0.16))
    return drawing
