"""What every reader returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import InitVar, dataclass
from typing import NamedTuple

import numpy as np

from twofold.compare.data.errors import DataError, mismatch


class Origin(NamedTuple):
    """Where records were read, so that one of them can be named: the file, the key in it, and the rows."""

    where: str
    key: str = ""
    rows: np.ndarray | None = None  # the row of each record (N,); None: in the order stored

    def error(self, expected: str, found: str, record: int) -> DataError:
        row = record if self.rows is None else int(self.rows[record])
        return mismatch(self.where, f"{expected}{f' under {self.key}' if self.key else ''}", f"{found} in row {row}")


@dataclass(frozen=True)
class Split:
    """Records ready for a model; the first axis of both arrays counts them.

    Unequal or no counts, NaN and infinity raise DataError; so do inputs that are nothing but 0.0 where an `origin` says
    that they were read.
    """

    inputs: np.ndarray  # (N, ...)
    targets: np.ndarray  # (N, ...)
    origin: InitVar[Origin | None] = None

    def __post_init__(self, origin: Origin | None) -> None:
        if self.inputs.shape[:1] != self.targets.shape[:1]:
            raise mismatch("inputs and targets", "equal counts", f"shapes {self.inputs.shape}, {self.targets.shape}")
        if not self.inputs.shape or len(self.inputs) == 0:
            raise mismatch("inputs", "at least one record", f"shape {self.inputs.shape}")
        for name, array in (("inputs", self.inputs), ("targets", self.targets)):
            if array.dtype.kind == "f" and not (whole := np.isfinite(array)).all():
                place = np.unravel_index(int(whole.argmin()), whole.shape)
                source = origin or Origin(name)
                raise source.error(f"finite {name} after preparation", str(array[place]), int(place[0]))
        if origin and self.inputs.dtype.kind == "f" and not self.inputs.any():
            raise origin.error("inputs that are not all 0 after preparation", f"{len(self):,} of 0, the first", 0)

    def __len__(self) -> int:
        return len(self.inputs)

    def first(self, count: int | None) -> Split:
        """The first `count` records; all for None, or where there are no more."""
        return self if count is None else Split(self.inputs[:count], self.targets[:count])


def varied(origin: Origin, raw: np.ndarray, prepared: np.ndarray) -> None:
    """DataError where preparation took all that differs from most records: one number beyond all others does that.

    Both (N, ...); a record that is one number throughout in `raw` may be so in `prepared`.
    """
    before, after = (_ranges(array) > 0 for array in (raw, prepared))
    lost = before & ~after
    if 2 * lost.sum() > before.sum():
        largest = int(np.abs(raw).reshape(len(raw), -1).max(axis=1).argmax())
        count = f"{lost.sum():,} of {before.sum():,} that are one number throughout"
        raise origin.error("records that still vary after preparation", f"{count}, and the largest number", largest)


def _ranges(array: np.ndarray) -> np.ndarray:
    rows = array.reshape(len(array), -1)
    return np.asarray(rows.max(axis=1) - rows.min(axis=1))


@dataclass(frozen=True)
class Dataset:
    """One data set, read or generated, with its parts in the order in which training uses them."""

    name: str
    source: str  # "embedded", or the files that were read
    train: Split
    validation: Split | None
    test: Split
    classes: tuple[str, ...]  # class names; the vocabulary where the targets are words
    note: str = ""  # what the reader of a report must know about this source
    raw: np.ndarray | None = None  # what a picture shows where the inputs lost it, e.g. colour: train's records first

    def splits(self) -> dict[str, Split]:
        """Those that it has, by name."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    def arrays(self) -> Iterator[np.ndarray]:
        """All inputs and targets, in this order."""
        for split in self.splits().values():
            yield from (split.inputs, split.targets)
