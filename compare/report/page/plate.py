"""A picture of the page, with the sentence that says what to see in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from xml.etree import ElementTree

from twofold.compare.names import plain_lines
from twofold.compare.report.plots.hues import style
from twofold.compare.report.plots.sheet import Drawing
from twofold.compare.report.plots.svg import panels, whole

TAGS = {"svg", "g", "path", "text", "tspan", "use", "image", "defs"}
PLAIN = {"class", "viewBox", "width", "height", "role", "aria-label", "d", "x", "y", "dy", "transform", "id"}
PICTURE = re.compile(r'<svg class="plot".*?</svg>', re.DOTALL)


@dataclass(frozen=True)
class Plate:
    """Panels that wrap; without any the sentence says why."""

    title: str
    told: str
    panels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(harmless, self.panels)):
            raise ValueError("found more than a picture")


def harmless(panel: str) -> bool:
    """Whether it is a picture and nothing that runs or asks for anything, also where report.json is a stranger's."""
    if "<!" in panel:
        return False
    try:
        parts = list(ElementTree.fromstring(panel).iter())
    except ElementTree.ParseError:
        return False
    return all(part.tag in TAGS and all(harmless_attribute(*one) for one in part.items()) for part in parts)


def harmless_attribute(name: str, value: str) -> bool:
    if name == "href":
        return value.startswith(("#", "data:image/"))
    return name in PLAIN or (name == "style" and "url" not in value.lower())


def plate(title: str, told: str, drawing: Drawing, alts: Sequence[str] = (), together: bool = False) -> Plate:
    """The drawing's axes as panels or `together`, each named by one of `alts` or by the sentence."""
    found = [whole(drawing)] if together else panels(drawing)
    names = list(alts) or [told if len(found) == 1 else f"{told} Part {n} of {len(found)}." for n in counted(found)]
    return Plate(title, told, tuple(named(panel, name) for panel, name in zip(found, names, strict=True)))


def counted(found: Sequence[str]) -> range:
    return range(1, len(found) + 1)


def named(panel: str, alt: str) -> str:
    return panel.replace('role="img"', f'role="img" aria-label="{escape(plain_lines(alt))}"', 1)


def dressed(page: str) -> str:
    """The page with what its pictures look like in one style sheet, and with the ids of each picture its own."""
    looks: dict[str, str] = {}
    count = iter(range(page.count('<svg class="plot"')))

    def one(found: re.Match[str]) -> str:
        own = next(count)
        ids: dict[str, str] = {}
        mark = re.compile(r'(id="|href="#)(m[0-9a-f]+)"')
        text = mark.sub(lambda one: f'{one[1]}{ids.setdefault(one[2], f"k{own}-{len(ids)}")}"', found[0])
        return re.sub(r' style="([^"]*)"', lambda look: f' class="{looks.setdefault(look[1], f"p{len(looks)}")}"', text)

    body = PICTURE.sub(one, page)
    rules = "\n".join(f".{name} {{ {look} }}" for look, name in looks.items())
    return body.replace("/* pictures */", f"{style()}\n{rules}", 1)
