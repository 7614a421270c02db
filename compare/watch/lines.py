"""What the lines of some files bind, run by run: every array, by the statement that made it and those that it read.

A trace function looks at a statement's variables before and after it runs. What it keeps are contents: the same
numbers under another name are the same value, made by the statement that had them first. So a value has one maker, and
makers with what they read are the flow of the data.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import FrameType
from typing import Any

import numpy as np

from twofold.compare.watch.statements import Chain, Statement, statements_of
from twofold.scratch.module import Array

MOST_BYTES = 1 << 30  # of kept contents
MOST_STATEMENTS = 200_000  # in one run
MOST_PARTS = 400  # of a list, a dict or an object that is looked through
DEPTH = 4


Belongs = Callable[[str], bool]  # whether a file is watched


class Dropped(Exception):
    """Why there is no watch: a debugger's is there, or it would take too much."""


@dataclass
class Execution:
    """One run of one statement: the values that it read, and those that it bound, by name."""

    statement: Statement
    read: tuple[tuple[Chain | str, int], ...]  # by the variable, or the name of what was called and gave it
    began: int = 0  # in the order in which statements begin
    writes: dict[str, int] = field(default_factory=dict)
    times: int = 0  # how often it had bound something before
    made: dict[int, int] = field(default_factory=dict)  # the new values that it bound, by how much it had read then

    @property
    def reads(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for _, number in self.read))

    def read_by(self, value: int) -> tuple[tuple[Chain | str, int], ...]:
        """What one of several results was made from, where the statement says so."""
        names = [name for name, number in self.writes.items() if number == value]
        for path, chains, calls in self.statement.parts:
            if any(name == path or name.startswith((f"{path}[", f"{path}.")) for name in names):
                return tuple((by, n) for by, n in self.read if by in chains or (isinstance(by, str) and by in calls))
        return self.read[: self.made.get(value, len(self.read))]

    def reads_of(self, value: int) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for _, number in self.read_by(value)))

    def surely_read(self, value: int) -> set[int]:
        """Without what stands in a list or an object that it read as a whole, and perhaps did not use."""
        by: dict[Chain | str, list[int]] = {}
        for variable, number in self.read_by(value):
            by.setdefault(variable, []).append(number)
        return {numbers[0] for variable, numbers in by.items() if len(numbers) == 1 and not isinstance(variable, str)}


@dataclass
class Trace:
    """All executions in order, and the distinct contents that they bound."""

    executions: list[Execution] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    makers: dict[int, Execution] = field(default_factory=dict)  # by value, its first statement
    numbers: dict[Any, int] = field(default_factory=dict)  # values by content
    bytes: int = 0

    def number(self, array: Array) -> int:
        """The number of a content, which is kept if it is new. Raises Dropped."""
        key = array.shape, array.dtype.char, array.tobytes()
        found = self.numbers.get(key)
        if found is None:
            self.bytes += 2 * array.nbytes
            if self.bytes > MOST_BYTES:
                raise Dropped(f"more than {MOST_BYTES >> 30} GB would have to be kept")
            found = self.numbers[key] = len(self.values)
            self.values.append(np.array(array))
        return found

    def known(self, array: Array) -> int | None:
        """The number of a content that was bound, whatever its shape."""
        found = self.numbers.get((array.shape, array.dtype.char, array.tobytes()))
        if found is not None:
            return found
        alike = (n for (_, kind, held), n in self.numbers.items() if kind == array.dtype.char)
        return next((n for n in alike if self.values[n].tobytes() == array.tobytes()), None)


def arrays_in(value: Any, belongs: Belongs, depth: int = DEPTH) -> Iterator[tuple[str, Array]]:
    """The arrays and floats in a value, by the path to each."""
    if isinstance(value, np.ndarray):
        if value.dtype != object:
            yield "", value
        elif depth:
            yield from parts_of(enumerate(value.ravel()), belongs, depth)
    elif isinstance(value, float | np.floating):
        yield "", np.asarray(value)
    elif isinstance(value, list | tuple):
        yield from parts_of(enumerate(value), belongs, depth)
    elif isinstance(value, dict):
        yield from parts_of(value.items(), belongs, depth)
    elif is_tensor(value):
        if value.is_floating_point():
            yield "", (value.float() if value.dtype.itemsize == 2 else value).detach().cpu().numpy()
    elif is_of(type(value), belongs) and depth:
        held = vars(value) if hasattr(value, "__dict__") else slots_of(value)
        for name, part in list(held.items())[:MOST_PARTS]:
            for path, array in arrays_in(part, belongs, depth - 1):
                yield f".{name}{path}", array


