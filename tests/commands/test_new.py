"""`twofold new` writes over nothing; that what it writes works is shown by the commands of docs/adding-a-model.md."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import copied
from twofold.compare.commands import new
from twofold.compare.errors import BadInput


def run(clone: Path, *arguments: str) -> str:
    """What a command prints in a clone."""
    done = subprocess.run(
        [sys.executable, "-m", "twofold", *arguments], capture_output=True, text=True, timeout=120, cwd=clone
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_three_files_are_in_the_projects_style(tmp_path: Path) -> None:
    clone = copied(tmp_path)
    wrote = run(clone, "new", "my-net").splitlines()
    assert wrote[:3] == [
        f"wrote {place}/my_net.py" for place in ("scratch/models", "reference/models", "compare/pairs")
    ]
    lint = [sys.executable, "-m", "ruff", "--config", str(clone / "pyproject.toml")]
    files = [line.removeprefix("wrote ") for line in wrote[:3]]
    subprocess.run([*lint[:3], "check", *lint[3:], *files], check=True, cwd=clone, timeout=60)
    subprocess.run([*lint[:3], "format", *lint[3:], "--check", *files], check=True, cwd=clone, timeout=60)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for place in new.FILES.values():
        (tmp_path / place).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("name", ["My-net", "my_net", "-net", "net-", "a--b", "1net", "", "a/b", "../net", "net.py"])
def test_a_name_that_is_none_is_refused(name: str, folders: Path) -> None:
    with pytest.raises(BadInput, match="lower-case words joined by hyphens"):
        new.written(name, folders)


def test_nothing_is_written_over(folders: Path) -> None:
    there = folders / "reference/models/my_net.py"
    there.write_text("mine")
    with pytest.raises(BadInput, match=r"my_net\.py"):
        new.written("my-net", folders)
    assert there.read_text() == "mine" and not (folders / "scratch/models/my_net.py").exists()
    with pytest.raises(BadInput, match="the pair fc-net"):
        new.written("fc-net", folders)


def test_a_folder_that_is_gone_is_one_line(folders: Path) -> None:
    (folders / "scratch/models").rmdir()
    with pytest.raises(BadInput, match="expected a file to write to, found: No such file"):
        new.written("my-net", folders)
    assert not list(folders.rglob("my_net.py"))
