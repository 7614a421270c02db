"""What of a watched run torch has as well: every value agrees, is wrong, or says nothing.

A value agrees if torch has it too, up to a factor, or if a right result was computed from it. It is wrong if a wrong
result was computed from it and it does not agree.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from twofold.compare.watch.matching import ONE, Match, Pool, off_by
from twofold.compare.watch.trace import Trace
from twofold.scratch.module import Array

CHOOSING = re.compile(r"\b(max|min|maximum|minimum|where|sort|clip|argmax|argsort|partition|median)\b")


@dataclass
class Flow:
    """The values of a trace beside torch's.

    `wrong` are results that differ, `right` such as agree, `off` the factors by which results differ, if by factors.
    """

    trace: Trace
    pool: Pool
    wrong: Mapping[str, int]
    right: Iterable[int]
    off: Sequence[float] = ()
    dtype: str = "float64"
    unmade: bool = False  # whether results are wrong that no statement made, as what torch's autograd gives
    found: dict[int, list[Match]] = field(default_factory=dict)
    judged: dict[int, bool] = field(default_factory=dict)
    updated: dict[int, int | None] = field(default_factory=dict)

    def matches(self, value: int) -> list[Match]:
        if value not in self.found:
            every = self.pool.matches(self.trace.values[value], self.dtype)
            self.found[value] = sorted((match for match in every if match.exact), key=likely)
        return self.found[value]

    def behind(self, values: Iterable[int]) -> set[int]:
        """The values and all that they were computed from."""
        found: set[int] = set()
        left = list(values)
        while left:
            value = left.pop()
            if value not in found:
                found.add(value)
                left += self.read_for(value)
        return found

    def read_for(self, value: int) -> tuple[int, ...]:
        maker = self.trace.makers.get(value)
        return () if maker is None else maker.reads_of(value)

    @property
    def results(self) -> set[int]:
        """Those that are wrong."""
        return set(self.wrong.values())

    @cached_property
    def used(self) -> set[int]:
        """All that right results were computed from, and what torch's own were: what uses a wrong one would differ."""
        found = self.behind(self.right)
        for value, maker in sorted(self.trace.makers.items(), key=lambda item: item[0]):  # each after what it was
            if value in self.results:
                continue
            before = self.before(value)
            if before is not None or self.fits([match.factor for match in self.matches(value)]):
                found |= {read for read in maker.surely_read(value) if read != before and read < value}
        return found - self.results

    def agrees(self, value: int) -> bool:
        """Whether torch has it, or a right result needed it, or it was given."""
        if value not in self.judged:
            self.judged[value] = self._agrees(value)
        return self.judged[value]

    def _agrees(self, value: int) -> bool:
        if value not in self.trace.makers or value in self.used:
            return True
        return value not in self.results and self.torch_has(value)

    def torch_has(self, value: int) -> bool:
        """Whether it, or each part that was stored in it, is torch's."""
        if self.fits([match.factor for match in self.matches(value)]):
            return True
        before = self.before(value)
        return before is not None and (self.neutral(before) or (before < value and self.agrees(before)))

    def fits(self, factors: list[float]) -> bool:
        """Whether one of the factors to torch's is none by which results are wrong."""
        if any(abs(factor - 1) <= ONE for factor in factors):
            return True
        if any(abs(factor - other) <= ONE * abs(other) for factor in factors for other in self.off):
            return False
        turned = any(factor < 0 for factor in self.off)
        return any(factor > 0 or not turned for factor in factors)

    def before(self, value: int) -> int | None:
        """Of an array in which a part was stored or added that torch has: what it was before."""
        if value not in self.updated:
            self.updated[value] = None  # while it is asked
            self.updated[value] = self._before(value)
        return self.updated[value]

    def _before(self, value: int) -> int | None:
        if value in self.results:
            return None
        array = self.trace.values[value]
        if array.dtype.kind != "f":
            return None
        for read in self.read_for(value):
            before = self.trace.values[read]
            if before.shape != array.shape or before.dtype != array.dtype or not array.ndim:
                continue
            changed = np.argwhere(array != before)
            if not len(changed):
                continue
            if off_by(array, before) is not None:  # so many times what it was is no sum
                continue
            box = tuple(slice(low, high + 1) for low, high in zip(changed.min(0), changed.max(0), strict=True))
            # to what was something before, as to a target, nothing is added that torch has not too
            parts = [array[box], array[box] - before[box]] if read < value and self.sums(read) else [array[box]]
            parts = [part for part in parts if not (np.abs(part) == 1).all()]
            if any(self.fits([m.factor for m in self.pool.matches(part, self.dtype) if m.exact]) for part in parts):
                return read
        return None

    def sums(self, value: int) -> bool:
        """Whether it is zeros, or a sum that began with them or with a part of what torch has."""
        if not self.trace.values[value].any() or self.before(value) is not None:
            return True
        return any(match.at and match.label[:1] != ("value",) for match in self.matches(value))

    def neutral(self, value: int) -> bool:
        """Whether it says nothing: a mask, an index, zeros and ones, what was only put in another place."""
        array = self.trace.values[value]
        if array.dtype.kind not in "fc" or not array.any() or (array.size > 1 and (array == array.flat[0]).all()):
            return True
        maker = self.trace.makers.get(value)
        if not array.ndim and maker is not None and float(array) in maker.statement.constants:
            return True
        if not array.ndim and self.has_arrays:
            read = self.read_for(value)
            return not any(self.trace.values[one].ndim for one in read)  # a number from numbers: a size, a rate
        return self.arranged(value)

    @cached_property
    def has_arrays(self) -> bool:
        """Whether it computes with arrays at all: in an engine of scalars every number counts."""
        return any(value.ndim and value.dtype.kind == "f" for value in self.trace.values)

    def arranged(self, value: int) -> bool:
        """Whether its maker only takes out, joins or pads what it read, and leaves out none by its value."""
        maker = self.trace.makers.get(value)
        if maker is not None and maker.joins:
            return True
        if maker is None or CHOOSING.search(maker.statement.text):
            return False
        array = self.trace.values[value]
        read = [self.trace.values[number] for number in maker.reads_of(value)]
        read = [other for other in read if other.dtype.kind == "f"]
        if array.size < 2 or not read:
            return False
        there = [*(other.ravel() for other in read), np.array(sorted(maker.statement.constants))]
        if not np.isin(array[array != 0], np.concatenate(there)).all():
            return False
        return not any(masked(array, other) for other in read)

    def given(self, value: int) -> bool:
        """Whether no statement computed it: a parameter, data, or such in another place."""
        left, seen = [value], set()
        while left:
            one = left.pop()
            if one in self.trace.makers and one not in seen:
                if not self.neutral(one):
                    return False
                left += self.read_for(one)
            seen.add(one)
        return True

    def bad(self) -> list[int]:
        """The wrong results and what is wrong behind them, in the order in which statements began.

        Where no statement made the results all that does not agree.
        """
        for value in sorted(self.trace.makers):  # each after what it may be an update of
            if self.trace.values[value].dtype.kind == "f":
                self.agrees(value)
        among: set[int] = set()
        left = list(self.results) or (list(self.trace.makers) if self.unmade else [])
        while left:
            value = left.pop()
            if value not in among:
                among.add(value)
                if not self.agrees(value):
                    left += self.read_for(value)
        found = {v for v in among if not self.agrees(v) and (v in self.results or not self.neutral(v))}
        return sorted((v for v in found if v in self.trace.makers), key=self.place)

    def place(self, value: int) -> tuple[bool, int, int]:
        """Arrays first: of what is one number, a sum or a rate, torch has more seldom the like."""
        lone = self.trace.values[value].ndim == 0 and value not in self.results
        return lone and self.has_arrays, self.trace.makers[value].began, value

    def begins(self, value: int, bad: set[int]) -> bool:
        """Whether nothing that its maker read is wrong, what says nothing seen through."""
        seen: set[int] = set()
        left = list(self.read_for(value))
        while left:
            read = left.pop()
            if read in bad:
                return False
            if read not in seen and read not in self.used and self.neutral(read):
                left += self.read_for(read)
            seen.add(read)
        return True


def likely(match: Match) -> tuple[bool, bool, int]:
    return abs(match.factor - 1) > ONE, match.factor < 0, len(match.at)


def masked(array: Array, other: Array) -> bool:
    """Whether it is the other with entries set to zero."""
    if other.shape != array.shape:
        return False
    gone = array == 0
    return bool(((array == other) | gone).all() and (other[gone] != 0).any())
