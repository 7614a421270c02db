"""The paths that a backward pass forgets: of a mean, of a deviation, of a softmax's sum."""

import ast
from collections.abc import Iterator
from typing import Any

from twofold.compare.watch.edits.adding import nearest, put, sums
from twofold.compare.watch.edits.arithmetic import binary, number
from twofold.compare.watch.edits.edit import Change, change, text
from twofold.compare.watch.edits.scope import Scope


def of_norms(scope: Scope) -> Iterator[Change]:
    """- d.mean(...) and - y * (d * y).mean(...), along the axes that the function has for its means."""
    around = scope.site.kind or scope.body
    if not {node.attr for node in ast.walk(around) if isinstance(node, ast.Attribute)} & {"mean", "var", "std"}:
        return
    begun = any(isinstance(node, ast.Attribute) and node.attr == "mean" for node in scope.nodes)
    own = [one for one in scope.own if scope.is_value(one)]
    sent = list({text(one): one for one in own}.values())[:4]
    for m, (arguments, keywords) in enumerate(reductions(scope, "mean")):
        for node, far in [*sums(scope), *((one, 0.5) for one in sent)]:
            for n, one in enumerate(sent):
                rank = (1.3 if begun else 1.9) + far + 0.05 * n + 0.3 * m
                yield put(rank, node, ast.Sub, reduction(one, "mean", arguments, keywords))
                for k, (_, other) in enumerate(nearest(scope)[:10]):
                    if other is not one:
                        along = reduction(binary(one, ast.Mult, other), "mean", arguments, keywords)
                        yield put(rank + 0.4 + 0.05 * k, node, ast.Sub, binary(other, ast.Mult, along))


def reductions(scope: Scope, name: str) -> list[tuple[list[ast.expr], list[ast.keyword]]]:
    """How the function calls a method of this name: the commonest ways first, each once."""
    found: dict[str, tuple[list[ast.expr], list[ast.keyword]]] = {}
    for node in [*scope.nodes, *ast.walk(scope.site.kind or scope.body)]:
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr == name and not scope.is_module(called.value):
            key = text(ast.Call(ast.Name("f", ast.Load()), node.args, node.keywords))
            found.setdefault(key, (node.args, node.keywords))
    return list(found.values())[:3]


def reduction(node: Any, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
    return ast.Call(ast.Attribute(node, name, ast.Load()), arguments, keywords)


def of_softmax(scope: Scope) -> Iterator[Change]:
    """p * (d - (d * p).sum(...)) for p * (1 - p) * d, of which only the diagonal is right; and x less its maximum."""
    rows = [ast.keyword("axis", ast.UnaryOp(ast.USub(), number(1))), ast.keyword("keepdims", number(True))]
    for node in scope.nodes:
        parts = chain(node)
        inner = next((part for part in parts if is_complement(part)), None)
        if inner is None or len(parts) < 2 or is_product(scope.parent(node)):
            continue
        others = [part for part in parts if part is not inner]
        same = next((part for part in others if text(part) == text(inner.right)), None)
        sent = [part for part in others if part is not same]
        if not sent:
            continue
        one = product(sent)
        whole = reduction(binary(one, ast.Mult, inner.right), "sum", [], rows)
        new: ast.expr = binary(one, ast.Sub, whole)
        yield change(1.9, node, new if same is None else binary(same, ast.Mult, new))
    if any(isinstance(node, ast.Attribute) and node.attr == "exp" for node in ast.walk(scope.body)):
        for node in scope.own:
            if scope.is_value(node):
                largest = reduction(node, "max", [], rows)
                yield change(2.6, node, binary(node, ast.Sub, largest))
                yield change(2.7, node, binary(node, ast.Div, reduction(node, "sum", [], rows)))


def is_complement(node: Any) -> bool:
    """1 - y"""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant)


def is_product(node: Any) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def chain(node: Any) -> list[Any]:
    """The factors of a product."""
    return [*chain(node.left), *chain(node.right)] if is_product(node) else [node]


def product(parts: list[Any]) -> Any:
    found = parts[0]
    for part in parts[1:]:
        found = binary(found, ast.Mult, part)
    return found
