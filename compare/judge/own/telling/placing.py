"""How a line is told: its place, its text, and what agrees just before it."""

import linecache
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from twofold.compare.judge.own.record import Record
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.watch.locating import Parting, first_told
from twofold.compare.watch.statements import SHOWN
from twofold.compare.watch.trace import Dropped


def parted_at(record: Record, parting: Callable[[], Parting | None]) -> Parting | None:
    """Where the difference begins; where no line can be told it is said under what was not checked."""
    if not record.call.watch:
        record.not_checked.append("lines: watch=False")
        return None
    try:
        found = parting()
    except Dropped as error:
        record.not_checked.append(f"lines: {error}")
        return None
    except Exception as error:  # the code minds being watched: the verdict stands without a line
        record.not_checked.append(f"lines: watched, it raises {type(error).__name__}")
        return None
    if found is None:
        record.not_checked.append("lines: what differs was made by none that Python runs")
    return found


def begins(found: Parting, mend: str = "") -> list[tuple[str, str]]:
    """The line with its text, what agrees just before it, and the edit that mends it, if one does."""
    statement = found.statement
    where = f"{Path(statement.file).name}:{statement.line}"
    told = first_told(found.name, found.first, found.when, found.agree, " with torch")
    if found.alone:
        told = f"{found.name}, line {found.first}, is what one use adds to torch's gradient; no other's is added to it"
    lines = [("line", f"{where}   {statement.text[:SHOWN]}"), ("begins", told)]
    return [*lines, ("edit", mend)] if mend else lines


def at(place: Place, found: Parting | None) -> Place:
    """With the line, the name that is bound there, and which time it was, if it is bound several times."""
    if found is None:
        return place
    step = found.times + 1 if found.runs > 1 else place.step
    return replace(
        place, file=found.statement.file, line=found.statement.line, name=found.name or place.name, step=step
    )


def text_at(place: Place) -> str:
    """A line as it stands in its file."""
    assert place.file is not None and place.line is not None
    return f"{Path(place.file).name}:{place.line}   {linecache.getline(place.file, place.line).strip()[:SHOWN]}"
