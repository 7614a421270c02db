"""`twofold bench`: its files, its status, and what else it measures: growth, memory, the environment."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.bench.small import CARS, CATCAR, DTYPES
from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.bench import memory, rows
from twofold.compare.bench.environment import described, environment
from twofold.compare.bench.rows import Peak
from twofold.compare.bench.steps import growth_rows
from twofold.compare.cli import main
from twofold.compare.pairs import PAIRS
from twofold.compare.report.plots.growth import growth_curves

pytestmark = pytest.mark.usefixtures("brief")


def twofold(*arguments: object) -> int:
    sys.argv = ["twofold", *map(str, arguments)]
    with pytest.raises(SystemExit) as exit:
        main()
    return int(exit.value.code or 0)


def test_growth_and_its_picture() -> None:
    found = list(growth_rows(CATCAR, CARS))
    assert [(row.kind, row.batch) for row in found] == [("growth", 1), ("growth", 3)]
    both = [*found, *(replace(row, name="another") for row in found)]
    assert [axis.get_title() for axis in growth_curves(both).axes] == ["catcar-mlp", "another"]
    (axis,) = growth_curves([replace(found[0], timing=None), found[1]]).axes
    assert [list(line.get_xdata()) for line in axis.get_lines()] == [[3]] * 3


def test_a_child_measures_at_least_the_parameters_and_their_gradients(tmp_path: Path) -> None:
    pair, path = PAIRS["fc-net"], tmp_path / "batch.npz"
    np.savez(path, inputs=np.ones((100, 3, 32, 32), np.float32), target=np.zeros(100, np.int64))
    found = memory.in_child("fc-net", "scratch", "float32", path, threads=1)
    parameters = sum(array.nbytes for array in pair.initial_state(0).values())
    assert 2 * parameters < found < 20 * parameters


def test_too_little_memory_has_no_ratio() -> None:
    assert Peak("some", "float32", 1, 3 << 20, 2 << 20).ratio == 1.5
    assert Peak("some", "float32", 1, 3 << 20, rows.RESOLUTION - 1).ratio is None


def test_the_environment_says_what_multiplies() -> None:
    found = environment()
    assert found["cpu"]
    assert found["blas"][0]["library"]
    assert found["blas"][0]["core_type"] in described(found)[1]


# The command


def test_the_command_writes_schema_1_and_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "bench.json"
    assert twofold("bench", "trigram-lm", "--json", path, "--out", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "geometric mean over 1 pair " in out
    assert "threads: 1 NumPy, 1 torch" in out
    assert (tmp_path / "out" / "growth.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert {"cpu", "threads", "blas", "numpy", "torch"} <= content["environment"].keys()
    assert [(row["kind"], row["dtype"], row["batch"]) for row in content["rows"]] == [
        ("step", "float32", 200),
        ("step", "float64", 200),
        ("growth", "float32", 1),
        ("growth", "float32", 3),
    ]
    keys = {"kind", "name", "part", "dtype", "batch", "equal", "scratch_ms", "reference_ms", "ratio", "quartiles"}
    assert all(row.keys() == keys | {"rounds", "products", "least", "goal"} for row in content["rows"])
    assert content["geometric_means"].keys() == set(DTYPES)


def test_a_difference_is_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "1 - out * out", "1.001 - out * out")
    assert twofold("bench", "catcar-mlp") == 1
    out = capsys.readouterr().out
    assert "DIFFERENT" in out
    assert "catcar-mlp float32, batch 38: fc1.weight: error" in out
    assert "geometric mean" not in out


def test_json_alone_on_standard_output(capsys: pytest.CaptureFixture) -> None:
    assert twofold("bench", "catcar-mlp", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["name"] == "catcar-mlp"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--threads", 4096), "--threads 4096: expected at most"), (("catcar",), "unknown pair 'catcar'")],
)
def test_bad_usage_is_one_line(arguments: tuple, message: str, capsys: pytest.CaptureFixture) -> None:
    assert twofold("bench", *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_help_teaches(capsys: pytest.CaptureFixture) -> None:
    assert twofold("bench", "--help") == 0
    assert "Example: twofold bench" in capsys.readouterr().out
