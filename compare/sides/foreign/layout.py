"""What stands for what: every entry of torch's tensors is one of the stranger's, with a sign.

A layout is written as code, `{"fc1.weight": "W1.T", "rnn.bias_ih_l0 + rnn.bias_hh_l0": "b"}`: torch's name, or a sum of
those that one of theirs stands for, and a NumPy expression over the stranger's names. It is run once over the numbers
of the entries in place of their values, which makes it an exact map whatever it says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from twofold.compare.sides.foreign.leaves import Leaf, last
from twofold.scratch.module import Array

State = Mapping[str, Array]


class Misfit(ValueError):
    """An expression that does not give a tensor of torch's shape from the stranger's entries."""


@dataclass(frozen=True)
class Entry:
    """One of torch's tensors, or several whose sum counts, from the stranger's entries."""

    names: tuple[str, ...]
    text: str
    index: Array  # of the entry among all of the stranger's; -1 where there is none
    sign: Array

    @property
    def key(self) -> str:
        return " + ".join(self.names)


@dataclass(frozen=True)
class Layout:
    """The map between the stranger's parameters and torch's."""

    leaves: tuple[Leaf, ...]
    entries: tuple[Entry, ...]

    @cached_property
    def offsets(self) -> Array:
        return np.cumsum([0, *(int(np.prod(leaf.shape)) for leaf in self.leaves)])

    def to_torch(self, values: Mapping[str, Array], shares: State) -> dict[str, Array]:
        """Torch's tensors; of a sum `shares` say what all but the first hold."""
        flat = np.concatenate([np.empty(0), *(values[leaf.name].ravel() for leaf in self.leaves)])
        state: dict[str, Array] = {}
        for entry in self.entries:
            whole = np.where(entry.index < 0, 0, entry.sign * flat[entry.index])
            for name in entry.names[1:]:
                state[name] = shares[name]
                whole = whole - shares[name]
            state[entry.names[0]] = whole
        return state

    def from_torch(self, state: State) -> dict[str, Array]:
        """The stranger's values at which torch holds those of `state`, as far as both can be had; the rest is zero."""
        flat = np.zeros(int(self.offsets[-1]))
        for entry in self.entries:
            there = entry.index >= 0
            whole = sum(state[name] for name in entry.names)
            flat[entry.index[there]] = (entry.sign * whole)[there]
        return self._split(flat)

    def gradients(self, state: State) -> dict[str, Array]:
        """What the stranger's gradients must be, given torch's: the map's transpose."""
        flat = np.zeros(int(self.offsets[-1]), np.result_type(np.float64, *state.values()))
        for entry in self.entries:
            if entry.names[0] in state:
                there = entry.index >= 0
                np.add.at(flat, entry.index[there], (entry.sign * state[entry.names[0]])[there])
        return self._split(flat)

    def _split(self, flat: Array) -> dict[str, Array]:
        return {
            leaf.name: flat[start:stop].reshape(leaf.shape)
            for leaf, start, stop in zip(self.leaves, self.offsets[:-1], self.offsets[1:], strict=True)
        }

    def users(self, leaf: Leaf) -> list[Entry]:
        """The entries that take any of a leaf."""
        return self._takers[self.leaves.index(leaf)]

    @cached_property
    def _takers(self) -> list[list[Entry]]:
        found: list[list[Entry]] = [[] for _ in self.leaves]
        for entry in self.entries:
            for n in np.unique(np.searchsorted(self.offsets, entry.index[entry.index >= 0], side="right") - 1):
                found[n].append(entry)
        return found

    def span(self, leaf: Leaf) -> tuple[int, int]:
        n = self.leaves.index(leaf)
        return int(self.offsets[n]), int(self.offsets[n + 1])

    def alone(self, leaf: Leaf) -> Entry | None:
        """The one entry that takes all of a leaf and nothing else, each of it once."""
        users = self.users(leaf)
        if len(users) != 1 or not np.array_equal(np.sort(users[0].index.ravel()), np.arange(*self.span(leaf))):
            return None
        return users[0]

    def covered(self, leaf: Leaf) -> bool:
        """Whether any of torch's tensors comes from it."""
        return bool(self.users(leaf))

    def torch_names(self, leaf: Leaf) -> list[str]:
        return [entry.names[0] for entry in self.users(leaf)]

    def in_rows(self, leaf: Leaf, array: Array) -> Array:
        """A tensor of the stranger's shape as torch has it, where there is one of torch's for it: a row a unit."""
        entry = self.alone(leaf)
        if entry is None:
            return array
        return array.ravel()[entry.index - self.span(leaf)[0]]

    def shown(self) -> dict[str, str]:
        return {entry.key: entry.text for entry in self.entries}


