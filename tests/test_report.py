"""The report: one self-contained page and its JSON."""

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from planting import plant

import scratch
from compare.judge.battery import as_json, run
from compare.judge.checks import BATTERY, CHECKS_BY_NAME
from compare.pairs import PAIRS
from compare.report.build import gates_of, report_command

# A short training, on the smallest pair.
SHORT = replace(PAIRS["catcar-mlp"], recipe=replace(PAIRS["catcar-mlp"].recipe, report_steps=5))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    assert report_command([SHORT], out, None, "cpu", 0)
    return out


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.headings = 0

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = dict(attributes)
        self.headings += tag in ("h1", "h2")
        if tag in ("img", "script", "link", "iframe"):
            self.sources.append(given.get("src") or given.get("href") or "")


def test_the_page_needs_nothing_from_outside(written: Path) -> None:
    tags = Tags()
    page = (written / "index.html").read_text()
    tags.feed(page)
    assert len(tags.sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert not re.search(r"https?://", page)
    assert tags.headings >= 3


def test_the_verdict_comes_first(written: Path) -> None:
    body = unescape((written / "index.html").read_text()).partition("<body>")[2]
    assert body.index("The two implementations are the same computation") < body.index("<table>")
    assert all(check.name in body and check.proves in body for check in BATTERY)


def test_the_json(written: Path) -> None:
    content = json.loads((written / "report.json").read_text())
    assert {result["pair"] for result in content["results"]} == {"catcar-mlp", "catcar-mlp at recipe size"}
    (run,) = content["training"]
    assert run["steps"] == len(run["sides"]["scratch"]["losses"]) == 5
    assert run["largest_relative_difference"] < 1e-12
    assert [time["dtype"] for time in run["milliseconds_a_step"]] == ["float64", "float32"]


def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = scratch.Tanh.forward
    monkeypatch.setattr(scratch.Tanh, "forward", lambda self, x: forward(self, x) * 1.001)
    assert not report_command([SHORT], tmp_path, None, "cpu", 0)
    page = (tmp_path / "index.html").read_text()
    assert "1 of 1 pairs differ" in page
    assert "scratch is wrong; it begins in tanh1 (forward)" in page
    assert "the first that differs: tanh1 (forward)" in page


def test_a_recurrent_fault_has_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.LSTM, "backward", "dc * c[t] * (f", "dc * c[t + 1] * (f")
    result = run(PAIRS["activity-lstm"].case(), "float64", checks=[CHECKS_BY_NAME["gradient"]])
    assert gates_of([result]).startswith("data:image/png;base64,")
    (check,) = as_json([result])["results"][0]["checks"]
    assert (check["blame"], check["gates"]["stage"]) == ("scratch", "backward")
    assert len(check["gates"]["ratios"]) == 7 and check["gates"]["gates"] == ("i", "f", "g", "o")
    assert gates_of([replace(result, findings=())]) == ""
