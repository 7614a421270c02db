"""The one error of this package."""

from __future__ import annotations

from pathlib import Path

from twofold.compare.errors import BadInput


class DataError(BadInput):
    """Data that cannot be used: one line that names the file, what was expected there and what was found."""


def mismatch(where: Path | str, expected: object, found: object) -> DataError:
    """The DataError for `where`, always a single line."""
    return DataError(" ".join(f"{where}: expected {expected}, found {found}".splitlines()))
