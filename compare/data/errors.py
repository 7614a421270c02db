"""The one error of this package."""

from __future__ import annotations

from pathlib import Path

from twofold.compare.errors import BadInput
from twofold.compare.names import plain

LONGEST = 400  # characters of what was found, which may be a file's own words


class DataError(BadInput):
    """Data that cannot be used: one line that names the file, what was expected there and what was found."""


def mismatch(where: Path | str, expected: object, found: object) -> DataError:
    """The DataError for `where`, always a single line; what a terminal would obey is written out."""
    text = str(found)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return DataError(plain(" ".join(f"{where}: expected {expected}, found {text}".splitlines())))
