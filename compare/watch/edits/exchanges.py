"""One name, argument, comparison, number or function for another."""

import ast
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from twofold.compare.watch.edits.adding import is_sum
from twofold.compare.watch.edits.arithmetic import binary, is_numpys, is_root, minus, number
from twofold.compare.watch.edits.arrays import stepped
from twofold.compare.watch.edits.edit import Change, change, short, text
from twofold.compare.watch.edits.scope import Operand, Scope, alike

COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
FUNCTIONS = ("exp", "tanh", "log", "sqrt", "abs", "maximum", "minimum", "zeros_like", "dot", "outer")
GROWS = ("append", "extend", "insert", "add", "update", "setdefault")
NEAREST = 14  # names that stand in for another


def operands(scope: Scope) -> Iterator[Change]:
    """Another name of the function that is bound before; those that look alike first, then those that nobody uses."""
    for node in scope.own:
        if not may_be_other(scope, node):
            continue
        name = text(node)
        others = [(key, one) for key, one in scope.operands.items() if key != name]
        ranked = sorted(((likely(scope, name, key), key, one) for key, one in others), key=lambda item: item[:2])
        for n, (rank, _, one) in enumerate(ranked[:NEAREST]):
            yield change(rank + 0.05 * n, node, one)
        if isinstance(node, ast.Subscript):  # the same item of another
            names = [one for one in scope.operands.values() if isinstance(one, ast.Name)]
            own = text(node.value)
            names.sort(key=lambda one, own=own: -alike(text(one), own))  # type: ignore[misc]
            for n, base in enumerate(names[:8]):
                yield change(1.7 + 0.05 * n, node, ast.Subscript(base, node.slice, ast.Load()))
    for node in scope.nodes:
        if isinstance(node, ast.Constant) and node.value is None:
            for n, name in enumerate(sorted(scope.idle)):
                yield change(1.2 + 0.1 * n, node, ast.Name(name, ast.Load()))


def constants(scope: Scope) -> Iterator[Change]:
    """Another of the numbers that the file has by name."""
    found = scope.named_numbers
    for node in scope.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in found:
            others = [name for name in found if name != node.id]
            for n, name in enumerate(others[:8]):
                yield change(1.5 + 0.05 * n, node, ast.Name(name, ast.Load()))


def likely(scope: Scope, name: str, key: str) -> float:
    idle = key.isidentifier() and key not in scope.used
    return 1.0 + 1.5 * (1 - alike(name, key)) - 0.4 * idle


def may_be_other(scope: Scope, node: Any) -> bool:
    """Nothing that a loop goes over, or that something is appended to: it might never end."""
    while node is not scope.statement:
        parent = scope.parent(node)
        if isinstance(parent, ast.For | ast.comprehension) and getattr(parent, "iter", None) is node:
            return isinstance(node, ast.Tuple | ast.List)
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func.attr in GROWS:
            return node is not parent.func
        node = parent
    return True


