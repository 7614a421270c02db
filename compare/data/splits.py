"""What every reader returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twofold.compare.data.errors import mismatch


@dataclass(frozen=True)
class Split:
    """Records ready for a model; the first axis of both arrays counts them. Unequal or no counts raise DataError."""

    inputs: np.ndarray  # (N, ...)
    targets: np.ndarray  # (N, ...)

    def __post_init__(self) -> None:
        if self.inputs.shape[:1] != self.targets.shape[:1]:
            raise mismatch("inputs and targets", "equal counts", f"shapes {self.inputs.shape}, {self.targets.shape}")
        if not self.inputs.shape or len(self.inputs) == 0:
            raise mismatch("inputs", "at least one record", f"shape {self.inputs.shape}")

    def __len__(self) -> int:
        return len(self.inputs)

    def first(self, count: int | None) -> Split:
        """The first `count` records; all for None, or where there are no more."""
        return self if count is None else Split(self.inputs[:count], self.targets[:count])


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
