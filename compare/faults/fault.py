"""A mistake as data: which piece of scratch's source is replaced by what, and how the judge must find it."""

import ast
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np

from twofold.compare.errors import BadInput
from twofold.compare.pair import Case
from twofold.compare.sides import Scratch

# Whatever a case has that a mistake can be made in: modules by path, the whole by the case's name, and these.
LOSS, PENALTY, OPTIMIZER, CLIP = "loss", "penalty", "optimizer", "clip"
# The check that finds a mistake in a module, or in an optimizer.
FINDER = {"forward": "forward", "backward": "gradient", "optimizer": "optimizer", "update": "resync"}


def parts_of(case: Case) -> dict[str, Any]:
    """The scratch side's modules in order of execution, then its loss, penalty and optimizer, and what clips."""
    side = Scratch(case.model, case.loss, case.optimizer, "float64", penalty=case.penalty, clip=case.clip)
    modules = {path or case.name: module for path, module in side.model.named_modules()}
    others = {LOSS: side.criterion, PENALTY: side.penalty, OPTIMIZER: side.optimizer}
    others[CLIP] = side if case.clip is not None else None
    return modules | {name: part for name, part in others.items() if part is not None}


def source_of(function: Any) -> str:
    return textwrap.dedent(inspect.getsource(function))


def reworded(function: Any, changes: Sequence[tuple[str, str]]) -> Any:
    """The function with pieces of its source replaced: each (right, wrong). Raises BadInput."""
    source = changed(function, changes)
    watch, function = getattr(function, "watch", None), inspect.unwrap(function)
    file, first = inspect.getsourcefile(function) or "", inspect.getsourcelines(function)[1]
    tree = ast.increment_lineno(ast.parse(source), first - 1)
    whole = ast.parse("".join(linecache.getlines(file)))
    # a call by way of an imported name is compiled otherwise: with its imports the code is that of the whole file
    tree.body[:0] = [part for part in whole.body if isinstance(part, ast.Import | ast.ImportFrom)]
    names: dict[str, Any] = {}
    exec(compile(tree, file, "exec"), vars(sys.modules[function.__module__]), names)
    made = names[function.__name__]
    made.__qualname__ = function.__qualname__
    made.__code__ = made.__code__.replace(co_qualname=function.__code__.co_qualname)
    return made if watch is None else watch(made)


def changed(function: Any, changes: Sequence[tuple[str, str]]) -> str:
    """The source of a function with its changes. Raises BadInput."""
    source = source_of(function)
    for right, wrong in changes:
        if (times := source.count(right)) != 1:
            where = f"{function.__qualname__}: expected {right!r} once in its source, found it {times} times"
            raise BadInput(f"{where}; faults are planted in scratch as it is published")
        source = source.replace(right, wrong)
    return source


@contextmanager
def shown(edits: Sequence["Edit"]) -> Iterator[None]:
    """While it lasts linecache has the files with the mistakes in them, so that what is told of a line is what runs.

    A function that has become longer or shorter moves nothing: what follows it keeps its lines.
    """
    files: dict[str, list[str]] = {}
    for edit in edits:
        file = inspect.getsourcefile(inspect.unwrap(edit.function)) or ""
        lines, first = inspect.getsourcelines(edit.function)
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        wrong = textwrap.indent(changed(edit.function, edit.changes), indent).splitlines(keepends=True)
        whole = files.setdefault(file, list(linecache.getlines(file)))
        whole[first - 1 : first - 1 + len(lines)] = (wrong + ["\n"] * len(lines))[: len(lines)]
    before = {file: linecache.cache.get(file) for file in files}
    for file, whole in files.items():
        linecache.cache[file] = (sum(map(len, whole)), None, whole, file)
    try:
        yield
    finally:
        for file, entry in before.items():
            linecache.cache.pop(file, None)
            if entry is not None:
                linecache.cache[file] = entry


@dataclass(frozen=True)
class Edit:
    """Changes (right, wrong) of a method "LSTM.backward" of scratch, or of "twofold.scratch.layers.norm:centre".

    Each `right` stands exactly once in the source.
    """

    method: str
    changes: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return self.method.rpartition(":")[2].rpartition(".")[2]

    @property
    def owner(self) -> Any:
        """The class, or the module in which a function is looked up."""
        home, _, path = self.method.rpartition(":")
        module, kind = import_module(home or "twofold.scratch"), path.rpartition(".")[0]
        return getattr(module, kind) if kind else module

    @property
    def function(self) -> Any:
        return getattr(self.owner, self.name)

    @property
    def source(self) -> str:
        return source_of(self.function)

    def planted(self) -> Any:
        """The method with the mistake in it. Raises BadInput if a `right` is not there once."""
        return reworded(self.function, self.changes)

    def used_by(self, kind: type) -> bool:
        """Whether a class has this method, planted or not, or calls this function from where it is replaced."""
        if isinstance(self.owner, type):
            return definer(kind, self.name) is definer(self.owner, self.name)
        methods = [inspect.unwrap(method) for _, method in inspect.getmembers(kind, inspect.isfunction)]
        return any(self.name in m.__code__.co_names and m.__globals__ is vars(self.owner) for m in methods)


