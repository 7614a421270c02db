"""Transposes, axes, means and sums, indices, slices, ranges and reversed kernels."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from twofold.compare.watch.edits.arithmetic import binary, minus, number
from twofold.compare.watch.edits.edit import Change, change, text
from twofold.compare.watch.edits.scope import Scope

PRODUCT_CALLS = ("dot", "matmul", "outer", "mm", "einsum", "tensordot")
REDUCTIONS = ("sum", "mean", "max", "min", "argmax", "argmin", "std", "var", "prod", "cumsum", "amax")
ALONG = (*REDUCTIONS, "concatenate", "stack", "flip", "softmax", "norm", "take", "repeat", "expand_dims", "squeeze")
AXES = (0, 1, -1, 2, None)


def transposed(scope: Scope) -> Iterator[Change]:
    """A transpose more or less: of an operand of a matrix product, of the whole of one, of what is transposed."""
    for node in scope.nodes:
        if is_transposed(node) and scope.is_value(node):
            yield change(0.4, node, untransposed(node))
        sides: list[Any] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            sides = [node.left, node.right]
            yield change(1.0, node, binary(node.right, ast.MatMult, node.left))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRODUCT_CALLS:
            sides = [*node.args[:2], *([] if scope.is_module(node.func.value) else [node.func.value])]
        for side in sides:
            if not is_transposed(side):
                yield change(0.5, side, with_transpose(scope, side))
        if sides:
            yield change(0.7, node, with_transpose(scope, node))
    for node in scope.own:
        parent = scope.parent(node)
        if scope.is_value(node) and not is_transposed(parent) and not isinstance(parent, ast.Subscript):
            yield change(3.0, node, with_transpose(scope, node))


def is_transposed(node: Any) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("T", "mT")
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("t", "transpose")


def untransposed(node: Any) -> Any:
    if isinstance(node, ast.Attribute):
        return node.value
    return node.args[0] if is_array_module(node.func.value) and node.args else node.func.value


def is_array_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy", "torch")


def with_transpose(scope: Scope, node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


def reduced(scope: Scope) -> Iterator[Change]:
    """Mean for sum and back, another axis, keepdims."""
    for node in scope.nodes:
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if isinstance(called, ast.Attribute) and name in ("sum", "mean"):
            other = ast.Attribute(called.value, "mean" if name == "sum" else "sum", ast.Load())
            yield change(0.4, called, other, f"`{other.attr}` for `{name}`")
        if name in ALONG:
            yield from other_axes(scope, node, name)
        if name in REDUCTIONS:
            yield from kept(scope, node)


def other_axes(scope: Scope, node: ast.Call, name: str) -> Iterator[Change]:
    found = next((key for key in node.keywords if key.arg in ("axis", "dim")), None)
    method = isinstance(node.func, ast.Attribute) and not scope.is_module(node.func.value)
    place = 0 if method else 1
    if found is not None:
        told = f"{found.arg}={text(found.value)}"
        for n, axis in enumerate(AXES):
            if text(found.value) == str(axis) or isinstance(found.value, ast.Tuple) != isinstance(axis, tuple):
                continue
            rank = 0.6 + 0.2 * n
            if axis is None:
                others = [key for key in node.keywords if key is not found]
                yield change(1.8, node, ast.Call(node.func, node.args, others), f"{told} dropped")
                continue
            new = ast.keyword(found.arg, constant(axis))
            keywords = [new if key is found else key for key in node.keywords]
            yield change(rank, node, ast.Call(node.func, node.args, keywords), f"{found.arg}={axis} for {told}")
        if isinstance(found.value, ast.Tuple):
            yield from fewer_axes(node, found, found.value)
    elif len(node.args) > place and is_number(node.args[place]) and name in REDUCTIONS:
        for n, axis in enumerate(AXES[:4]):
            if text(node.args[place]) != str(axis):
                yield change(0.7 + 0.2 * n, node.args[place], constant(axis))
    elif name in REDUCTIONS and len(node.args) == place:
        for n, axis in enumerate((0, 1, -1)):
            keywords = [*node.keywords, ast.keyword("axis", constant(axis))]
            yield change(2.0 + 0.2 * n, node, ast.Call(node.func, node.args, keywords), f"axis={axis} put to `{name}`")


def fewer_axes(node: ast.Call, found: ast.keyword, axes: ast.Tuple) -> Iterator[Change]:
    """One of several axes left out, or one more in front."""
    several = [[one for one in axes.elts if one is not axis] for axis in axes.elts]
    several += [[constant(n), *axes.elts] for n in range(4) if str(n) not in {text(one) for one in axes.elts}]
    for elements in several:
        new = ast.keyword(found.arg, ast.Tuple(elements, ast.Load()))
        keywords = [new if key is found else key for key in node.keywords]
        told = f"{found.arg}={text(new.value)} for {found.arg}={text(axes)}"
        yield change(1.0, node, ast.Call(node.func, node.args, keywords), told)


def constant(value: int | None) -> ast.expr:
    return ast.UnaryOp(ast.USub(), number(-value)) if value is not None and value < 0 else number(value)


def is_number(node: ast.AST) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and type(inner.value) is int


def kept(scope: Scope, node: ast.Call) -> Iterator[Change]:
    found = next((key for key in node.keywords if key.arg in ("keepdims", "keepdim")), None)
    if found is not None:
        others = [key for key in node.keywords if key is not found]
        yield change(1.3, node, ast.Call(node.func, node.args, others), f"{found.arg} dropped")
    elif any(key.arg in ("axis", "dim") for key in node.keywords):
        word = "keepdims" if any(key.arg == "axis" for key in node.keywords) else "keepdim"
        keywords = [*node.keywords, ast.keyword(word, number(True))]
        yield change(1.3, node, ast.Call(node.func, node.args, keywords), f"{word}=True put to it")


def indexed(scope: Scope) -> Iterator[Change]:
    """An index, a bound of a slice or of a range, one further or one less; a slice or its step dropped."""
    for node in scope.nodes:
        if isinstance(node, ast.Subscript):
            whole = node.slice
            parts = whole.elts if isinstance(whole, ast.Tuple) else [whole]
            yield from cut(parts)
            for part in parts:
                if isinstance(part, ast.Slice):
                    yield from bounds(scope, part)
                elif is_index(part):
                    yield from stepped(part, 1.0 if isinstance(node.ctx, ast.Load) else 1.6)
            if isinstance(node.ctx, ast.Load) and scope.is_value(node):
                yield change(2.4, node, node.value)
            yield from reversed_in(node, parts)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
            yield from ranges(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reversed":
            yield change(1.6, node, node.args[0])
    for node in scope.own:
        if scope.is_value(node) and not isinstance(scope.parent(node), ast.Subscript):
            backwards = ast.Slice(None, None, ast.UnaryOp(ast.USub(), number(1)))
            for count in (1, 2):
                index: ast.expr = backwards if count == 1 else ast.Tuple([backwards] * count, ast.Load())
                yield change(3.2, node, ast.Subscript(node, index, ast.Load()))


def is_index(node: ast.AST) -> bool:
    return is_number(node) or isinstance(node, ast.Name | ast.BinOp)


def stepped(node: Any, rank: float) -> Iterator[Change]:
    for n, by in enumerate((-1, 1)):
        yield change(rank + 0.1 * n, node, moved(node, by))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield change(rank, node, node.left)


def moved(node: Any, by: int) -> Any:
    """An index by so much further, as one would write it: t - 1 + 1 is t."""
    if is_number(node):
        return constant(int(ast.literal_eval(node)) + by)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and is_number(node.right):
        value = int(ast.literal_eval(node.right))
        node, by = node.left, by + (value if isinstance(node.op, ast.Add) else -value)
    if not by:
        return node
    return binary(node, ast.Add if by > 0 else ast.Sub, number(abs(by)))


def bounds(scope: Scope, part: ast.Slice) -> Iterator[Change]:
    lower, upper, step = part.lower, part.upper, part.step
    if step is not None:
        yield change(1.1, part, ast.Slice(lower, upper, None))
    elif lower is None and upper is None:
        yield change(2.6, part, ast.Slice(number(1), None, None))
        yield change(2.6, part, ast.Slice(None, constant(-1), None))
    for by in (-1, 1):
        if lower is not None:
            yield change(1.4, part, ast.Slice(moved(lower, by), upper, step))
        if upper is not None:
            yield change(1.4, part, ast.Slice(lower, moved(upper, by), step))
    if lower is not None and upper is not None:
        yield change(1.8, part, ast.Slice(lower, None, step))
        yield change(1.8, part, ast.Slice(None, upper, step))
    elif lower is not None or upper is not None:
        yield change(1.5, part, ast.Slice(upper, lower, step))
        yield change(2.0, part, ast.Slice(None, None, step))


def reversed_in(node: ast.Subscript, parts: list[Any]) -> Iterator[Change]:
    """Two axes taken whole, and neighbours, taken backwards, or forwards again."""
    flipped = ast.Slice(None, None, ast.UnaryOp(ast.USub(), number(1)))
    plain = ast.Slice(None, None, None)
    backwards = [n for n, part in enumerate(parts) if isinstance(part, ast.Slice) and text(part) == text(flipped)]
    if backwards:
        elements = [plain if n in backwards else part for n, part in enumerate(parts)]
        index: ast.expr = ast.Tuple(elements, ast.Load()) if isinstance(node.slice, ast.Tuple) else plain
        yield change(0.9, node, ast.Subscript(node.value, index, node.ctx))
    whole = [n for n, part in enumerate(parts) if isinstance(part, ast.Slice) and text(part) == ":"]
    for first, second in pairwise(whole):
        elements = [flipped if n in (first, second) else part for n, part in enumerate(parts)]
        yield change(1.5, node, ast.Subscript(node.value, ast.Tuple(elements, ast.Load()), node.ctx))


def cut(parts: list[Any]) -> Iterator[Change]:
    """All slices that leave twice so much away at one end: so much at either end."""
    pairs = []
    for part in parts:
        if isinstance(part, ast.Slice) and (part.lower is None) != (part.upper is None):
            bound: Any = part.lower or part.upper
            if isinstance(bound, ast.BinOp) and isinstance(bound.op, ast.Mult) and text(bound.left) in ("-2", "2"):
                pairs.append((part, ast.Slice(bound.right, minus(bound.right), part.step)))
    if pairs:
        old, new = pairs[0]
        yield Change(1.6, tuple(pairs), f"`{text(new)}` for `{text(old)}`")


def ranges(node: ast.Call) -> Iterator[Change]:
    if len(node.args) == 1:
        one = node.args[0]
        for rank, arguments in (
            (1.6, [number(1), one]),
            (1.7, [moved(one, -1)]),
            (1.9, [moved(one, 1)]),
        ):
            yield change(rank, node, ast.Call(node.func, arguments, []))
    else:
        yield from (change(1.6, one, moved(one, by)) for one in node.args[:2] for by in (-1, 1))
        if text(node.args[0]) in ("0", "1"):
            yield change(1.6, node, ast.Call(node.func, [node.args[1]], []))
