"""The sites of a source: every place where one thing can be wrong, and what stands there when it is.

Sites are operators, comparisons, constants, indices, keywords, copies and whole statements, in function bodies and in
the values of defaults, class attributes and constants. Annotations, docstrings and what an error says are none.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

from twofold.scratch import checks

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
# An order gives way at its border, and to its opposite.
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
# Whose own text says more of a change than the constant alone.
TELLING = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.keyword, ast.Slice, ast.Subscript)


@dataclass(frozen=True)
class Site:
    """One change in one line of a function; `lines` are those of which a run must reach one to notice.

    `function` is the qualified name of a function, or of a class or module ("") whose own value changes. No line number
    is part of the name, so that edits elsewhere leave it as it is.
    """

    file: str
    function: str
    line: str
    change: str
    lines: tuple[int, int]
    default: bool = False  # of an argument: whoever reads the signature may notice too

    @property
    def name(self) -> tuple[str, str, str, str]:
        return self.file, self.function, self.line, self.change


Put = Callable[[Any], None]
GUARDS = frozenset(name for name, value in vars(checks).items() if getattr(value, "__module__", "") == checks.__name__)


def sites(tree: ast.Module, file: str, wanted: str | None = None) -> Iterator[Site]:
    """Every site in turn, of all functions or the wanted one; while one is given, the tree has its change."""
    count: Counter[tuple[str, ...]] = Counter()
    for function, line, lines, parent, put, node in places(tree):
        for other in variants(node) if wanted in (None, function) else ():
            telling = isinstance(parent, TELLING) and isinstance(node, ast.Constant)
            before = head(parent if telling else node)
            put(other)
            change = "dropped" if isinstance(other, ast.Pass) else f"{before} -> {head(parent if telling else other)}"
            count[function, line, change] += 1
            number = count[function, line, change]
            change = change if number == 1 else f"{change} #{number}"
            yield Site(file, function, line, change, lines, isinstance(parent, ast.arguments))
            put(node)


def head(node: ast.AST) -> str:
    """The first line, which is all of a simple statement or expression."""
    return ast.unparse(node).strip().partition("\n")[0]


Place = tuple[str, str, tuple[int, int], ast.AST, Put, ast.AST]


def places(tree: ast.Module) -> Iterator[Place]:
    """What can change: function, line, lines to reach, the node that holds it, how to put another there, and it."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield from places_of_function(statement, statement.name)
        elif isinstance(statement, ast.ClassDef):
            for part in statement.body:
                if isinstance(part, ast.FunctionDef):
                    yield from places_of_function(part, f"{statement.name}.{part.name}")
                elif isinstance(part, ast.Assign):
                    yield from places_of_value(part, statement.name, whole(statement))
        elif isinstance(statement, ast.Assign) and head(statement).partition(" ")[0].isupper():
            yield from places_of_value(statement, "", whole(tree))  # other names at this level are types


def places_of_value(statement: ast.Assign, function: str, lines: tuple[int, int]) -> Iterator[Place]:
    for place in inner(statement, statement):
        yield (function, head(statement), lines, *place)


def places_of_function(function: ast.FunctionDef, name: str) -> Iterator[Place]:
    arguments = function.args
    positional = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    for argument, defaults, n in (
        *((argument, arguments.defaults, n) for n, argument in enumerate(positional)),
        *((argument, arguments.kw_defaults, n) for n, argument in enumerate(arguments.kwonlyargs)),
    ):
        if default := defaults[n]:
            line = f"{argument.arg}={ast.unparse(default)}"
            put = partial(defaults.__setitem__, n)
            yield name, line, whole(function), arguments, put, default
            for _, put_inner, part in inner(default, default):
                yield name, line, whole(function), arguments, put_inner, part
    yield from places_of_block(function, name)


