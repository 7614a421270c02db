"""The report: one self-contained page and its JSON."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.commands import report as command
from twofold.compare.data import load
from twofold.compare.errors import BadInput, Status
from twofold.compare.faults import summary
from twofold.compare.faults.matrix import Row
from twofold.compare.judge.battery import run
from twofold.compare.judge.checks.table import BATTERY, CHECKS_BY_NAME
from twofold.compare.judge.finding import Verdict
from twofold.compare.keeping import kept
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.report import build
from twofold.compare.report.build import Work, made_of, measure, planted
from twofold.compare.report.killing import Faults
from twofold.compare.report.page.plates import gates
from twofold.compare.report.pair import PairReport, about, as_kept, from_kept
from twofold.compare.report.results import as_json
from twofold.compare.threads import one_thread

# A short training, on the smallest pair.
SHORT = replace(PAIRS["catcar-mlp"], recipe=replace(PAIRS["catcar-mlp"].recipe, report_steps=5))


pytestmark = pytest.mark.xdist_group("report")  # what is measured is measured once


@pytest.fixture(scope="session")
def measured() -> PairReport:
    with one_thread():
        return measure(Work(SHORT, None), ["cpu"], 0, print)


def rewritten(report: PairReport, out: Path) -> Status:
    """Writes the report of what was measured before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "measure", lambda *arguments: report)
        return command.run([SHORT], out, None, "cpu", 0)


