"""What is written elsewhere in the function, as it would be written here."""

import ast
import copy
from collections.abc import Iterable, Iterator
from typing import Any

from twofold.compare.watch.edits.edit import text
from twofold.compare.watch.edits.scope import Scope, is_simple, last_name

LARGEST = 24  # nodes of an expression that is taken over
MOST = 8  # ways to write one here


def sides(scope: Scope, *ops: type) -> list[ast.expr]:
    """What stands on either side of these operators in the function: in other statements first, then in this one."""
    inside = {id(node) for node in scope.nodes}
    found: list[tuple[bool, ast.expr]] = []
    for node in ast.walk(scope.body):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ops):
            for side in (node.right, node.left):
                if not isinstance(side, ast.Constant) and sum(1 for _ in ast.walk(side)) <= LARGEST:
                    found.append((id(node) in inside, side))
    found.sort(key=lambda item: item[0])
    return list({text(side): side for _, side in found}.values())


def here(scope: Scope, nodes: list[ast.expr], most: int) -> list[ast.expr]:
    """Expressions with the letters, digits and indices of this statement, then as they stand."""
    own = {text(node) for node in scope.nodes}
    found: dict[str, ast.expr] = {}
    for node in nodes:
        for one in [*with_letters(scope, node), *with_indices(scope, node)][:MOST]:
            found.setdefault(text(one), one)
    adapted = [one for key, one in found.items() if key not in own][:most]
    return list({text(one): one for one in (*adapted, *nodes[:most])}.values())


def with_letters(scope: Scope, node: ast.expr) -> Iterator[ast.expr]:
    """As W1 and h1 are to W2 and h2: what differs by one character in a name of this statement differs so in all."""
    names = {last_name(part) for part in ast.walk(node)} - {""}
    goals = {last_name(one) for one in (*scope.own, *scope.bound)} | scope.idle
    goals |= {name for name in scope.stores if len(name) > 1}
    seen = {pair: None for one in scope.bound for pair in letters(scope.stores, {last_name(one)})}
    for a, b in {**seen, **dict.fromkeys(letters(names, goals))}:
        new = Renamed({a: b, a.swapcase(): b.swapcase()}, scope).visit(copy.deepcopy(node))
        if text(new) != text(node):
            yield new


def letters(names: Iterable[str], goals: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What is to be exchanged for what where a name differs from a goal by one character."""
    for name in sorted(names):
        for goal in sorted(goals):
            apart = [(a, b) for a, b in zip(name, goal, strict=False) if a != b]
            if len(name) == len(goal) and len(apart) == 1:
                yield apart[0]


class Renamed(ast.NodeTransformer):
    """Names with a character exchanged where that is a name of the function, or the last character."""

    def __init__(self, letters: dict[str, str], scope: Scope) -> None:
        self.letters, self.scope = letters, scope

    def renamed(self, name: str) -> str:
        if len(name) == 1:
            return self.letters.get(name, name)
        for n, letter in reversed(list(enumerate(name))):
            if letter in self.letters:
                new = name[:n] + self.letters[letter] + name[n + 1 :]
                if n == len(name) - 1 or new in self.scope.words:
                    return new
        return name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return node if node.id in self.scope.modules else ast.Name(self.renamed(node.id), ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        inner: Any = self.visit(node.value)
        fixed = node.attr == "T" or self.scope.is_module(node.value) or node.attr in ("shape", "size", "dot", "sum")
        return ast.Attribute(inner, node.attr if fixed else self.renamed(node.attr), ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(self.renamed(node.value)) if isinstance(node.value, str) and node.value else node


def with_indices(scope: Scope, node: ast.expr) -> Iterator[ast.expr]:
    """With an index that this statement has, where there is one."""
    indices = [n.slice for n in scope.nodes if isinstance(n, ast.Subscript) and is_simple(n.slice)]
    for index in list({text(one): one for one in indices}.values())[:3]:
        new = copy.deepcopy(node)
        subscripts = [part for part in ast.walk(new) if isinstance(part, ast.Subscript)]
        if len(subscripts) == 1 and text(subscripts[0].slice) != text(index):
            subscripts[0].slice = index
            yield new
