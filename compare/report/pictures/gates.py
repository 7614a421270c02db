"""Where a recurrent layer differs, by time step and gate."""

import textwrap

import numpy as np

from twofold.compare.environment import import_matplotlib
from twofold.compare.judge.gates import LIMIT, GateMap
from twofold.compare.report.plots import figure, png

LEAST, MOST = 1e-2, 1e6  # floors: where the colours end, the upper end farther if an error is larger


def gate_heat_map(found: GateMap, heading: str = "") -> bytes:
    """Errors in floors, blue below the limit and red above; what fails is outlined. The title is the map in words."""
    import_matplotlib()
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.patches import Rectangle

    steps, gates = found.ratios.shape
    width = max(5.2, 1.9 + 0.42 * min(steps, 20))
    title = textwrap.fill(found.line(), int(11.5 * width))
    drawing, (axis,) = figure(1, width, 1.4 + 0.42 * max(gates, 2) + 0.2 * title.count("\n") + (0.25 if heading else 0))
    most = max(MOST, found.ratios[np.isfinite(found.ratios)].max(initial=0))
    low, limit, high = np.log10(LEAST), np.log10(LIMIT), np.ceil(np.log10(most))
    shown = np.log10(np.nan_to_num(found.ratios, nan=most).clip(LEAST, most)).T
    norm = TwoSlopeNorm(limit, low, high)
    image = axis.imshow(shown, cmap="RdBu_r", norm=norm, aspect="auto", interpolation="nearest")
    for step, gate in np.argwhere(found.failing):
        axis.add_patch(Rectangle((step - 0.5, gate - 0.5), 1, 1, fill=False, lw=1.2))
    axis.set_yticks(range(gates), found.gates)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(False)
    axis.set_xlabel("time step t")
    axis.set_title(title, fontsize=10)
    bar = drawing.colorbar(image, ax=axis, label="error in floors")
    powers = [low, 0, high // 2, high]
    bar.set_ticks([*powers, limit], labels=[*(f"{10.0**power:g}" for power in powers), f"limit {LIMIT:g}"])
    bar.ax.axhline(limit, color="black", lw=1.2)
    if heading:
        drawing.suptitle(heading, fontsize=11)
    return png(drawing)
