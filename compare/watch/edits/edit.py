"""What an edit is: the statements of a block exchanged for others."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from twofold.compare.watch.edits.reading import Site

LONGEST = 44  # characters of an expression that is told whole


@dataclass(frozen=True)
class Edit:
    """The statements `start` to `stop` of a block of a file exchanged for others; in memory, never in the file.

    `old` and `new` are the smallest expression that changes, before and after, or whole statements; "" for what is not
    there. `told` is a phrase: "with `/ N` dropped in line 23".
    """

    file: str
    line: int
    old: str
    new: str
    told: str
    rank: float = field(compare=False)  # the smaller the likelier
    site: Site = field(repr=False, compare=False)
    start: int = field(repr=False, compare=False)
    stop: int = field(repr=False, compare=False)
    statements: tuple[ast.stmt, ...] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Change:
    """Of one statement: expressions, each exchanged for another, how likely that is, and how it is told."""

    rank: float
    pairs: tuple[tuple[ast.AST, ast.AST], ...]
    told: str | Callable[[], str] = ""  # "" for "with `new` for `old`"; called only for an edit that is tried


@dataclass(frozen=True)
class Rewrite:
    """Of the statements around one: those from `before` ahead of it to `after` behind it exchanged for others."""

    rank: float
    statements: tuple[ast.stmt, ...]
    told: str
    before: int = 0
    after: int = 0


def change(rank: float, old: ast.AST, new: ast.AST, told: str | Callable[[], str] = "") -> Change:
    return Change(rank, ((old, new),), told)


@lru_cache(maxsize=20_000)
def text(node: ast.AST) -> str:
    """Of an expression or statement, which nobody changes once it is made."""
    return ast.unparse(node)


def short(node: ast.AST) -> str:
    """The text of a node as it is told: cut in the middle where it is long."""
    whole = " ".join(text(node).split())
    half = LONGEST // 2 - 1
    return whole if len(whole) <= LONGEST else f"{whole[:half].rstrip()} .. {whole[-half:].lstrip()}"
