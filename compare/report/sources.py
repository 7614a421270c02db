"""The classes that a pair is made of, scratch's beside the reference's, method by method, as their files have them."""

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from inspect import getmro
from pathlib import Path

from twofold import scratch
from twofold.compare.judge.finding import Spot
from twofold.compare.layers import FORMS
from twofold.compare.pair import Pair, Twin
from twofold.scratch.layers import loops

ROOT = Path(scratch.__file__).parents[1]
PLAIN = {"Conv2d": "LoopConv2d", "MaxPool2d": "LoopMaxPool2d"}  # a layer as the textbook has it, in loops.py
SHARED = ("twofold.scratch.module:Module", "twofold.scratch.optimizer:Optimizer")  # what all have tells of none
RAISED = re.compile(r" at (\w+\.py):(\d+)$")
Definition = ast.stmt
UNSAID = {"self", "rng", "params"}  # of a call


@dataclass(frozen=True)
class Piece:
    """A method, or what stands before the first; `line` is that of its first line."""

    name: str
    file: str
    line: int
    text: str

    def has(self, file: str, line: int) -> bool:
        return self.file == file and self.line <= line <= self.line + self.text.count("\n")


@dataclass(frozen=True)
class Source:
    """A class of scratch's; `reference` is empty where torch's own stands in its place, which `call` builds."""

    name: str
    scratch: tuple[Piece, ...]
    reference: tuple[Piece, ...] = ()
    call: str = ""
    bases: tuple[str, ...] = ()  # keys of sources
    plain: tuple[Piece, ...] = ()  # the same by loops


def sources(pair: Pair, spots: Iterable[Spot] = ()) -> dict[str, Source]:
    """Of the model, its layers, loss, penalty and optimizer; and of what else holds a line that is told of."""
    found: dict[str, Source] = {}
    for kind, reference in parts(pair):
        add(found, kind, reference)
    for spot in spots:
        if not any(piece.has(spot.file, spot.line) for source in found.values() for piece in source.scratch):
            found |= around(spot)
    return found


def parts(pair: Pair) -> Iterator[tuple[type, str]]:
    """Classes of scratch's, each with the reference's as "module:name"."""
    home = pair.model.reference.partition(":")[0]
    yield pair.model.named("scratch"), pair.model.reference
    known = counterparts()
    for kind in built(pair):
        inside = kind.__module__ == pair.model.named("scratch").__module__
        yield kind, known.get(kind, f"{home if inside else 'torch.nn'}:{kind.__name__}")
    for twin in (pair.loss, pair.penalty, pair.optimizer):
        if twin:
            yield twin.named("scratch"), twin.reference


def built(pair: Pair) -> list[type]:
    """The classes of the modules within the model; none where it cannot be built, which is told where it is judged."""
    try:
        return [type(module) for _, module in list(pair.model.build("scratch").named_modules())[1:]]
    except Exception:
        return []


@cache
def counterparts() -> Mapping[type, str]:
    twins = [*(case.model for case in FORMS), Twin("twofold.scratch:Sequential", "torch.nn:Sequential")]
    return {twin.named("scratch"): twin.reference for twin in twins}


def add(found: dict[str, Source], kind: type, reference: str = "") -> str:
    """With the classes that it is derived from; returns its key."""
    home, name = kind.__module__, kind.__qualname__
    theirs = reference.rpartition(":")[2]
    key = f"{home}:{name}" + (f" {theirs}" if theirs not in ("", name) else "")
    if key in found:
        return key
    mine = pieces(home, name)
    if not mine:
        return ""
    other = inherited(*reference.split(":")) if reference else ()
    call = "" if other or not reference else f"{reference.replace(':', '.')}({', '.join(arguments(kind))})"
    plain = pieces(loops.__name__, PLAIN[name]) if name in PLAIN and home.startswith(scratch.__name__) else ()
    found[key] = Source(name, mine, other, call, plain=plain)
    above = [base for base in getmro(kind)[1:2] if f"{base.__module__}:{base.__qualname__}" not in SHARED]
    bases = [add(found, base, counterparts().get(base, "")) for base in above if base is not object]
    found[key] = replace(found[key], bases=tuple(filter(None, bases)))
    return key


