"""`twofold bench --judge`: what judging costs, in passes of the reference and bytes. No time is asserted."""

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.small import CATCAR
from tests.bench.test_bench import twofold
from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.bench import judging
from twofold.compare.bench.rows import Judging
from twofold.compare.pairs import PAIRS
from twofold.compare.report.plots.judging import judging_curves
from twofold.compare.report.timings import judging_table

pytestmark = pytest.mark.usefixtures("brief")

ROW = Judging("two-layer-fc", "float64", 64, 12_000_000, 500_000, 0.2, 6.0, 900_000_000)


def test_a_pair_at_its_recipes_size() -> None:
    found = judging.measured(CATCAR, "float64", None, 1)
    assert (found.name, found.batch, found.parameters, found.wrong) == ("catcar-mlp", 38, 20 * 1024 + 20 + 20 + 1, "")
    assert found.activations == 38 * (20 + 20 + 1 + 1 + 1)
    assert found.seconds > found.alone > 0
    assert found.peak >= 0


def test_a_model_made_to_grow() -> None:
    found = judging.measured(PAIRS["two-layer-fc"], "float32", 20, 1)
    assert (found.batch, found.width, found.parameters, found.wrong) == (64, 20, 20 * 20 + 20 + 10 * 20 + 10, "")
    assert found.goal is None


def test_what_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "1 - out * out", "1.001 - out * out")
    assert judging.measured(CATCAR, "float64", None, 1).wrong == "fail"


def test_what_a_fresh_process_is_asked_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(command: list[str], **how: Any) -> Any:
        assert command[-4:] == ["two-layer-fc", "float64", "2", "100"]
        assert how["env"]["OMP_NUM_THREADS"] == "2"
        return subprocess.CompletedProcess(command, 0, json.dumps(asdict(replace(ROW, width=100))))

    monkeypatch.setattr(subprocess, "run", answered)
    assert judging.in_child("two-layer-fc", "float64", 2, 100) == replace(ROW, width=100)


def test_passes_and_goals() -> None:
    assert (ROW.passes, ROW.goal) == (pytest.approx(30), (40, 2e9))
    assert replace(ROW, dtype="float32").goal is None
    assert ROW.as_json()["goal"] == {"passes": 40, "bytes": 2e9}


def test_the_picture_has_a_panel_for_passes_time_and_memory() -> None:
    wider = [replace(ROW, dtype=dtype, width=width) for dtype in ("float64", "float32") for width in (10, 100)]
    assert [len(axis.get_lines()) for axis in judging_curves(wider).axes] == [2] * 3
    assert judging_table(wider).row_count == 4


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    asked: list[Any] = []

    def measured(name: str, dtype: str, count: int, width: int | None = None) -> Judging:
        asked.append((name, dtype, count, width))
        return replace(ROW, name=name, dtype=dtype, width=width, wrong="fail" if width == 316 else "")

    monkeypatch.setattr(judging, "in_child", measured)
    monkeypatch.setattr("twofold.compare.commands.bench.planned", lambda pairs, layers: {})
    assert twofold("bench", "two-layer-fc", "--judge", "--out", tmp_path, "--json", tmp_path / "b.json") == 1
    out = capsys.readouterr().out
    assert "What judging costs" in out and "two-layer-fc float64, batch 64: fail" in out
    assert (tmp_path / "judging.png").read_bytes().startswith(b"\x89PNG")
    widths = [(dtype, width) for dtype, widths in judging.WIDTHS.items() for width in widths]
    assert asked == [
        ("two-layer-fc", "float64", 1, None),
        *(("two-layer-fc", dtype, 1, width) for dtype, width in widths),
    ]
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert len(rows) == len(asked)
    assert rows[0]["passes"] == pytest.approx(30)
