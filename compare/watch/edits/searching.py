"""The search: the edits of the suspected lines tried one after the other, until everything agrees."""

import heapq
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from types import FrameType
from typing import Any

from twofold.compare.watch.edits.applying import Living, applied, living
from twofold.compare.watch.edits.edit import Edit
from twofold.compare.watch.edits.listing import edits_of
from twofold.compare.watch.locating import Parting

RUNS, SECONDS = 400, 1.5
LESS = 0.1  # likely than the edits of one line are those of the next, in ranks
LONGER = 200  # times the calls of the first run: what is judged whole takes some tens of those
SUSPECTS = 12  # lines of a difference whose edits are tried
# Runs for one difference: so many as take about as long for a large net as for a small one; never by the clock, so
# that the same call gives the same verdict. No net of any use takes the seconds.
FEWEST, MOST, STATEMENTS, PATIENCE = 40, 240, 60_000, 15.0
Agrees = Callable[[], int | None]


@dataclass(frozen=True)
class Mended:
    """The edit under which all agrees, how many comparisons do, and how many edits were tried."""

    edit: Edit
    agreeing: int
    tried: int

    @property
    def told(self) -> str:
        return f"{self.edit.told} all {self.agreeing} comparisons agree"


Search = Callable[[Sequence[tuple[str, int]], float, int], Mended | None]  # of lines, in seconds and runs


def edited(found: Parting, search: Search) -> tuple[Parting, str]:
    """The line, one of its edit if a small edit makes all comparisons agree; and what is said of that."""
    suspects = [(one.file, one.line) for one in found.suspects[:SUSPECTS]]
    mended = search(suspects, PATIENCE, max(FEWEST, min(MOST, STATEMENTS // max(found.size, 1))))
    if mended is None:
        return found, ""
    return found.shifted(mended.edit.file, mended.edit.line), mended.told


def numbers_among(holders: Iterable[Any]) -> tuple[float, ...]:
    """The numbers that torch's modules and losses have, for edits to try: an eps, a slope, a momentum."""
    values = (value for one in holders if hasattr(one, "__dict__") for value in vars(one).values())
    return tuple(dict.fromkeys(value for value in values if type(value) is float and isfinite(value)))


class TooLong(Exception):
    """An edited run calls far more than the one without the edit."""


def search(
    places: Sequence[tuple[str, int]],
    agrees: Agrees,
    numbers: Sequence[float] = (),
    runs: int = RUNS,
    seconds: float = SECONDS,
) -> Mended | None:
    """The first edit of these lines (file, line) under which `agrees` counts comparisons; None for none in time.

    `agrees` runs everything anew, and gives None as soon as something differs; what it raises is no agreement. Lines
    come in order of suspicion.
    """
    end, tried, calls = time.perf_counter() + seconds, 0, Calls(frozenset(file for file, _ in places))
    if not places or calls.counted(agrees) is not None:
        return None
    functions: dict[str, Living] = {}
    for edit in likeliest(places, numbers):
        if tried >= runs or time.perf_counter() > end:
            break
        if edit.file not in functions:
            functions[edit.file] = living(edit.file)
        with applied(edit, functions[edit.file]) as changed:
            if not changed:
                continue
            tried += 1
            count = calls.counted(agrees)
        if count is not None:
            return Mended(edit, count, tried)
    return None


def likeliest(places: Sequence[tuple[str, int]], numbers: Sequence[float]) -> Iterator[Edit]:
    """The edits of all lines, the likeliest first; each line is a little less likely than the one before it."""

    def ranked(n: int, place: tuple[str, int]) -> Iterator[tuple[float, int, Edit]]:
        return ((edit.rank + LESS * n, n, edit) for edit in edits_of(*place, numbers))

    lines = [ranked(n, place) for n, place in enumerate(dict.fromkeys(places))]
    return (edit for _, _, edit in heapq.merge(*lines, key=lambda one: one[:2]))


class Calls:
    """Runs with the calls that these files make counted: one that makes far more than the first does not end."""

    def __init__(self, files: frozenset[str]) -> None:
        self.files = files
        self.usual: int | None = None
        self.count = 0

    def counted(self, agrees: Agrees) -> int | None:
        self.count = 0
        try:
            with self.watching():
                found = agrees()
        except Exception:  # an edit may be no sense
            found = None
        if self.usual is None:
            self.usual = self.count
        return found

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Counts where nobody else profiles."""
        if sys.getprofile() is not None:
            yield
            return
        sys.setprofile(self.seen)
        try:
            yield
        finally:
            sys.setprofile(None)

    def seen(self, frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_filename not in self.files:
            return
        self.count += 1
        if self.usual is not None and self.count > LONGER * self.usual + 10_000:
            raise TooLong