def places_of_block(block: Any, name: str) -> Iterator[Place]:
    for body in (block.body, getattr(block, "orelse", [])):
        for n, statement in enumerate(body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # a docstring
            line, lines = head(statement), reach(statement)
            yield name, line, lines, block, partial(body.__setitem__, n), statement
            if isinstance(statement, ast.Raise) or is_refusal(statement):
                continue
            for place in inner(statement, statement):
                yield (name, line, lines, *place)
            if hasattr(statement, "body"):
                yield from places_of_block(statement, name)


def inner(node: ast.AST, top: ast.AST) -> Iterator[tuple[ast.AST, Put, ast.AST]]:
    """The expressions below a node, without the blocks of a statement: holder, how to put, expression."""
    for field, value in ast.iter_fields(node):
        of_statement = node is top and field in ("body", "orelse") and isinstance(value, list)
        if of_statement or field == "annotation" or isinstance(value, ast.expr_context):
            continue
        if isinstance(value, list):
            children = [(partial(value.__setitem__, n), child) for n, child in enumerate(value)]
        else:
            children = [(partial(setattr, node, field), value)]
        for put, child in children:
            if isinstance(child, ast.AST) and not (isinstance(node, ast.Call) and is_said(node, child)):
                yield node, put, child
                if not is_negative(child):  # a constant by itself
                    yield from inner(child, top)


def is_said(call: ast.Call, argument: ast.AST) -> bool:
    """Whether it is a word of what a guard says: how it calls what it is given."""
    guard = isinstance(call.func, ast.Name) and call.func.id in GUARDS
    said = isinstance(argument, ast.JoinedStr) or isinstance(getattr(argument, "value", None), str)
    return guard and (said or (isinstance(argument, ast.keyword) and argument.arg == "what"))


def is_refusal(statement: ast.stmt) -> bool:
    """What raises, by another name."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "refuse"


def is_negative(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)


def whole(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 1), getattr(node, "end_lineno", None) or 10**9


def reach(statement: Any) -> tuple[int, int]:
    """The lines of a statement, or of its head if it holds others."""
    if hasattr(statement, "body"):
        return statement.lineno, max(statement.lineno, statement.body[0].lineno - 1)
    return statement.lineno, statement.end_lineno


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may wrongly stand in the place of a statement or expression."""
    for other in (*of_statement(node), *of_operation(node), *of_index(node), *of_call(node)):
        yield ast.fix_missing_locations(ast.copy_location(other, node))


def of_statement(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.Expr() | ast.Raise():
            yield ast.Pass()
        case ast.AugAssign(target=target, op=op, value=value):
            yield ast.Pass()
            yield altered(node, op=OPERATORS[type(op)]())
            yield ast.Assign([target], value)
        case ast.If():
            yield altered(node, test=ast.Constant(True))
            yield altered(node, test=ast.Constant(False))
        case ast.Return(value=ast.expr() as value) if getattr(value, "value", ...) is not None:
            yield ast.Return(ast.Constant(None))
        case ast.With():
            yield ast.If(ast.Constant(True), node.body, [])


def of_operation(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left=left, op=op):
            yield altered(node, op=OPERATORS[type(op)]())
            yield left
        case ast.BoolOp(op=op):
            yield altered(node, op=OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value) as operand):
            yield from (operand, ast.Constant(1 - value))
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert(), operand=operand):
            yield operand
        case ast.Compare(ops=ops):
            for n, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield altered(node, ops=[*ops[:n], other(), *ops[n + 1 :]])
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.comprehension(ifs=ifs):
            for n in range(len(ifs)):
                for value in (True, False):
                    yield altered(node, ifs=[*ifs[:n], ast.Constant(value), *ifs[n + 1 :]])
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(2 * value or 1.0)
        case ast.Constant(value=str(value)):
            yield ast.Constant(value + "_")


def of_index(node: ast.AST) -> Iterator[ast.AST]:
    """Bounds and new axes left out."""
    if not isinstance(node, ast.Subscript):
        return
    several = isinstance(node.slice, ast.Tuple)
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for n, part in enumerate(parts):
        instead: list[list[ast.expr]] = []
        match part:
            case ast.Slice(lower=lower, upper=upper, step=step):
                bounds = {"lower": lower, "upper": upper, "step": step}
                instead = [[altered(part, **{name: None})] for name, bound in bounds.items() if bound]
            case ast.Constant(value=None) if several:
                instead = [[]]
            case ast.Constant(value=None):
                yield node.value
        for replaced in instead:
            rest = [*parts[:n], *replaced, *parts[n + 1 :]]
            yield altered(node, slice=ast.Tuple(rest, ast.Load()) if several else rest[0])


def of_call(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="copy"), args=[], keywords=[]):
            yield value
        case ast.Call(func=ast.Name(id="reversed"), args=[argument]):
            yield argument
        case ast.Attribute(attr="T", value=value):
            yield value
        case ast.Call(args=arguments, keywords=keywords):
            if len(arguments) > 1:
                yield altered(node, args=arguments[:-1])
            for n, keyword in enumerate(keywords):
                if not isinstance(getattr(keyword.value, "value", None), bool):  # else its other value is the default
                    yield altered(node, keywords=[*keywords[:n], *keywords[n + 1 :]])


def altered(node: Any, **fields: Any) -> Any:
    other = copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other
