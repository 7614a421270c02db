"""The text of a file as a tree, and the statement that stands at a line of it."""

import ast
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
Key = tuple[str, int]  # a function's qualified name and first line

# Nothing of these is edited, nor what stands in a loop that might never end.
LEFT = (
    *(ast.Import, ast.ImportFrom, ast.While, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global),
    *(ast.Nonlocal, ast.Pass, ast.Try, ast.AsyncFor, ast.AsyncWith, ast.Match, ast.With, ast.Raise, ast.Delete),
)
FILES = frozenset(("open", "print", "input", "save", "savez", "savetxt", "load", "loadtxt", "write", "read", "exec"))


@dataclass(frozen=True, eq=False)
class Site:
    """A statement, the block that it stands in, and what is around it from the module inwards."""

    file: str
    line: int  # the one that was asked for
    tree: ast.Module
    block: list[ast.stmt]
    index: int
    around: tuple[ast.stmt, ...]

    @property
    def statement(self) -> ast.stmt:
        return self.block[self.index]

    @property
    def function(self) -> Function | None:
        """The innermost that the statement stands in."""
        found = [node for node in self.around if isinstance(node, Function)]
        return found[-1] if found else None

    @property
    def kind(self) -> ast.ClassDef | None:
        """The innermost class that the statement stands in."""
        found = [node for node in self.around if isinstance(node, ast.ClassDef)]
        return found[-1] if found else None

    @cached_property
    def alone(self) -> ast.Module:
        """The outermost function around the statement, within the classes that it stands in, without their others."""
        definitions = [node for node in self.around if isinstance(node, Function | ast.ClassDef)]
        outer = next((n for n, node in enumerate(definitions) if isinstance(node, Function)), len(definitions))
        within: Any = definitions[outer] if outer < len(definitions) else self.statement
        for node in reversed(definitions[:outer]):
            within = copied(node, body=[within])
        # a name that is imported is compiled otherwise than others
        imports = [node for node in self.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        return ast.Module([*imports, within], [])

    @cached_property
    def codes(self) -> dict[Key, CodeType]:
        """The code of every function that may be changed, as the file has it."""
        return codes_in(self.alone, self.file)


def codes_in(tree: ast.Module, file: str) -> dict[Key, CodeType]:
    """Every code object in a tree by qualified name and first line; those that share both are left out."""
    found: dict[Key, CodeType] = {}
    twice: set[Key] = set()

    def gather(code: CodeType) -> None:
        for const in code.co_consts:
            if isinstance(const, CodeType):
                key = (const.co_qualname, const.co_firstlineno)
                if key in found:
                    twice.add(key)
                found[key] = const
                gather(const)

    gather(compile(tree, file, "exec", dont_inherit=True))
    return {key: code for key, code in found.items() if key not in twice}


def site(file: str, line: int) -> Site | None:
    """Where the innermost statement stands that has this line; None for none that may be edited."""
    tree = parsed("".join(linecache.getlines(file)))
    if tree is None:
        return None
    block = tree.body
    around: list[ast.stmt] = []
    while True:
        index = next((n for n, node in enumerate(block) if first_line(node) <= line <= (node.end_lineno or 0)), None)
        if index is None:
            return None
        node = block[index]
        inner = next((b for b in blocks(node) if first_line(b[0]) <= line <= (b[-1].end_lineno or 0)), None)
        if inner is None:
            return (
                None
                if isinstance(node, LEFT) or meets_files(node)
                else Site(file, line, tree, block, index, (*around,))
            )
        if isinstance(node, ast.While):
            return None
        around.append(node)
        block = inner


@lru_cache(maxsize=32)
def parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])


def blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        if isinstance(found := getattr(node, name, None), list) and found:
            yield found
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def heads(node: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement itself, not of the blocks in it."""
    for _, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, ast.expr):
                yield part


def meets_files(node: ast.stmt) -> bool:
    """Whether it opens, reads, prints."""
    names = (part.func for head in heads(node) for part in ast.walk(head) if isinstance(part, ast.Call))
    return any(getattr(name, "attr", getattr(name, "id", "")) in FILES for name in names)


def copied(node: Any, **fields: Any) -> Any:
    """The node once more, with other fields; its parts are the same objects."""
    new = type(node)(**{**dict(ast.iter_fields(node)), **fields})
    return ast.copy_location(new, node)


def exchanged(node: Any, swaps: dict[int, ast.AST]) -> Any:
    """The node with every part that is one of these objects, by id, exchanged; blocks of statements stay the same."""
    if id(node) in swaps:
        return swaps[id(node)]
    fields: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            new: Any = exchanged(value, swaps)
        elif isinstance(value, list) and not (value and isinstance(value[0], ast.stmt)):
            new = [exchanged(part, swaps) if isinstance(part, ast.AST) else part for part in value]
            new = value if all(a is b for a, b in zip(new, value, strict=True)) else new
        else:
            continue
        if new is not value:
            fields[name] = new
    return copied(node, **fields) if fields else node


def located(nodes: Sequence[Any], line: int) -> None:
    """Gives every part that has no place this line."""
    for node in nodes:
        for part in ast.walk(node):
            if "lineno" in part._attributes and not hasattr(part, "lineno"):
                part.lineno = part.end_lineno = line  # type: ignore[attr-defined]
                part.col_offset = part.end_col_offset = 0  # type: ignore[attr-defined]
