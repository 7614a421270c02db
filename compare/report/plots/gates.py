"""Where a recurrent layer differs, by time step and gate."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from twofold.compare.judge.gates import GateMap
from twofold.compare.report.plots.hues import HUES, INK, RULE
from twofold.compare.report.plots.sheet import Drawing, drawn, figure
from twofold.compare.report.telling.cells import BEYOND, WITHIN, multiple, shade

WRITTEN = 14  # time steps, up to which each cell has its number
ENDS = (*WITHIN, *BEYOND)
SHADES = (*(f"within-{n}" for n in range(len(WITHIN))), *(f"beyond-{n}" for n in range(len(BEYOND))))
INKS = {"beyond-1": "#ffffff", "beyond-2": HUES["within-0"][0]}


@drawn
def gate_heat_map(found: GateMap, heading: str = "") -> Drawing:
    """Errors in floors, in the shades of the page's matrix; what fails is outlined."""
    from matplotlib.patches import Patch, Rectangle

    steps, gates = found.ratios.shape
    drawing, (axis,) = figure(1, 4.6, 1.3 + 0.34 * gates)
    for gate, start, end, place in runs(found):
        shape = (start - 0.5, gate - 0.5), end - start, 1
        beyond = steps > WRITTEN and place >= len(WITHIN)
        edge = {"edgecolor": INK, "lw": 1.2} if beyond else {"edgecolor": RULE, "lw": 0.5 * (steps <= WRITTEN)}
        axis.add_patch(Rectangle(*shape, facecolor=HUES[SHADES[place]][0], zorder=1.1 if beyond else 1, **edge))
    for step, gate in np.argwhere(found.failing):
        if steps <= WRITTEN:
            axis.add_patch(Rectangle((step - 0.5, gate - 0.5), 1, 1, fill=False, edgecolor=INK, lw=1.2))
    for step, gate in np.ndindex(steps, gates) if steps <= WRITTEN else ():
        ratio = float(np.nan_to_num(found.ratios[step, gate], nan=np.inf, posinf=np.inf))
        color = INKS.get(SHADES[shade(ratio, ENDS)], INK)
        axis.text(step, gate, multiple(ratio), ha="center", va="center", fontsize=9, color=color)
    axis.set(xlim=(-0.5, steps - 0.5), ylim=(gates - 0.5, -0.5), xlabel="time step t", ylabel="gate")
    axis.set_yticks(range(gates), found.gates)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(False)
    used = sorted({place for *_, place in runs(found)})
    keys = [Patch(facecolor=HUES[SHADES[n]][0], edgecolor=RULE, label=told(n)) for n in used]
    axis.legend(handles=keys, loc="upper left", bbox_to_anchor=(0, -0.1 - 0.5 / gates), ncols=3)
    if heading:
        drawing.suptitle(heading, fontsize=11)
    return drawing


def runs(found: GateMap) -> Iterator[tuple[int, int, int, int]]:
    """Of each gate the time steps of one shade that follow each other: gate, first, behind the last, shade."""
    for gate, ratios in enumerate(np.nan_to_num(found.ratios.T, nan=np.inf, posinf=np.inf)):
        at = 0
        for place, some in groupby(shade(float(ratio), ENDS) for ratio in ratios):
            end = at + len(list(some))
            yield gate, at, end, place
            at = end


def told(place: int) -> str:
    beyond = "✗ " if place >= len(WITHIN) else ""
    return f"{beyond}up to {multiple(ENDS[place])}" if np.isfinite(ENDS[place]) else f"{beyond}more"
