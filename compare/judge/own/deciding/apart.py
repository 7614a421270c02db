"""The line with which two runs of one code part that should give the same: what is carried, added up, or wraps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.own.deciding.watching import trace_of
from twofold.compare.judge.own.meeting.bout import Bout
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.watch.statements import Statement
from twofold.compare.watch.trace import Execution, Trace
from twofold.scratch.module import Array

Run = Callable[[Callable[[], Any]], object]  # is given what makes the context for its last call


def first_apart(bout: Bout, one: Run, other: Run) -> tuple[Place, str]:
    """The first statement that binds other numbers in the second run than in the first, and how it is told.

    Where it only finds what the first run left, the statement that had made that. No place where none is seen.
    """
    try:
        (_, first), (_, second) = trace_of(bout, one), trace_of(bout, other)
    except Exception:  # the code raises there, or something else traces: the verdict stands without a line
        return Place(), ""
    known: dict[Statement, list[Execution]] = {}
    for execution in first.executions:
        if not execution.joins:
            known.setdefault(execution.statement, []).append(execution)
    for after in second.executions:
        if after.joins:
            continue
        times = known.get(after.statement, [])
        if not times:
            continue
        before = times[after.times % len(times)]  # of what runs twice in the second the second time too
        for name, number in after.writes.items():
            was = before.writes.get(name)
            if was is None or not same(second.values[number], first.values[was]):
                left = left_by(first, second.values[number], after)
                told = f"{name}, line {after.statement.line}, is the first that is another then"
                told += f": what line {left.statement.line} made in the call before" if left else ""
                return replace(place_of(left or after), name=name), told
    return Place(), ""


def left_with(bout: Bout, run: Run, array: Array) -> tuple[Place, str]:
    """The statement that made what an array holds after a run, and how it is told; no place where none is seen."""
    try:
        _, trace = trace_of(bout, run)
    except Exception:  # as above
        return Place(), ""
    known = trace.known(array)
    made = None if known is None else trace.makers.get(known)
    if made is None:
        return Place(), ""
    return place_of(made), f"line {made.statement.line} makes what stands there after it"


def left_by(first: Trace, array: Array, after: Execution) -> Execution | None:
    """What had made in the first run the numbers that the second one finds, as by writing into what is kept."""
    known = first.known(array)
    made = None if known is None else first.makers.get(known)
    return None if made is None or made.statement is after.statement else made


def same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True))


def place_of(execution: Execution) -> Place:
    return Place(file=execution.statement.file, line=execution.statement.line)