def parts_of(parts: Any, belongs: Belongs, depth: int) -> Iterator[tuple[str, Array]]:
    if not depth:
        return
    for n, (key, part) in enumerate(list(parts)):
        if n >= MOST_PARTS:
            return
        for path, array in arrays_in(part, belongs, depth - 1):
            yield f"[{key!r}]{path}", array


def slots_of(value: Any) -> dict[str, Any]:
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def is_tensor(value: Any) -> bool:
    """One of torch's, without importing it."""
    return hasattr(value, "detach") and hasattr(value, "is_floating_point")


def nothing(file: str) -> bool:
    """Of no file: objects are not looked into."""
    return False


def is_of(kind: type, belongs: Belongs) -> bool:
    """Whether a class is written in a file that is watched."""
    module = sys.modules.get(kind.__module__)
    return belongs(getattr(module, "__file__", None) or "")


Place = tuple[str, Any, bool]


def resolved(chain: Chain, frame: FrameType, names: Mapping[str, Any]) -> Iterator[Place]:
    """What a chain says now: how far it can be followed as text, the value there, whether that is all of it.

    Arrays end it. Of a dict or list by a key that is computed it is the whole.
    """
    name, keys = chain
    value = names[name] if name in names else frame.f_globals.get(name)
    known = [key if kind != "variable" else names.get(key, frame.f_globals.get(key)) for kind, key in keys]
    yield from followed(name, value, list(zip((kind for kind, _ in keys), known, strict=True)))


def followed(text: str, value: Any, keys: list[tuple[str, Any]]) -> Iterator[Place]:
    if not keys:
        yield text, value, True
        return
    (kind, key), rest = keys[0], keys[1:]
    if value is None or isinstance(value, np.ndarray | float | int | type) or inspect.isroutine(value):
        yield text, value, False
    elif kind == "attribute":
        if isinstance(value, list | tuple | dict | set) or (is_tensor(value) and key not in vars(value)):
            yield text, value, False  # a method of theirs
        else:
            yield from followed(f"{text}.{key}", attribute(value, key), rest)
    elif not isinstance(value, list | tuple | dict):
        yield text, value, False
    elif kind == "any" or not isinstance(key, str | int | tuple):
        if not rest:
            yield text, value, True
            return
        for n, part in list(value.items() if isinstance(value, dict) else enumerate(value))[:MOST_PARTS]:
            yield from followed(f"{text}[{n!r}]", part, rest)
    else:
        try:
            part = element(value, key)
        except (KeyError, IndexError, TypeError):
            return
        yield from followed(f"{text}[{key!r}]", part, rest)


def element(value: Any, key: Any) -> Any:
    return value[key]


def attribute(value: Any, name: str) -> Any:
    """What an object holds under a name; None for what it has not, and for methods."""
    held = getattr(value, "__dict__", {})
    if name in held:
        return held[name]
    kind = getattr(type(value), name, None)
    if isinstance(kind, property) or inspect.ismemberdescriptor(kind) or (kind is not None and not callable(kind)):
        return getattr(value, name, None)
    return None


@dataclass
class Open:
    """A frame's statement that has begun."""

    execution: Execution
    before: frozenset[int]


