"""Where in a file a planted mistake lies: the lines of its statements, and of the first that use what those bind."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def changed(before: str, after: str) -> tuple[list[int], list[int], list[int]]:
    """The lines of `before` that are gone, those of `after` that are new, and those on both sides of a hole in it."""
    gone, new, beside = [], [], []
    pair = before.splitlines(), after.splitlines()
    for kind, a, b, c, d in SequenceMatcher(None, *pair, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += range(a + 1, b + 1)
            new += range(c + 1, d + 1)
            beside += [c, c + 1] if c == d else []
    return gone, new, beside


class Source:
    """A file's statements by line."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.statements = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt)]
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def at(self, line: int) -> ast.stmt | None:
        """The statement that holds the line; of a compound one its head alone."""
        return next((node for node in self.statements if line in span(node)), None)

    def within(self, lines: Sequence[int]) -> list[ast.stmt]:
        found = [self.at(line) for line in lines]
        return list(dict.fromkeys(node for node in found if node is not None))

    def around(self, node: ast.AST, kinds: type | tuple[type, ...]) -> ast.AST | None:
        """The innermost of these that a node stands in."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, kinds):
            above = self.parents.get(above)
        return above

    def users(self, bound: ast.stmt, after: int) -> set[int]:
        """The lines of the first statements behind line `after` that use what a statement binds."""
        if isinstance(bound, ast.Return):
            return self.callers(bound)
        home = bound if isinstance(bound, FUNCTIONS) else self.function(bound)
        return {
            line for name in binds(bound) for line in self.uses(name, home, self.around(bound, ast.ClassDef), after)
        }

    def uses(self, name: "Bound", home: ast.AST | None, owner: ast.AST | None, after: int) -> set[int]:
        """The lines of the first use of a name behind a line, and of an attribute the first in each function."""
        wide = name.attribute or home is None
        by_function: dict[ast.AST | None, list[ast.stmt]] = {}
        for node in self.statements:
            if wide or self.function(node) is home:
                by_function.setdefault(self.function(node), []).append(node)
        found: set[int] = set()
        for function, nodes in by_function.items():
            start = after if function is home else 0
            readers = [node for node in nodes if self.reads(node, name, wide, owner)]
            first = first_after([node for node in readers if not keeps(node)], start)
            passing = [node for node in nodes if writes_in(node, name) or (node in readers and keeps(node))]
            found |= first
            for node in passing:  # dh[h <= 0] = 0, states.append(h): what is used comes behind
                if start < node.lineno < min(first, default=node.lineno + 1):
                    found |= set(span(node))
        return found

    def function(self, node: ast.AST) -> ast.AST | None:
        return self.around(node, FUNCTIONS)

    def reads(self, node: ast.stmt, name: "Bound", wide: bool, owner: ast.AST | None) -> bool:
        """Whether a statement uses the value of a name; `self`'s attributes are those of one class."""
        targets = [] if isinstance(node, ast.AugAssign) else [foot(target) for target in targets_of(node)]
        for part in own(node):
            again = isinstance(node, ast.AugAssign) and part is foot(node.target)  # += reads what it changes
            if named(part) != name.name or part in targets:
                continue
            if not again and not isinstance(getattr(part, "ctx", None), ast.Load):
                continue
            if isinstance(part, ast.Attribute):
                ours = named(part.value) == "self" and owner is not None and name.of_self
                if not wide or (ours and self.around(node, ast.ClassDef) is not owner):
                    continue
            elif name.attribute:
                continue
            above = self.parents[part]
            key = (
                above.slice.value
                if isinstance(above, ast.Subscript) and isinstance(above.slice, ast.Constant)
                else None
            )
            if key is None or name.key is None or key == name.key:
                return True
        return False

    def callers(self, bound: ast.AST) -> set[int]:
        """The lines that take what the function around a statement returns."""
        function = self.function(bound)
        name = getattr(function, "name", "")
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call) and named(node.func) == name]
        return {line for call in calls if (node := self.at(call.lineno)) is not None for line in span(node)}


def span(node: ast.stmt) -> range:
    """The lines of a statement, of a compound one those of its head."""
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno
    return range(node.lineno, max(node.lineno, last or node.lineno) + 1)


def own(node: ast.stmt) -> Iterator[ast.AST]:
    """What stands in a statement itself, not in the statements of its body."""
    todo: list[ast.AST] = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
    while todo:
        child = todo.pop()
        yield child
        todo += [below for below in ast.iter_child_nodes(child) if not isinstance(below, ast.stmt)]


