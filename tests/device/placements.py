"""Where the product says on which device something is, found in its own source, and the same with that left out.

Read from the syntax, so that a site that is new is planted by itself: a `.to` that names a device, a `.cpu()`, a
`device=`, a tensor made like another, and what is said to a device's generator.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType
from typing import Any

from tests.places import ROOT

# What runs or keeps torch's side on a device.
FILES = (
    "compare/sides/*.py",
    "compare/sides/foreign/reference.py",
    "compare/judge/evidence/*.py",
    "compare/judge/checks/*.py",
    "compare/training/*.py",
    "reference/**/*.py",
)
# Needs processes of its own, and a backend that joins them on the device: test_training.py asks two of its parts alone.
APART = ("compare/training/workers.py",)
LIKE = {"new_zeros": "zeros", "new_ones": "ones", "new_tensor": "tensor", "new_empty": "empty", "new_full": "full"}
SEEDING = ("manual_seed_all", "set_rng_state")


@dataclass(frozen=True)
class Site:
    """A call of a file, by the number that it has among all nodes of the file's syntax."""

    file: str
    line: int
    node: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.text}"


def device_in(node: ast.AST) -> bool:
    """Whether an expression names a device."""
    return any(isinstance(part, ast.Name | ast.Attribute) and "device" in ast.unparse(part) for part in ast.walk(node))


def without(call: ast.Call) -> ast.AST | None:
    """The call without its placement; None where it has none."""
    kept = [keyword for keyword in call.keywords if keyword.arg != "device"]
    if isinstance(call.func, ast.Attribute):
        name, owner = call.func.attr, call.func.value
        if name == "cpu" and not call.args:
            return owner
        if name == "to" and any(map(device_in, call.args)):
            rest = [argument for argument in call.args if not device_in(argument)]
            return ast.Call(call.func, rest, call.keywords) if rest else owner
        if name in LIKE:
            return ast.Call(ast.parse(f"__import__('torch').{LIKE[name]}", mode="eval").body, call.args, call.keywords)
        if name in SEEDING and len(call.args) == 1 and ast.unparse(owner) not in ("torch", "self.torch", "torch.cuda"):
            return ast.Constant(None)
    return ast.Call(call.func, call.args, kept) if len(kept) < len(call.keywords) else None


def sites() -> list[Site]:
    found = []
    for path in sorted(path for pattern in FILES for path in ROOT.glob(pattern)):
        if str(path.relative_to(ROOT)) in APART:
            continue
        for number, node in enumerate(ast.walk(ast.parse(path.read_text()))):
            if isinstance(node, ast.Call) and (other := without(node)) is not None:
                text = f"{ast.unparse(node)} as {ast.unparse(ast.fix_missing_locations(other))}"
                found.append(Site(str(path.relative_to(ROOT)), node.lineno, number, text))
    return found


@contextmanager
def planted(site: Site) -> Iterator[None]:
    """While it lasts the outermost function around a site has the code without it."""
    path = ROOT / site.file
    tree = ast.parse(path.read_text())
    target = list(ast.walk(tree))[site.node]
    assert isinstance(target, ast.Call)
    other = without(target)

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return other if node is target else super().generic_visit(node)

    name = function_around(tree, target)
    tree = ast.fix_missing_locations(Exchange().visit(tree))
    function = function_named(site.file, name)
    kept = function.__code__
    function.__code__ = next(code for code in codes(compile(tree, str(path), "exec")) if code.co_qualname == name)
    try:
        yield
    finally:
        function.__code__ = kept


def function_around(tree: ast.AST, target: ast.AST) -> str:
    """The qualified name of the outermost function that holds a node."""

    def within(node: ast.AST, classes: tuple[str, ...]) -> str:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef) and any(part is target for part in ast.walk(child)):
                return ".".join((*classes, child.name))
            own = (*classes, child.name) if isinstance(child, ast.ClassDef) else classes
            if not isinstance(child, ast.FunctionDef) and (found := within(child, own)):
                return found
        return ""

    return within(tree, ())


def function_named(file: str, name: str) -> Any:
    """The function itself, below what it is wrapped in."""
    found: Any = import_module(f"twofold.{file.removesuffix('.py').replace('/', '.').removesuffix('.__init__')}")
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
        found = getattr(found, "func", getattr(found, "fget", found))
    unwrapped: Callable[..., Any] = inspect.unwrap(found)
    return unwrapped


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)
