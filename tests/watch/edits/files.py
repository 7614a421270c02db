"""A text as a file that was never written: its lines are known to `linecache` alone."""

import ast
import linecache
from itertools import count
from textwrap import dedent
from typing import Any

from twofold.compare.watch.edits.edit import Edit
from twofold.compare.watch.edits.listing import edits_of

NUMBERS = count()


def made(text: str) -> tuple[str, dict[str, Any]]:
    """The file's name and what it defines."""
    text, file = dedent(text), f"<text {next(NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__name__": file}
    exec(compile(text, file, "exec"), names)
    return file, names


def edit_to(file: str, line: int, after: str) -> Edit:
    """The first edit of a line that leaves this statement, or these, behind."""
    return next(edit for edit in edits_of(file, line) if written(edit) == after)


def written(edit: Edit) -> str:
    return "\n".join(map(ast.unparse, edit.statements))
