"""The arrays that a variable holds: itself, or in lists, dicts, and objects of the files that are watched."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import numpy as np

from twofold.compare.watch.statements import Chain
from twofold.scratch.module import Array

MOST_PARTS = 400  # of a list, a dict or an object that is looked through
DEPTH = 4

Belongs = Callable[[str], bool]  # whether a file is watched


def arrays_in(value: Any, belongs: Belongs, depth: int = DEPTH) -> Iterator[tuple[str, Array]]:
    """The arrays and floats in a value, by the path to each."""
    if isinstance(value, np.ndarray):
        if value.dtype != object:
            yield "", value
        elif depth:
            yield from parts_of(enumerate(value.ravel()), belongs, depth)
    elif isinstance(value, float | np.floating):
        yield "", np.asarray(value)
    elif isinstance(value, list | tuple):
        yield from parts_of(enumerate(value), belongs, depth)
    elif isinstance(value, dict):
        yield from parts_of(value.items(), belongs, depth)
    elif is_tensor(value):
        if value.is_floating_point():
            yield "", (value.float() if value.dtype.itemsize == 2 else value).detach().cpu().numpy()
    elif is_of(type(value), belongs) and depth:
        held = vars(value) if hasattr(value, "__dict__") else slots_of(value)
        for name, part in list(held.items())[:MOST_PARTS]:
            for path, array in arrays_in(part, belongs, depth - 1):
                yield f".{name}{path}", array


def parts_of(parts: Any, belongs: Belongs, depth: int) -> Iterator[tuple[str, Array]]:
    if not depth:
        return
    for n, (key, part) in enumerate(list(parts)):
        if n >= MOST_PARTS:
            return
        for path, array in arrays_in(part, belongs, depth - 1):
            yield f"[{key!r}]{path}", array


def slots_of(value: Any) -> dict[str, Any]:
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def is_tensor(value: Any) -> bool:
    """One of torch's, without importing it."""
    return hasattr(value, "detach") and hasattr(value, "is_floating_point")


def nothing(file: str) -> bool:
    """Of no file: objects are not looked into."""
    return False


def is_of(kind: type, belongs: Belongs) -> bool:
    """Whether a class is written in a file that is watched."""
    module = sys.modules.get(kind.__module__)
    return belongs(getattr(module, "__file__", None) or "")


Place = tuple[str, Any, bool]


def resolved(chain: Chain, frame: FrameType, names: Mapping[str, Any]) -> Iterator[Place]:
    """What a chain says now: how far it can be followed as text, the value there, whether that is all of it.

    Arrays end it. Of a dict or list by a key that is computed it is the whole.
    """
    name, keys = chain
    value = names[name] if name in names else frame.f_globals.get(name)
    known = [key if kind != "variable" else names.get(key, frame.f_globals.get(key)) for kind, key in keys]
    yield from followed(name, value, list(zip((kind for kind, _ in keys), known, strict=True)))


def followed(text: str, value: Any, keys: list[tuple[str, Any]]) -> Iterator[Place]:
    if not keys:
        yield text, value, True
        return
    (kind, key), rest = keys[0], keys[1:]
    if value is None or isinstance(value, np.ndarray | float | int | type) or inspect.isroutine(value):
        yield text, value, False
    elif kind == "attribute":
        if isinstance(value, list | tuple | dict | set) or (is_tensor(value) and key not in vars(value)):
            yield text, value, False  # a method of theirs
        else:
            yield from followed(f"{text}.{key}", attribute(value, key), rest)
    elif not isinstance(value, list | tuple | dict):
        yield text, value, False
    elif kind == "any" or not isinstance(key, str | int | tuple):
        if not rest:
            yield text, value, True
            return
        for n, part in list(value.items() if isinstance(value, dict) else enumerate(value))[:MOST_PARTS]:
            yield from followed(f"{text}[{n!r}]", part, rest)
    else:
        try:
            part = element(value, key)
        except (KeyError, IndexError, TypeError):
            return
        yield from followed(f"{text}[{key!r}]", part, rest)


def element(value: Any, key: Any) -> Any:
    return value[key]


def attribute(value: Any, name: str) -> Any:
    """What an object holds under a name; None for what it has not, and for methods."""
    held = getattr(value, "__dict__", {})
    if name in held:
        return held[name]
    kind = getattr(type(value), name, None)
    if isinstance(kind, property) or inspect.ismemberdescriptor(kind) or (kind is not None and not callable(kind)):
        return getattr(value, name, None)
    return None
