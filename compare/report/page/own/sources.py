"""The source of a user's own code: what was called, and what of the same file that uses."""

import ast
import linecache
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any

from twofold.compare.report.sources import Definition, Piece, begins, cut
from twofold.compare.sides.foreign.trees import is_module, mentioned

MOST = 24  # definitions of one side


def pieces_of(side: Any, line: tuple[str, int] | None = None) -> list[Piece]:
    """Of a side as it was given to `judge`; `line`, of a file, is shown in any case."""
    found = Found()
    found.visit(owner(side))
    if line and not any(piece.has(*line) for piece in found.pieces()):
        found.add(*line)
    return [*found.pieces(), *(Piece("", "torch", 1, text) for text in torchs(side))]


def torchs(side: Any) -> Iterator[str]:
    """What torch's own is called, and how a module is built."""
    if isinstance(side, tuple | list):
        yield from (text for one in side for text in torchs(one))
    elif is_module(side):
        yield repr(side)
    elif is_torchs(side):
        yield f"{side.__module__}.{side.__qualname__}"


def is_torchs(thing: Any) -> bool:
    return str(getattr(thing, "__module__", None)).partition(".")[0] == "torch" and hasattr(thing, "__qualname__")


class Found:
    """Definitions by file and first line."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, int], Definition] = {}
        self.files: set[str] = set()

    def visit(self, thing: Any) -> None:
        """What was given, whatever its file, but not torch's own."""
        if isinstance(thing, tuple | list):
            for one in thing:
                self.visit(one)
        elif is_module(thing) and (inner := {type(one): None for one in thing.modules()}) != {type(thing): None}:
            self.visit(list(inner))
        elif is_torchs(thing) or (not isinstance(thing, type) and is_torchs(type(thing))):
            return
        elif code := code_of(thing):
            self.files.add(code.co_filename)
            self.follow(thing)

    def follow(self, thing: Any) -> None:
        """A function, a class by one of its methods, and what they use of the files that are shown."""
        code = code_of(thing)
        if code is None or code.co_filename not in self.files or len(self.nodes) >= MOST:
            return
        plain = function_of(thing)
        kind = None if plain else thing if isinstance(thing, type) else type(thing)
        if not self.add(code.co_filename, code.co_firstlineno, kind.__name__ if kind else None):
            return
        for function in [plain] if plain else methods(kind):
            for used in used_by(function):
                self.follow(used)

    def add(self, file: str, line: int, name: str | None = None) -> bool:
        """Whether there is something new at that line: the innermost function, or the class of that name."""
        node = definition(file, line, name)
        if node is None or (file, node.lineno) in self.nodes:
            return False
        self.nodes[file, node.lineno] = node
        return True

    def pieces(self) -> list[Piece]:
        """In the order of their files; what stands within another is told with that."""
        found: list[Piece] = []
        for (file, line), node in sorted(self.nodes.items()):
            if not any(piece.has(file, line) for piece in found):
                found += cut(file, "".join(linecache.getlines(file)), node)
        return found


def function_of(thing: Any) -> FunctionType | None:
    return thing if isinstance(thing, FunctionType) else None


def code_of(thing: Any) -> CodeType | None:
    """That of a function; of a class, or an object of it, of its first method. None of what Python has not made."""
    if function := function_of(thing):
        return function.__code__
    kind = thing if isinstance(thing, type) else type(thing)
    return next((method.__code__ for method in methods(kind)), None)


def methods(kind: type | None) -> list[FunctionType]:
    parts = (getattr(part, "__func__", getattr(part, "fget", part)) for part in vars(kind).values()) if kind else ()
    return [part for part in parts if isinstance(part, FunctionType)]


def used_by(function: Callable[..., Any]) -> Iterator[Any]:
    """Functions, classes and objects by the names that a function has for them."""
    if not isinstance(function, FunctionType):
        return
    yield from (function.__globals__.get(name) for name in mentioned(function.__code__))
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue


def definition(file: str, line: int, name: str | None) -> Definition | None:
    """The innermost around a line, of a class by its name; else the statement that has it, as a lambda's."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    around = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and begins(node) <= line <= last(node)]
    kinds = (ast.ClassDef,) if name else (ast.FunctionDef, ast.AsyncFunctionDef)
    inner = [node for node in around if isinstance(node, kinds) and name in (None, node.name)]
    return max(inner or around[:1], key=lambda node: node.lineno, default=None)


def last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def owner(side: Any) -> Any:
    """Of a bound method the object or class that it belongs to, which is what is to be read."""
    if isinstance(side, tuple | list):
        return tuple(owner(one) for one in side)
    if isinstance(side, partial):
        return owner(side.func)
    found = getattr(side, "__self__", None)
    return side if found is None else found
