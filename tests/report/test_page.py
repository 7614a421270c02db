"""The page, of reports made by hand: what is wrong stands first, every pair is kept, and it is drawn of report.json."""

import json
import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.report.reports import KINDS, MADE_IN, green, lstm, raises, stopped, survivor
from twofold.compare.commands import report as command
from twofold.compare.errors import BadInput, Status
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.report.content import as_content, of_content
from twofold.compare.report.page import page as drawing
from twofold.compare.report.page import plates
from twofold.compare.report.page.page import page
from twofold.compare.report.page.plate import Plate
from twofold.compare.report.pair import PairReport
from twofold.compare.report.telling.cells import BEYOND, WITHIN, cell, multiple, shade
from twofold.compare.report.telling.diagnosis import diagnosis
from twofold.compare.strict import dumps

PANEL = '<svg class="plot" role="img" aria-label="a picture"></svg>'
VOID = {"meta", "img", "br", "link"}
# The headline of a page with this pair alone, and the status that a report with it ends with.
TOLD = {
    "differs": ("red-lstm: scratch is wrong in LSTM.backward (recurrent), gate f from t = 6 down to t = 0", 1),
    "raises": ("raising-net: scratch is wrong in Linear.forward (fc), and ValueError is raised", 1),
    "vacuous": ("vacuous-net: nothing is proven in 1 of 26 checks", 3),
    "inconclusive": ("undecided-net: not settled in 1 of 26 checks", 3),
    "stopped": ("lost-net: it could not be measured", 3),
    "skipped": ("skipped-net: skipped, and nothing is proven of it", 3),
    "training raises": ("diverging-net: scratch raises in training", 1),
    "a mistake survives": ("blind-net: a mistake planted on purpose is not found", 1),
    "green": ("green-mlp: the two implementations are the same computation", 0),
}


class Tree(HTMLParser):
    """Tags as they nest, ids, links, headings, and the text of some elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def of(self, *tags: str) -> list[dict[str, Any]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own."""
    for name in ("dots", "both_curves", "step_times", "gate_heat_map", "kill_map", "costs"):
        monkeypatch.setattr(plates, name, lambda *_, **__: None)
    monkeypatch.setattr(plates, "plate", lambda title, told, *_, **__: Plate(title, told, (PANEL,)))


def of(*reports: PairReport) -> str:
    return page(reports, MADE_IN, "today")


def read(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text.partition("<body>")[2])).split())


@pytest.mark.parametrize("kind", KINDS)
def test_the_headline_is_the_diagnosis(kind: str) -> None:
    headline, status = TOLD[kind]
    (told,) = Tree(of(KINDS[kind])).texts["h1"]
    assert told == headline.replace("26", str(len(drawing.BATTERY)))
    assert command.status([KINDS[kind]]) == status


def test_every_pair_is_a_section_and_in_the_matrix_whatever_became_of_it() -> None:
    tree, names = Tree(of(*KINDS.values())), [report.about.name for report in KINDS.values()]
    assert [a["id"] for a in tree.of("section")] == ["matrix", *names, "faults", "speed", "sources", "checks"]
    links = [a["href"] for a in tree.of("a")]
    cells = len(drawing.BATTERY) + 3
    assert all(links.count(f"#{name}") >= cells + 2 for name in names)
    verdicts = [str(report.verdict) for report in KINDS.values()]
    assert [read(f"<body>{text}").split()[-1] for text in tree.texts["h2"][1:-4]] == [
        "skipped" if verdict == "not applicable" else verdict for verdict in verdicts
    ]


def test_the_cause_line_and_command_stand_before_all_else() -> None:
    text = read(of(green(), lstm(), green("second")))
    order = (
        "gate f from t = 6 down",
        "takes the cell of its own step",
        "scratch/layers/lstm.py:88",
        "df = dc * c[t] * f * (1 - f)",
        "twofold check red-lstm --device cpu",
        "5 other failures in 2 trials",
        "2 of 3 pairs agree",
        "Pairs and checks",
    )
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_nothing_of_success_is_coloured_beside_a_failure() -> None:
    text = of(green(), lstm())
    banner = text[text.index("<header") : text.index("</header>")]
    assert "banner wrong" in banner and 'class="pass"' not in banner
    faults = text[text.index('id="faults"') : text.index('id="checks"')]
    assert 'class="pass"' not in faults and 'class="fail"' not in faults


def test_one_mistake_in_several_pairs_is_told_once() -> None:
    banner = of(lstm("one"), green(), lstm("two")).partition("</header>")[0].partition("<header")[2]
    assert banner.count("LSTM.backward") == 1 and 'The same in <a href="#two">two</a>' in banner
    banner = of(lstm("one"), raises()).partition("</header>")[0].partition("<header")[2]
    assert f'<a href="#raising-net">{TOLD["raises"][0]}</a>' in banner


def test_what_fails_comes_before_what_is_not_settled() -> None:
    found = [KINDS[kind] for kind in ("skipped", "inconclusive", "vacuous", "differs")]
    assert Tree(of(*found)).texts["h1"] == [TOLD["differs"][0]]


def test_the_first_sentence_counts() -> None:
    text = read(of(green("one"), survivor()))
    judged = [q for r in (green("one"), survivor()) for one in r.judged for f in one.findings for q in f.quantities]
    assert f"2 of 2 pairs agree in {len(judged)} comparisons; the largest error is 7.5 floors of 8 allowed" in text
    assert "an error of 2.0e-12 in float64 or 1.0e-03 in float32 of a gradient's largest entry is always seen" in text
    assert "11 of 12 mistakes planted on purpose were found" in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_drawn_of_its_json_alone(kind: str) -> None:
    content = json.loads(dumps(as_content([KINDS[kind]], MADE_IN)))
    (again,) = of_content(content)
    assert page([again], MADE_IN, "today") == of(KINDS[kind])
    assert json.loads(dumps(as_content([again], MADE_IN) | {"written": ""})) == content | {"written": ""}


