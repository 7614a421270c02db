"""Factors, signs, terms, squares and roots."""

import ast
from collections.abc import Iterator
from typing import Any

from twofold.compare.watch.edits.edit import Change, change, short
from twofold.compare.watch.edits.scope import PRODUCTS, Scope, is_length

SIGNS: dict[Any, str] = {ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Add: "+", ast.Sub: "-", ast.Pow: "**"}
OTHERS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add, ast.MatMult),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}


def binary(left: Any, op: type, right: Any) -> ast.BinOp:
    return ast.BinOp(left, op(), right)


def number(value: Any) -> ast.Constant:
    return ast.Constant(value)


def minus(node: Any) -> Any:
    return node.operand if isinstance(node, ast.UnaryOp) else ast.UnaryOp(ast.USub(), node)


def dropped(scope: Scope) -> Iterator[Change]:
    """A factor, a divisor, a power, a sign or a term less."""
    for node in scope.nodes:
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords and scope.is_value(node):
            yield change(1.8, node, node.args[0], f"`{short(node.func)}` taken off `{short(node.args[0])}`")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and scope.is_value(node):
            yield change(1.0, node, node.operand)
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, (*PRODUCTS, ast.Add, ast.Sub, ast.Pow)):
            continue
        inside = 0.0 if scope.is_value(node) else 1.5
        sign, left, right = SIGNS[type(node.op)], node.left, node.right
        term = isinstance(node.op, ast.Add | ast.Sub)
        small = 0.2 * isinstance(left if term else right, ast.BinOp)
        if not isinstance(node.op, ast.MatMult):
            rank = 1.5 if term else 0.5 if isinstance(right, ast.Constant) or is_length(right) else 0.9
            yield change(rank + inside + small, node, left, f"`{sign} {short(right)}` dropped")
        if isinstance(node.op, ast.Mult | ast.Add):
            rank = 1.7 if term else 0.6 if isinstance(left, ast.Constant) else 1.0
            yield change(rank + inside, node, right, f"`{short(left)} {sign}` dropped")
        elif isinstance(node.op, ast.Sub):
            yield change(2.2 + inside, node, minus(right))
        elif isinstance(node.op, ast.MatMult):
            yield change(2.6 + inside, node, left)
            yield change(2.6 + inside, node, right)


def operators(scope: Scope) -> Iterator[Change]:
    """+ for -, / for *, and the two sides of a difference or quotient exchanged."""
    for node in scope.nodes:
        if not isinstance(node, ast.BinOp):
            continue
        inside = 0.0 if scope.is_value(node) else 1.5
        for n, op in enumerate(OTHERS.get(type(node.op), ())):
            yield change(1.0 + 0.6 * n + inside, node, binary(node.left, op, node.right))
        if isinstance(node.op, ast.Sub | ast.Div):
            yield change(1.2 + inside, node, binary(node.right, type(node.op), node.left))
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
            for power in {1, 2, 3, 0.5} - {node.right.value}:
                yield change(2.0 + inside, node, binary(node.left, ast.Pow, number(power)))
        if isinstance(node.op, ast.Mult) and isinstance(node.right, ast.Constant) and node.right.value == 2:
            yield change(1.3 + inside, node, binary(node.left, ast.Pow, node.right))
        if isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant):
            yield from of_one_less(scope, node)
        inner = node.left
        if (
            isinstance(node.op, ast.Add | ast.Sub)
            and isinstance(inner, ast.BinOp)
            and type(inner.op) in (ast.Mult, ast.Div)
        ):
            within = binary(inner.left, type(inner.op), binary(inner.right, type(node.op), node.right))
            yield change(2.4 + inside, node, within)
        if (
            isinstance(node.op, ast.Mult | ast.Div)
            and isinstance(inner, ast.BinOp)
            and isinstance(inner.op, ast.Add | ast.Sub)
        ):
            apart = binary(inner.left, type(inner.op), binary(inner.right, type(node.op), node.right))
            yield change(2.4 + inside, node, apart)


def of_one_less(scope: Scope, node: ast.BinOp) -> Iterator[Change]:
    """1 - y, 1 - y ** 2 and their like: each for the other."""
    right = node.right
    if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Pow):
        yield change(0.7, node, binary(node.left, ast.Sub, right.left))
    else:
        yield change(0.7, node, binary(node.left, ast.Sub, binary(right, ast.Pow, number(2))))


def squared(scope: Scope) -> Iterator[Change]:
    """An operand for its square, its magnitude, its root."""
    for node in scope.own:
        if scope.is_value(node):
            rank = 1.9 + 0.1 * scope.depth(node)
            yield change(rank, node, binary(node, ast.Pow, number(2)))
            yield change(rank + 0.3, node, binary(number(1), ast.Sub, node))
    for node in scope.nodes:
        if is_numpys_of_one(scope, node):
            yield change(1.4, node, node.args[0])
            if node.func.attr in ("abs", "absolute"):
                yield change(1.3, node, binary(node.args[0], ast.Pow, number(2)))
            if node.func.attr == "sqrt" and isinstance(total := node.args[0], ast.BinOp):
                outside = ast.Call(node.func, [total.left], [])
                yield change(1.3, node, binary(outside, type(total.op), total.right))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and is_root(scope, node.left):
            inner: Any = node.left
            yield change(1.3, node, ast.Call(inner.func, [binary(inner.args[0], ast.Add, node.right)], []))
    if scope.numpy:
        root = ast.Attribute(ast.Name(scope.numpy, ast.Load()), "sqrt", ast.Load())
        for node in scope.nodes:
            parent = scope.parent(node)
            if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div) and parent.right is node:
                yield change(1.8, node, ast.Call(root, [node], []))


def is_numpys_of_one(scope: Scope, node: Any) -> bool:
    """A call of a function of NumPy's with one argument."""
    return is_numpys_call(scope, node) and len(node.args) == 1 and not node.keywords


def is_numpys_call(scope: Scope, node: Any) -> bool:
    return isinstance(node, ast.Call) and is_numpys(scope, node.func)


def is_root(scope: Scope, node: Any) -> bool:
    return is_numpys_call(scope, node) and node.func.attr == "sqrt"


def is_numpys(scope: Scope, node: Any) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == scope.numpy
