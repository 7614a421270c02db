"""What is published, what the two sides gave, and one judged figure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from twofold.compare.data.readers.files import Alternatives
from twofold.compare.published.printed import AS_SEEN, Form
from twofold.scratch.module import Array


class Basis(StrEnum):
    DIGIT = "digit"
    ENVELOPE = "envelope"
    NOT_INFORMATIVE = "not informative"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Figure:
    """One published number beside both sides', all at its printed precision; None where a side has none.

    `agrees` counts where the basis is digits or the envelope; else it says whether the digits happen to be equal.
    """

    pair: str
    run: str
    name: str
    published: str
    scratch: str | None
    reference: str | None
    agrees: Mapping[str, bool]
    basis: Basis
    reason: str = ""

    @property
    def counts(self) -> bool:
        return self.basis in (Basis.DIGIT, Basis.ENVELOPE)

    @property
    def disagrees(self) -> bool:
        return self.counts and not all(self.agrees.values())


@dataclass(frozen=True)
class Entry:
    """One number of a column: its name, its text, and its place in the curve that is computed."""

    name: str
    published: str
    at: int


@dataclass(frozen=True)
class Series:
    """One column that a run printed.

    The entries at places below `exact` (all, if None) come out to the digit, the later ones lie in the envelope.
    `units` of the last place are what the recipe itself allows a float32 run's digits. `within_range` is the one
    figure that the twins' range alone places.
    """

    name: str
    entries: tuple[Entry, ...]
    exact: int | None = None
    units: int = 0
    form: Form = AS_SEEN
    within_range: bool = False

    def unit(self, entry: Entry) -> float:
        """One unit of the last printed place."""
        return float(self.form.unit(entry.published))


@dataclass(frozen=True)
class Curves:
    """A column as computed, step by step: each side's, and the reference's one-ulp twins where an envelope is needed.

    Twins may stop early once their envelope has nothing more to say. Of an accuracy `undecided` is the share of images
    at each step that rounding may decide either way. `coarsest` is a term of lower precision than the sum it is in.
    """

    scratch: Array
    reference: Array
    twins: tuple[Array, ...] = ()
    undecided: Array | None = None
    coarsest: np.floating | None = None


@dataclass(frozen=True)
class Run:
    """One run of a source: its columns, the files that it needs, and how both sides compute it from their folder."""

    pair: str
    name: str
    series: tuple[Series, ...]
    compute: Callable[[Path], Mapping[str, Curves]]
    files: tuple[Alternatives, ...] = field(default=())
    unavailable: str = ""  # the reason why nothing brings it out
