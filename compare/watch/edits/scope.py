"""What stands around a statement: its expressions, and the names, sizes, factors and terms that its function has."""

import ast
import builtins
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, TypeGuard

from twofold.compare.watch.edits.edit import text
from twofold.compare.watch.edits.reading import Site, heads

Operand = ast.Name | ast.Attribute | ast.Subscript
PRODUCTS = (ast.Mult, ast.Div, ast.MatMult)
# What is read off an array and is none itself, or is a method.
OFF = frozenset(("T", "mT", "H", "shape", "size", "ndim", "dtype", "sum", "mean", "dot", "data"))
BUILTINS = frozenset(dir(builtins))


class Scope:
    """The expressions of one statement, and what else could stand in them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.statement = site.statement
        self.parents: dict[int, ast.AST] = {}
        self.nodes: list[Any] = []
        for head in heads(self.statement):
            self._meet(head, self.statement)

    def _meet(self, node: ast.AST, parent: ast.AST) -> None:
        self.parents[id(node)] = parent
        if isinstance(node, ast.expr):
            self.nodes.append(node)
        for part in ast.iter_child_nodes(node):
            if not isinstance(part, ast.expr_context | ast.operator | ast.cmpop | ast.unaryop | ast.boolop):
                self._meet(part, node)

    def parent(self, node: ast.AST) -> Any:
        return self.parents[id(node)]

    def depth(self, node: ast.AST) -> int:
        """How deep within the statement a node lies."""
        found = 0
        while node is not self.statement:
            node, found = self.parent(node), found + 1
        return found

    def away(self, node: ast.AST) -> float:
        """0 on the line that was asked for, 3 elsewhere in a statement of several."""
        line, end = getattr(node, "lineno", self.site.line), getattr(node, "end_lineno", None)
        return 0.0 if line <= self.site.line <= (end or line) else 3.0

    @cached_property
    def modules(self) -> frozenset[str]:
        """What the file imports, and its functions and classes: names that hold no numbers."""
        found = set(BUILTINS)
        for node in ast.walk(self.site.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(name.asname or name.name).partition(".")[0] for name in node.names}
        for top in self.site.tree.body:
            if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(top.name)
        return frozenset(found)

    @cached_property
    def numpy(self) -> str:
        """What the file calls NumPy, "" where it has none."""
        for node in ast.walk(self.site.tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    if name.name == "numpy":
                        return name.asname or name.name
        return ""

    @cached_property
    def body(self) -> ast.AST:
        """The function that the statement stands in, else the module."""
        return self.site.function or self.site.tree

    @cached_property
    def before(self) -> list[ast.AST]:
        """Every node of the function that runs ahead of the statement: earlier lines, and the loops around it."""
        line = self.statement.lineno
        loops = [node for node in self.site.around if isinstance(node, ast.For)]
        last = max([line - 1, *(node.end_lineno or 0 for node in loops if node.lineno >= self.body_line)])
        return [n for n in ast.walk(self.body) if getattr(n, "lineno", 0) <= last or isinstance(n, ast.arg)]

    @property
    def body_line(self) -> int:
        return getattr(self.body, "lineno", 0)

    @cached_property
    def operands(self) -> dict[str, Operand]:
        """By text everything that is bound ahead of the statement, or read there: names, attributes, items."""
        found: dict[str, Operand] = {}
        for node in self.before:
            if isinstance(node, ast.arg) and node.arg not in ("self", "cls"):
                found.setdefault(node.arg, ast.Name(node.arg, ast.Load()))
            elif self.is_operand(node) and getattr(node, "id", "") not in ("self", "cls", "ctx"):
                found.setdefault(text(node), loaded(node))
        if self.site.kind is not None:
            for node in ast.walk(self.site.kind):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_of_self(node):
                    found.setdefault(text(node), loaded(node))
        bases = {"self.params", *found}
        for node in ast.walk(self.site.tree):  # what is kept by the same words elsewhere: p["W1"], self.params["b"]
            if is_word_of(node) and text(node.value) in bases:
                found.setdefault(text(node), loaded(node))
        return found

    @cached_property
    def own(self) -> list[Operand]:
        """The operands of the statement that are read, the largest that there are: of `a.b[0].T` it is `a.b[0]`."""
        found: list[Operand] = []
        for node in self.nodes:
            if not self.is_operand(node) or not isinstance(node.ctx, ast.Load):
                continue
            parent = self.parent(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                continue
            if self.is_operand(parent) and getattr(parent, "value", None) is node:
                continue
            found.append(node)
        return found

    def is_operand(self, node: Any) -> bool:
        """A name, an attribute or an item that may hold numbers: no module, no method that is called."""
        if isinstance(node, ast.Name):
            return node.id not in self.modules
        if isinstance(node, ast.Attribute):
            return node.attr not in OFF and self.is_operand(node.value) and not self.is_method(node)
        if isinstance(node, ast.Subscript):
            return self.is_operand(node.value) and not isinstance(node.slice, ast.Slice | ast.Tuple | ast.Compare)
        return False

    def is_module(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id in self.modules

    def is_method(self, node: ast.AST) -> bool:
        return id(node) in self._called

    @cached_property
    def _called(self) -> frozenset[int]:
        return frozenset(id(node.func) for node in ast.walk(self.body) if isinstance(node, ast.Call))

    @cached_property
    def used(self) -> frozenset[str]:
        """The names that the function reads anywhere else."""
        inside = {id(node) for node in self.nodes}
        loads = (n for n in ast.walk(self.body) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        return frozenset(node.id for node in loads if id(node) not in inside)

    @cached_property
    def bound(self) -> list[Operand]:
        """What the statement assigns to."""
        node: Any = self.statement
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        return [target for target in targets if isinstance(target, Operand)]

    @cached_property
    def stores(self) -> frozenset[str]:
        """The last names of all that the function assigns to."""
        found = (node for node in ast.walk(self.body) if isinstance(node, Operand))
        return frozenset(last_name(node) for node in found if isinstance(node.ctx, ast.Store)) - {""}

    @cached_property
    def arguments(self) -> list[ast.expr]:
        names = [node.arg for node in ast.walk(self.body) if isinstance(node, ast.arg)]
        return [ast.Name(name, ast.Load()) for name in dict.fromkeys(names) if name not in ("self", "cls", "ctx")]

    @cached_property
    def idle(self) -> frozenset[str]:
        """The names that are bound, and read nowhere."""
        own = {text(one) for one in self.own}
        return frozenset(k for k in self.operands if k.isidentifier() and k not in self.used and k not in own)

    @cached_property
    def uncounted(self) -> list[Operand]:
        """What is bound ahead of the statement and enters no computation of the function: at most it is kept."""
        counted = set()
        for node in ast.walk(self.body):
            if not isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.Assign | ast.Return):
                counted |= {text(part) for part in ast.iter_child_nodes(node) if isinstance(part, Operand)}
        ahead = {id(node) for node in self.before}
        bound = (n for n in ast.walk(self.body) if isinstance(n, Operand) and isinstance(n.ctx, ast.Store))
        found = {text(node): loaded(node) for node in bound if id(node) in ahead}
        return [one for key, one in found.items() if key not in counted]

    @cached_property
    def words(self) -> frozenset[str]:
        """Every name, attribute and word in the function."""
        found = {node.id for node in ast.walk(self.body) if isinstance(node, ast.Name)}
        found |= {node.attr for node in ast.walk(self.site.kind or self.body) if isinstance(node, ast.Attribute)}
        constants = (node.value for node in ast.walk(self.body) if isinstance(node, ast.Constant))
        return frozenset(found | {value for value in constants if isinstance(value, str)})

    @cached_property
    def floats(self) -> list[float]:
        """The numbers of the file that are no whole ones, those of the class or function first."""
        nodes = [*ast.walk(self.site.kind or self.body), *ast.walk(self.site.tree)]
        values = (node.value for node in nodes if isinstance(node, ast.Constant) and type(node.value) is float)
        return [value for value in dict.fromkeys(values) if value != round(value)]

    @cached_property
    def named_numbers(self) -> list[str]:
        """The names that the file gives to numbers, and to what is reckoned of them: sizes, rates."""
        pairs = (pair for top in self.site.tree.body for pair in assigned(top))
        return [target.id for target, value in pairs if isinstance(target, ast.Name) and is_reckoned(value)]

    @cached_property
    def unary(self) -> list[str]:
        """The file's own functions of one argument."""
        tops = [top for top in self.site.tree.body if isinstance(top, ast.FunctionDef) and len(top.args.args) == 1]
        return [top.name for top in tops]

    @cached_property
    def sizes(self) -> list[ast.expr]:
        """What may divide: divisors of the function, lengths and shapes in it, names that hold them, lengths of its
        arrays.
        """
        found: dict[str, ast.expr] = {}
        for node in ast.walk(self.body):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                found.setdefault(text(node.right), node.right)
            elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
                found.setdefault(text(node.value), node.value)
        for node in ast.walk(self.body):
            if isinstance(node, ast.expr) and is_length(node):
                found.setdefault(text(node), node)
            elif isinstance(node, ast.Assign) and any(is_length(n) or is_shape(n) for n in ast.walk(node.value)):
                for target in node.targets:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name):
                            found.setdefault(name.id, ast.Name(name.id, ast.Load()))
        for node in ast.walk(self.site.kind) if self.site.kind else ():
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and text(node.right).startswith("self."):
                found.setdefault(text(node.right), node.right)
        for name in (*(one for one in self.own if isinstance(one, ast.Name)), *self.arguments):
            length = ast.Call(ast.Name("len", ast.Load()), [name], [])
            found.setdefault(text(length), length)
        inside = {text(node) for node in self.nodes if is_length(node)}
        return [size for key, size in found.items() if is_simple(size) and (key not in inside or is_length(size))][:12]

    def slots(self) -> Iterator[tuple[ast.expr, int]]:
        """Where a product stands that a factor may be put to, and how deep: no indices, axes, shapes nor words."""
        for node in self.nodes:
            parent = self.parent(node)
            if not self.is_value(node):
                continue
            if isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.Constant | ast.Lambda | ast.Starred | ast.Slice):
                continue
            if isinstance(node, ast.Compare | ast.BoolOp | ast.JoinedStr | ast.Subscript) and not self.is_operand(node):
                continue
            if isinstance(parent, ast.BinOp) and isinstance(parent.op, (*PRODUCTS, ast.Pow)):
                continue
            if isinstance(parent, ast.UnaryOp | ast.Attribute | ast.Subscript | ast.Starred):
                continue
            if (isinstance(parent, ast.Call) and parent.func is node) or isinstance(parent, ast.Compare):
                continue
            yield node, self.depth(node)

    def is_value(self, node: Any) -> bool:
        """Whether it stands where numbers are computed: read, and within no index, keyword of an option or callee."""
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return False
        while node is not self.statement:
            parent = self.parent(node)
            if isinstance(parent, ast.Subscript) and parent.slice is node:
                return False
            if isinstance(parent, ast.keyword) or (isinstance(parent, ast.Call) and parent.func is node):
                return isinstance(node, ast.Attribute) and self.is_value(parent)
            if isinstance(parent, ast.For | ast.comprehension) and getattr(parent, "iter", None) is node:
                return False
            if isinstance(parent, ast.Dict) and node in parent.keys:
                return False
            if isinstance(parent, ast.Lambda | ast.arguments):
                return isinstance(parent, ast.Lambda) and parent.body is node
            node = parent
        return True


