"""A drawing as SVG for the page: text stays text, colours are names of the page's, and all of it is small."""

import io
import re
import warnings
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

from twofold.compare.names import plain_lines
from twofold.compare.report.plots.bitmaps import EXACT, smaller
from twofold.compare.report.plots.hues import NAMES
from twofold.compare.report.plots.paths import compact, number
from twofold.compare.report.plots.sheet import Drawing, literal, styled

SCALE = 1.35  # pixels of the page a point
HINT = "hint: "  # begins the id of what tells the rest of it where the pointer is
LINK = "{http://www.w3.org/1999/xlink}href"
# Properties that the page's style sheet gives to all of a picture, or that are there by default.
COMMON = {"font-family", "font", "stroke-linejoin", "image-rendering", "font-style", "font-variant", "font-stretch"}
DEFAULT = {("stroke-linecap", "butt"), ("font-weight", "normal"), ("font-weight", "400"), ("fill", "#000000")}
KEPT = ("x", "y", "width", "height", "transform")
LINE_HEIGHT = 14


def panels(drawing: Drawing) -> list[str]:
    """Each of its axes as a picture of its own, in order; a bar of colours stays beside its map."""
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        drawing.suptitle("")
        drawing.supxlabel("")
        literal(drawing)
        drawing.draw_without_rendering()
        drawing.set_layout_engine("none")
        axes = [axis for axis in drawing.axes if axis.get_label() != "<colorbar>"]
        return [text for axis in axes for text in alone(drawing, axis, len(axes))]


def whole(drawing: Drawing) -> str:
    """All of its axes as one picture."""
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        literal(drawing)
        return written(drawing, "tight")


def alone(drawing: Drawing, axis: Any, count: int) -> Iterator[str]:
    from matplotlib.transforms import Bbox

    for other in drawing.axes:
        other.set_visible(other is axis or count == 1)
    boxes = [one.get_tightbbox() for one in drawing.axes if one.get_visible()]
    box = Bbox.union([found for found in boxes if found]).transformed(drawing.dpi_scale_trans.inverted())
    yield written(drawing, box.padded(0.04))


def written(drawing: Drawing, box: Any) -> str:
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawing.savefig(buffer, format="svg", transparent=True, bbox_inches=box, pad_inches=0.05, metadata=nothing)
    root = ElementTree.fromstring(buffer.getvalue())
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    hints = any(part.attrib.get("id", "").startswith(HINT) for part in root.iter())
    box = f"{number(left)} {number(top - LINE_HEIGHT * hints)} {number(width)} {number(height + LINE_HEIGHT * hints)}"
    size = f'width="{SCALE * width:.0f}" height="{SCALE * (height + LINE_HEIGHT * hints):.0f}"'
    return f'<svg class="plot" viewBox="{box}" {size} role="img">{"".join(inside(root))}</svg>'


def inside(part: Any) -> Iterator[str]:
    for child in part:
        yield from element(child)


def element(part: Any) -> Iterator[str]:
    """What is drawn, without the groups that stand around it for their names' sake."""
    kind, given = part.tag.rpartition("}")[2], part.attrib
    if kind == "g" and given.get("id", "").startswith(HINT):
        (shape,) = (child.attrib["d"] for child in part)
        yield f'<g class="hint"><path d="{compact(shape)}"/><text y="-4">{escape(given["id"][len(HINT) :])}</text></g>'
    elif kind in ("g", "defs", "svg"):
        content = "".join(inside(part))
        kept = attributes(part, kind)
        if kind == "defs":
            yield f"<defs>{content}</defs>" if content else ""
        elif content:
            yield f"<g{kept}>{content}</g>" if kept else content
    elif kind in ("path", "text", "use", "image"):
        yield drawn_part(part, kind)


def drawn_part(part: Any, kind: str) -> str:
    given, looks = part.attrib, look(part)
    if kind == "path":
        if "d" not in given:
            return ""
        if "id" not in given and "stroke:" not in looks and "fill:none" in looks:
            return ""
        name = f' id="{given["id"]}"' if "id" in given else ""
        return f'<path{name}{styling(looks)} d="{compact(given["d"])}"/>'
    kept = attributes(part, kind)
    if kind == "use":
        return f'<use href="{given[LINK]}"{kept}/>'
    if kind == "image":
        return f'<image href="{smaller(given[LINK], given.get("id") == EXACT)}"{kept}/>'
    return f"<text{kept}>{escape(plain_lines((part.text or '').strip()))}{''.join(powers(part))}</text>"


def powers(part: Any) -> Iterator[str]:
    """What a formula is made of: what stands on one line and looks alike as one, each behind the one before."""
    height = 0.0
    for (line, looks), some in groupby(part, lambda one: (float(one.attrib["y"]), look(one))):
        text = "".join(one.text or "" for one in some)
        yield f'<tspan dy="{number(line - height)}"{styling(looks)}>{escape(text)}</tspan>'
        height = line


def attributes(part: Any, kind: str) -> str:
    found = {name: part.attrib[name] for name in KEPT if name in part.attrib}
    if re.fullmatch(r"rotate\(-?0 .*", found.get("transform", "")):
        del found["transform"]
    rounded = {name: re.sub(r"-?\d+\.\d+", shorter, value) for name, value in found.items()}
    looks = look(part) if kind != "image" else ""
    return "".join(f' {name}="{value}"' for name, value in rounded.items()) + styling(looks)


def shorter(found: re.Match[str]) -> str:
    value = float(found[0])
    return number(value) if abs(value) >= 10 else f"{value:.4g}"


def styling(looks: str) -> str:
    return f' style="{looks}"' if looks else ""


def look(part: Any) -> str:
    """The style with the page's colours by name, and without what all have."""
    pairs = [entry.partition(":")[::2] for entry in part.attrib.get("style", "").split(";") if entry.strip()]
    kept = [(name.strip(), value.strip()) for name, value in pairs]
    return ";".join(
        f"{name}:{named(value)}" for name, value in kept if name not in COMMON and (name, value) not in DEFAULT
    )


def named(value: str) -> str:
    if value in NAMES:
        return f"var(--p-{NAMES[value]})"
    return re.sub(r"\d+\.\d+", lambda found: number(float(found[0]), 2), value)
