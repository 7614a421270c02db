"""Finding a data set's files under the directory that the user gives."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.near import near
from twofold.compare.data.readers.source import what

Alternatives = tuple[str, ...]  # relative paths of which one is enough, the preferred first


def first(directory: Path, alternatives: Alternatives) -> str | None:
    """The first of `alternatives` that is a file under `directory`."""
    return next((name for name in alternatives if os.path.isfile(directory / name)), None)


def there(directory: Path, names: Alternatives) -> list[Path]:
    """Those of `names` that stand under `directory`, as files or as anything else that a reader will refuse."""
    return [directory / name for name in names if os.path.lexists(directory / name)]


def absence(directory: Path) -> str:
    """Why `first` found nothing."""
    if os.path.isdir(directory):
        return "no such file"
    return f"{what(directory) or 'a file'}, no directory" if os.path.lexists(directory) else "no such directory"


def missing(directory: Path, alternatives: Alternatives, known: Collection[str] = ()) -> str:
    """What was found in place of `alternatives`: something that is no file, or a file of a name near one of theirs.

    Paths in `known` belong to others, and are not taken for one of these.
    """
    for path in there(directory, alternatives):
        if other := what(path):
            return f"{other} at {path.relative_to(directory).as_posix()}"
    return near(directory, alternatives, known) or absence(directory)


def locate(directory: Path, alternatives: Alternatives) -> Path:
    """The path of `first`; DataError where there is none."""
    name = first(directory, alternatives)
    if name is None:
        raise mismatch(directory, " or ".join(alternatives), missing(directory, alternatives, alternatives))
    return directory / name


def described(directory: Path, paths: list[Path]) -> str:
    """A Dataset's `source`: the first file, how many more, and where they lie."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0].relative_to(directory).as_posix()}{more} under {directory}"
