"""Whole statements: = for +=, dropped, put in, exchanged with a neighbour, and what is written to copied first."""

import ast
from collections.abc import Iterator
from typing import Any

from twofold.compare.watch.edits.arithmetic import binary, minus
from twofold.compare.watch.edits.edit import Change, Rewrite, change, short, text
from twofold.compare.watch.edits.reading import copied, exchanged
from twofold.compare.watch.edits.scope import Operand, Scope, alike, loaded

SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)


def stored(scope: Scope) -> Iterator[Rewrite]:
    """= for += and back, and the other operators that assign."""
    node: Any = scope.statement
    line = node.lineno
    if isinstance(node, ast.AugAssign):
        plain = ast.copy_location(ast.Assign([node.target], node.value), node)
        yield Rewrite(0.8, (plain,), f"`=` for `{sign(node)}` in line {line}")
        for n, op in enumerate((ast.Add, ast.Sub, ast.Mult, ast.Div)):
            if not isinstance(node.op, op):
                new = copied(node, op=op())
                yield Rewrite(1.0 + 0.3 * n, (new,), f"`{sign(new)}` for `{sign(node)}` in line {line}")
        if isinstance(node.target, ast.Subscript) and isinstance(node.op, ast.Add) and scope.numpy:
            at = ast.Attribute(ast.Attribute(ast.Name(scope.numpy, ast.Load()), "add", ast.Load()), "at", ast.Load())
            index = node.target.slice
            call = ast.Call(at, [node.target.value, index, node.value], [])
            scattered = ast.copy_location(ast.Expr(call), node)
            yield Rewrite(1.0, (scattered,), f"`{short(call)}` for `{short(node)}` in line {line}")
        if isinstance(node.target, Operand):
            apart = ast.Assign([node.target], binary(loaded(node.target), type(node.op), node.value))
            new = ast.copy_location(apart, node)
            yield Rewrite(1.5, (new,), f"`{short(new)}` for `{short(node)}` in line {line}")
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], Operand):
        for n, op in enumerate((ast.Add, ast.Sub)):
            adding = ast.copy_location(ast.AugAssign(node.targets[0], op(), node.value), node)
            yield Rewrite(1.0 + n, (adding,), f"`{sign(adding)}` for `=` in line {line}")
        if not isinstance(node.targets[0], ast.Name):
            whole = ast.Subscript(loaded(node.targets[0]), ast.Constant(...), ast.Store())
            filled = ast.copy_location(ast.Assign([whole], node.value), node)
            yield Rewrite(1.6, (filled,), f"`{text(whole)}` for `{text(node.targets[0])}` in line {line}")


def sign(node: ast.AugAssign) -> str:
    names = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/="}
    return names.get(type(node.op), "an assignment in place")


def copied_first(scope: Scope) -> Iterator[Change]:
    """A copy of what is only another name of an array."""
    node = scope.statement
    if isinstance(node, ast.Assign) and isinstance(node.value, Operand):
        copy = ast.Call(ast.Attribute(node.value, "copy", ast.Load()), [], [])
        yield change(1.2, node.value, copy)


def dropped(scope: Scope) -> Iterator[Rewrite]:
    """The statement left out."""
    node = scope.statement
    if isinstance(node, SIMPLE):
        blank = ast.copy_location(ast.Pass(), node)
        rank = 1.2 if isinstance(node, ast.AugAssign) else 2.4
        yield Rewrite(rank, (blank,), f"`{short(node)}` in line {node.lineno} dropped")


def neighbours(scope: Scope) -> Iterator[tuple[ast.stmt, int, int]]:
    """The statements beside, each with how many stand before and after."""
    block, index = scope.site.block, scope.site.index
    if index > 0:
        yield block[index - 1], 1, 0
    if index + 1 < len(block):
        yield block[index + 1], 0, 1


def moved(scope: Scope) -> Iterator[Rewrite]:
    """The statement and the one beside it exchanged, and one of their values or operands for the other's."""
    node = scope.statement
    for beside, before, after in neighbours(scope):
        if not isinstance(node, SIMPLE) or not isinstance(beside, SIMPLE):
            continue
        both = (node, beside) if before else (beside, node)
        lines = f"lines {min(node.lineno, beside.lineno)} and {max(node.lineno, beside.lineno)}"
        yield Rewrite(1.8, both, f"{lines} exchanged", before, after)
        for rank, one, other in traded(scope, node, beside):
            new = exchanged(node, {id(one): other}), exchanged(beside, {id(other): one})
            told = f"`{short(one)}` and `{short(other)}` exchanged between {lines}"
            yield Rewrite(rank, new[::-1] if before else new, told, before, after)


def traded(scope: Scope, node: Any, beside: Any) -> Iterator[tuple[float, Any, Any]]:
    """What two statements may have taken from each other."""
    if isinstance(node, ast.Assign) and isinstance(beside, ast.Assign) and text(node.value) != text(beside.value):
        yield 1.7, node.value, beside.value
    for one in scope.own[:6]:
        for other in ast.walk(beside):
            read = isinstance(other, Operand) and isinstance(other.ctx, ast.Load) and scope.is_operand(other)
            if read and text(other) not in ("self", text(one)):
                yield 2.0 + (1 - alike(text(one), text(other))), one, other


def put_in(scope: Scope) -> Iterator[Rewrite]:
    """x = x / n ahead of the statement that uses x, or behind the one that binds it."""
    node: Any = scope.statement
    if not isinstance(node, (*SIMPLE, ast.Return)):
        return
    bound = scope.bound
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
        bound = [one for one in (node.target.value,) if isinstance(one, Operand)]
    for n, size in enumerate(scope.sizes[:6]):
        for one in bound:
            line = divided(one, size, node)
            yield Rewrite(1.8 + 0.15 * n, (node, line), f"`{text(line)}` put after line {node.end_lineno}")
        for m, one in enumerate(local(scope)[:3]):
            line = divided(one, size, node)
            yield Rewrite(2.0 + 0.15 * n + 0.2 * m, (line, node), f"`{text(line)}` put before line {node.lineno}")
    for one in local(scope)[:3]:
        line = ast.copy_location(ast.Assign([as_target(one)], minus(loaded(one))), node)
        yield Rewrite(3.0, (line, node), f"`{text(line)}` put before line {node.lineno}")


def local(scope: Scope) -> list[Operand]:
    """The names that the statement reads and its function bound."""
    found = [one for one in scope.own if isinstance(one, ast.Name) and text(one) in scope.operands]
    return list({text(one): one for one in found}.values())


def as_target(one: Operand) -> Operand:
    if isinstance(one, ast.Name):
        return ast.Name(one.id, ast.Store())
    if isinstance(one, ast.Attribute):
        return ast.Attribute(one.value, one.attr, ast.Store())
    return ast.Subscript(one.value, one.slice, ast.Store())


def divided(one: Operand, size: ast.expr, node: ast.stmt) -> ast.stmt:
    line = ast.Assign([as_target(one)], binary(loaded(one), ast.Div, size))
    return ast.copy_location(line, node)
