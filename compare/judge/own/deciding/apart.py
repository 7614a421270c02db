"""The line with which two runs of one code part that should give the same: what is carried, added up, or wraps."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.own.deciding.watching import watching
from twofold.compare.judge.own.meeting.bout import Bout
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.watch.lines import Watcher
from twofold.compare.watch.statements import Statement
from twofold.compare.watch.trace import Dropped, Execution
from twofold.scratch.module import Array

Run = Callable[[Callable[[], Any]], object]  # is given what makes the context for its last call


def first_apart(bout: Bout, one: Run, other: Run) -> Place:
    """The first statement that binds other numbers in the second run than in the first; no place where none is seen."""
    try:
        first, second = watched_run(bout, one), watched_run(bout, other)
    except Exception:  # the code raises there, or something else traces: the verdict stands without a line
        return Place()
    known: dict[Statement, list[Execution]] = {}
    for execution in first[0]:
        known.setdefault(execution.statement, []).append(execution)
    for after in second[0]:
        times = known.get(after.statement, [])
        if not times:
            continue
        before = times[after.times % len(times)]  # of what runs twice in the second the second time too
        for name, number in after.writes.items():
            was = before.writes.get(name)
            if was is None or not same(second[1][number], first[1][was]):
                return replace(place_of(after), name=name)
    return Place()


def watched_run(bout: Bout, run: Run) -> tuple[list[Execution], list[Array]]:
    """Raises Dropped."""
    kept: list[Watcher] = []
    run(partial(watching, bout, kept))
    if kept[0].dropped:
        raise Dropped(kept[0].dropped)
    trace = kept[0].trace
    return [one for one in trace.executions if not one.joins], trace.values


def same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True))


def place_of(execution: Execution) -> Place:
    return Place(file=execution.statement.file, line=execution.statement.line)
