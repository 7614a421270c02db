"""Finding a data set's files under the directory that the user gives."""

from __future__ import annotations

import os
from pathlib import Path

from twofold.compare.data.errors import mismatch

Alternatives = tuple[str, ...]  # relative paths of which one is enough, the preferred first


def first(directory: Path, alternatives: Alternatives) -> str | None:
    """The first of `alternatives` that is a file under `directory`."""
    return next((name for name in alternatives if os.path.isfile(directory / name)), None)


def absence(directory: Path) -> str:
    """Why `first` found nothing."""
    return "no such file" if os.path.isdir(directory) else "no such directory"


def locate(directory: Path, alternatives: Alternatives) -> Path:
    """The path of `first`; DataError where there is none."""
    name = first(directory, alternatives)
    if name is None:
        raise mismatch(directory, " or ".join(alternatives), absence(directory))
    return directory / name


def described(directory: Path, paths: list[Path]) -> str:
    """A Dataset's `source`: the first file, how many more, and where they lie."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0].relative_to(directory).as_posix()}{more} under {directory}"
