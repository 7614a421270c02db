"""What a source printed beside ours: taken of what `reproduce` kept, computed never, and told for what it is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.reports import figures, green
from tests.report.test_page import of, read
from tests.report.test_page import undrawn as undrawn
from twofold.compare.commands import report as command
from twofold.compare.judge.finding import Verdict
from twofold.compare.pairs import PAIRS
from twofold.compare.published import table
from twofold.compare.published.figure import Basis, Run
from twofold.compare.published.judge import unavailable
from twofold.compare.published.kept import NOT_KEPT, beside, keep
from twofold.compare.report.build import unmeasured
from twofold.compare.report.pair import PairReport
from twofold.compare.report.telling.cells import SIGNS
from twofold.compare.screen import Screen
from twofold.compare.sharding import Part, Shard, made_with

NOTHING = SIGNS[Verdict.NOT_APPLICABLE]


def section(report: PairReport) -> str:
    return of(report).partition("The published figures beside ours")[2].partition("</section>")[0]


def test_each_run_is_counted_and_each_figure_stands_beside_ours() -> None:
    text = read(f"<body>{section(green('some-net'))}")
    assert "Of 4 figures that the source printed both sides bring out 2 of 2 that can be judged" in text
    assert "1 not informative; 1 not available" in text
    assert "twofold reproduce some-net --data DIR" in text
    assert "300 epochs 1 of 1 1 of 1 1" in text
    assert "as published 1 its seed is lost" in text
    assert "loss 1 2.2871 2.2872 2.2871 ✓ envelope in envelopes: 1" in text
    assert f"loss 9 0.31 0.29 0.33 {NOTHING} not informative it passes 1 %" in text


def test_one_that_does_not_come_out_is_marked() -> None:
    wrong = section(replace(green(), published=figures("green-mlp", agrees=False)))
    assert 'class="fail"' in wrong and 'class="number survives">✗ 0 of 1' in wrong
    assert "loss 0 2.3026 2.3 2.3026 ✗ scratch digit" in read(f"<body>{wrong}")
    right = section(green())
    assert "survives" not in right and 'class="fail"' not in right


def test_what_was_not_reproduced_has_no_figure_of_ours() -> None:
    printed = [one for one in figures("green-mlp") if one.basis is Basis.UNAVAILABLE]
    text = section(replace(green(), published=printed))
    assert "none of them has been reproduced here" in text and "scratch" not in text and "its seed is lost" in text
    assert not section(replace(green(), published=[]))


def nothing(directory: Path) -> dict:
    raise AssertionError("a report computes none of it")


def test_what_is_kept_is_taken_and_nothing_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [replace(run, compute=nothing) for run in table.runs() if run.pair in ("sine-rnn", "mnist-cnn")]
    monkeypatch.setattr("twofold.compare.published.kept.runs", lambda: runs)
    first, second, *_ = [run for run in runs if run.pair == "sine-rnn"]
    ours = [replace(one, scratch="1", basis=Basis.DIGIT) for one in unavailable(first, "")]
    keep(tmp_path, first, None, ours)
    found = beside(["sine-rnn", "mnist-cnn", "sparse-autoencoder"], None, tmp_path)
    assert found["sine-rnn"][: len(ours)] == ours
    assert {one.reason for one in found["sine-rnn"] if one.run == second.name} == {NOT_KEPT}
    assert all("no --data DIR given" in one.reason for one in found["mnist-cnn"])
    assert found["sparse-autoencoder"] == []
    assert count(runs) == sum(map(len, found.values()))


def count(runs: list[Run]) -> int:
    return sum(len(series.entries) for run in runs for series in run.series)


def test_a_shard_carries_it(tmp_path: Path) -> None:
    pair = PAIRS["sine-rnn"]
    report = replace(unmeasured(pair, "it was lost"), published=figures(pair.name))
    part = Part(Shard(1, 1), command.of_run([pair], ["cpu"], 0), made_with())
    command.write_shard(Screen(), tmp_path, part, [report])
    content = json.loads((tmp_path / "shard-1-of-1.json").read_text())
    assert command.read_shard(part, content["reports"], None) == [report]