def named(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def foot(node: ast.AST) -> ast.AST:
    """What a target stands on: of `grads["b"][0]` grads, of `self.x[...]` self.x."""
    while isinstance(node, ast.Subscript | ast.Starred):
        node = node.value
    return node


def key_of(node: ast.AST) -> Any:
    """The constant that a target has as its innermost key."""
    key = None
    while isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        node = node.value
    return None if key is Ellipsis else key


@dataclass(frozen=True)
class Bound:
    """What a statement gives a value, or changes the value of: a name or attribute, at one key or as a whole."""

    name: str
    attribute: bool = False
    key: Any = None
    of_self: bool = False


def targets_of(node: ast.stmt) -> list[ast.expr]:
    """What is assigned to, one by one."""
    todo: list[ast.expr] = list(node.targets) if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
        todo = [node.target]
    found = []
    while todo:
        target = todo.pop()
        if isinstance(target, ast.Tuple | ast.List):
            todo += target.elts
        else:
            found.append(target)
    return found


DISPLAYS = ast.Name | ast.Attribute | ast.Tuple | ast.List | ast.Dict | ast.Constant | ast.Subscript


def keeps(node: ast.stmt) -> bool:
    """Whether a statement does nothing but put values away: `self.cache = x, h`, `states.append(h)`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return named(node.value.func) in ("append", "save_for_backward")
    if not isinstance(node, ast.Assign):
        return False
    parts = ast.walk(node.value)
    return all(isinstance(part, DISPLAYS | ast.expr_context | ast.Slice) for part in parts)


def writes_in(node: ast.stmt, name: Bound) -> bool:
    """Whether a statement writes into some entries of an array by this name."""
    return any(
        isinstance(target, ast.Subscript) and named(foot(target)) == name.name and key_of(target) is None
        for target in targets_of(node)
    )


def binds(node: ast.stmt) -> set[Bound]:
    """What a statement binds; of a function's head the arguments with a default, of an `if` what its body binds."""
    if isinstance(node, FUNCTIONS):
        names = [argument.arg for argument in node.args.args[len(node.args.args) - len(node.args.defaults) :]]
        return {Bound(name, attribute) for name in names for attribute in (False, True)}
    if isinstance(node, ast.If | ast.While):
        return {name for part in node.body for name in binds(part)}
    targets = targets_of(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value  # np.add.at(dW, ...), hs.append(h), np.clip(dW, ..., out=dW)
        targets = [*call.args[:1], *([call.func.value] if isinstance(call.func, ast.Attribute) else [])]
    found = set()
    for target in targets:
        stand = foot(target)
        if named(stand) not in ("", "self", "np"):
            of_self = isinstance(stand, ast.Attribute) and named(stand.value) == "self"
            found.add(Bound(named(stand), isinstance(stand, ast.Attribute), key_of(target), of_self))
    return found


def first_after(nodes: Sequence[ast.stmt], after: int) -> set[int]:
    """The lines of the first behind a line; where there is none, of the first at all: a loop comes round."""
    ordered = sorted(nodes, key=lambda node: node.lineno)
    later = [node for node in ordered if node.lineno > after] or ordered
    return set(span(later[0])) if later else set()


def faulty(before: str, after: str) -> tuple[int, ...]:
    """The lines of the statements that a change lies in, of a hole those before and behind it."""
    source, (_, new, beside) = Source(after), changed(before, after)
    whole = {line for node in source.within(new + beside) for line in span(node)}
    return tuple(sorted(whole | {*new, *beside}))


def first_uses(before: str, after: str) -> tuple[int, ...]:
    """The lines of the first statements that use what a change binds, or no longer binds."""
    source, lost = Source(after), Source(before)
    gone, new, beside = changed(before, after)
    found: set[int] = set()
    for node in source.within(new):
        found |= source.users(node, max(span(node)))
    still = {name for node in source.within(new) for name in binds(node)}
    homes = {source.function(node): source.around(node, ast.ClassDef) for node in source.within(new + beside)}
    for name in {name for node in lost.within(gone) for name in binds(node)} - still:
        for home, owner in homes.items():
            found |= source.uses(name, home, owner, min(new + beside))
    return tuple(sorted(found - set(faulty(before, after))))


def by_hand(text: str, line: int) -> bool:
    """Whether a line is of the hand-written side: in none of torch's modules, nor where a call is put together."""
    source = Source(text)
    node = source.at(line)
    while node is not None:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Module") for base in node.bases):
            return False
        if isinstance(node, FUNCTIONS) and node.name.startswith(("call", "build", "sequential")):
            return isinstance(source.function(node), FUNCTIONS)
        node = source.around(node, (*FUNCTIONS, ast.ClassDef))  # type: ignore[assignment]
    return True