def definer(kind: type, name: str) -> type | None:
    """The class from which a method comes."""
    return next((base for base in kind.__mro__ if name in vars(base)), None)


def edit(method: str, *texts: str) -> Edit:
    """`texts` are right, wrong, right, wrong, ..."""
    return Edit(method, tuple(zip(texts[::2], texts[1::2], strict=True)))


# `twofold.scratch.module:blocks` without a last, smaller block: right, wrong.
LAST_BLOCK_DROPPED = "range(0, len(arrays[0]), rows)", "range(0, len(arrays[0]) // rows * rows, rows)"


@dataclass(frozen=True)
class Expected:
    """Each of `checks` must fail, name this stage and one of `modules` (any if empty), and blame so.

    Without a stage no place is named.
    """

    stage: str | None
    modules: tuple[str, ...]
    checks: tuple[str, ...]
    blame: str


@dataclass(frozen=True)
class Fault:
    """A mistake of this `stage`: forward, backward, optimizer, update (of what a step leaves behind), None for others.

    `home` is the pair or layer case to look at first, and the only one for what special inputs alone show. `where` says
    of a part whether the mistake can show in it, `harmless` are cases, with their variants, where it is none. `checks`
    are given where the stage does not say them.
    """

    id: str
    title: str
    edits: tuple[Edit, ...]
    stage: str | None
    home: str = ""
    only_at_home: bool = False
    harmless: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    blame: str = "scratch"
    where: Callable[[Any], bool] = lambda part: True

    @contextmanager
    def planted(self) -> Iterator[None]:
        """While it lasts, scratch has the mistake; numbers may overflow."""
        with ExitStack() as stack:
            stack.enter_context(np.errstate(all="ignore"))
            planted = [(edit.owner, edit.name, edit.planted()) for edit in self.edits]  # before their text is another
            stack.enter_context(shown(self.edits))
            for one in planted:
                stack.enter_context(patch.object(*one))
            yield

    def hits(self, parts: Mapping[str, Any]) -> tuple[str, ...]:
        """Those of a case's parts in which the mistake can show."""
        case = next(iter(parts))
        if any(f"{case}-".startswith(f"{one}-") for one in self.harmless) or (self.only_at_home and case != self.home):
            return ()
        return tuple(name for name, part in parts.items() if self.made_in(part) and self.where(part))

    def made_in(self, part: Any) -> bool:
        return all(edit.used_by(type(part)) for edit in self.edits)

    def expected(self, parts: Mapping[str, Any], modules_seen: bool = True) -> Expected | None:
        """What must be found in a case with these parts; None where the mistake cannot show.

        A reference of raw tensors has no modules to be seen: there the case is the place.
        """
        hits = self.hits(parts)
        if not hits:
            return None
        part = hits[-1] if self.stage == "backward" else hits[0]
        checks = self.checks or self.finders(part)
        if part in (LOSS, PENALTY) and self.stage == "forward":
            return Expected("loss", (LOSS,), checks, self.blame)
        # ties and zeros are where they happen to be, and of modules that are alike extremes takes one
        modules = hits if checks in (("exact",), ("extremes",)) else (part,)
        if part not in (LOSS, PENALTY) and not modules_seen:
            modules = (next(iter(parts)),)
        return Expected(self.stage, () if part in (OPTIMIZER, CLIP) else modules, checks, self.blame)

    def finders(self, part: str) -> tuple[str, ...]:
        """The check that the stage says."""
        if part == LOSS or (part == PENALTY and self.stage == "forward"):
            return ("loss",)
        return ("resync" if part == PENALTY else FINDER[str(self.stage)],)


def biased(layer: Any) -> bool:
    """Whether a layer has a bias to be wrong about."""
    return layer.bias is not None


def forward(name: str, title: str, *edits: Edit, **more: Any) -> Fault:
    """An output is wrong, and its gradient is that of the right one."""
    return Fault(name, title, edits, "forward", **more)


def otherwise(name: str, title: str, *edits: Edit, **more: Any) -> Fault:
    """Another function with its own right gradient."""
    return Fault(name, title, edits, "forward", blame="conventions", **more)


def backward(name: str, title: str, *edits: Edit, **more: Any) -> Fault:
    """A gradient is wrong; outputs agree."""
    return Fault(name, title, edits, "backward", **more)


def update(name: str, title: str, *edits: Edit, **more: Any) -> Fault:
    """Equal gradients move the parameters otherwise."""
    return Fault(name, title, edits, "optimizer", **more)


def statistics(name: str, title: str, *edits: Edit, **more: Any) -> Fault:
    """Output and gradients agree; what a step leaves behind does not."""
    return Fault(name, title, edits, "update", **more)


def misbehaviour(name: str, title: str, *edits: Edit, checks: tuple[str, ...], **more: Any) -> Fault:
    """One pass by itself is right; the checks see what else is done, and name no place."""
    return Fault(name, title, edits, None, checks=checks, **more)
