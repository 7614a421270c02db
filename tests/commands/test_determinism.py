"""The same command twice gives the same bytes apart from times, whatever the number of processes."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import twofold
from tests.training.test_sweep import PAIR, SMALL
from twofold.compare.judge import battery
from twofold.compare.pairs import PAIRS
from twofold.compare.published.table import chosen, missing, runs

PLANTED = ("F2", "F10", "F1-tanh")  # of the faults a few


def timeless(content: Any) -> Any:
    """Content without what a clock says."""
    if isinstance(content, dict):
        return {key: timeless(part) for key, part in content.items() if key != "seconds"}
    return [timeless(part) for part in content] if isinstance(content, list) else content


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little work, and that in processes of its own wherever there are two."""
    ready = [place for place in chosen(["fc-net"]) if not missing(runs()[place], None)]
    monkeypatch.setattr(battery, "TRIALS_A_PROCESS", 1)
    monkeypatch.setattr("twofold.compare.commands.reproduce.chosen", lambda names: ready[:2])
    monkeypatch.setattr("twofold.compare.commands.faults.everywhere", lambda cases: [(case, PLANTED) for case in cases])


COMMANDS = [
    ("check", "catcar-mlp", "--device", "cpu"),
    ("faults", "catcar-mlp", "sparse-autoencoder"),
    ("reproduce", "fc-net", "--out", "OUT"),
]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_json_is_the_same_however_many_processes(command: tuple[str, ...], tmp_path: Path) -> None:
    texts = []
    for jobs in (1, 2):
        given = [word.replace("OUT", str(tmp_path / f"out-{jobs}")) for word in command]
        path = tmp_path / f"{jobs}.json"
        assert twofold(*given, "--jobs", jobs, "--json", path) == 0
        text = path.read_text()
        assert json.dumps(json.loads(text), indent=1) + "\n" == text
        texts.append(json.dumps(timeless(json.loads(text))))
    assert texts[0] == texts[1] and len(texts[0]) > 1000


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("backend", ["scratch", "reference"])
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_files_are_the_same_where_the_clock_is(command: str, backend: str, tmp_path: Path, monkeypatch: Any) -> None:
    """Checkpoints, configurations and results to the byte, under a clock that counts."""
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setitem(PAIRS, "catcar-mlp", PAIR)
    for module in ("sweep", "planning"):
        monkeypatch.setattr(f"twofold.compare.commands.{module}.load", lambda name, directory: SMALL)
    grid = ("--set", "hidden=2,3") if command == "sweep" else ()
    found = []
    for n in (1, 2):
        ticks = itertools.count()
        monkeypatch.setattr("twofold.compare.training.train.time.perf_counter", lambda ticks=ticks: float(next(ticks)))
        out = tmp_path / str(n)
        assert twofold(command, "catcar-mlp", "--backend", backend, "--device", "cpu", *grid, "--out", out) == 0
        found.append({str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert found[0] == found[1]
    folder = "best/" if command == "sweep" else ""
    assert {f"{folder}checkpoint.h5", f"{folder}configuration.toml"} <= found[0].keys()
    assert command == "train" or json.loads(found[0]["sweep.json"])["finished"]
