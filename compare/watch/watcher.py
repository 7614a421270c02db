"""What is done for each line that runs: its statement's variables are looked at before and after it.

So of every array that a statement binds is known what it read; contents are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import get_ident
from types import CodeType, FrameType
from typing import Any
from weakref import ref

import numpy as np

from twofold.compare.watch.current import is_current
from twofold.compare.watch.statements import Chain, Statement, statements_of
from twofold.compare.watch.trace import MOST_BYTES, Dropped, Execution, Trace
from twofold.compare.watch.values import Belongs, arrays_in, nothing, resolved
from twofold.scratch.module import Array

MOST_STATEMENTS = 200_000  # in one run
COMPREHENSIONS = "<listcomp>", "<setcomp>", "<dictcomp>"  # frames of their own up to Python 3.11


@dataclass
class Open:
    """A frame's statement that has begun."""

    execution: Execution
    before: frozenset[int]
    named: Mapping[str, int]
    at: int  # the line of it that came last


@dataclass
class Memory:
    """What was written to the memory of one array, through whichever views, and what those held."""

    root: Any  # a weak reference: who has no longer an array may have another in its place
    writes: list[tuple[Execution, int]]
    contents: dict[Any, int]


def root_of(array: Array) -> Array:
    root: Any = array
    while issubclass(type(root.base), np.ndarray):
        root = root.base
    return root


def view_of(array: Array) -> Any:
    return array.ctypes.data, array.shape, array.strides


