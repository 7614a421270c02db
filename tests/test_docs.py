"""The documentation's commands give what it says. A block is run as a user would: `$ twofold ...`, then the output.

Behind ```console may stand where it is run: a fault's id plants it, "clone" is a copy to write into, and
"broken-metric" one with such a pair. A line of dots stands for any lines, dots within a line for any text, and a number
with a point for any other: floors and seconds are a machine's own. Columns may be wider.
"""

import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.command import twofold
from tests.places import ROOT, copied
from twofold.compare.faults import FAULTS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BROKEN = """from dataclasses import replace
from twofold.compare.pairs.fc import NET
PAIRS = (replace(NET, name="mine", metrics=("f1",)),)
"""


def blocks() -> list:
    found = []
    for page in PAGES:
        for n, match in enumerate(re.finditer(r"^```console *(\S*)\n(.*?)^```$", page.read_text(), re.M | re.S)):
            found.append(pytest.param(*match.groups(), id=f"{page.name}-{n}"))
    return found


def steps(block: str) -> list[tuple[str, str]]:
    """Each command of a block, and what it is said to print."""
    return [(line, rest) for line, _, rest in (part.partition("\n") for part in block.split("$ ")[1:])]


def matches(told: str, printed: str) -> bool:
    """Whether what is printed is what is told, where dots and numbers with a point may be anything."""
    pattern = ""
    for line in told.strip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        words = re.sub(r"\s+", " ", line.strip())
        escaped = re.escape(words).replace(r"\ ", " +").replace(r"\.\.\.", ".*")
        pattern += r" *" + re.sub(r"\d+\\\.\d+(e(\\[-+]|\\?\+)?\d+)?", r"[-+\\d.e]+", escaped) + r" *\n"
    return re.fullmatch(r"\s*" + pattern + r"\s*", printed.rstrip() + "\n") is not None


@pytest.mark.parametrize(
    ("told", "printed", "same"),
    [
        ("a 1.5 b", "a   2.25 b", True),
        ("a 1.5 b", "a 2.25 c", False),
        ("error 0.07, 1.19e+06 floors", "error 0.0776, 9.1e+05 floors", True),
        ("17 records", "18 records", False),
        ("a\n...\nb", "a\nx\ny\nb", True),
        ("a\n...\nb", "a\nb", True),
        ("a\nb", "a\nx\nb", False),
        ("ends ... c", "ends with c", True),
        ("a", "a\nb", False),
        ("a (b) [c]", "a (b) [c]", True),
    ],
)
def test_what_matches(told: str, printed: str, same: bool) -> None:
    assert matches(told, printed) is same


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("where", "block"), blocks())
def test_a_block_prints_what_it_says(
    where: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    if where in ("clone", "broken-metric"):
        copied(tmp_path)
        if where == "broken-metric":
            (tmp_path / "compare/pairs/mine.py").write_text(BROKEN)
    fault = next((fault for fault in FAULTS if fault.id == where), None)
    assert fault or where in ("", "clone", "broken-metric"), where
    for command, told in steps(block):
        program, *arguments = shlex.split(command)
        assert program == "twofold"
        if where in ("clone", "broken-metric"):
            run = [sys.executable, "-m", "twofold", *arguments]
            done = subprocess.run(run, capture_output=True, text=True, timeout=300)
            printed = done.stdout + done.stderr
        else:
            with fault.planted() if fault else nullcontext():
                twofold(*arguments)
            captured = capfd.readouterr()
            printed = captured.out + captured.err
        assert matches(told, printed), f"{command}\n{printed}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert link.startswith("http") or (page.parent / link).is_file(), f"{page.name}: {link}"


def test_files_that_are_named_are_there() -> None:
    """In backquotes, with a folder and an ending; a model of one's own is an example."""
    for page in PAGES:
        for name in re.findall(r"`((?:[\w-]+/)+[\w.-]+\.(?:py|md|toml|json))`", page.read_text()):
            assert "my_net" in name or name.startswith("DIR/") or (ROOT / name).is_file(), f"{page.name}: {name}"


def test_every_command_is_described() -> None:
    from twofold.compare.cli import app

    page = (ROOT / "docs/commands.md").read_text()
    names = {
        str(command.name or (command.callback and command.callback.__name__)) for command in app.registered_commands
    }
    assert {name for name in names if f"## `twofold {name}" not in page} == set()
    assert names == set(re.findall(r"^## `twofold (\w+)", page, re.M))
