"""A stranger's code called: his callable, his pair of functions or of methods, his torch Function, and what came of it.

Every run begins from the same state of everything that can be reached, with the parameters written and the generators
seeded, and leaves it as it was.
"""

import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.sides.devices import seed_torch
from twofold.compare.sides.foreign.leaves import Leaf, last, leaves_of
from twofold.compare.sides.foreign.trees import (
    CELL,
    Reach,
    Slot,
    array_in,
    is_floating,
    is_module,
    is_scalar,
    is_tensor,
)
from twofold.scratch.module import Array, Parameter


@dataclass(frozen=True)
class Found:
    """One tensor that a call gave or left somewhere: where (returned, grads, beside), its path there, the value."""

    source: str
    path: str
    value: Array
    holder: int = 0  # id of what holds it, for what is found beside the parameters
    dtype: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.path


@dataclass
class Raw:
    """All tensors of one call, and what the parameters were after it."""

    found: list[Found] = field(default_factory=list)
    after: dict[str, Array] = field(default_factory=dict)
    outputs: list[Array] | None = None  # of a pair, whose forward gives them
    gradients: list[Array | None] | None = None  # of a pair, in the order of its arguments
    data: tuple[Any, ...] = ()  # as the call left them
    buffers: dict[str, Array] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)  # what a pair's forward calls its data
    again: "Raw | None" = None  # what a pair's backward returns where it is called twice in a row
    changed: set[tuple[str, str]] = field(default_factory=set)  # of what stands beside: what the call wrote

    def get(self, key: tuple[str, str]) -> Array | None:
        return next((found.value for found in self.found if found.key == key), None)


