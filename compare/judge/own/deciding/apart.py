"""The line with which two runs of one code part that should give the same: what is carried, added up, or wraps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.own.deciding.watching import trace_of
from twofold.compare.judge.own.meeting.bout import Bout
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.watch.statements import Statement
from twofold.compare.watch.trace import Execution, Trace, content
from twofold.scratch.module import Array

Run = Callable[[Callable[[], Any]], object]  # is given what makes the context for its last call


def first_apart(bout: Bout, one: Run, other: Run, carries: bool) -> tuple[Place, str]:
    """The first statement that binds other numbers in the second run than in the first, and how it is told.

    Where that one `carries` over and it only finds what was left, the statement that had made it. No place where none
    is seen.
    """
    try:
        (_, first), (_, second) = trace_of(bout, one), trace_of(bout, other)
    except Exception:  # the code raises there, or something else traces: the verdict stands without a line
        return Place(), ""
    return next(others(first, second, carries), (Place(), ""))


def others(first: Trace, second: Trace, carries: bool) -> Iterator[tuple[Place, str]]:
    """Each statement of the second run that binds what it did not bind in the first."""
    known: dict[Statement, list[Execution]] = {}
    for execution in first.executions:
        if not execution.joins:
            known.setdefault(execution.statement, []).append(execution)
    bound = {statement: {n for one in times for n in one.writes.values()} for statement, times in known.items()}
    for after in second.executions:
        times = [] if after.joins else known.get(after.statement, [])
        for name, number in after.writes.items() if times else ():
            array, before = second.values[number], times[after.times % len(times)]
            if first.numbers.get(content(array)) in bound[after.statement]:  # what a set holds comes in another order
                continue
            if (was := before.writes.get(name)) is None or not same(array, first.values[was]):
                left = left_over(first, second, known, after, number) if carries else None
                told = f"{name}, line {after.statement.line}, is the first that is another then"
                told += f": what line {left.statement.line} made in an earlier call" if left else ""
                yield replace(place_of(left or after), name=name), told


def left_over(
    first: Trace, second: Trace, known: Mapping[Statement, list[Execution]], after: Execution, number: int
) -> Execution | None:
    """What had made in the first call the numbers that the second one finds, as by writing into what is kept."""
    again = after.times >= len(known[after.statement])  # both calls are in the second run, and this is of the latter
    maker = second.makers.get(number)
    if maker not in (None, after) and not (again and maker.times < len(known.get(maker.statement, ()))):
        return None  # the second call made it itself
    made = maker_of(first, second.values[number])
    return None if made is None or made.statement is after.statement else made


def left_with(bout: Bout, run: Run, array: Array) -> tuple[Place, str]:
    """The statement that made what an array holds after a run, and how it is told; no place where none is seen."""
    try:
        _, trace = trace_of(bout, run)
    except Exception:  # as above
        return Place(), ""
    made = maker_of(trace, array)
    if made is None:
        return Place(), ""
    return place_of(made), f"line {made.statement.line} makes what stands there after it"


def maker_of(trace: Trace, array: Array) -> Execution | None:
    """What had these numbers first."""
    known = trace.known(array)
    return None if known is None else trace.makers.get(known)


def same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True))


def place_of(execution: Execution) -> Place:
    return Place(file=execution.statement.file, line=execution.statement.line)
