"""A changed source in the place of the live one: only the function, or the value, in which the site lies."""

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from twofold import scratch

from .sites import Site

HOME = Path(scratch.__file__).parent


def module_of(file: str) -> Any:
    """The module of a file of scratch: "layers/conv.py"."""
    return import_module(".".join(["twofold.scratch", *Path(file).with_suffix("").parts]))


@dataclass(frozen=True)
class Change:
    """A live function, class or module, and what its attributes are in the changed source."""

    owner: Any
    attributes: Mapping[str, Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        before = {name: getattr(self.owner, name) for name in self.attributes}
        try:
            for name, value in self.attributes.items():
                setattr(self.owner, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(self.owner, name, value)


def change_of(tree: ast.Module, site: Site) -> Change:
    """Makes scratch run the function of `site`, or have the values of its class or module, as in `tree`.

    A function keeps its identity and gets other code, so that every name that it was imported under has the change.
    """
    module = module_of(site.file)
    owner, _, name = site.function.rpartition(".")
    home = getattr(module, owner) if owner else module
    found = unwrap(vars(home)[name]) if name else module
    if isinstance(found, FunctionType):
        return Change(found, function_of(tree, site, vars(module), found.__code__.co_freevars))
    return Change(found, values_of(tree, site.function, vars(module)))


def definition_of(tree: ast.Module, path: str) -> Any:
    """The class or function of a qualified name; the tree itself for ""."""
    node: Any = tree
    for name in path.split(".") if path else ():
        node = next(part for part in node.body if getattr(part, "name", None) == name)
    return node


def function_of(tree: ast.Module, site: Site, names: dict[str, Any], free: tuple[str, ...]) -> dict[str, Any]:
    """Code and defaults of a function; one with a `super` refers to its class even where no line does any more."""
    definition = definition_of(tree, site.function)
    mentioned = [ast.Expr(ast.Name(name, ast.Load())) for name in free]
    never = ast.If(ast.Constant(False), [ast.Pass(), *mentioned], [])
    definition.body.append(never)
    try:
        codes = [compile(ast.fix_missing_locations(tree), str(HOME / site.file), "exec")]
    finally:
        definition.body.remove(never)
    for code in codes:
        codes += [part for part in code.co_consts if isinstance(part, CodeType)]
    arguments = definition.args
    by_name = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        "__code__": next(code for code in codes if code.co_qualname == site.function),
        "__defaults__": tuple(value_of(node, names) for node in arguments.defaults) or None,
        "__kwdefaults__": {argument.arg: value_of(node, names) for argument, node in by_name if node} or None,
    }


def values_of(tree: ast.Module, path: str, names: dict[str, Any]) -> dict[str, Any]:
    """The constants of a module, or the attributes of a class."""
    statements = [part for part in definition_of(tree, path).body if isinstance(part, ast.Assign)]
    named = {ast.unparse(part.targets[0]): part.value for part in statements}
    return {name: value_of(node, names) for name, node in named.items() if path or name.isupper()}


def value_of(node: ast.expr, names: dict[str, Any]) -> Any:
    expression = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(expression, "<value>", "eval"), names)
