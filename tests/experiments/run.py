"""The sources' experiments, run as a reader would, and the page that shows them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.places import REAL_DATA, ROOT

TABLE = Path(__file__).with_name("table.toml")
OUT = ROOT / "experiments"  # what the runs write; the page takes its pictures from there
PAGE, PICTURES = ROOT / "docs/experiments.md", ROOT / "docs/experiments"
WIDTH = 1000  # pixels of a picture on the page

HEAD = """# The sources' experiments

Each experiment of the sources by its name: the command, the seconds that it took on the embedded data and, where the
files are to be had, on the real ones, its picture on the embedded data, and what to see in it. Both backends take each
command (`--backend reference`). `make experiments` runs them all and writes this page; seconds are those of two cores.
"""


@dataclass(frozen=True)
class Experiment:
    """`data` says that real files are to be had; `real` is what the command has besides there, to take minutes."""

    name: str
    command: str
    picture: str
    see: str
    holds: tuple[str, ...] = ()
    data: bool = False
    real: str = ""

    @property
    def key(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def experiments() -> list[Experiment]:
    rows: list[Mapping[str, Any]] = tomllib.loads(TABLE.read_text())["experiment"]
    return [Experiment(**{**row, "holds": tuple(row.get("holds", ()))}) for row in rows]


def place(one: Experiment, source: str) -> Path:
    return OUT / f"{one.key}-{source}"


def run(one: Experiment, source: str) -> str:
    """What the command prints on "embedded" or "real" data; seconds and output are kept beside its pictures."""
    folder, words = place(one, source), shlex.split(one.command)
    if source == "real":
        words += [*shlex.split(one.real), "--data", str(REAL_DATA)]
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "twofold", *words, "--out", str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "160"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {"seconds": round(time.perf_counter() - began, 1), "output": done.stdout}
    (folder / "experiment.json").write_text(json.dumps(told))
    return done.stdout


def kept(one: Experiment, source: str) -> dict[str, Any] | None:
    path = place(one, source) / "experiment.json"
    return json.loads(path.read_text()) if path.is_file() else None


def last_lines(output: str) -> str:
    """The line that says most: of a sweep the best, of a training its last epoch."""
    lines = [line for line in output.splitlines() if re.match(r"best by|epoch \d|best by validation loss, and", line)]
    return re.sub(r"; kept in .*|  [\d.]+ s$", "", lines[-1]) if lines else ""


def section(one: Experiment) -> str:
    """An experiment as it stands on the page."""
    from PIL import Image

    parts = [f"## {one.name}\n", f"    twofold {one.command}\n", f"{one.see}\n"]
    for source, words in (("embedded", "the embedded data"), ("real", "the real files")):
        if told := kept(one, source):
            more = f" with `{one.real}`" if source == "real" and one.real else ""
            parts.append(f"- {told['seconds']:.0f} s on {words}{more}: `{last_lines(told['output'])}`")
    if source_picture := next(iter(place(one, "embedded").glob(one.picture)), None):
        PICTURES.mkdir(exist_ok=True)
        with Image.open(source_picture) as image:
            smaller = image.convert("RGB")
            smaller.thumbnail((WIDTH, WIDTH * 2))
            smaller.quantize(64).save(PICTURES / f"{one.key}.png", optimize=True)
        parts.append(f"\n![{one.name}: {one.picture}](experiments/{one.key}.png)")
    return "\n".join(parts) + "\n"


def write_page() -> None:
    PAGE.write_text("\n".join([HEAD, *map(section, experiments())]))


if __name__ == "__main__":
    write_page()
