"""How a line is told: its place, its text, and what agrees just before it."""

import linecache
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from twofold.compare.judge.own.record import Record
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.watch.edits.searching import Mended
from twofold.compare.watch.locating import Parting
from twofold.compare.watch.trace import Dropped

TEXT = 90  # letters of a line that is shown
SUSPECTS = 8  # lines whose edits are tried
FEWEST, MOST, STATEMENTS = 30, 120, 20_000  # runs with an edit, and statements in all of them
SECONDS = 15.0  # no net of any use takes so long

# Lines in order of suspicion, seconds and runs.
Search = Callable[[Sequence[tuple[str, int]], float, int], Mended | None]


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


def begins(found: Parting) -> list[tuple[str, str]]:
    """The line with its text, and what agrees just before it."""
    statement = found.statement
    where = f"{Path(statement.file).name}:{statement.line}"
    told = f"{found.name or 'what it gives'}, line {found.first}, is the first that torch has not{found.when}"
    agree = [f"{one.name} (line {one.statement.line})" for one in found.agreeing if one.name][:3]
    told += f"; {', '.join(agree)} {'agree' if len(agree) > 1 else 'agrees'} with torch" if agree else ""
    return [("line", f"{where}   {statement.text[:TEXT]}"), ("begins", told)]


def edited(found: Parting, search: Search) -> tuple[Parting, str]:
    """The line, one of its edit if a small edit makes all comparisons agree; and what is said of that."""
    suspects = [(one.file, one.line) for one in found.suspects[:SUSPECTS]]
    # so many runs as take about as long for a large net as for a small one; never by the clock
    mended = search(suspects, SECONDS, max(FEWEST, min(MOST, STATEMENTS // max(found.size, 1))))
    if mended is None:
        return found, ""
    return found.shifted(mended.edit.file, mended.edit.line), mended.told


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
    return f"{Path(place.file).name}:{place.line}   {linecache.getline(place.file, place.line).strip()[:TEXT]}"
