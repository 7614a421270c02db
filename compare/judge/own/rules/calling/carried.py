"""What a function carries from call to call: cells of a closure, attributes, changeable defaults, globals.

Of all that a run has its own copy, and afterwards everything is as it was.
"""

import types
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np

PLAIN = (dict, list, set, np.ndarray, Number, np.random.Generator, np.random.RandomState)
FOREIGN = ("torch", "numpy", "builtins", "twofold.compare")


@dataclass(frozen=True)
class Spot:
    """One place where a value stands: a key of a dict, or the content of a closure's cell."""

    name: str
    home: Any

    def get(self) -> Any:
        return self.home.cell_contents if isinstance(self.home, types.CellType) else self.home[self.name]

    def set(self, value: Any) -> None:
        if isinstance(self.home, types.CellType):
            self.home.cell_contents = value
        else:
            self.home[self.name] = value


@dataclass
class Kept:
    """A function with a state of its own; `values` go by the spots' order, at first copies of what is there."""

    function: Callable[..., Any]
    spots: list[Spot]
    values: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = deepcopy([spot.get() for spot in self.spots])

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        before = [spot.get() for spot in self.spots]
        try:
            for spot, value in zip(self.spots, self.values, strict=True):
                spot.set(value)
            return self.function(*arguments, **keywords)
        finally:
            self.values = [spot.get() for spot in self.spots]
            for spot, value in zip(self.spots, before, strict=True):
                spot.set(value)

    def keeps(self) -> dict[str, Any]:
        return {spot.name: value for spot, value in zip(self.spots, self.values, strict=True)}


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with a state of its own where it has one that can be copied."""
    spots = [spot for spot in spots_of(function) if copies(spot.get())]
    return Kept(function, spots) if spots else function


def is_global(made: Any) -> bool:
    """Whether something is kept in a module's globals, of which nobody has two."""
    return isinstance(made, Kept) and any(
        "__builtins__" in spot.home for spot in made.spots if isinstance(spot.home, dict)
    )


def copies(value: Any) -> bool:
    try:
        deepcopy(value)
    except Exception:
        return False
    return True


def spots_of(function: Any) -> list[Spot]:
    """Of a function, and of the functions that it names, whatever may change from call to call."""
    found: dict[tuple[int, str], Spot] = {}
    seen: set[int] = set()
    todo = [function]
    while todo:
        function = getattr(todo.pop(), "__func__", None) or function
        if not isinstance(function, types.FunctionType) or id(function) in seen:
            continue
        seen.add(id(function))
        for spot in places(function):
            try:
                value = spot.get()
            except ValueError:  # an empty cell
                continue
            if isinstance(value, types.FunctionType):
                todo.append(value)
            elif changeable(value):
                found[id(spot.home), spot.name] = spot
    return list(found.values())


def places(function: types.FunctionType) -> Iterator[Spot]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield Spot(name, cell)
    names = {*function.__code__.co_names}
    for code in function.__code__.co_consts:
        names |= {*code.co_names} if isinstance(code, types.CodeType) else set()
    for name in sorted(names & function.__globals__.keys()):
        yield Spot(name, function.__globals__)
    for name in vars(function):
        yield Spot(name, vars(function))


def changeable(value: Any) -> bool:
    """Whether a value may be what a rule keeps: containers, arrays, numbers, and objects of a user's own class."""
    if isinstance(value, PLAIN):
        return True
    ours = type(value).__module__.startswith(FOREIGN) or isinstance(value, type | types.ModuleType)
    return not ours and hasattr(value, "__dict__") and not callable(getattr(value, "__get__", None))
