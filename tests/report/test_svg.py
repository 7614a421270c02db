"""Pictures as SVG: each axes a picture of its own, text as text, colours by the page's names, small, the same again."""

import base64
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.report.reports import green, lstm
from twofold.compare.report.page import plates
from twofold.compare.report.page.plate import Plate, dressed, plate
from twofold.compare.report.plots.bitmaps import HEAD, smaller
from twofold.compare.report.plots.dots import dots
from twofold.compare.report.plots.hues import HUES, SCRATCH, style
from twofold.compare.report.plots.matrix import kill_map
from twofold.compare.report.plots.paths import compact, number
from twofold.compare.report.plots.scales import powers_along
from twofold.compare.report.plots.sheet import Drawing, drawn, figure, png
from twofold.compare.report.plots.sides import STRIPS, blocks_of, both_curves
from twofold.compare.report.plots.svg import panels, whole

LOSSES = np.geomspace(3, 0.1, 300)
NEAR = LOSSES * (1 + 2e-16 * (np.arange(300) % 3))


@drawn
def two() -> Drawing:
    drawing, (first, second) = figure(2, 3.0)
    first.plot([1, 2, 3], [1, 4, 9], "o--", color=SCRATCH, label="<a> & $b$")
    first.legend()
    second.imshow(np.arange(12).reshape(3, 4), interpolation="none")
    drawing.suptitle("heading")
    return drawing


def test_each_axes_is_a_picture() -> None:
    first, second = panels(two())
    for text in (first, second):
        root = ElementTree.fromstring(text)
        assert root.attrib["role"] == "img"
        assert not re.search(r"https?:|url\(|<\?xml|<style|clip|heading", text)
    assert "&lt;a&gt; &amp; $b$" in first and "var(--p-scratch)" in first and "<image" not in first
    assert "<image" in second and "scratch" not in second
    assert not re.search(r"#[0-9a-f]{6}", first), "every colour has a name"
    assert len(first) < 4500


def test_a_picture_is_the_same_each_time_and_as_png_too() -> None:
    assert panels(two()) == panels(two())
    assert png(two()).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("M 10 20 L 30 20 L 45.04 20 L 45.04 10 z", "M10 20h35v-10z"),
        ("M 10 20 L 30 20 L 30 40 L 10 20 z", "M10 20h20v20z"),
        ("M 10 20 L 20 30 L 30 20 L 31.26 20.5", "M10 20l10 10 10-10 1.3 .5"),
        ("M 0 0.5 C 0.25 0.5 0.5 0.25 0.5 0 L 0 0", "M0 .5c.25 0 .5-.25 .5-.5h-.5"),
        ("M 100 0 L 120 0 L 90 0 M 100 50 L 100.01 50", "M100 0h20h-30M100 50"),
    ],
)
def test_paths_by_hand(path: str, short: str) -> None:
    assert compact(path) == short.replace("20h-30", "20-30")


def test_numbers_by_hand() -> None:
    assert [number(value) for value in (0, -0.01, 0.5, -0.5, 10, 100.04)] == ["0", "0", ".5", "-.5", "10", "100"]


def test_bitmaps_are_small_and_whole() -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(buffer, "png")
    source = HEAD + base64.b64encode(buffer.getvalue()).decode()
    for exact in (True, False):
        check_bitmap(source, smaller(source, exact))
    assert len(smaller(source, False)) < len(smaller(source, True))


def check_bitmap(source: str, found: str) -> None:
    from PIL import Image

    assert found.startswith("data:image/webp;base64,") and len(found) < len(source)
    with Image.open(io.BytesIO(base64.b64decode(found.partition(",")[2]))) as image:
        assert image.size == (64, 64)


def test_curves_tell_their_steps() -> None:
    drawing = both_curves(NEAR, LOSSES, NEAR)  # type: ignore[arg-type]
    text = whole(drawing)
    hints = re.findall(
        r'<g class="hint"><path d="M[-\d. ]+h[\d.]+v-[\d.]+h-[\d.]+z"/><text y="-4">([^<]*)</text></g>', text
    )
    assert 0 < len(hints) <= STRIPS and len(text) < 16_000
    assert hints[-1].startswith("step 300: both 0.1, apart 4e-16; one ulp ")
    over, apart = drawing.axes
    assert [line.get_label() for line in over.get_lines()] == ["reference", "scratch"]
    assert over.get_ylabel() == "loss, mean of 3"
    assert len({line.get_linestyle() for line in apart.get_lines()}) == 2


def test_curves_that_are_equal_have_no_picture_of_a_line_at_zero() -> None:
    losses = LOSSES[:5].tolist()
    assert len(both_curves(losses, losses, losses).axes) == 1
    assert len(both_curves([1.0], [1.0], [np.nan]).axes) == 1, "one step"