def test_a_report_is_drawn_again(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "report.json"
    content = as_content([green(), lstm()], MADE_IN)
    file.write_text(dumps(content))
    assert command.again(file, tmp_path / "again") is Status.DIFFERENT
    assert (tmp_path / "again" / "index.html").read_text() == page([green(), lstm()], MADE_IN, content["written"])
    assert not (tmp_path / "again" / "report.json").exists()


NO_REPORTS: dict[str, Callable[[Any], object]] = {
    "a result is lacking": lambda content: content["results"].pop(1),
    "no such verdict": lambda content: content["results"][0]["checks"][0].update(verdict="passed"),
    "no environment": lambda content: content.update(environment={}),
    "an environment of another kind": lambda content: content.update(environment=3),
    "no time": lambda content: content.pop("written"),
}


@pytest.mark.parametrize("wrong", ["", "[]", "{}", '{"pairs": 3}', '{"results": [], "pairs": [{}]}', *NO_REPORTS])
def test_what_is_no_report_is_one_line(tmp_path: Path, wrong: str) -> None:
    content = json.loads(dumps(as_content([green()], MADE_IN)))
    if spoil := NO_REPORTS.get(wrong):
        spoil(content)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(content) if spoil else wrong)
    with pytest.raises(BadInput, match="expected the report"):
        command.again(file, tmp_path)
    with pytest.raises(BadInput, match="No such file"):
        command.again(tmp_path / "none", tmp_path)


@pytest.mark.parametrize(
    "name", ["floors", "curves", "times", "kills", "sensitivity", "speed", "cost", "scale", "gates"]
)
def test_a_picture_that_cannot_be_drawn_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(of: object) -> None:
        raise RuntimeError("no such axis")

    broken.__name__ = name
    monkeypatch.setattr(plates, name, broken)
    text = read(of(green()))
    assert f"The picture of {name} could not be drawn: RuntimeError: no such axis at test_page.py:" in text


def test_the_structure_of_the_page() -> None:
    """Landmarks, one h1, no level left out, captions and scopes, names of pictures and regions, links that lead on."""
    text = of(*KINDS.values())
    tree = Tree(text)
    assert not tree.open
    for landmark in ("header", "main", "nav"):
        assert len(tree.of(landmark)) == 1
    levels = [int(tag[1]) for tag, _ in tree.found if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= level + 1 for level, later in pairwise(levels))
    assert len(tree.of("caption")) == len(tree.of("table"))
    assert all(a.get("scope") in ("col", "row", "rowgroup") for a in tree.of("th"))
    assert all(a.get("aria-label") and a["role"] == "img" for a in tree.of("svg")) and not tree.of("img")
    ids = [a["id"] for _, a in tree.found if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in tree.of("a")} <= {f"#{name}" for name in ids}
    assert all(a["aria-label"] for _, a in tree.found if a.get("role") == "region")
    assert not tree.of("script", "link", "iframe") and not re.search(r"https?://|url\(|@import", text)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


INKS = {
    "paper": ("ink", "soft", "link", "good", "bad", "unsure"),
    "panel": ("ink", "soft", "keyword", "string"),
    "alarm": ("ink", "bad", "soft", "keyword", "string"),
    **{f"w{n}": ("ink",) for n in range(4)},
    "b0": ("b0-ink",),
    "b2": ("paper",),
    "u": ("u-ink",),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_read_against_its_ground(scheme: str) -> None:
    """4.5 to 1, as WCAG 2 asks of text at level AA."""
    light, _, dark = of(green()).partition("prefers-color-scheme: dark")
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", light if scheme == "light" else dark))
    assert {*INKS, "b1"} <= colours.keys()
    poor = {
        (ground, ink): contrast(colours[ground], colours[ink])
        for ground, inks in INKS.items()
        for ink in inks
        if contrast(colours[ground], colours[ink]) < 4.5
    }
    assert not poor
    assert contrast(colours["b1"], "#ffffff") >= 4.5


def test_shades_are_even_on_a_log_scale_and_end_at_the_limit() -> None:
    assert [shade(ratio, WITHIN) for ratio in (0.0, 0.1, 0.3, 1.0, 2.5, 8.0)] == [0, 0, 1, 2, 3, 3]
    assert [shade(ratio, BEYOND) for ratio in (8.1, 1e3, 1e5, 1e6, 1e15, float("inf"))] == [0, 1, 1, 2, 2, 2]
    told = [multiple(ratio) for ratio in (0.0, 0.44, 7.96, 9.96, 999.0, 1e15, float("inf"))]
    assert told == ["0.0", "0.4", "8.0", "10", "999", "1e15", "∞"]


def test_what_raises_has_no_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(plates, "dots", lambda rows, *_, **__: drawn.append(rows))
    assert plates.floors(raises()) is None and not drawn
    shown = plates.floors(lstm())
    assert dict(drawn[0])["gradient"] == {"float64": 2e15, "float32": 2e15}
    assert shown and shown.told.startswith("The largest error is 1e15 floors, in gradient (float64); 3 of ")


def test_what_raises_is_shaded_as_what_has_no_bound() -> None:
    found = cell([Finding("gradient", Verdict.FAIL, reason="ValueError: no")])
    assert (found.text, found.shade) == ("✗", "beyond-2")
    assert cell([]).shade == "none"


def test_a_pair_that_agrees_needs_no_diagnosis() -> None:
    assert diagnosis(green()) is None
    assert green().verdict is Verdict.PASS and stopped().verdict is Verdict.INCONCLUSIVE