def swapped(scope: Scope) -> Iterator[Change]:
    """Two names, or two arguments of a call, exchanged within the statement."""
    for one, other in combinations(about_the_line(scope)[:11], 2):
        yield from pairs([one, other], 1.2 + 1.2 * (1 - alike(text(one), text(other))))
    targets = [node for node in scope.nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    targets = [node for node in targets if isinstance(scope.parent(node), ast.Tuple)]
    yield from pairs(targets[:6], 1.8)
    for node in scope.nodes:
        if isinstance(node, ast.Call):
            yield from pairs(node.args[:4], 1.5)
        elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
            yield from pairs(node.elts[:5], 1.4)


def pairs(nodes: Sequence[ast.expr], rank: float) -> Iterator[Change]:
    """Every two of these exchanged."""
    for one, other in combinations(nodes, 2):
        if text(one) != text(other):
            yield Change(rank, ((one, other), (other, one)), f"`{short(one)}` and `{short(other)}` exchanged")


def about_the_line(scope: Scope) -> list[Operand]:
    """The operands that may be others, those nearest to the line that was asked for first."""
    found = [node for node in scope.own if may_be_other(scope, node)]
    return sorted(found, key=lambda node: abs(getattr(node, "lineno", scope.site.line) - scope.site.line))


def tests(scope: Scope) -> Iterator[Change]:
    """A condition that is always so: another of the class's, or of the file's."""
    node = scope.statement
    if isinstance(node, ast.If) and isinstance(node.test, ast.Constant):
        found = {
            text(one.test): one.test for one in ast.walk(scope.site.kind or scope.site.tree) if isinstance(one, ast.If)
        }
        for n, one in enumerate(list(found.values())[:12]):
            yield change(1.0 + 0.1 * n, node.test, one)


def compared(scope: Scope) -> Iterator[Change]:
    """< for <=, another bound, a part of a condition dropped or turned round."""
    for node in scope.nodes:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            for n, op in enumerate(COMPARISONS.get(type(node.ops[0]), ())):
                yield change(1.1 + 0.3 * n, node, ast.Compare(node.left, [op()], node.comparators))
        elif isinstance(node, ast.BoolOp):
            for part in node.values:
                others = [one for one in node.values if one is not part]
                yield change(1.5, node, others[0] if len(others) == 1 else ast.BoolOp(node.op, others))
            yield change(1.7, node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        elif isinstance(node, ast.IfExp):
            yield change(1.4, node, ast.IfExp(node.test, node.orelse, node.body))
            yield change(1.8, node, node.body)
            yield change(1.8, node, node.orelse)
    for node in scope.nodes:
        if isinstance(node, ast.Compare) and not isinstance(scope.parent(node), ast.Subscript | ast.BinOp):
            for n, name in enumerate(sorted(scope.idle)[:6]):
                one = ast.Name(name, ast.Load())
                yield change(1.4 + 0.1 * n, node, ast.BoolOp(ast.And(), [node, ast.UnaryOp(ast.Not(), one)]))
                yield change(1.5 + 0.1 * n, node, ast.BoolOp(ast.And(), [node, one]))
    if isinstance(scope.statement, ast.If | ast.Assert) and not isinstance(scope.statement.test, ast.Constant):
        test = scope.statement.test
        yield change(1.6, test, ast.UnaryOp(ast.Not(), test))


def numbers(scope: Scope, known: Sequence[float]) -> Iterator[Change]:
    """Another number: one that the reference has, one further, its half, its double, its complement, its negative."""
    for node in scope.nodes:
        if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
            continue
        value: Any = node.value
        parent = scope.parent(node)
        if isinstance(parent, ast.UnaryOp) or (isinstance(parent, ast.keyword) and parent.arg in ("axis", "dim")):
            continue
        near: list[Any] = [0.5 * value, 2 * value] if isinstance(value, float) else [value + 1, value - 1, 2 * value]
        near += [1 - value] if 0 < value < 1 else []
        found = {one: 1.5 + 0.1 * n for n, one in enumerate(near)}
        for n, one in enumerate(dict.fromkeys([*known, *scope.floats])):
            found.setdefault(one, (1.2 if value not in (0, 1) else 2.3) + 0.05 * n)
        for one, rank in list(found.items())[:16]:
            if one != value and one >= 0:
                yield change(rank, node, number(one))
    for node in scope.nodes:
        if isinstance(node, ast.Constant) and type(node.value) is float and scope.is_value(node):
            yield change(2.6, node, minus(node))


def steps(scope: Scope, known: Sequence[float]) -> Iterator[Change]:
    """What an update forgets: a small number beside a root or in it, the power of a decay, that steps count from 1."""
    small = [value for value in dict.fromkeys([*known, *scope.floats]) if 0 < value <= 1e-3]
    counts = [one for key, one in scope.operands.items() if key.rpartition(".")[2] in ("t", "step", "steps", "n", "k")]
    for node in scope.nodes:
        parent = scope.parent(node)
        divides = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div) and parent.right is node
        if divides or (isinstance(parent, ast.Call) and is_root(scope, parent) and node in parent.args):
            eps = [*map(number, small), *(one for key, one in scope.operands.items() if "eps" in key)]
            for n, one in enumerate(eps[:8]):
                yield change(1.7 + 0.05 * n, node, binary(node, ast.Add, one))
        if isinstance(node, ast.Constant) and type(node.value) is float and 0 < node.value < 1:
            for n, count in enumerate(counts):
                yield change(1.6 + 0.1 * n, node, binary(node, ast.Pow, count))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod | ast.Pow):
            side = node.right if isinstance(node.op, ast.Pow) else node.left
            if isinstance(side, Operand) or is_sum(side):
                yield from stepped(side, 1.6)


def functions(scope: Scope) -> Iterator[Change]:
    """Another function of NumPy's: one that the file uses, or that is often meant."""
    for node in scope.nodes:
        if not isinstance(node, ast.Call) or not is_numpys(scope, node.func):
            continue
        name = node.func.attr  # type: ignore[attr-defined]
        used = (n.attr for n in ast.walk(scope.site.tree) if isinstance(n, ast.Attribute) and is_numpys(scope, n))
        for n, other in enumerate(dict.fromkeys([*used, *FUNCTIONS])):
            if other != name and (other in FUNCTIONS or not other.startswith(("random", "float", "array"))):
                func = ast.Attribute(node.func.value, other, ast.Load())  # type: ignore[attr-defined]
                yield change(2.4 + 0.05 * n, node.func, func, f"`{other}` for `{name}`")