@pytest.fixture(scope="session")
def written(measured: PairReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    assert rewritten(measured, out) is Status.DONE
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
    assert not tags.sources and page.count('<svg class="plot"') >= 3
    assert not re.search(r"https?://", page)
    assert tags.headings >= 3


def test_the_verdict_comes_first(written: Path) -> None:
    body = unescape((written / "index.html").read_text()).partition("<body>")[2]
    assert body.index("catcar-mlp: the two implementations are the same computation") < body.index("<table ")
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
    assert command.run([SHORT], tmp_path, None, "cpu", 0) is Status.DIFFERENT
    page = (tmp_path / "index.html").read_text()
    assert "<h1>catcar-mlp: scratch is wrong in Tanh.forward (tanh1)</h1>" in page
    assert "catcar-mlp: not the same: scratch is wrong, in tanh1 (forward)\n" in page
    assert "the first that differs: tanh1 (forward)" in page
    assert "no faults are planted where the sides do not agree" in page
    assert json.loads((tmp_path / "report.json").read_text())["faults"]["faults"] == []


def row_of(faults: Faults) -> Row:
    assert isinstance(faults, Row)
    return faults


def read(out: Path) -> str:
    return unescape((out / "index.html").read_text())


def test_the_kill_matrix_is_shown(measured: PairReport, written: Path) -> None:
    row, page = row_of(measured.faults), read(written)
    count, ids = len(row.cells), {cell.fault for cell in row.cells}
    assert count >= 20 and page.index(f"{count} of {count} mistakes planted on purpose were found") < page.index(
        "<table"
    )
    assert f"{count} of {count} faults found, placed, blamed and named rightly: {len(ids)} kinds in 1 case" in page
    matrix = page[page.index("<summary>The kill matrix") :].partition("</details>")[0]
    assert set(re.findall(r'<th scope="row" class="fault"><b>(.+?)</b>', matrix)) == ids
    assert matrix.count("✓</td>") == count and "✗</td>" not in matrix
    assert all(cell.title in matrix for cell in row.cells)
    for note in summary.summary([row], row.cells)[1:]:
        assert note in page
    for dtype in ("float64", "float32"):
        worst = max((s for s in row.sensitivities if s.dtype == dtype), key=lambda s: s.smallest_detected)
        assert re.search(rf">{worst.smallest_detected:.1e}</td><td[^>]*>{worst.tensor}<", page)


def test_the_json_has_the_faults(measured: PairReport, written: Path) -> None:
    content = json.loads((written / "report.json").read_text())["faults"]
    assert content == json.loads(json.dumps(summary.as_json([row_of(measured.faults)])))


def test_a_survivor_fails_the_report_and_is_not_folded(measured: PairReport, tmp_path: Path) -> None:
    row = row_of(measured.faults)
    survivor = replace(row.cells[3], blame="reference")
    cells = (*row.cells[:3], survivor, *row.cells[4:])
    assert rewritten(replace(measured, faults=replace(row, cells=cells)), tmp_path) is Status.DIFFERENT
    page = read(tmp_path)
    assert "<h1>catcar-mlp: a mistake planted on purpose is not found</h1>" in page
    assert page.index(summary.survivor(survivor)) < page.index(f"{len(cells) - 1} of {len(cells)} mistakes planted")
    assert page.index(summary.survivor(survivor)) < page.index("<details>")
    assert page.count("✗</td>") == 1
    content = json.loads((tmp_path / "report.json").read_text())["faults"]
    assert [(cell["fault"], cell["blame"]) for cell in content["survivors"]] == [(survivor.fault, "reference")]


def test_faults_that_cannot_be_planted_fail_the_report(
    measured: PairReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as after a change of scratch's source: without them nothing is proven."""

    def raising(case: Case) -> Row:
        raise ValueError("Tanh.backward: expected 'out * out' once, found it 0 times")

    monkeypatch.setattr(build, "row", raising)
    faults = planted(SHORT, Verdict.PASS)
    assert rewritten(replace(measured, faults=faults), tmp_path) is Status.NOTHING_PROVEN
    assert "catcar-mlp: no faults were planted: ValueError: Tanh.backward: expected 'out * out' once" in read(tmp_path)


def test_a_recurrent_fault_has_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.LSTM, "backward_steps", "dc * c[t] * (f", "dc * (f * c[t] + i * g) * (f")
    result = run(PAIRS["activity-lstm"].case(), "float64", checks=[CHECKS_BY_NAME["gradient"]])
    shown = gates([result])
    assert shown and len(shown.panels) == 1 and "gate f" in shown.told
    (check,) = as_json([result])["results"][0]["checks"]
    assert (check["blame"], check["gates"]["stage"]) == ("scratch", "backward")
    assert len(check["gates"]["ratios"]) == 7 and check["gates"]["gates"] == ("i", "f", "g", "o")
    assert gates([replace(result, findings=())]) is None


def told_again(out: Path) -> tuple[str, str]:
    """Page and JSON but for what a clock says."""
    times = r"Written .*?UTC|<h3>Time per training step.*?</section>"
    page = re.sub(times, "", (out / "index.html").read_text(), flags=re.DOTALL)
    content = json.loads((out / "report.json").read_text())
    content["training"][0]["milliseconds_a_step"] = content["pairs"][0]["times"] = []
    content["written"] = ""
    return page, json.dumps(content)


def test_a_finished_pair_is_taken_up_again(written: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Nothing is measured anew, and the report is the same; not so for another seed, data or code."""
    first = told_again(written)

    def never(*arguments: object) -> PairReport:
        raise AssertionError("measured again")

    monkeypatch.setattr(build, "measure", never)
    assert command.run([SHORT], written, None, "cpu", 0, resume=True) is Status.DONE
    assert "(finished before)" in capsys.readouterr().out
    assert told_again(written) == first
    with pytest.raises(AssertionError, match="measured again"):
        command.run([SHORT], written, None, "cpu", 1, resume=True)
    monkeypatch.setattr(build, "versions", lambda: {"source": "another"})
    with pytest.raises(AssertionError, match="measured again"):
        command.run([SHORT], written, None, "cpu", 0, resume=True)


def test_an_interruption_keeps_what_is_measured(
    measured: PairReport, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    def one_then_none(*arguments: object) -> Iterator[PairReport]:
        yield measured
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measured", one_then_none)
    with pytest.raises(KeyboardInterrupt):
        command.run([SHORT, PAIRS["sine-rnn"]], tmp_path, None, "cpu", 0)
    assert "interrupted; 1 of 2 pairs are kept" in capsys.readouterr().out
    made = made_of(about(SHORT, load(SHORT.dataset, None)), ["cpu"], 0)
    found = from_kept(kept(tmp_path / "finished", SHORT.name, made))
    assert found and as_kept(found) == as_kept(measured)


def raising(self: object, *given: object) -> None:
    raise RuntimeError("it is broken")


@pytest.mark.usefixtures("undrawn")
def test_a_pair_that_raises_in_training_is_told_and_the_page_is_written(
    measured: PairReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.Training, "one_step", raising)
    monkeypatch.setattr(build.battery, "run", lambda *given, **named: measured.results[0])
    monkeypatch.setattr(build, "check_full_size", raising)
    monkeypatch.setattr(build, "planted", lambda *given: measured.faults)
    monkeypatch.setattr(command, "timed", raising)
    assert command.run([SHORT], tmp_path, None, "cpu", 0) is Status.NOTHING_PROVEN
    page = read(tmp_path)
    assert "<h1>catcar-mlp: scratch and reference raise in training</h1>" in page
    assert page.count("RuntimeError: it is broken at test_report.py") >= 4


@pytest.mark.usefixtures("undrawn")
def test_a_pair_that_cannot_be_measured_leaves_the_others(
    measured: PairReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "timed", lambda *given: [])
    lost = PAIRS["sine-rnn"]
    given = {SHORT.name: lambda *_: measured, lost.name: raising}
    monkeypatch.setattr(build, "examined", lambda work, *more: given[work.pair.name](work, *more))
    assert command.run([lost, SHORT], tmp_path, None, "cpu", 0) is Status.NOTHING_PROVEN
    page = read(tmp_path)
    assert "<h1>sine-rnn: it could not be measured</h1>" in page and "RuntimeError: it is broken at" in page
    assert "1 of 2 pairs agree" in page
    assert [file.name.rpartition("-")[0] for file in (tmp_path / "finished").iterdir()] == ["catcar-mlp"]


def test_what_is_missing_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "measured", raising)
    pairs = [SHORT, PAIRS["sine-rnn"], PAIRS["mnist-cnn"], PAIRS["activity-rnn"], PAIRS["activity-lstm"]]
    with pytest.raises(BadInput) as found:
        command.run(pairs, tmp_path / "out", tmp_path, "cpu", 0)
    told = str(found.value)
    assert "\n" not in told and not (tmp_path / "out").exists()
    for part in ("assign2_data1.h5 for catcar-mlp", "assign3_data3.h5 for activity-rnn and activity-lstm", "--missing"):
        assert part in told
    assert "sine-rnn" not in told and told.count("-images-idx3-ubyte") >= 2


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_is_trained_on_embedded_records_or_left_out(
    measured: PairReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "timed", lambda *given: [])
    seen: list[Work] = []

    def kept(work: Work, *more: object) -> PairReport:
        seen.append(work)
        return replace(measured, about=replace(measured.about, missing=work.missing))

    monkeypatch.setattr(build, "examined", kept)
    assert command.run([SHORT], tmp_path, tmp_path, "cpu", 0, missing="embedded") is Status.DONE
    assert seen == [Work(SHORT, None, "eee443/assign2_data1.h5")]
    assert "Trained on embedded records: --data lacks eee443/assign2_data1.h5." in read(tmp_path)
    assert command.run([SHORT], tmp_path, tmp_path, "cpu", 0, missing="skip") is Status.NOTHING_PROVEN
    assert len(seen) == 1
    assert "<h1>catcar-mlp: skipped, and nothing is proven of it</h1>" in read(tmp_path)


def test_the_page_of_what_was_measured_is_drawn_again(written: Path, tmp_path: Path) -> None:
    assert command.again(written / "report.json", tmp_path) is Status.DONE
    assert (tmp_path / "index.html").read_bytes() == (written / "index.html").read_bytes()


def test_the_page_is_shown(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    command.show(written / "index.html")
    assert shown == [(written / "index.html").resolve().as_uri()]
