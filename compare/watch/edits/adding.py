"""A factor, a divisor, a sign, a term or a function more."""

import ast
from collections.abc import Iterator
from typing import Any

from twofold.compare.watch.edits.analogies import here, sides
from twofold.compare.watch.edits.arithmetic import SIGNS, binary, is_numpys, is_numpys_call, number
from twofold.compare.watch.edits.edit import Change, change, short, text
from twofold.compare.watch.edits.scope import Operand, Scope, alike, assigned, last_name

SLOTS = 6  # places of a statement that something is put to
STEPS = ("stride", "size", "step", "pool", "kernel")
UNARY = ("tanh", "exp", "sqrt", "log", "abs", "sign", "square")


def factors(scope: Scope) -> Iterator[Change]:
    """A factor or divisor where a product stands: sizes, factors from elsewhere, slopes, small numbers."""
    known = here(scope, [one for one in sides(scope, ast.Mult) if not isinstance(one, ast.Name)], 10)
    names = [one for one in sides(scope, ast.Mult) if isinstance(one, ast.Name)][:6]
    divisors = here(scope, [one for one in sides(scope, ast.Div) if is_numpys_call(scope, one)], 4)
    forgotten = scope.uncounted[:6] if isinstance(scope.statement, ast.Assign) else []
    for node, far in places(scope):
        yield change(1.4 + far, node, ast.UnaryOp(ast.USub(), node))
        for n, size in enumerate(scope.sizes):
            yield put(1.6 + far + 0.04 * n, node, ast.Div, size)
            yield put(2.8 + far + 0.04 * n, node, ast.Mult, size)
            if "var" in text(scope.statement):  # Bessel's
                less = binary(size, ast.Sub, number(1))
                yield put(2.0 + far + 0.04 * n, node, ast.Mult, binary(size, ast.Div, less))
        for n, one in enumerate(divisors):
            yield put(1.8 + far + 0.04 * n, node, ast.Div, one)
        for n, one in enumerate(known):
            yield put(1.8 + far + 0.04 * n, node, ast.Mult, one)
        yield put(2.0 + far, node, ast.Mult, number(2))
        yield put(2.0 + far, node, ast.Div, number(2))
        for n, one in enumerate(forgotten):
            yield put(1.0 + far + 0.02 * n, node, ast.Mult, one)
        for n, value in enumerate(scope.floats[:4]):
            yield put(2.6 + far + 0.05 * n, node, ast.Mult, number(value))
        bare = 0.6 if is_itself(scope, node) else 1.1 if is_bare(scope, node) else 1.9
        for n, one in enumerate(names):
            yield put(bare + far + 0.05 * n, node, ast.Mult, one)
        for rank, one in slopes(scope):
            yield put(rank + far, node, ast.Mult, one)


def is_bare(scope: Scope, node: Any) -> bool:
    """Whether it is all that is given another name: `x = y` may lack a factor."""
    return isinstance(node, Operand) and isinstance(scope.parent(node), ast.Assign | ast.Tuple)


def is_itself(scope: Scope, node: Any) -> bool:
    """Whether it is given its own name again, which says nothing: `a, x = f(a), x`."""
    return any(value is node and text(target) == text(value) for target, value in assigned(scope.statement))


def put(rank: float, node: Any, op: type, one: Any) -> Change:
    def told() -> str:
        written = f"({text(one)})" if isinstance(one, ast.BinOp) and op in (ast.Mult, ast.Div) else text(one)
        return f"`{SIGNS[op]} {written}` put to `{short(node)}`"

    return change(rank, node, binary(node, op, one), told)


def places(scope: Scope) -> list[tuple[Any, float]]:
    """Where something may be put, and what that adds to the rank: the deeper, and the farther from the line."""
    found = [(node, 0.15 * depth) for node, depth in scope.slots()]
    return sorted(found, key=lambda item: item[1] + scope.away(item[0]))[:SLOTS]


def strides(scope: Scope) -> Iterator[Change]:
    """Every index, or every number of a tuple, times one factor: a stride or a size that all of them lack."""
    steps = [one for key, one in scope.operands.items() if key.isidentifier() and any(word in key for word in STEPS)]
    names = {text(one): one for one in (*steps, *scope.arguments)}
    for node in scope.nodes:
        if not isinstance(node, ast.Tuple) or not isinstance(node.ctx, ast.Load):
            continue
        parts: list[Any] = [getattr(part, "left", part) if is_sum(part) else part for part in node.elts]
        parts = [part for part in parts if isinstance(part, ast.Name)]
        for count in {len(parts), 2}:
            last = parts[-count:]
            if len(last) == count > 1:
                for n, one in enumerate(list(names.values())[:8]):
                    told = f"`* {text(one)}` put to each of {', '.join(f'`{part.id}`' for part in last)}"
                    rank = 1.0 if text(one) in scope.idle else 2.2
                    yield Change(rank + 0.1 * n, tuple((part, binary(part, ast.Mult, one)) for part in last), told)


def sums(scope: Scope) -> list[tuple[Any, float]]:
    """Where a term may be put: the same places, and the sums within products."""
    found = [node for node in scope.nodes if is_sum(node) and scope.is_value(node)]
    inner = [(node, 0.15 * scope.depth(node)) for node in found]
    inner = [(node, far) for node, far in inner if all(node is not one for one, _ in places(scope))]
    return [*inner[:3], *places(scope)[:3]]