def arguments(kind: type) -> list[str]:
    """As scratch's own __init__ has them: names and defaults are torch's."""
    for owner in getmro(kind)[:-1]:
        for node in definition(owner.__module__, owner.__qualname__)[:1]:
            for method in getattr(node, "body", []):
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    return list(written(method.args))
    return []


def written(args: ast.arguments) -> Iterator[str]:
    named = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(named) - len(args.defaults)) + list(args.defaults)
    given = [*zip(named, defaults, strict=True), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    for argument, default in given:
        if argument.arg not in UNSAID:
            yield argument.arg + (f"={ast.unparse(default)}" if default else "")
    if args.vararg:
        yield f"*{args.vararg.arg}"


@cache
def parsed(module: str) -> tuple[str, str, ast.Module] | None:
    """Its file, text and tree; what it defines is read and never run. None of a module that has no source."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        return None
    file = Path(str(spec.origin))
    text = file.read_text(encoding="utf-8")
    return named(file), text, ast.parse(text)


def named(file: Path) -> str:
    """From the folder that holds scratch, as a line that is told of is named."""
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else str(file)


def definition(module: str, name: str) -> list[ast.ClassDef | ast.FunctionDef]:
    found = parsed(module)
    nodes = found[2].body if found else []
    return [node for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name]


def pieces(module: str, name: str) -> tuple[Piece, ...]:
    """Of what a module defines under that name; () where it does not."""
    found = parsed(module)
    if found is None:
        return ()
    return tuple(piece for node in definition(module, name) for piece in cut(found[0], found[1], node))


def cut(file: str, text: str, node: Definition) -> Iterator[Piece]:
    """A class where its methods begin, with the comments and decorators above each."""
    lines = text.splitlines()
    methods = [one for one in getattr(node, "body", []) if isinstance(one, ast.FunctionDef)]
    starts = [(first_line(lines, node), "")]
    if isinstance(node, ast.ClassDef):
        starts += [(first_line(lines, one), one.name) for one in methods]
    ends = [*(start for start, _ in starts[1:]), (node.end_lineno or node.lineno) + 1]
    for (start, name), end in zip(starts, ends, strict=True):
        told = textwrap.dedent("\n".join(lines[start - 1 : end - 1])).rstrip()
        yield Piece(name or getattr(node, "name", ""), file, start, told)


def first_line(lines: list[str], node: Definition) -> int:
    line = begins(node)
    while line > 1 and lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line


def begins(node: Definition) -> int:
    """With the decorators above it."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def inherited(module: str, name: str) -> tuple[Piece, ...]:
    """What is defined there, then what it takes from classes that are not torch's own."""
    if module.partition(".")[0] == "torch":
        return ()
    mine = pieces(module, name)
    for node in definition(module, name)[:1]:
        for base in getattr(node, "bases", []):
            if isinstance(base, ast.Name):
                taken = inherited(home_of(module, base.id), base.id)
                mine += tuple(one for one in taken if one.name not in {piece.name for piece in mine})
    return mine


def home_of(module: str, name: str) -> str:
    """The module that a name is imported from, else that which uses it."""
    found = parsed(module)
    for node in found[2].body if found else []:
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            return node.module
    return module


def raised_at(found: Mapping[str, Source], told: str) -> Spot | None:
    """The line that raised, which is told by its file's name alone, where it is shown."""
    at = RAISED.search(told)
    for piece in (piece for source in found.values() for piece in source.scratch) if at else ():
        if at and piece.file.rpartition("/")[2] == at[1] and piece.has(piece.file, int(at[2])):
            return Spot(piece.file, int(at[2]), piece.text.split("\n")[int(at[2]) - piece.line].strip())
    return None


def around(spot: Spot) -> dict[str, Source]:
    """What holds a line of scratch's that stands in none of its classes."""
    module = "twofold." + spot.file.removesuffix(".py").replace("/", ".")
    found = parsed(module)
    for node in found[2].body if found else []:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.lineno <= spot.line <= (node.end_lineno or 0):
            return {f"{module}:{node.name}": Source(node.name, pieces(module, node.name))}
    return {}