def loaded(node: Any) -> Any:
    """The same operand, read."""
    if isinstance(node, ast.Name):
        return ast.Name(node.id, ast.Load())
    if isinstance(node, ast.Attribute):
        return ast.Attribute(node.value, node.attr, ast.Load())
    return ast.Subscript(node.value, node.slice, ast.Load())


def last_name(node: ast.AST) -> str:
    """The word that tells an operand from others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    return ""


def is_of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def is_word_of(node: Any) -> TypeGuard[ast.Subscript]:
    """An item by a word."""
    key = node.slice if isinstance(node, ast.Subscript) else None
    return isinstance(key, ast.Constant) and isinstance(key.value, str)


def is_length(node: ast.AST) -> bool:
    """len(x), x.shape[0] or x.size."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1
    if isinstance(node, ast.Subscript):
        return is_shape(node.value) and isinstance(node.slice, ast.Constant | ast.UnaryOp)
    return isinstance(node, ast.Attribute) and node.attr == "size"


def assigned(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """Each target of an assignment with what it is given, those of tuples apart as well."""
    if not isinstance(statement, ast.Assign):
        return []
    pairs = [(target, statement.value) for target in statement.targets]
    for target, value in list(pairs):
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs += zip(target.elts, value.elts, strict=False)
    return pairs


def is_reckoned(node: ast.AST) -> bool:
    """Whether it is a number, or made of numbers and names of such."""
    if isinstance(node, ast.BinOp):
        return is_reckoned(node.left) and is_reckoned(node.right)
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and type(node.value) in (int, float))


def is_shape(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "shape"


def is_simple(node: ast.AST) -> bool:
    return sum(1 for _ in ast.walk(node)) <= 12


def alike(one: str, other: str) -> float:
    """How much two names look like each other, 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