def slopes(scope: Scope) -> Iterator[tuple[float, ast.expr]]:
    """What an activation's slope is made of: y, 1 - y, 1 - y ** 2, of each operand."""
    own = {text(node) for node in scope.own}
    for n, (key, one) in enumerate(nearest(scope)):
        far = 0.03 * n + (0.0 if key in own else 0.4)
        yield 1.8 + far, binary(number(1), ast.Sub, binary(one, ast.Pow, number(2)))
        yield 1.9 + far, binary(number(1), ast.Sub, one)
        yield 2.0 + far, one


def nearest(scope: Scope) -> list[tuple[str, ast.expr]]:
    """Operands to reckon with: the statement's, those that nobody uses, those that look like what it reads or binds."""
    own: dict[str, ast.expr] = {text(node): node for node in scope.own}
    goals = [last_name(one) for one in (*scope.own, *scope.bound)][:6]
    others = [item for item in scope.operands.items() if item[0] not in own]
    near = {key: max((alike(last_name(one), goal) for goal in goals), default=0.0) for key, one in others}
    local = {key: 0.3 * key.isidentifier() for key in near}
    others.sort(key=lambda item: (item[0] not in scope.idle, -near[item[0]] - local[item[0]]))
    return [*own.items(), *others][:20]


def terms(scope: Scope) -> Iterator[Change]:
    """A term more: such as is written elsewhere, what is bound and not used, a product of two names."""
    found: dict[str, tuple[float, ast.expr]] = {}
    for n, (key, one) in enumerate(nearest(scope)):
        found[key] = ((0.8 if key in scope.idle else 2.5) + 0.05 * n, one)
    for n, one in enumerate(here(scope, sides(scope, ast.Add, ast.Sub), 12)):
        found.setdefault(text(one), (1.8 + 0.05 * n, one))
    for rank, one in products(scope):
        found.setdefault(text(one), (rank, one))
    for node, far in sums(scope):
        for rank, one in found.values():
            yield put(rank + far, node, ast.Add, one)
            if rank < 3:
                yield put(rank + 0.6 + far, node, ast.Sub, one)


def multiplied(scope: Scope) -> Iterator[Change]:
    """A matrix more: from the left or from the right, as it is or transposed; and what something is taken from."""
    near = [one for _, one in nearest(scope)]
    for node, far in places(scope)[:3]:
        for n, one in enumerate(near[:8]):
            turned, rank = ast.Attribute(one, "T", ast.Load()), 3.0 + far + 0.06 * n
            for k, side in enumerate((turned, one)):
                yield change(rank + 0.1 * k, node, binary(side, ast.MatMult, node))
                yield change(rank + 0.1 * k, node, binary(node, ast.MatMult, side))
            if text(one) in scope.idle:
                yield change(1.8 + far, node, binary(one, ast.Sub, node))


def products(scope: Scope) -> Iterator[tuple[float, ast.expr]]:
    """Products of two names, entry by entry or of matrices."""
    near = [one for key, one in nearest(scope) if key in scope.idle]
    near += [one for one in scope.arguments if text(one) not in scope.idle]
    near += [one for _, one in nearest(scope)]
    names = list({text(one): one for one in near}.values())[:10]
    for n, one in enumerate(names):
        for m, other in enumerate(names):
            rank = 3.2 + 0.05 * (n + m)
            if n < m:
                yield rank, binary(one, ast.Mult, other)
            if n != m:
                yield rank + 0.1, binary(ast.Attribute(one, "T", ast.Load()), ast.MatMult, other)


def functions(scope: Scope) -> Iterator[Change]:
    """A function more around an operand: one of NumPy's or of the file's that takes one array; a call pulled over a
    term, or a term into a call.
    """
    used = [n.attr for n in ast.walk(scope.site.tree) if isinstance(n, ast.Attribute) and is_numpys(scope, n)]
    own = [ast.Name(name, ast.Load()) for name in scope.unary]
    numpys = [
        ast.Attribute(ast.Name(scope.numpy, ast.Load()), name, ast.Load())
        for name in dict.fromkeys(used)
        if name in UNARY
    ]
    for node in scope.own:
        if scope.is_value(node):
            for n, func in enumerate([*own, *numpys][:6]):
                yield change(2.3 + 0.1 * n, node, ast.Call(func, [node], []))
    for node in scope.nodes:
        if is_call_of_one(node) and is_sum(total := node.args[0]):
            inner = ast.Call(node.func, [total.left], node.keywords)
            yield change(1.9, node, binary(inner, type(total.op), total.right))
        if is_sum(node) and is_call_of_one(call := node.left):
            total = binary(call.args[0], type(node.op), node.right)
            yield change(2.1, node, ast.Call(call.func, [total], call.keywords))


def is_sum(node: Any) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def is_call_of_one(node: Any) -> bool:
    return isinstance(node, ast.Call) and len(node.args) == 1


def methods(scope: Scope) -> Iterator[Change]:
    """Of modules that call one another: one more around what a method is given, or one left out."""
    for node in scope.nodes:
        func = getattr(node, "func", None)
        if not isinstance(func, ast.Attribute) or len(node.args) != 1 or scope.is_module(func.value):
            continue
        yield change(1.8, node, node.args[0])
        if not isinstance(func.value, Operand):
            continue
        owner = text(func.value).rpartition(".")[0]
        used = {text(one) for one in scope.own}
        others = [one for key, one in scope.operands.items() if key.rpartition(".")[0] == owner and key not in used]
        for n, one in enumerate(others[:8] if owner else []):
            call = ast.Call(ast.Attribute(one, func.attr, ast.Load()), [node.args[0]], [])
            new = ast.Call(func, [call], node.keywords)
            yield change(1.7 + 0.05 * n, node, new, f"`{short(call)}` for `{short(node.args[0])}`")
