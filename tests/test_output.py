"""Whatever is written is there whole or not at all, and what cannot be written is one line, before the work."""

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command import twofold
from tests.places import ROOT
from twofold.compare import output
from twofold.compare.commands import train
from twofold.compare.errors import BadInput
from twofold.compare.output import alone, make_folder, try_file, write, write_json

# What stands in the way of a file, by what makes it so; each is told of before any work.
OBSTRUCTED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a folder in its place": (lambda at: (at / "f").mkdir() or at / "f", "Is a directory"),
    "no folder to lie in": (lambda at: at / "none" / "f", "No such file or directory"),
    "a file for its folder": (lambda at: (at / "g").write_text("") * 0 or at / "g" / "f", "Not a directory"),
    "a name too long": (lambda at: at / ("n" * 300), "File name too long"),
    "a link that goes in a circle": (lambda at: (at / "f").symlink_to(at / "f") or at / "f", "symbolic links"),
}


VERBS: dict[str, Callable[[Path], None]] = {"tried": try_file, "written": lambda path: write(path, "x")}
OF_BOTH = [(verb, case) for verb in VERBS for case in OBSTRUCTED]


@pytest.mark.parametrize(("verb", "case"), OF_BOTH)
def test_what_cannot_be_written_is_one_line(verb: str, case: str, tmp_path: Path) -> None:
    make, told = OBSTRUCTED[case]
    path = make(tmp_path)
    with pytest.raises(BadInput, match=told) as error:
        VERBS[verb](path)
    assert str(error.value).startswith(f"{path}: expected a file to write to, found") and "\n" not in str(error.value)


@pytest.mark.parametrize("before", [b"old", None])
@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_write_that_fails_anywhere_loses_nothing(
    call: str, number: int, before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    if before is not None:
        path.write_bytes(before)

    def failing(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", failing) if call == "open" else patch.setattr(output.os, call, failing)
        with pytest.raises(BadInput, match=os.strerror(number)):
            write(path, b"new")
    assert (path.read_bytes() if path.exists() else None) == before
    assert [one.name for one in tmp_path.iterdir()] == ([] if before is None else ["result.json"])
    write(path, b"new")
    assert path.read_bytes() == b"new"


def test_trying_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    try_file(path)
    assert not list(tmp_path.iterdir())
    path.write_text("old")
    try_file(path)
    assert path.read_text() == "old"
    try_file(Path("-"))
    try_file(None)


def test_what_an_earlier_run_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.h5.part").write_text("half")
    (tmp_path / "kept.txt").write_text("")
    make_folder(tmp_path)
    with alone(tmp_path):
        assert {one.name for one in tmp_path.iterdir()} == {"kept.txt", ".lock"}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_is_strict(number: float, tmp_path: Path) -> None:
    write_json(tmp_path / "f", {"a": [1.5, number, {"b": (number,)}]})
    assert json.loads((tmp_path / "f").read_text(), parse_constant=pytest.fail) == {"a": [1.5, None, {"b": [None]}]}


def command(*arguments: object, **how: Any) -> subprocess.CompletedProcess:
    environment = {**os.environ, **how.pop("environment", {})}
    line = [sys.executable, "-m", "twofold", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, timeout=120, **how)


COMMANDS = {
    "check": ("check", "catcar-mlp", "--json"),
    "faults": ("faults", "catcar-mlp", "--json"),
    "bench": ("bench", "catcar-mlp", "--json"),
    "train": ("train", "catcar-mlp", "--backend", "scratch", "--out"),
    "sweep": ("sweep", "catcar-mlp", "--backend", "scratch", "--set", "lr=1,2", "--out"),
    "report": ("report", "catcar-mlp", "--out"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_tried_before_the_work(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A file stands where the folder should, or the folder that the file should lie in."""
    (tmp_path / "file").write_text("mine")
    assert twofold(*COMMANDS[name], tmp_path / "file" / "more") == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "Not a directory" in printed.err
    assert "loss" not in printed.out and (tmp_path / "file").read_text() == "mine"


def test_one_run_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(train, "write_pictures", lambda training, out: [])
    with alone(tmp_path):
        line = "from pathlib import Path; from twofold.compare.output import alone\nwith alone(Path({!r})): print('in')"
        found = subprocess.run(
            [sys.executable, "-c", line.format(str(tmp_path))], text=True, capture_output=True, cwd=ROOT
        )
    assert "expected no other run in this folder, found one at work" in found.stderr
    assert twofold("train", "catcar-mlp", "--backend", "scratch", "--epochs", 1, "--out", tmp_path) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["list", "data", "standard output", "file"])
def test_a_full_disk_is_one_line(name: str, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        if name == "file":
            found = command("check", "catcar-mlp", "--dtype", "float64", "--json", "/dev/full", stdout=subprocess.PIPE)
        else:
            arguments = ("data",) if name == "data" else ("list", *(["--json"] if name == "list" else []))
            found = command(*arguments, stdout=full)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1 and "No space left on device" in found.stderr


def test_a_terminal_without_letters(tmp_path: Path) -> None:
    how = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    found = command("train", "--help", stdout=subprocess.PIPE, environment=how)
    assert found.returncode == 0 and not found.stderr
    out = tmp_path / "größe"
    found = command(
        *("train", "catcar-mlp", "--backend", "scratch", "--epochs", 1, "--out", out),
        stdout=subprocess.PIPE,
        environment=how,
    )
    assert found.returncode == 0 and (out / "checkpoint.h5").is_file(), found.stderr


def test_a_reader_that_stops_is_no_difference(tmp_path: Path) -> None:
    """Status 1 means a difference and nothing else."""
    line = f"{sys.executable} -m twofold list --json | head -c 10; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert found.returncode in (0, 141) and not found.stderr