class Watcher:
    """Called for lines and returns of frames in files that belong to what is watched."""

    def __init__(
        self,
        belongs: Belongs,
        given: Iterable[Array] = (),
        most_statements: int = MOST_STATEMENTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.belongs, self.trace = lru_cache(maxsize=None)(belongs), Trace(most_bytes=most_bytes)
        self.most_statements = most_statements
        self.thread = get_ident()
        self.current: dict[int, tuple[CodeType, bool]] = {}  # code, and whether its text is what runs, by id
        self.statements: dict[str, dict[int, Statement]] = {}
        self.open: dict[int, Open] = {}
        self.counts: dict[tuple[str, int], int] = {}
        self.given = {self.trace.number(array) for array in given}  # values that no statement made
        self.returning: dict[int, Open] = {}  # by frame its return, which a with around it ends after
        self.memory: dict[int, Memory] = {}
        self.begun = 0
        self.dropped = ""

    def line(self, frame: FrameType) -> None:
        statement = self.statement(frame)
        if (begun := self.open.get(id(frame))) is not None:
            within = begun.at != frame.f_lineno or frame.f_code.co_name in COMPREHENSIONS
            if begun.execution.statement is statement and within:
                begun.at = frame.f_lineno  # another line of the same, or another element
                return
            if begun.execution.statement.returns:
                self.returning[id(frame)] = begun
        self.close(frame)
        if statement is None:
            return
        if self.begun >= self.most_statements:
            raise Dropped(f"more than {self.most_statements} statements run")
        before = list(self.seen(statement, frame))
        for _, name, number, _, array in before:
            self.remember(name, number, array)
        read = tuple((by, number) for by, _, number, whole, _ in before if not (whole and by in statement.stored))
        self.begun += 1
        execution = Execution(statement, read, self.begun)
        seen = frozenset(one[2] for one in before)
        named = {name: number for _, name, number, _, _ in before}
        self.open[id(frame)] = Open(execution, seen, named, frame.f_lineno)
        self.given |= {number for _, number in read if number not in self.trace.makers}

    def again(self, frame: FrameType) -> None:
        """A jump back to the same line: a loop that stands on one, and begins anew."""
        statement = self.statement(frame)
        if statement is not None and statement.loops:
            self.line(frame)

    def statement(self, frame: FrameType) -> Statement | None:
        """What a frame is at. Raises Dropped where the text is no longer what runs."""
        code = frame.f_code
        file = code.co_filename
        if id(code) not in self.current:
            self.current[id(code)] = code, is_current(code)
        if not self.current[id(code)][1]:
            if file.startswith("<"):  # no file: many texts are called <string>, of which one is known at the most
                return None
            raise Dropped(f"{file} is no longer what runs")
        if file not in self.statements:
            self.statements[file] = statements_of(file)
        return self.statements[file].get(frame.f_lineno)

    def remember(self, name: str, number: int, array: Array) -> None:
        """An array that is read. One that is new though no statement bound it was written to through views of it."""
        memory = self.memory_of(array)
        if number in self.trace.makers or number in self.given:
            if memory is not None:
                memory.contents[view_of(array)] = number
            return
        if memory is None or not memory.writes:
            return
        last = memory.writes[-1][0]
        earlier = memory.contents.get(view_of(array))
        parts = [part for _, part in memory.writes] + ([] if earlier is None else [earlier])
        joined = Execution(last.statement, tuple(("", part) for part in dict.fromkeys(parts)), last.began, joins=True)
        self.make(joined, name, number)
        self.trace.executions.append(joined)
        memory.contents[view_of(array)] = number

    def memory_of(self, array: Array) -> Memory | None:
        root = root_of(array)
        found = self.memory.get(id(root))
        return None if found is None or found.root() is not root else found

    def written(self, array: Array, execution: Execution, number: int) -> None:
        root = root_of(array)
        found = self.memory_of(array)
        if found is None:
            found = self.memory[id(root)] = Memory(ref(root), [], {})
        found.writes.append((execution, number))

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

    def passed(self, execution: Execution, number: int) -> None:
        """What a statement binds and did not make: another name of it, or the same numbers once more."""
        if self.trace.makers.get(number) is not execution:
            self.trace.passed.setdefault(number, []).append(execution)

    def leave(self, frame: FrameType, value: Any) -> None:
        """A return: what the last statement left, and what is handed back."""
        if id(frame) not in self.open:
            return
        returning = self.returning.pop(id(frame), None)
        if returning is not None and not self.open[id(frame)].execution.statement.returns:
            self.close(frame)
            self.open[id(frame)] = returning
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
        writes = []
        for _, name, number, _, array in after:
            if number not in begun.before:
                writes.append((name, number))
                self.written(array, execution, number)
            elif begun.named.get(name) != number or any(path == name for path, *_ in statement.parts):
                self.passed(execution, number)
        writes += more or []
        if not writes and not execution.made:
            return
        place = statement.file, statement.line
        execution.times = self.counts.get(place, 0)
        self.counts[place] = execution.times + 1
        for name, number in writes:
            if number in self.trace.makers or number in begun.before or number in self.given:
                execution.writes[name] = number
                self.passed(execution, number)
            else:
                self.make(execution, name, number)
        if execution not in self.trace.executions[-1:]:
            self.trace.executions.append(execution)

    def seen(self, statement: Statement, frame: FrameType) -> Iterator[tuple[Chain, str, int, bool, Array]]:
        """The arrays that a statement's variables hold now; whether one is all that was asked for, or has an element.

        What is stored to an element of an array needs the rest of it; what replaces a variable needs nothing.
        """
        names = frame.f_locals
        for chain in statement.chains:
            for text, value, whole in resolved(chain, frame, names):
                for path, array in arrays_in(value, self.belongs):
                    yield chain, f"{text}{path}", self.trace.number(array), whole, array

    def guarded(self, told: Callable[..., None], *what: Any) -> None:
        """A watcher's own trouble ends the watch, and nothing else."""
        if self.dropped or get_ident() != self.thread:
            return
        try:
            told(*what)
        except Exception as error:
            self.drop(str(error) if isinstance(error, Dropped) else f"{type(error).__name__}: {error}")

    def drop(self, why: str) -> None:
        """Nothing is told any more, and nothing kept."""
        self.dropped, self.trace = why, Trace()
        for kept in (self.open, self.returning, self.memory, self.current):
            kept.clear()
