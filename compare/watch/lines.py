"""A watch over the lines of some files while it lasts: by sys.settrace, from Python 3.12 on by sys.monitoring."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from twofold.compare.watch.blank import blank
from twofold.compare.watch.trace import MOST_BYTES, Dropped
from twofold.compare.watch.values import Belongs
from twofold.compare.watch.watcher import MOST_STATEMENTS, Watcher
from twofold.scratch.module import Array

__all__ = ["Dropped", "Watcher", "watched"]

DEEPER = 200  # what a watcher needs above code that recurses as deep as it may
TOOL = "twofold"
OTHERS = "a debugger or a coverage measurement traces already"


@contextmanager
def watched(
    belongs: Belongs,
    given: Iterable[Array] = (),
    most_statements: int = MOST_STATEMENTS,
    most_bytes: int = MOST_BYTES,
) -> Iterator[Watcher]:
    """While it lasts every statement of the files is watched; `given` are arrays that are there before.

    What other threads run is not. Raises Dropped where something else traces already.
    """
    watcher = Watcher(belongs, given, most_statements, most_bytes)
    if sys.gettrace() is not None:
        raise Dropped(OTHERS)
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + DEEPER)
    try:
        with blank(watcher.belongs), monitored(watcher) if hasattr(sys, "monitoring") else traced(watcher):
            yield watcher
    finally:
        if sys.getrecursionlimit() == depth + DEEPER:
            sys.setrecursionlimit(depth)


@contextmanager
def traced(watcher: Watcher) -> Iterator[None]:
    """By sys.settrace, for what is called from now on."""

    def of_frame(frame: FrameType, event: str, value: Any) -> Any:
        if watcher.dropped:
            return None
        if event == "line":
            watcher.guarded(watcher.line, frame)
        elif event == "return":
            watcher.guarded(watcher.leave, frame, value)
        return of_frame

    def of_call(frame: FrameType, event: str, value: Any) -> Any:
        if watcher.dropped or not watcher.belongs(frame.f_code.co_filename):
            return None
        watcher.guarded(watcher.enter, frame)
        return of_frame

    sys.settrace(of_call)
    try:
        yield
    finally:
        if sys.gettrace() is of_call:
            sys.settrace(None)
        elif not watcher.dropped:
            watcher.drop("the code sets a trace function of its own")


def line_at(code: CodeType, offset: int) -> int | None:
    return next((line for start, end, line in code.co_lines() if start <= offset < end), None)


@contextmanager
def monitored(watcher: Watcher) -> Iterator[None]:
    """By sys.monitoring, which calls nothing for code of other files once that was asked to be left alone."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    events = monitoring.events
    used = [monitoring.get_tool(n) for n in range(6)]
    tool = next((n for n in (3, 4) if used[n] is None), None)
    if tool is None or TOOL in used or used[monitoring.DEBUGGER_ID] is not None:
        raise Dropped(OTHERS)

    def told(what: Callable[..., None], last: bool = False) -> Callable[..., Any]:
        def event(code: CodeType, at: int, *value: Any) -> Any:
            if not watcher.belongs(code.co_filename):
                return None if what is unwound else monitoring.DISABLE  # of an unwinding none can be asked for
            if watcher.dropped:
                return None
            watcher.guarded(what, sys._getframe(1), *value[:last])
            return None

        return event

    def unwound(frame: FrameType) -> None:
        watcher.leave(frame, None)

    def resumed(frame: FrameType) -> None:
        """A generator goes on where it left off, on a line that is not told again."""
        watcher.enter(frame)
        watcher.line(frame)

    def jump(code: CodeType, at: int, to: int) -> Any:
        if to > at or not watcher.belongs(code.co_filename):
            return monitoring.DISABLE
        frame = sys._getframe(1)
        if line_at(code, to) != frame.f_lineno:
            return monitoring.DISABLE
        watcher.guarded(watcher.again, frame)
        return None

    calls = {
        events.JUMP: jump,
        events.PY_START: told(watcher.enter),
        events.PY_RESUME: told(resumed),
        events.LINE: told(watcher.line),
        events.PY_RETURN: told(watcher.leave, True),
        events.PY_YIELD: told(watcher.leave, True),
        events.PY_UNWIND: told(unwound),
    }
    monitoring.use_tool_id(tool, TOOL)
    try:
        for event, call in calls.items():
            monitoring.register_callback(tool, event, call)
        monitoring.set_events(tool, sum(calls))
        monitoring.restart_events()
        yield
    finally:
        monitoring.set_events(tool, 0)
        for event in calls:
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
