"""A stranger's parameters: tensors that stand somewhere, written in place where that can be done, else replaced."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.sides.foreign.trees import (
    ATTRIBUTE,
    Reach,
    Slot,
    array_in,
    is_floating,
    is_scalar,
    is_tensor,
)
from twofold.scratch.module import Array

# What a name has that says "the gradient of".
GRADIENT = re.compile(
    r"^(d(L|J|E|C|loss|cost)_?d_?|d_?|D|grad_?|gradient_?|nabla_?|g_|delta_?)(?=.)|(_?grads?|_?gradients?|_?diffs?|_d|_g)$"
)
VALUES = ("data", "value", "val", "weight", "w", "v", "x")  # of an object that wraps a number or an array


def plain(name: str) -> str:
    """The name without what says that it is a gradient: dW1, grad_W1, W1_grad and nabla_W1 are W1."""
    return GRADIENT.sub("", name)


def last(name: str) -> str:
    """What stands last in a path: the key or attribute."""
    return re.split(r"[.\[]", name.rstrip("]"))[-1].strip("'\"")


@dataclass
class Leaf:
    """One parameter. Of an engine of scalars it is a list of slots, each a number."""

    name: str
    slots: list[Slot]
    shape: tuple[int, ...]
    dtype: np.dtype
    scalar: bool = False
    views: bool = field(default=False)  # whether other arrays look into the same memory
    original: Any = None
    path: str = ""  # the whole of it, where the name is its end alone

    def read(self) -> Array:
        """The value in its place, where a call may have put another array."""
        return self.read_from({})

    def read_from(self, slots: Mapping[str, Slot]) -> Array:
        """The value that stands at its name now, if anything does."""
        current = [slots.get(slot.name, slot) for slot in self.slots]
        if self.scalar:
            return np.array([float(slot.get()) for slot in current]).reshape(self.shape)
        return array_in(current[0].get())

    def write(self, value: Array, dtype: DTypeLike, reach: Reach) -> None:
        """In place keeps aliases alive; what is read-only or of another dtype is replaced wherever it stands."""
        if self.scalar:
            for slot, number in zip(self.slots, value.ravel(), strict=True):
                slot.set(float(number) if np.finfo(dtype).eps < 1e-10 else float(np.asarray(number, dtype)))
            return
        array = self.original
        if is_tensor(array):
            array.data = array.data.new_tensor(np.asarray(value), dtype=_torch_dtype(dtype))
            return
        held = reach.aliases(array) or self.slots
        if array.flags.writeable and (array.dtype == np.dtype(dtype) or self.views):
            array[...] = value
            for slot in held:
                if slot.get() is not array:
                    slot.set(array)
            return
        new = np.array(value, dtype, order="K")
        for slot in held:
            try:
                slot.set(new)
            except TypeError:  # in a tuple
                array[...] = value


def _torch_dtype(dtype: DTypeLike) -> Any:
    import torch

    return getattr(torch, np.dtype(dtype).name, torch.float64)


def leaves_of(slots: Sequence[Slot], reach: Reach, names: Mapping[int, str]) -> list[Leaf]:
    """The parameters among slots: the float arrays, what is there twice once; where there are none the numbers.

    `names` are those by which an array goes elsewhere, by id.
    """
    arrays = [slot for slot in slots if is_floating(slot.get())]
    arrays = [slot for slot in arrays if not is_gradient_beside(slot, arrays)]
    if not arrays:
        return list(numbers(slots))
    seen: set[int] = set()
    found = []
    for slot in arrays:
        value = slot.get()
        if id(value) in seen:
            continue
        seen.add(id(value))
        dtype = np.dtype(str(value.dtype).rpartition(".")[2]) if is_tensor(value) else value.dtype
        views = isinstance(value, np.ndarray) and shares(value, reach)
        bare = all(isinstance(key, int) for key in path_of(slot.name))
        name = names.get(id(value), slot.name) if bare else slot.name
        found.append(Leaf(name, [slot], tuple(value.shape), dtype, views=views, original=value))
    return named(found)


def path_of(slot_name: str) -> list[str | int]:
    """The keys of a path: ["layers", 0, "W"]."""
    parts = re.findall(r"\[(?:'([^']*)'|\"([^\"]*)\"|([^\]]*))\]|([^.\[\]]+)", slot_name)
    keys: list[str | int] = []
    for single, double, other, attribute in parts:
        key = single or double or other or attribute
        keys.append(int(key) if other and other.lstrip("-").isdigit() else key)
    return keys


def written(keys: Sequence[str | int]) -> str:
    """layers[0].W; a path that begins with a number stands in params."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f"params{text}" if text.startswith("[") else text.lstrip(".")


def named(leaves: list[Leaf]) -> list[Leaf]:
    """Each by its last key where no other leaf has the same, else by its whole path."""
    paths = [path_of(leaf.name) for leaf in leaves]
    wraps = [
        keys[:-1] if len(keys) > 1 and keys[-1] in ("data", "value", "val") and has_gradient(leaf) else keys
        for keys, leaf in zip(paths, leaves, strict=True)
    ]
    ends = [keys[-1] if keys else "params" for keys in wraps]
    for leaf, keys, end in zip(leaves, wraps, ends, strict=True):
        alone = isinstance(end, str) and ends.count(end) == 1
        leaf.path = written(keys)
        leaf.name = end if alone and isinstance(end, str) else written(keys)
    return leaves


def has_gradient(leaf: Leaf) -> bool:
    """Whether it stands in an object that keeps a gradient beside it."""
    return any(hasattr(leaf.slots[0].holder, word) for word in ("grad", "g", "gradient"))


def shares(value: Array, reach: Reach) -> bool:
    return any(
        isinstance(other := slot.get(), np.ndarray) and other is not value and np.may_share_memory(other, value)
        for slot in reach.slots
    )


def is_gradient_beside(slot: Slot, slots: Sequence[Slot]) -> bool:
    """Named as the gradient of another array of the same shape in the same holder."""
    name = last(slot.name)
    base = plain(name)
    if base == name and name not in ("grad", "g", "diff"):
        return False
    shape = np.shape(slot.get())
    rivals = [other for other in slots if other.holder is slot.holder and other is not slot]
    if name in ("grad", "g", "diff", "gradient"):
        return any(last(other.name) in VALUES and np.shape(other.get()) == shape for other in rivals)
    return any(
        last(other.name) in (base, base.rstrip("s"), f"{base}s") and np.shape(other.get()) == shape for other in rivals
    )


def numbers(slots: Iterable[Slot]) -> Iterable[Leaf]:
    """A leaf a list of numbers, or of objects that hold one: of an engine of scalars."""
    of_objects = [slot for slot in slots if slot.kind == ATTRIBUTE and is_scalar(slot.get())]
    wrapped: dict[int, dict[str, Slot]] = {}
    for slot in of_objects:
        wrapped.setdefault(id(slot.holder), {})[slot.key] = slot
    chosen = [
        next((own[key] for key in VALUES if key in own), None)
        for own in wrapped.values()
        if any(key in own for key in ("grad", "g", "gradient"))
    ]
    kept = [slot for slot in chosen if slot is not None]
    if not kept:
        kept = [slot for slot in slots if slot.kind != ATTRIBUTE and is_scalar(slot.get())]
        kept = kept or [slot for slot in slots if is_scalar(slot.get())]
    groups: dict[str, list[Slot]] = {}
    for slot in kept:
        keys = path_of(slot.name)
        keys = keys[:-1] if slot.kind == ATTRIBUTE and slot.key in VALUES else keys
        while keys and isinstance(keys[-1], int):
            keys.pop()
        groups.setdefault(written(keys) or "params", []).append(slot)
    for name, members in groups.items():
        yield Leaf(name, members, shape_of(members), np.dtype("float64"), scalar=True)


def shape_of(members: Sequence[Slot]) -> tuple[int, ...]:
    """The shape of nested lists of numbers, where they are as long as one another; else a vector."""
    places = []
    for slot in members:
        keys = path_of(slot.name)
        keys = keys[:-1] if slot.kind == ATTRIBUTE and slot.key in VALUES else keys
        numbers: list[int] = []
        while keys and isinstance(keys[-1], int):
            numbers.insert(0, keys.pop())  # type: ignore[arg-type]
        places.append(tuple(numbers))
    depth = {len(place) for place in places}
    if len(depth) != 1:
        return (len(members),)
    shape = tuple(max(place[n] for place in places) + 1 for n in range(depth.pop()))
    return shape if int(np.prod(shape)) == len(members) else (len(members),)
