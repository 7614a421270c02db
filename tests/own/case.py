"""What a case of the table is, and how a stranger's file becomes one: as it stands, or with a mistake in its text."""

import atexit
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

STYLES = Path(__file__).parent / "styles"
COPIES = count()


@dataclass(frozen=True)
class Call:
    """What a user would write: `judge(*arguments, **keywords)`; the arguments are scratch, reference, *data."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """A call, and what a verdict on it has to say."""

    name: str  # "params-dict", "params-dict:bias-mean"
    style: int  # 1 to 26, the styles of the survey; 0: styles beside them
    make: Callable[[], Call]  # everything anew
    outcome: str = "same"  # or "different", "undecided"
    side: str | None = None  # "scratch", "reference", "conventions", "open"
    tensors: tuple[str, ...] = ()  # one of them is part of verdict.tensor; none given: any will do
    kind: str = ""  # where it lies, and what it is: "backward: mean of the bias gradient"
    planted: str = ""  # the lines that hold the mistake


@cache
def folder() -> Path:
    """Where the files with a mistake lie until the process ends."""
    path = Path(tempfile.mkdtemp(prefix="own-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def module(style: str, edits: dict[str, str]) -> ModuleType:
    """The style's file as a new module, with each text, which must stand there once, exchanged for the other."""
    text = (STYLES / f"{style}.py").read_text()
    for old, new in edits.items():
        if text.count(old) != 1:
            raise ValueError(f"{style}.py has this {text.count(old)} times: {old}")
        text = text.replace(old, new)
    return written(style, text)


def written(style: str, text: str) -> ModuleType:
    """A text as a module of its own file, which ends with the process."""
    number = next(COPIES)
    name, path = f"{style}_{number}", folder() / str(number) / f"{style}.py"
    path.parent.mkdir()
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def maker(style: str, call: str, edits: dict[str, str]) -> Callable[[], Call]:
    def make() -> Call:
        with torch.random.fork_rng(devices=[]):
            scratch, reference, data, keywords = getattr(module(style, edits), call)()
        return Call((scratch, reference, *data), keywords)

    return make


def right(name: str, style: int, file: str, call: str = "call") -> Truth:
    return Truth(name, style, maker(file, call, {}))


def wrong(
    name: str,
    style: int,
    file: str,
    edits: dict[str, str],
    kind: str,
    tensors: tuple[str, ...] = (),
    side: str = "scratch",
    call: str = "call",
) -> Truth:
    make = maker(file, call, edits)
    return Truth(name, style, make, "different", side, tensors, kind, "\n".join(edits.values()))
