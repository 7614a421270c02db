"""Drawings and how they are written. matplotlib is imported only where something is drawn."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, ParamSpec

from twofold.compare.environment import import_matplotlib
from twofold.compare.names import plain_lines
from twofold.compare.report.plots.hues import INK, RULE

Drawing = Any  # a figure of matplotlib
P = ParamSpec("P")
# The style sheet of all pictures, over matplotlib's own defaults and not those of the user.
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": RULE,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "twofold",
}


@contextmanager
def styled() -> Iterator[None]:
    import_matplotlib()
    from matplotlib import style

    with style.context(["default", STYLE]):
        yield


def drawn(draw: Callable[P, Drawing]) -> Callable[P, Drawing]:
    """What the function draws is drawn by the style sheet."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        with styled():
            return draw(*args, **kwargs)

    return in_style


def sheet(width: float, height: float, images: bool = False) -> Drawing:
    """An empty figure, without a window system; images keep their shape and move together."""
    import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, compress=images)
    drawing = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(drawing)
    return drawing


def figure(columns: int, width: float = 5.0, height: float = 3.2, rows: int = 1) -> tuple[Drawing, list[Any]]:
    """A figure with axes side by side, row after row; width and height are those of one."""
    drawing = sheet(width * columns, height * rows)
    axes = [drawing.add_subplot(rows, columns, n + 1) for n in range(columns * rows)]
    for axis in axes:
        axis.grid(True)
    return drawing, axes


def png(drawing: Drawing) -> bytes:
    """The drawing with an even margin, whatever the size that its figure was planned with."""
    literal(drawing)
    buffer = io.BytesIO()
    with styled(), warnings.catch_warnings():
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
