"""Where two sides part: the statement whose result differs though all that it read agrees.

Every value that a statement made stands for right, wrong or neither. Right is what torch has as well, up to a factor,
and what a right result was computed from. Wrong is what a wrong result was computed from and is not right. The first
of those in the flow of the data, whose readings are none of them, is where the two part.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from twofold.compare.watch.lines import Execution, Trace
from twofold.compare.watch.matching import Match, Pool
from twofold.compare.watch.statements import Statement

ONE = 1e-9


@dataclass(frozen=True)
class Known:
    """A value that agrees: by which name it was bound where, and what it is to torch."""

    statement: Statement
    name: str
    times: int
    match: Match


@dataclass(frozen=True)
class Parting:
    """The statement with which a difference begins, and what agrees just before it."""

    statement: Statement
    name: str  # of what it binds that differs
    times: int  # how often that had been bound before: the step of a loop
    runs: int  # how often it is bound in all
    agreeing: tuple[Known, ...] = ()  # what it read that agrees
    suspects: tuple[Statement, ...] = ()  # this one first, then others that may be meant, likeliest first


@dataclass
class Flow:
    """The values of a trace, each as right or wrong as far as can be told."""

    trace: Trace
    pool: Pool
    dtype: str = "float64"
    matches: dict[int, Match | None] = field(default_factory=dict)

    def match(self, value: int) -> Match | None:
        if value not in self.matches:
            self.matches[value] = self.pool.find(self.trace.values[value], self.dtype)
        return self.matches[value]

    def behind(self, values: Iterable[int], stop: Callable[[int], bool] = lambda value: False) -> set[int]:
        """The values and all that they were computed from; of what stops it nothing further back."""
        found: set[int] = set()
        left = list(values)
        while left:
            value = left.pop()
            if value in found:
                continue
            found.add(value)
            if (maker := self.trace.makers.get(value)) is not None and not stop(value):
                left += maker.reads_of(value)
        return found

    def neutral(self, value: int) -> bool:
        """Whether it says nothing: a mask, an index, zeros and ones."""
        array = self.trace.values[value]
        return array.dtype.kind not in "fc" or (array.size > 1 and bool((array == array.flat[0]).all()))


def parted(flow: Flow, wrong: Mapping[str, int], right: Iterable[int]) -> Parting | None:
    """Where the wrong results begin to be wrong; None where no statement made them."""
    trace = flow.trace
    sound = flow.behind(right)
    off = {m.factor for value in wrong.values() if (m := flow.match(value)) is not None and abs(m.factor - 1) > ONE}
    turned = any(factor < 0 for factor in off)

    def agrees(value: int) -> bool:
        if value in sound or value not in trace.makers:
            return True
        if value in wrong.values() or (match := flow.match(value)) is None or not match.exact:
            return False
        if turned and match.factor < 0:
            return False
        return not any(abs(match.factor - factor) <= ONE * abs(factor) for factor in off)

    slice_ = flow.behind(wrong.values(), agrees)
    bad = {value for value in slice_ if not agrees(value) and not flow.neutral(value)}

    def begins(value: int) -> bool:
        """Whether nothing that its maker read is wrong, masks and indices seen through."""
        seen: set[int] = set()
        left = list(trace.makers[value].reads_of(value))
        while left:
            read = left.pop()
            if read in seen:
                continue
            seen.add(read)
            if read in bad:
                return False
            if flow.neutral(read) and read in trace.makers and read not in sound:
                left += trace.makers[read].reads_of(read)
        return True

    order = {id(execution): n for n, execution in enumerate(trace.executions)}
    made = sorted(bad, key=lambda value: (order.get(id(trace.makers[value]), 0), value))
    first = [value for value in made if begins(value)]
    if not first:
        return None
    whole = flow.behind(wrong.values()) - bad
    before = sorted((v for v in whole if v in trace.makers), key=lambda v: -order.get(id(trace.makers[v]), 0))
    ranked = [*first, *(value for value in made if value not in first), *before]
    statements = tuple(dict.fromkeys(trace.makers[value].statement for value in ranked))
    value = first[0]
    maker = trace.makers[value]
    runs = sum(one.statement is maker.statement and bool(one.made) for one in trace.executions)
    return Parting(
        maker.statement, name_of(maker, value), maker.times, runs, tuple(known(flow, maker, agrees)), statements
    )


def name_of(maker: Execution, value: int) -> str:
    return next((name for name, number in maker.writes.items() if number == value), "")


def known(flow: Flow, maker: Execution, agrees: Callable[[int], bool]) -> Iterable[Known]:
    """What it read that torch has as well, by name."""
    for read in maker.reads:
        origin = flow.trace.makers.get(read)
        if origin is None or not agrees(read) or (match := flow.match(read)) is None:
            continue
        yield Known(origin.statement, name_of(origin, read), origin.times, match)


def finite_only(flow: Flow) -> bool:
    return all(np.isfinite(value).all() for value in flow.trace.values if value.dtype.kind == "f")