def labelled(value: Any, path: str = "", seen: frozenset[int] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Every number and array in what was returned, by its path: ["loss"], [1]["W1"], .data."""
    if value is None or isinstance(value, str | bytes | bool) or id(value) in seen:
        return
    if (
        (isinstance(value, np.ndarray) and value.dtype != object)
        or is_tensor(value)
        or isinstance(value, (np.generic, int | float))
    ):
        yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from labelled(part, f"{path}[{key!r}]", seen | {id(value)})
    elif isinstance(value, list | tuple | np.ndarray | zip | map) or inspect.isgenerator(value):
        parts = list(value)
        if parts and all(isinstance(part, int | float) for part in parts) and len(parts) > 1:
            scalars = len(seen) > 0 or not isinstance(value, tuple)
            if scalars:
                yield path, np.array(parts, float)
                return
        if len(parts) > 1 and all(is_number_object(part) for part in parts):
            yield path, np.array([array_in(part) for part in parts])
            return
        for n, part in enumerate(parts):
            yield from labelled(part, f"{path}[{n}]", seen | {id(value)})
    elif is_number_object(value):
        yield path, array_in(value)
    elif hasattr(value, "data") and is_floating(value.data):
        yield path, value.data


def is_number_object(value: Any) -> bool:
    """An object that wraps one number, as of an engine of scalars."""
    return not isinstance(value, np.ndarray | np.generic) and not is_tensor(value) and is_scalar(value_of(value))


def value_of(value: Any) -> Any:
    return getattr(value, "data", None)


class WritesInput(Exception):
    """The code writes to the datum of this number, which then is this."""

    def __init__(self, number: int, array: Array) -> None:
        super().__init__(number)
        self.number, self.array = number, array


class Foreign:
    """The hand-written side of a pair that is not ours."""

    def __init__(
        self,
        scratch: Any,
        data: Sequence[Any],
        params: Any = None,
        grads: Any = None,
        buffers: Any = None,
        others: Mapping[str, Any] | None = None,
    ) -> None:
        self.scratch, self.data = scratch, tuple(data)
        self.is_pair = isinstance(scratch, tuple) and len(scratch) == 2 and all(map(callable, scratch))
        self.forward = scratch[0] if self.is_pair else scratch
        self.is_torch = is_function_of_torch(scratch) or any(is_tensor(array) for array in data)
        params = [params] if is_floating(params) else params
        self.params, self.grads, self.buffers = params, grads, buffers
        self.given = params is not None
        self.twice, self.locked, self.dtype = False, False, "float64"
        self.enter: Callable[[], Any] | None = None  # a mode
        roots = {"scratch": scratch, "params": params, "grads": grads, "buffers": buffers, **(others or {})}
        self.reach = Reach({name: root for name, root in roots.items() if root is not None})
        self.owner = getattr(self.forward, "__self__", None)
        self.leaves = self._leaves()
        slots = [] if buffers is None else Reach({"": buffers}).slots
        self.kept_buffers = leaves_of(slots, self.reach, {})

    # the parameters

    def current(self) -> dict[str, Slot]:
        """Every slot as it is now: a call may have put other containers in the place of those that were there."""
        return {slot.name: slot for slot in Reach(self.root).slots}

    def _leaves(self) -> list[Leaf]:
        names = {id(slot.get()): slot.name for slot in self.reach.slots if is_floating(slot.get()) and tidy_name(slot)}
        if self.given:
            self.root: dict[str, Any] = {"": self.params}
            return leaves_of(Reach(self.root).slots, self.reach, {**names, **self.argument_names()})
        if is_module(self.scratch):
            self.root = {}
            return []
        owner = self.owner if not inspect.ismodule(self.owner) else None
        if owner is None and not inspect.isroutine(self.forward):
            owner = self.forward
        if owner is not None and not isinstance(owner, type):
            self.root = {"": owner}
            return leaves_of([s for s in Reach(self.root).slots if s.kind != CELL], self.reach, names)
        self.root = {"scratch": self.scratch}
        return leaves_of(Reach(self.root).slots, self.reach, names)

    def argument_names(self) -> dict[int, str]:
        """What a pair's forward calls the arrays that it is given one by one."""
        if not self.is_pair or not isinstance(self.params, list | tuple):
            return {}
        try:
            names = list(inspect.signature(self.forward).parameters)[len(self.data) :]
        except (TypeError, ValueError):
            return {}
        return {id(array): name for array, name in zip(self.params, names, strict=False) if is_floating(array)}

    @cached_property
    def takes(self) -> int | None:
        """How many of the data a callable takes: one that only gives outputs takes no target."""
        wanted = self.wanted
        if wanted is None or wanted >= 0:
            return None
        taken = inspect.signature(self.forward).parameters.values()
        most = sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in taken)
        return min(most, len(self.data))

    def data_name(self, n: int) -> str:
        """What the forward calls its n-th argument."""
        try:
            names = list(inspect.signature(self.forward).parameters)
        except (TypeError, ValueError):
            names = []
        return names[n] if n < len(names) and not names[n].startswith("arg") else f"data[{n}]"

    @property
    def wanted(self) -> int | None:
        """How many arguments behind the data the forward needs; None for any number."""
        try:
            taken = inspect.signature(self.forward).parameters.values()
        except (TypeError, ValueError):
            return None
        if any(one.kind is one.VAR_POSITIONAL for one in taken):
            return None
        needed = [one for one in taken if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
        if self.is_pair and isinstance(self.params, list | tuple) and len(self.params) > 1:
            positional = [one for one in taken if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
            if len(positional) >= len(self.data) + len(self.params):
                return len(self.params)
        return len(needed) - len(self.data)

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the forward is given behind the data: nothing, the parameters one by one, or the whole tree."""
        if not self.is_pair or self.params is None or self.owner is not None:
            return (), {}
        if isinstance(self.params, list | tuple) and (self.wanted != 1 or len(self.params) == 1):
            return tuple(self.params), {}
        if isinstance(self.params, Mapping):
            try:
                taken = inspect.signature(self.forward).parameters
            except (TypeError, ValueError):
                return (), {}
            if all(key in taken for key in self.params):
                return (), dict(self.params)
        return (() if self.wanted == 0 else (self.params,)), {}

    # runs

    @contextmanager
    def afresh(
        self, values: Mapping[str, Array] | None = None, dtype: DTypeLike = "float64", seed: int = 0
    ) -> Iterator[None]:
        """While it lasts the parameters hold `values`; then everything is as it was, generators too."""
        torch = sys.modules.get("torch")
        # numpy.random's own generator: the user's code may draw from it
        kept: Any = np.random.get_state(), random.getstate(), torch.get_rng_state() if torch else None  # noqa: NPY002
        try:
            self.seed(seed)
            if values is None and self.is_strict:
                values = self.read()
            if values is not None:
                self.write(values, dtype)
            if self.enter is not None:
                self.enter()
            with np.errstate(all="ignore"):
                yield
        finally:
            self.reach.put_back()
            np.random.set_state(kept[0])  # noqa: NPY002 : the user's code draws from it
            random.setstate(kept[1])
            if torch:
                torch.set_rng_state(kept[2])

    @property
    def is_strict(self) -> bool:
        """Whether parameters are those of twofold.scratch, whose layers take data of their own dtype alone."""
        return any(isinstance(slot.holder, Parameter) for leaf in self.leaves for slot in leaf.slots)

    def zero_grad(self) -> None:
        """Where the object that holds everything has torch's method of that name, its gradients are meant to add up."""
        for holder in (self.owner, self.params):
            method = getattr(holder, "zero_grad", None)
            if callable(method) and not is_module(holder):
                method()

    @contextmanager
    def computing(self, dtype: str) -> Iterator[None]:
        """While it lasts runs are of this dtype, where it is not that of the arrays that are given."""
        before, self.dtype = self.dtype, dtype
        try:
            yield
        finally:
            self.dtype = before

    def seed(self, seed: int) -> None:
        np.random.seed(seed)  # noqa: NPY002 : the user's code draws from it
        random.seed(seed)
        if "torch" in sys.modules:
            seed_torch(seed)
        if seed:
            for bits in self.reach.generators:
                reseed(bits, seed)

    def write(self, values: Mapping[str, Array], dtype: DTypeLike) -> None:
        for leaf in self.leaves:
            if leaf.name in values:
                leaf.write(values[leaf.name], dtype, self.reach)
        for leaf in self.kept_buffers:
            if (key := f"buffer {leaf.name}") in values:
                leaf.write(values[key], dtype, self.reach)

    def read(self) -> dict[str, Array]:
        """The parameters where they stand now."""
        now = self.current()
        return {leaf.name: leaf.read_from(now) for leaf in self.leaves}

    def call(self, data: Sequence[Any], send: Callable[[int, Array], Array] | None = None) -> Raw:
        """One call in the state that there is; `send` draws what a pair's backward is sent for its n-th output."""
        raw = Raw()
        data = tuple(data)
        self.zero_grad()
        before = {key: array_in(slot.get()) for key, slot in self._beside().items()}
        if self.is_pair:
            self._call_pair(raw, data, send)
        else:
            self._returned(raw, self.forward(*data[: self.takes]))
        went_back = not self.is_pair or send is not None  # else there are no gradients yet
        grads = self.grads() if inspect.isroutine(self.grads) and went_back else self.grads
        if grads is not None and went_back:
            for path, value in labelled_tree(grads):
                raw.found.append(found_at("grads", path, value))
        for key, slot in self._beside().items():
            found = found_at("beside", slot.name, slot.get(), id(slot.holder))
            raw.found.append(found)
            if key not in before or not np.array_equal(before[key], found.value, equal_nan=True):
                raw.changed.add(found.key)
        for leaf in self.leaves:
            if leaf.scalar and (word := gradient_word(leaf)):
                numbers = np.array([float(getattr(slot.holder, word)) for slot in leaf.slots]).reshape(leaf.shape)
                found = found_at("beside", f"{leaf.name}.{word}", numbers)
                raw.found.append(found)
                raw.changed.add(found.key)
        raw.after = self.read()
        raw.data = data
        raw.buffers = {leaf.name: leaf.read() for leaf in self.kept_buffers}
        return raw

    def call_once(
        self, values: Mapping[str, Array] | None, data: Sequence[Any], send: Any = None, seed: int = 0
    ) -> Raw:
        """One call from the state that everything was found in, in float64."""
        with self.afresh(values, seed=seed):
            return self.call(data, send)

    def _call_pair(self, raw: Raw, data: tuple[Any, ...], send: Callable[[int, Array], Array] | None) -> None:
        more, named = self._arguments()
        result = self.forward(*data, *more, **named)
        outputs, cache = split_cache(result)
        raw.outputs = [array_in(out) for out in outputs]
        if send is None:
            return
        sent = [send(n, out) for n, out in enumerate(raw.outputs)]
        given = self._backward_arguments(sent, cache)
        self._returned(raw, self.scratch[1](*given))
        if self.twice:
            raw.again = Raw()
            self._returned(raw.again, self.scratch[1](*given))

    def _backward_arguments(self, sent: list[Array], cache: list[Any]) -> list[Any]:
        try:
            taken = [
                one
                for one in inspect.signature(self.scratch[1]).parameters.values()
                if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
            ]
        except (TypeError, ValueError):
            return [*sent, *cache]
        needed = sum(one.default is one.empty for one in taken)
        if taken and "cache" in taken[0].name and cache:
            return [*cache, *sent]
        given: list[Any] = [*sent, *cache] if len(taken) >= len(sent) + len(cache) else list(sent)
        if len(sent) > 1 and needed < len(given):
            given = [tuple(sent), *cache][: max(needed, 1)]
        return given

    def _returned(self, raw: Raw, value: Any) -> None:
        if self.is_pair:
            parts = list(value) if isinstance(value, tuple | list) else [value]
            # behind the gradients of the data those of the parameters may come as a tree
            trees = [n for n, part in enumerate(parts) if isinstance(part, Mapping | list | tuple)]
            raw.gradients = [gradient_in(part) for part in parts[: trees[0] if trees else None]]
            raw.names = list(map(self.data_name, range(len(self.data))))
        for path, part in labelled(value):
            raw.found.append(found_at("returned", path, part))

    def _beside(self) -> dict[tuple[int, Any], Slot]:
        """The arrays that can be reached from what holds the parameters, other than the parameters."""
        roots: dict[str, Any] = {"": self.params} if self.given else {"scratch": self.scratch}
        if self.owner is not None and not isinstance(self.owner, type) and not inspect.ismodule(self.owner):
            roots["self"] = self.owner
        own = {(id(slot.holder), slot.key) for leaf in self.leaves for slot in leaf.slots}
        slots = [slot for slot in Reach(roots).slots if (id(slot.holder), slot.key) not in own]
        return {(id(slot.holder), slot.key): slot for slot in slots}


def gradient_word(leaf: Leaf) -> str:
    """What the objects that hold the numbers of a leaf call their gradient."""
    return next((word for word in ("grad", "g", "gradient") if hasattr(leaf.slots[0].holder, word)), "")


def gradient_in(part: Any) -> Array | None:
    """A returned gradient; None where there is none."""
    if part is None or isinstance(part, str | Mapping | list | tuple):
        return None
    return array_in(part)


def found_at(source: str, path: str, value: Any, holder: int = 0) -> Found:
    array = array_in(value)
    dtype = str(value.dtype).rpartition(".")[2] if hasattr(value, "dtype") else ""
    return Found(source, path, array, holder, dtype)


def labelled_tree(tree: Any) -> list[tuple[str, Any]]:
    """The arrays in a tree of any kind, objects too."""
    found = list(labelled(tree))
    if found:
        return found
    slots = Reach({"": tree}).slots
    arrays = [slot for slot in slots if is_floating(slot.get())]
    return [(slot.name, slot.get()) for slot in arrays or slots]


def split_cache(result: Any) -> tuple[list[Any], list[Any]]:
    """What a forward returned as outputs and cache: the arrays before the last part, which is anything."""
    if not isinstance(result, tuple):
        return [result], []
    if len(result) == 1:
        return [result[0]], []
    *outputs, cache = result
    flat = [part for one in outputs for part in (one if isinstance(one, tuple | list) else [one])]
    return [part for part in flat if is_floating(part) or is_scalar(part)], [cache]


def tidy_name(slot: Slot) -> bool:
    """Whether the slot is a variable with a name of its own."""
    return slot.name.isidentifier() and last(slot.name) == slot.name


def is_function_of_torch(scratch: Any) -> bool:
    """An nn.Module, or the apply of an autograd.Function."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    owner = getattr(scratch, "__self__", None)
    return is_module(scratch) or (isinstance(owner, type) and issubclass(owner, torch.autograd.Function))


def reseed(generator: Any, seed: int) -> None:
    """Another stream than the one it has; it is put back with everything else."""
    if isinstance(generator, (random.Random, np.random.RandomState)):
        generator.seed(seed)
    else:
        generator.state = type(generator)(seed).state
