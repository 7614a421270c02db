"""The console: a text is shown letter for letter, never read as markup, emoji or orders to the terminal."""

import os
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import Task, TextColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from twofold.compare.names import plain, plain_lines

WIDE = 140  # columns where no terminal says how many: a file has no width that rows would have to fit
SIZES = ("COLUMNS", "LINES")
GAP = 2  # between columns
NARROW = 20  # fewer can be no terminal that is read


def usable(count: str) -> bool:
    """Whether it is a number of columns or lines."""
    return count.isascii() and count.isdigit() and int(count) >= NARROW


class Screen(Console):
    """Where a command prints. A string is one line; `lines` has several, and rich's Text has styles."""

    def __init__(self, stderr: bool = False, highlight: bool = False, soft_wrap: bool = False) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in SIZES or usable(value)}
        super().__init__(
            stderr=stderr, highlight=highlight, soft_wrap=soft_wrap, markup=False, emoji=False, _environ=environment
        )
        if not self.is_terminal and "COLUMNS" not in environment:
            self.width = WIDE

    def print(self, *objects: Any, **how: Any) -> None:
        super().print(*(plain(one) if isinstance(one, str) else one for one in objects), **how)

    def lines(self, text: str) -> None:
        """A text of several lines, none of which is folded."""
        for line in text.split("\n"):
            self.print(line, soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table in which no word is folded; where there is no room for that, each row is a paragraph."""
        above, below = table.title, table.caption
        table.title = table.caption = None  # they would be folded to the table's width
        if above:
            self.print(above, soft_wrap=True)
        if spread(table, self.width):
            self.print(table, soft_wrap=False)
        else:
            self.rows(table)
        if below:
            self.print(below, soft_wrap=True)

    def rows(self, table: Table) -> None:
        """The first cell of each row, and below it the others, each behind its column's name."""
        first, *others = table.columns
        for name, *cells in zip(first.cells, *(column.cells for column in others), strict=True):
            if str(name):
                self.print(name, soft_wrap=True)
            named = (f"{column.header}: {cell}" for column, cell in zip(others, cells, strict=True) if str(cell))
            for line in wrap("; ".join(named), self.width - GAP, break_long_words=False, break_on_hyphens=False):
                self.print(" " * GAP + line, soft_wrap=True)

    def render_str(self, text: str, **how: Any) -> Text:
        """Of a cell, a heading or a title."""
        return super().render_str(plain_lines(text), **(how | {"markup": False, "emoji": False}))

    def status(self, status: Any, **how: Any) -> Status:
        return Doing(as_text(status), console=self, **how)


def spread(table: Table, width: int) -> bool:
    """Gives every column room for its longest word, and shares out what is left; False where it is too much."""
    texts = [[str(cell) for cell in (column.header, *column.cells)] for column in table.columns]
    least = [longest(text.split() for text in column) for column in texts]
    most = [longest(text.split("\n") for text in column) for column in texts]
    wanted, room = sum(most) - sum(least), width - GAP * (len(least) - 1) - sum(least)
    for column, low, high in zip(table.columns, least, most, strict=True):
        column.width = low + (high - low) * min(room, wanted) // max(wanted, 1)
    return room >= 0


def longest(parts: Iterable[Sequence[str]]) -> int:
    return max((cell_len(plain(part)) for some in parts for part in some), default=0)


class Doing(Status):
    """What a command is at, beside a spinner."""

    def update(self, status: Any = None, **how: Any) -> None:
        super().update(as_text(status), **how)


def as_text(text: Any) -> Any:
    return Text(plain(text)) if isinstance(text, str) else text


class Words(TextColumn):
    """A column of a progress bar."""

    def render(self, task: Task) -> Text:
        return Text(plain(self.text_format.format(task=task)), style=self.style, justify=self.justify)