class Watcher:
    """Called for lines and returns of frames in files that belong to what is watched."""

    def __init__(self, belongs: Belongs, given: Iterable[Array] = ()) -> None:
        self.belongs, self.trace = lru_cache(maxsize=None)(belongs), Trace()
        self.statements: dict[str, dict[int, Statement]] = {}
        self.open: dict[int, Open] = {}
        self.counts: dict[tuple[str, int], int] = {}
        self.given = {self.trace.number(array) for array in given}  # values that no statement made
        self.begun = 0
        self.dropped = ""

    def line(self, frame: FrameType) -> None:
        self.close(frame)
        file = frame.f_code.co_filename
        if file not in self.statements:
            self.statements[file] = statements_of(file)
        statement = self.statements[file].get(frame.f_lineno)
        if statement is None:
            return
        if len(self.trace.executions) >= MOST_STATEMENTS:
            raise Dropped(f"more than {MOST_STATEMENTS} statements run")
        before = list(self.seen(statement, frame))
        read = tuple((chain, number) for chain, _, number, whole in before if not (whole and chain in statement.stored))
        self.begun += 1
        execution = Execution(statement, read, self.begun)
        self.open[id(frame)] = Open(execution, frozenset(number for _, _, number, _ in before))
        self.given |= {number for _, number in read if number not in self.trace.makers}

    def enter(self, frame: FrameType) -> None:
        """A call: an argument that is new was made by the statement that calls."""
        if (execution := self.caller(frame)) is None:
            return
        code, names = frame.f_code, frame.f_locals
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            for path, array in arrays_in(names.get(name), nothing):
                number = self.trace.number(array)
                if number not in self.trace.makers and number not in self.given:
                    self.make(execution, f"{name}{path}", number)

    def make(self, execution: Execution, name: str, number: int) -> None:
        execution.writes[name] = number
        execution.made[number] = len(execution.read)
        self.trace.makers[number] = execution

    def leave(self, frame: FrameType, value: Any) -> None:
        """A return: what the last statement left, and what is handed back."""
        if id(frame) not in self.open:
            return
        returned = [(f"return{path}", self.trace.number(array)) for path, array in arrays_in(value, self.belongs)]
        self.close(frame, returned)
        if (caller := self.caller(frame)) is not None:
            caller.read = (*caller.read, *((frame.f_code.co_name, number) for _, number in returned))

    def caller(self, frame: FrameType) -> Execution | None:
        """The statement that called."""
        above = frame.f_back
        while above is not None and id(above) not in self.open:
            above = above.f_back
        return None if above is None else self.open[id(above)].execution

    def close(self, frame: FrameType, more: list[tuple[str, int]] | None = None) -> None:
        begun = self.open.pop(id(frame), None)
        if begun is None:
            return
        execution = begun.execution
        statement = execution.statement
        after = self.seen(statement, frame)
        writes = [(name, number) for _, name, number, _ in after if number not in begun.before]
        writes += more or []
        if not writes and not execution.made:
            return
        place = statement.file, statement.line
        execution.times = self.counts.get(place, 0)
        self.counts[place] = execution.times + 1
        for name, number in writes:
            if number in self.trace.makers or number in begun.before or number in self.given:
                execution.writes[name] = number
            else:
                self.make(execution, name, number)
        self.trace.executions.append(execution)

    def seen(self, statement: Statement, frame: FrameType) -> Iterator[tuple[Chain, str, int, bool]]:
        """The arrays that a statement's variables hold now; whether one is all that was asked for, or has an element.

        What is stored to an element of an array needs the rest of it; what replaces a variable needs nothing.
        """
        names = frame.f_locals
        for chain in statement.chains:
            for text, value, whole in resolved(chain, frame, names):
                for path, array in arrays_in(value, self.belongs):
                    yield chain, f"{text}{path}", self.trace.number(array), whole

    def guarded(self, told: Callable[..., None], *what: Any) -> None:
        """A watcher's own trouble ends the watch, and nothing else."""
        if self.dropped:
            return
        try:
            told(*what)
        except Exception as error:
            self.dropped = str(error) if isinstance(error, Dropped) else f"{type(error).__name__}: {error}"
            self.open.clear()


@contextmanager
def watched(belongs: Belongs, given: Iterable[Array] = ()) -> Iterator[Watcher]:
    """While it lasts every statement of the files is watched; `given` are arrays that are there before.

    Raises Dropped where something else traces already.
    """
    watcher = Watcher(belongs, given)
    if hasattr(sys, "monitoring"):
        with monitored(watcher):
            yield watcher
        return
    if sys.gettrace() is not None:
        raise Dropped("a debugger or a coverage measurement traces already")

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
        yield watcher
    finally:
        sys.settrace(None)


@contextmanager
def monitored(watcher: Watcher) -> Iterator[None]:
    """By sys.monitoring, which calls nothing for code of other files once that was asked to be left alone."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    events = monitoring.events
    tool = next((n for n in (3, 4) if monitoring.get_tool(n) is None), None)
    if tool is None or sys.gettrace() is not None or monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        raise Dropped("a debugger or a coverage measurement traces already")

    def start(code: Any, offset: int) -> Any:
        if not watcher.belongs(code.co_filename):
            return monitoring.DISABLE
        watcher.guarded(watcher.enter, sys._getframe(1))
        return None

    def line(code: Any, number: int) -> Any:
        if not watcher.belongs(code.co_filename):
            return monitoring.DISABLE
        watcher.guarded(watcher.line, sys._getframe(1))
        return None

    def leave(code: Any, offset: int, value: Any) -> Any:
        if not watcher.belongs(code.co_filename):
            return monitoring.DISABLE
        watcher.guarded(watcher.leave, sys._getframe(1), value)
        return None

    def unwind(code: Any, offset: int, error: Any) -> Any:
        if watcher.belongs(code.co_filename):
            watcher.guarded(watcher.leave, sys._getframe(1), None)

    monitoring.use_tool_id(tool, "twofold")
    calls = {
        events.PY_START: start,
        events.LINE: line,
        events.PY_RETURN: leave,
        events.PY_YIELD: leave,
        events.PY_UNWIND: unwind,
    }
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
