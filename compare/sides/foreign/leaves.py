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

    def read(self) -> Array:
        if self.scalar:
            return np.array([float(slot.get()) for slot in self.slots]).reshape(self.shape)
        return array_in(self.slots[0].get())

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


def leaves_of(tree: Any, reach: Reach, names: Mapping[int, str]) -> list[Leaf]:
    """The parameters in a tree: its float arrays, what is there twice once; of a tree without arrays its numbers.

    `names` are those by which an array goes elsewhere, by id.
    """
    inside = Reach({"": tree})
    arrays = [slot for slot in inside.slots if is_floating(slot.get())]
    arrays = [slot for slot in arrays if not is_gradient_beside(slot, arrays)]
    if not arrays:
        return list(numbers(inside.slots, tree))
    seen: set[int] = set()
    found = []
    for slot in arrays:
        value = slot.get()
        if id(value) in seen:
            continue
        seen.add(id(value))
        name = tidy(slot.name, names.get(id(value)))
        dtype = np.dtype(str(value.dtype).rpartition(".")[2]) if is_tensor(value) else value.dtype
        views = isinstance(value, np.ndarray) and shares(value, reach)
        found.append(Leaf(name, [slot], tuple(value.shape), dtype, views=views, original=value))
    return found


def tidy(name: str, known: str | None = None) -> str:
    """["W1"] is W1, [0].weights is params[0].weights; a bare place in a list has the name that it goes by elsewhere."""
    key = re.fullmatch(r"\['([^']*)'\]", name)
    if key:
        return key.group(1)
    if re.fullmatch(r"(\[\d+\])+", name):
        return known or f"params{name}"
    return f"params{name}" if name.startswith("[") else re.sub(r"^\['([^']*)'\]", r"\1", name)


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


def numbers(slots: Iterable[Slot], tree: Any) -> Iterable[Leaf]:
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
        parent = re.sub(r"\.\w+$", "", slot.name) if slot.kind == ATTRIBUTE else slot.name
        groups.setdefault(re.sub(r"\[\d+\]$", "", parent), []).append(slot)
    for name, members in groups.items():
        alone = len(members) == 1 and not re.search(r"\[\d+\](\.\w+)?$", members[0].name)
        shape = () if alone else (len(members),)
        yield Leaf(tidy(name) or "params", members, shape, np.dtype("float64"), scalar=True)
