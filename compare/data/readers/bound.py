"""How much is read of a user's files: a bound for each data set, held before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from twofold.compare.data.errors import mismatch

VARIABLE = "TWOFOLD_MAX_GB"  # of the environment, so that worker processes have it too; `--max-gb` sets it
GB = 1_000_000_000
ALONE = 0.25  # GB, of a file that is read for itself, as no part of a data set


@dataclass
class Bound:
    """The bytes that `name` may have in memory as read, and those that each file is about to take."""

    name: str
    most: float
    taken: dict[Path, int] = field(default_factory=dict)


_current: ContextVar[Bound | None] = ContextVar("bound", default=None)


@contextmanager
def bounded(name: str, gb: float) -> Iterator[None]:
    """Within it all files together take at most `gb` GB, or what TWOFOLD_MAX_GB says instead."""
    token = _current.set(Bound(name, _most(gb)))
    try:
        yield
    finally:
        _current.reset(token)


def take(path: Path, count: int) -> None:
    """Says that `count` bytes of `path` are about to be read; DataError where that is more than the bound leaves."""
    bound = _current.get() or Bound("one file", _most(ALONE))
    bound.taken[path] = count
    if (total := sum(bound.taken.values())) > bound.most:
        more = f"--max-gb or {VARIABLE} allows more"
        raise mismatch(path, f"at most {bound.most / GB:g} GB for {bound.name} ({more})", f"{total / GB:.3g} GB")


def _most(gb: float) -> float:
    text = os.environ.get(VARIABLE, "").strip()
    try:
        wanted = float(text) if text else gb
    except ValueError:
        wanted = 0.0
    if not wanted > 0:
        raise mismatch(VARIABLE, "a number of GB above 0", repr(text))
    return wanted * GB