NUMPY = {
    name: getattr(np, name)
    for name in (
        "concatenate",
        "stack",
        "hstack",
        "vstack",
        "column_stack",
        "flip",
        "transpose",
        "reshape",
        "moveaxis",
        "swapaxes",
        "squeeze",
        "expand_dims",
        "split",
        "array_split",
        "block",
        "zeros",
        "rot90",
        "array",
        "ravel",
        "roll",
        "take",
    )
} | {"np": np}


def numbered(leaves: Sequence[Leaf]) -> dict[str, Array]:
    """By name each leaf's entries as the numbers from 1 that they have among all: a minus sign stays a sign."""
    found, start = {}, 1
    for leaf in leaves:
        size = int(np.prod(leaf.shape))
        found[leaf.name] = np.arange(start, start + size, dtype=np.float64).reshape(leaf.shape)
        start += size
    return found


def entry_of(names: Sequence[str], text: str, leaves: Sequence[Leaf], shape: tuple[int, ...]) -> Entry:
    """An expression as a map. Raises Misfit."""
    try:
        found = np.asarray(evaluated(text, numbered(leaves)), np.float64)
    except Exception as error:
        raise Misfit(f"{text!r} cannot be evaluated: {error}") from error
    if found.shape != shape:
        # a vector is as good as a row or a column of one
        if tuple(n for n in found.shape if n != 1) != tuple(n for n in shape if n != 1):
            raise Misfit(f"{text} has shape {found.shape}, {' + '.join(names)} has {shape}")
        found = found.reshape(shape)
    index = np.abs(found).astype(np.int64) - 1
    total = sum(int(np.prod(leaf.shape)) for leaf in leaves)
    if (index >= total).any() or (np.abs(found) % 1).any():
        raise Misfit(f"{text!r} does more than choose, order and negate entries")
    return Entry(tuple(names), text, index, np.sign(found))


def evaluated(text: str, arrays: Mapping[str, Array]) -> Any:
    """The expression over arrays by name; a name may be a path such as fc1.weights or layers[0].W."""
    scope: dict[str, Any] = dict(NUMPY)
    ends = [last(name) for name in arrays]
    short = {end: name for end, name in zip(ends, arrays, strict=True) if ends.count(end) == 1 and not end.isdigit()}
    arrays = {**{end: arrays[name] for end, name in short.items()}, **arrays}
    text = re.sub(r"\[(?:'([^']*)'|\"([^\"]*)\")\]", r".\1\2", text)  # parameters["W1"] is parameters.W1
    aliases = {alias: name for name in arrays for alias in also(name, text)}
    for alias in sorted(aliases, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.\]]){re.escape(alias)}(?![\w])", aliases[alias], text)
    for n, name in enumerate(sorted(arrays, key=len, reverse=True)):
        pattern = rf"(?<![\w.'\"\]]){re.escape(name)}(?![\w])"
        text, count = re.subn(pattern, f"_leaf{n}_", text)
        if count:
            scope[f"_leaf{n}_"] = arrays[name]
    return eval(text, {"__builtins__": {}}, scope)  # written by the user for his own process


def also(name: str, text: str) -> list[str]:
    """Longer ways in which a user may have written a name: params.W1, net.params.W1."""
    return [alias for alias in re.findall(rf"[\w.\]\[]+\.{re.escape(name)}(?!\w)", text) if alias != name]


def fits(leaf: Leaf, shape: tuple[int, ...]) -> list[str]:
    """The expressions that give torch's shape by moving axes: as it is first, then transposed; unit axes are free."""
    found = []
    bare = tuple(n for n in leaf.shape if n != 1)
    wanted = tuple(n for n in shape if n != 1)
    if bare == wanted:
        found.append(leaf.name)
    if len(bare) == 2 and bare[::-1] == wanted:
        found.append(f"{leaf.name}.T")
    return found
