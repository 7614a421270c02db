"""What a line of a file is: the innermost statement on it, its text, and the variables that it names."""

import ast
import linecache
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# ("attribute", "W"), ("key", "W1"), ("computed", 't - 1'), ("named", '"w" + gate') of getattr, ("any", None)
Key = tuple[str, Any]
SHOWN = 90  # letters of a statement that are told
Chain = tuple[str, tuple[Key, ...]]  # a name, and what is reached from it: self.params["W1"], caches[t]
Part = tuple[str, tuple[Chain, ...], frozenset[str]]  # the path, the variables, the names of what is called

FUNCTIONS = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
BRANCHES = (ast.For, ast.While, ast.If, ast.With, ast.AsyncFor, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
HEADED = (*FUNCTIONS, *BRANCHES)
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # no text of Python, or one nested too deep


@dataclass(frozen=True)
class Statement:
    """One statement, of a loop or a branch its head alone; `chains` are the variables that it names.

    Several that stand on one line are one.
    """

    file: str
    line: int
    end: int
    text: str  # its first line, or all of it joined where it has several
    chains: tuple[Chain, ...]
    stored: tuple[Chain, ...]  # those of them that it only stores to
    parts: tuple[Part, ...]  # of what it makes by path, what each part is made from
    constants: frozenset[float]  # the numbers that are written in it
    function: str  # the qualified name of what it stands in, "" for a file's own
    returns: bool = False
    loops: bool = False  # a loop, or with what it repeats on its line


def source_of(file: str) -> list[str]:
    """A file's lines as they run: what was planted in memory is registered with linecache."""
    return linecache.getlines(file)


@lru_cache(maxsize=256)
def _statements(file: str, text: str) -> dict[int, Statement]:
    try:
        return read(file, text)
    except UNREADABLE:
        return {}


def read(file: str, text: str) -> dict[int, Statement]:
    with warnings.catch_warnings():  # what Python says of an odd escape was said when the file was imported
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    lines = text.split("\n")
    found: dict[int, Statement] = {}
    for node, function in walked(tree, ""):
        parts = heads(node)
        end = max((part.end_lineno or part.lineno for part in parts), default=node.lineno)
        end = node.end_lineno or node.lineno if not isinstance(node, HEADED) else max(end, node.lineno)
        joined = " ".join(line.strip() for line in lines[node.lineno - 1 : end])
        chains = tuple(dict.fromkeys(chain for part in parts for chain in chains_of(part)))
        one = Statement(
            file,
            node.lineno,
            end,
            joined,
            chains,
            stored_by(node),
            tuple(parts_of(node)),
            constants_in(parts),
            function,
            isinstance(node, ast.Return),
            isinstance(node, ast.For | ast.While),
        )
        beside = found.get(node.lineno)
        if beside is not None and beside.line == node.lineno:
            one = together(beside, one)
        for line in range(node.lineno, one.end + 1):
            found[line] = one  # what is within comes later, and stays
    return found


def together(one: Statement, other: Statement) -> Statement:
    """Two statements that begin on one line, or a branch and what stands behind its colon."""
    return Statement(
        one.file,
        one.line,
        max(one.end, other.end),
        max(one.text, other.text, key=len),
        tuple(dict.fromkeys((*one.chains, *other.chains))),
        (*one.stored, *(chain for chain in other.stored if chain not in one.chains)),
        (*one.parts, *other.parts),
        one.constants | other.constants,
        other.function,
        one.returns or other.returns,
        one.loops or other.loops,
    )


def statements_of(file: str) -> dict[int, Statement]:
    """By line the innermost statement on it."""
    return _statements(file, "".join(source_of(file)))


def walked(tree: ast.AST, function: str) -> Iterator[tuple[ast.stmt, str]]:
    """Every statement with the qualified name of its function, outer ones before inner ones."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            yield node, function
        inner = function
        if isinstance(node, FUNCTIONS):
            inner = f"{function}.{node.name}".strip(".")
        yield from walked(node, inner)


def heads(node: ast.stmt) -> list[ast.expr]:
    """The expressions of a statement, without those of the statements in it."""
    if isinstance(node, FUNCTIONS):
        return []
    within = [part for item in getattr(node, "items", []) for part in ast.iter_child_nodes(item)]
    return [part for part in (*ast.iter_child_nodes(node), *within) if isinstance(part, ast.expr)]


def constants_in(parts: list[ast.expr]) -> frozenset[float]:
    inner = (one for part in parts for one in ast.walk(part) if isinstance(one, ast.Constant))
    values = (one.value for one in inner if isinstance(one.value, int | float))
    return frozenset(float(value) for value in values if abs(value) < 1e300)


def stored_by(node: ast.stmt) -> tuple[Chain, ...]:
    """The variables that an assignment gives other values, and does not read."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign | ast.For):
        targets = [node.target]
    items = node.items if isinstance(node, ast.With) else []
    targets = targets + [item.optional_vars for item in items if item.optional_vars is not None]
    found = [chain(target) for whole in targets for target in spread(whole)]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "setattr":
        read = {one for part in node.value.args[1:] for one in chains_of(part)}
        named = by_name(node.value)
        return () if named is None or named in read else (named,)
    value = [part for part in (getattr(node, "value", None), getattr(node, "iter", None)) if part is not None]
    value += [item.context_expr for item in items]
    read = {one for part in value for one in chains_of(part)}
    return tuple(one for one in found if one is not None and one not in read)


def spread(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Tuple | ast.List):
        for part in node.elts:
            yield from spread(part)
    else:
        yield node.value if isinstance(node, ast.Starred) else node


def parts_of(node: ast.stmt) -> Iterator[Part]:
    """Of a tuple or dict that is written out what is in each place, by "return[1]['dW']" or the target's name."""
    if isinstance(node, ast.Return) and node.value is not None:
        yield from displayed("return", node.value)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for one, other in zip(target.elts, value.elts, strict=False):
                yield from displayed(ast.unparse(one), other)
        elif isinstance(value, ast.Tuple | ast.List | ast.Dict):
            yield from displayed(ast.unparse(target), value)


def displayed(path: str, node: ast.expr) -> Iterator[Part]:
    if isinstance(node, ast.Tuple | ast.List):
        for n, part in enumerate(node.elts):
            yield from displayed(f"{path}[{n}]", part)
    elif isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        for key, part in zip(node.keys, node.values, strict=True):
            yield from displayed(f"{path}[{ast.literal_eval(key)!r}]" if key else path, part)
    else:
        yield path, tuple(dict.fromkeys(chains_of(node))), frozenset(called(node))


def called(node: ast.expr) -> Iterator[str]:
    """The names by which something is called there; an object that is called runs its __call__."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            yield from (ast.unparse(part.func).rpartition(".")[2], "__call__", "__init__", "<lambda>")


def chains_of(node: ast.expr) -> Iterator[Chain]:
    """Names with what is reached from them, as far as that can be read off: self.params["W1"], cache[t]."""
    if (found := chain(node)) is not None:
        yield found
        if not isinstance(node, ast.Subscript):
            return
        while isinstance(node, ast.Subscript | ast.Attribute):  # what stands within the brackets
            if isinstance(node, ast.Subscript):
                yield from chains_of(node.slice)
            node = node.value
        return
    if isinstance(node, ast.Call) and (named := by_name(node)) is not None:
        yield named
        for argument in node.args[1:]:
            yield from chains_of(argument)
        return
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        yield from of_comprehension(node)
        return
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.expr):
            yield from chains_of(part)
        elif isinstance(part, ast.keyword):
            yield from chains_of(part.value)


def of_comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[Chain]:
    """What is used of each element, where that can be read off: node.h for node in nodes is nodes[any].h."""
    inner = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    elements: dict[str, Chain] = {}
    targets: set[str] = set()
    for part in node.generators:
        inner += part.ifs
        targets |= {one.id for one in ast.walk(part.target) if isinstance(one, ast.Name)}
        for target, source in pairs_of(part.target, part.iter):
            found = chain(source)
            if isinstance(target, ast.Name) and found is not None:
                elements[target.id] = through(found, elements)
            else:
                inner.append(source)
    for one in inner:
        for found in chains_of(one):
            yield of_any(through(found, elements), targets)


def of_any(found: Chain, targets: set[str]) -> Chain:
    """With every element where a target of the comprehension says which: own[name] for name in names."""

    def is_one(kind: str, text: Any) -> bool:
        return kind in ("computed", "named") and not targets.isdisjoint(
            part.id for part in ast.walk(ast.parse(text, mode="eval")) if isinstance(part, ast.Name)
        )

    return found[0], tuple(("any", None) if is_one(*key) else key for key in found[1])


def through(found: Chain, elements: Mapping[str, Chain]) -> Chain:
    name, keys = found
    if name not in elements:
        return found
    source, before = elements[name]
    return source, (*before, ("any", None), *keys)


def pairs_of(target: ast.expr, source: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Which target runs over what: seen through zip, enumerate and reversed."""
    if isinstance(source, ast.Call) and isinstance(source.func, ast.Name):
        if source.func.id in ("reversed", "list", "sorted") and len(source.args) == 1:
            yield from pairs_of(target, source.args[0])
            return
        names = list(target.elts) if isinstance(target, ast.Tuple) else []
        if source.func.id == "zip" and len(names) == len(source.args):
            for one, other in zip(names, source.args, strict=True):
                yield from pairs_of(one, other)
            return
        if source.func.id == "enumerate" and len(names) == 2 and source.args:
            yield from pairs_of(names[1], source.args[0])
            return
    yield target, source


def chain(node: ast.expr) -> Chain | None:
    keys: list[Key] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            keys.append(("attribute", node.attr))
        elif isinstance(node, ast.Subscript):
            keys.append(key_of(node.slice))
        else:
            return None
        node = node.value
    return node.id, tuple(reversed(keys))


# What can be computed once more without running anything of the user's.
PLAIN = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.JoinedStr, ast.FormattedValue, ast.Subscript)
PLAIN_PARTS = (*PLAIN, ast.operator, ast.unaryop, ast.expr_context)


def key_of(within: ast.expr) -> Key:
    """What stands in brackets: a constant, what can be computed, or anything else, which may be every element."""
    if isinstance(within, ast.Constant):
        return ("key", within.value) if isinstance(within.value, str | int) else ("any", None)
    if all(isinstance(part, PLAIN_PARTS) for part in ast.walk(within)):
        return "computed", ast.unparse(within)
    return "any", None


def by_name(node: ast.Call) -> Chain | None:
    """Of getattr(p, "w" + gate), or setattr, what it reaches."""
    if not isinstance(node.func, ast.Name) or node.func.id not in ("getattr", "setattr") or len(node.args) < 2:
        return None
    kind, key = key_of(node.args[1])
    found = chain(node.args[0])
    if found is None or kind == "any":
        return None
    return found[0], (*found[1], ("named", key if kind == "computed" else repr(key)))
