"""A stranger's rule at work: how it is called, what comes back, what it keeps."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare.judge.own.rules.calling.arguments import Wanted
from twofold.compare.judge.own.rules.calling.bags import Arrays, Bag, Unfit, write_over
from twofold.compare.judge.own.rules.calling.carried import Kept
from twofold.scratch.module import Array

FAR = 100.0  # weights of a first try: so large that no moment is taken for them
Shapes = Mapping[str, tuple[int, ...]]


@dataclass
class Manner:
    """How one rule is called: its arguments, what a state begins with, from where steps are counted.

    `where` says which part of what comes back, or which attribute, holds the weights: it is learnt in the first call.
    """

    arguments: list[Wanted]
    start: str = "{}"  # or None, or zeros
    first: int = 1
    where: int | str | None = None

    @property
    def stateful(self) -> bool:
        return any(one.role == "state" for one in self.arguments)

    def word(self) -> str:
        return ", ".join(one.name for one in self.arguments)


class Unit:
    """One rule with its state, for one tensor or for several that are handed over together."""

    def __init__(self, call: Callable[..., Any], manner: Manner, zeros: Callable[[], Any]) -> None:
        self.call, self.manner, self.count = call, manner, manner.first - 1
        starts: dict[str, Callable[[], Any]] = {"{}": dict, "None": lambda: None, "zeros": zeros}
        begins = starts[manner.start]
        self.slots: dict[str, Any] = {}
        for one in manner.arguments:
            if one.role == "state":
                self.slots[one.name] = deepcopy(one.value) if one.given else begins()
            elif one.role == "count":
                self.slots[one.name] = manner.first

    def __call__(self, weights: Any, gradients: Any, name: str) -> Any:
        self.count += 1
        values = {"weights": weights, "gradients": gradients, "name": name}
        positional, keywords = [], {}
        for one in self.manner.arguments:
            value = self.slots[one.name] if one.name in self.slots else values.get(one.role, one.value)
            if one.keyword:
                keywords[one.name] = value
            else:
                positional.append(value)
        return self.call(*positional, **keywords)

    def hand_on(self, rest: list[Any]) -> None:
        """What came back beside the weights is handed over the next time; a count that did not come back is raised."""
        states = [one.name for one in self.manner.arguments if one.role == "state"]
        slots = [one.name for one in self.manner.arguments if one.role in ("state", "count")]
        names = states if len(rest) == len(states) else slots if len(rest) == len(slots) else []
        if rest and slots and not names:
            raise Unfit(f"{len(rest)} values came back for {', '.join(slots)}")
        self.slots.update(zip(names, rest, strict=False))
        counted = [one.name for one in self.manner.arguments if one.role == "count" and one.name not in names]
        if self.manner.first == 0 and counted:
            raise Unfit("steps are counted from 1")
        self.slots.update(dict.fromkeys(counted, self.count + 1))


def part_of(result: Any, manner: Manner, fits: Callable[[Any], Arrays | None], given: Arrays) -> tuple[Any, list[Any]]:
    """Of what came back the weights, None where there are none, and the rest in order."""
    if fits(result) is not None:
        return result, []
    if not isinstance(result, tuple | list):
        return None, []
    if manner.where is None:
        fitting = {n: found for n, part in enumerate(result) if (found := fits(part)) is not None}
        if not fitting:
            return None, list(result)
        manner.where = min(fitting, key=lambda n: apart(fitting[n], given))
    place = manner.where
    if not isinstance(place, int) or place >= len(result) or fits(result[place]) is None:
        raise Unfit("what comes back has another form than before")
    return result[place], [part for n, part in enumerate(result) if n != place]


def apart(first: Arrays, second: Arrays) -> float:
    with np.errstate(all="ignore"):
        return max(float(np.abs(first[name] - second[name]).max()) for name in second)


class Each:
    """Every tensor by itself; `shared` says that one thing serves all of them."""

    def __init__(self, weights: Arrays, make: Callable[[], Any], method: str, manner: Manner, shared: bool) -> None:
        self.held: dict[str, Any] = dict(weights)
        self.shapes, self.manner = {name: array.shape for name, array in weights.items()}, manner
        thing = make()
        self.things = {name: thing if shared or not n else make() for n, name in enumerate(weights)}
        self.units = {
            name: Unit(bound(self.things[name], method), manner, lambda array=array: np.zeros_like(array))  # type: ignore[misc]
            for name, array in weights.items()
        }

    def step(self, gradients: Arrays) -> None:
        for name, unit in self.units.items():

            def fits(found: Any, name: str = name) -> Arrays | None:
                good = isinstance(found, np.ndarray) and found.dtype.kind == "f" and found.shape == self.shapes[name]
                return {name: found} if good else None

            given = {name: np.array(self.held[name])}
            result = unit(self.held[name], gradients[name], name)
            found, rest = part_of(result, self.manner, fits, given)
            if found is None and isinstance(result, np.ndarray):
                raise Unfit(f"shape {result.shape} came back for {self.shapes[name]}")
            unit.hand_on(rest)
            self.held[name] = self.held[name] if found is None else found

    def weights(self) -> Arrays:
        return dict(self.held)

    def keeps(self) -> list[tuple[str | None, dict[str, Any]]]:
        """By tensor, None for what serves all, what may hold a state, by its name."""
        found: list[tuple[str | None, dict[str, Any]]] = [
            (name, states(unit.slots)) for name, unit in self.units.items()
        ]
        things = {id(thing): (name, thing) for name, thing in self.things.items()}
        alone = len(things) == 1
        return found + [(None if alone else name, attributes(thing)) for name, thing in things.values()]


class Together:
    """All tensors in one bag; what is called may be made for that bag, and find the gradients in it."""

    def __init__(
        self,
        weights: Arrays,
        make: Callable[..., Any],
        method: str,
        manner: Manner,
        bag: Bag,
        grads: Callable[[Arrays], Any] | None,
        made_of: str = "",
    ) -> None:
        self.shapes, self.manner, self.bag, self.pack = {n: a.shape for n, a in weights.items()}, manner, bag, grads
        self.held = bag.pack(weights)
        self.buffers = {name: np.zeros_like(array) for name, array in weights.items()}
        zeros = grads or bag.pack
        given = {"": (), "weights": (self.held,), "both": (self.held, zeros(self.buffers))}[made_of]
        self.lasting = made_of == "both"
        self.copied = ""  # the thing's own container that it moves in place of the weights that it was made for
        self.thing: Any = make(*given)
        self.own = {name for name, value in attributes(self.thing).items() if made_of and self.is_copy(value)}
        empty = {name: np.zeros_like(array) for name, array in weights.items()}
        self.unit = Unit(bound(self.thing, method), manner, lambda: deepcopy(zeros(empty)))

    def is_copy(self, value: Any) -> bool:
        """Whether it holds arrays of the weights' form that are others than those that it was given."""
        given, found = self.weights(), self.fits(value)
        return found is not None and not any(np.may_share_memory(found[name], given[name]) for name in given)

    def fits(self, found: Any) -> Arrays | None:
        try:
            return self.bag.arrays(found, self.shapes)
        except Unfit:
            return None

    def step(self, gradients: Arrays) -> None:
        given = {name: np.array(array) for name, array in self.weights().items()}
        if self.lasting:
            for name, buffer in self.buffers.items():
                write_over(buffer, gradients[name])
        if self.bag.grads:
            self.bag.grads(self.held, gradients)
        for name in ("pre_update_params", "update", "post_update_params"):
            if name == "update":
                result = self.unit(self.held, self.pack(gradients) if self.pack else None, "")
            elif hasattr(self.thing, name):
                getattr(self.thing, name)()
        if isinstance(self.manner.where, str):
            self.copied = self.manner.where if self.manner.where in self.own else ""
            self.held = vars(self.thing)[self.manner.where]
            return
        found, rest = part_of(result, self.manner, self.fits, given)
        self.unit.hand_on(rest)
        self.held = self.held if found is None else found
        if self.manner.where is None and found is None and apart(self.weights(), given) == 0:
            self.look_inside(given)

    def look_inside(self, given: Arrays) -> None:
        """Where nothing came back and nothing moved: the weights may stand in a container of the thing's own."""
        inside = {name: found for name, value in attributes(self.thing).items() if (found := self.fits(value))}
        moved = {name: apart(found, given) for name, found in inside.items() if apart(found, given) > 0}
        if moved:
            name = min(moved, key=lambda name: moved[name])
            if moved[name] < FAR / 2:  # a moment lies as far away as the weights are large
                self.manner.where, self.held = name, vars(self.thing)[name]

    def weights(self) -> Arrays:
        return self.bag.arrays(self.held, self.shapes)

    def keeps(self) -> list[tuple[str | None, dict[str, Any]]]:
        found = {**states(self.unit.slots), **attributes(self.thing)}
        return [(None, found if self.bag.grads is None else {**found, "": self.held})]


Running = Each | Together


def bound(thing: Any, method: str) -> Callable[..., Any]:
    return getattr(thing, method) if method else thing


def attributes(thing: Any) -> dict[str, Any]:
    if isinstance(thing, Kept):
        return thing.keeps()
    return dict(getattr(thing, "__dict__", {}))


def states(slots: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in slots.items() if not isinstance(value, int)}


def copied(arrays: Mapping[str, Array]) -> Arrays:
    return {name: np.array(array, np.float64) for name, array in arrays.items()}