@pytest.mark.parametrize(("count", "most", "blocks"), [(3, 5, [(0, 1), (1, 2), (2, 3)]), (5, 2, [(0, 3), (3, 5)])])
def test_blocks_by_hand(count: int, most: int, blocks: list[tuple[int, int]]) -> None:
    assert blocks_of(count, most) == blocks


def test_dots_wrap_and_what_has_no_bound_is_an_arrow() -> None:
    rows = [(f"pair-{n}", {"float64": 10.0**n, "float32": np.inf if n == 2 else 0.0}) for n in range(-30, 31)]
    drawing = dots(rows, "error", 8, "limit", limit=True)
    assert [len(axis.get_yticks()) for axis in drawing.axes] == [21, 21, 19]
    marks = {line.get_marker() for axis in drawing.axes for line in axis.get_lines() if len(line.get_xdata())}
    assert {"o", ">"} <= marks
    assert dots([("alone", {"float64": np.inf})], "error").axes[0].get_xlim() == (0.1, 10)


def test_a_mistake_that_is_not_found_is_a_cross() -> None:
    axis = kill_map([("a", [True, None]), ("b", [False, True])]).axes[0]
    assert axis.images[0].get_array()[..., 3].tolist() == [[1, 0], [0, 1]]
    (crosses,) = axis.get_lines()
    assert (list(crosses.get_xdata()), list(crosses.get_ydata())) == ([0], [1])


def test_a_page_s_looks_stand_once_and_ids_are_its_own() -> None:
    one = plate("title", "told", two(), ("first", 'a "second" <one>'))
    page = dressed("<style>/* pictures */</style>" + "".join(one.panels * 2))
    assert 'aria-label="a &quot;second&quot; &lt;one&gt;"' in page and "style=" not in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert ids and len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) == set(ids)
    rules = re.findall(r"^\.(p\d+) \{", page, re.MULTILINE)
    assert len(rules) == len(set(rules)) and set(re.findall(r'class="(p\d+)"', page)) == set(rules)


@pytest.mark.parametrize(
    "panel",
    [
        "<svg><script>alert(1)</script></svg>",
        '<svg onload="x()"></svg>',
        '<svg><image href="https://x.org/a.png"/></svg>',
        '<svg><path style="fill:url(#a)"/></svg>',
        '<svg><use href="javascript:x()"/></svg>',
        '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>',
        "<svg><path></svg>",
    ],
)
def test_a_plate_holds_pictures_and_nothing_else(panel: str) -> None:
    with pytest.raises(ValueError, match="more than a picture"):
        Plate("title", "told", (panel,))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


MARKS = ("scratch", "reference", "rounding", "float64", "float32", "limit", "train", "validation", "test", "count")


@pytest.mark.parametrize(("scheme", "ground"), [(0, "#ffffff"), (1, "#10151d")])
def test_marks_are_seen_on_their_ground(scheme: int, ground: str) -> None:
    """3 to 1, as WCAG 2 asks of graphics; text 4.5 to 1."""
    for name in (*MARKS, "ink", *(name for name in HUES if name.startswith("series"))):
        low, high = sorted((luminance(HUES[name][scheme]), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= (4.5 if name in ("ink", "limit") else 3), name


def test_maps_are_seen_on_either_ground() -> None:
    """Their bitmaps have one colour in both schemes."""
    assert 3 * (luminance("#10151d") + 0.05) <= luminance(HUES["count"][0]) + 0.05 <= 1.05 / 3


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.005, 20, ["0.01", "0.1", "1", "10"]), (3, 60, ["5", "10", "20", "50"]), (1e-14, 2e-5, 5)],
)
def test_powers_by_hand(low: float, high: float, told: list[str] | int) -> None:
    axis = figure(1)[1][0].xaxis
    powers_along(axis, low, high)
    found = [text.get_text() for text in axis.get_ticklabels()]
    assert (found if isinstance(told, list) else len(found)) == told


def test_a_hue_has_one_meaning() -> None:
    for scheme in (0, 1):
        assert len({pair[scheme] for pair in HUES.values()}) == len(HUES)
    assert all(f"--p-{name}: {light};" in style() for name, (light, _) in HUES.items())


def test_a_pair_s_pictures_say_what_to_see() -> None:
    report = green()
    shown = [plates.floors(report), plates.curves(report), plates.times(report), plates.gates(lstm().judged)]
    for one in shown:
        assert one and all(f'aria-label="{one.told[:20]}' in panel.replace("&#x27;", "'") for panel in one.panels)
    together = [plates.speed([report]), plates.speed([report, green("other")]), plates.sensitivity([report])]
    larger = replace(green("larger"), about=replace(report.about, name="larger", parameters=10_000))
    together.append(plates.scale([report, larger]))
    assert (
        together[-1]
        and "10 times as many, judging one gradient in float64 takes 1.0 times as long" in together[-1].told
    )
    assert together[0] is None and all(one and one.panels for one in together[1:])
