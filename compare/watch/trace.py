"""What was kept of a watched run: every statement that bound something, and the contents that it bound.

The same numbers under another name are the same value, made by the statement that had them first. So a value has one
maker, and makers with what they read are the flow of the data.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twofold.compare.watch.statements import Chain, Statement
from twofold.scratch.module import Array

MOST_BYTES = 1 << 30  # of kept contents
MOST_READ = 1 << 35  # of contents that are looked at, the same ones again and again


class Dropped(Exception):
    """Why there is no watch: a debugger's is there, or it would take too much."""


@dataclass
class Execution:
    """One run of one statement: the values that it read, and those that it bound, by name."""

    statement: Statement
    read: tuple[tuple[Chain | str, int], ...]  # by the variable, or the name of what was called and gave it
    began: int = 0  # in the order in which statements begin
    joins: bool = False  # none that ran: an array as it became by what was written to views of it
    writes: dict[str, int] = field(default_factory=dict)
    times: int = 0  # how often it had bound something before
    made: dict[int, int] = field(default_factory=dict)  # the new values that it bound, by how much it had read then

    def read_by(self, value: int) -> tuple[tuple[Chain | str, int], ...]:
        """What one of several results was made from, where the statement says so."""
        read = self.read[: self.made.get(value, len(self.read))]
        names = [name for name, number in self.writes.items() if number == value]
        for path, chains, calls in self.statement.parts:
            if any(name == path or name.startswith((f"{path}[", f"{path}.")) for name in names):
                return tuple((by, n) for by, n in read if by in chains or (isinstance(by, str) and by in calls))
        return read

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
    passed: dict[int, list[Execution]] = field(default_factory=dict)  # by value, what bound it under another name
    most_bytes: int = MOST_BYTES
    most_read: int = MOST_READ
    bytes: int = 0
    bytes_read: int = 0

    def number(self, array: Array) -> int:
        """The number of a content, which is kept if it is new. Raises Dropped."""
        self.bytes_read += array.nbytes
        if self.bytes_read > self.most_read:
            raise Dropped(f"more than {self.most_read / (1 << 30):g} GB would have to be read")
        key = content(array)
        found = self.numbers.get(key)
        if found is None:
            self.bytes += 2 * array.nbytes
            if self.bytes > self.most_bytes:
                raise Dropped(f"more than {self.most_bytes / (1 << 30):g} GB would have to be kept")
            found = self.numbers[key] = len(self.values)
            self.values.append(np.array(array))
        return found

    def known(self, array: Array) -> int | None:
        """The number of a content that was bound, whatever its shape; of zeros, which many are, none."""
        if not array.any():
            return None
        key = content(array)
        if (found := self.numbers.get(key)) is not None:
            return found
        return next((n for (_, *held), n in self.numbers.items() if held == [*key[1:]]), None)


def content(array: Array) -> tuple[tuple[int, ...], str, bytes]:
    """Shape, kind and bytes; of long doubles without those of the bytes that mean nothing."""
    array = np.asarray(array)
    if array.dtype.char != "g":
        return array.shape, array.dtype.str, array.tobytes()
    with np.errstate(all="ignore"):
        high = array.astype(np.float64)
        return array.shape, array.dtype.str, high.tobytes() + (array - high).astype(np.float64).tobytes()
