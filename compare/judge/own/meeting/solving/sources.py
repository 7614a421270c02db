"""From where in a stranger's arrays a part of one of torch's parameters may come: as code, with the entries it takes.

Candidates are of three ranks, the likeliest first: whole arrays in another order of axes; parts of arrays as they lie,
kernels reversed; every n-th of an axis, and sets of arrays.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, permutations, product
from types import MappingProxyType
from typing import Any

import numpy as np

from twofold.compare.judge.own.meeting.candidates import same_name
from twofold.compare.judge.own.meeting.solving.stepping import Unit
from twofold.compare.sides.foreign.layout import numbered
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.scratch.module import Array

MOST = 400  # places in a vector at which a parameter may begin
PARTS = 12  # into how many an axis is cut


@dataclass(frozen=True, eq=False)
class Source:
    """An expression over the stranger's names; `numbers` are those of its entries, from 1, with their signs."""

    text: str
    numbers: Array

    @cached_property
    def places(self) -> Array:
        """The numbers without their signs."""
        return np.abs(self.numbers).astype(np.int64)

    def negated(self) -> "Source":
        return Source(f"-({self.text})" if " " in self.text else f"-{self.text}", -self.numbers)


Choice = tuple[Source | None, ...]  # for each name of a unit; None: nothing stands for it, and it is zero


class Sources:
    """The candidates for each of torch's units among the stranger's arrays."""

    last = 2  # rank

    def __init__(self, leaves: Sequence[Leaf], shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({})) -> None:
        self.leaves, self.sizes = leaves, {name: int(np.prod(shape)) for name, shape in shapes.items()}
        self.numbers = numbered(leaves)
        self.ends = list(accumulate(array.size for array in self.numbers.values()))  # the last number of each
        self.total = self.ends[-1] if self.ends else 0
        self.made: dict[tuple[Unit, int], list[Choice]] = {}

    def of(self, unit: Unit, rank: int) -> list[Choice]:
        """All candidates up to this rank."""
        if (unit, rank) not in self.made:
            self.made[unit, rank] = list(self.choices(unit, rank))
        return self.made[unit, rank]

    def choices(self, unit: Unit, rank: int) -> Iterator[Choice]:
        singles = unique(self.singles(unit, rank))
        singles.sort(key=lambda one: not any(same_name(unit.names[0], leaf) for leaf in self.leaves_in(one)))
        if len(unit.names) == 1:
            yield from ((one,) for one in singles)
        else:
            for n, one in enumerate(singles):
                for other in singles[n + 1 :]:
                    mine, theirs = self.leaves_in(one), self.leaves_in(other)
                    if len(mine) == len(theirs) == 1 and self.counterparts(one, other, mine[0], theirs[0]):
                        yield one, other
            yield from ((one, None) for one in singles)
        if len(unit.shape) == 1 and "mul" not in unit.kind:  # a bias may be missing
            yield (None,) * len(unit.names)

    def counterparts(self, one: Source, other: Source, mine: Leaf, theirs: Leaf) -> bool:
        """Whether both take the same part, each of its own array or of one of the two halves of one."""
        if mine is not theirs:
            return one.text.replace(mine.name, "*") == other.text.replace(theirs.name, "*")
        apart = np.abs(other.numbers) - np.abs(one.numbers)
        return 2 in mine.shape and bool((apart == self.half(mine)).all())

    def half(self, leaf: Leaf) -> int:
        """How far the second of two vectors that are the rows, or the columns, of one array is from the first."""
        return int(np.prod(leaf.shape[leaf.shape.index(2) + 1 :]))

    def leaves_in(self, source: Source) -> list[Leaf]:
        return [
            self.leaves[n]
            for n in sorted(
                {self.leaf_at(int(number)) for number in source.places.ravel()[:: max(1, source.places.size // 64)]}
            )
        ]

    def is_rest(self, source: Source, used: Array) -> bool:
        """Whether it is all that is left of an array of which something was taken."""
        n = self.leaf_at(int(source.places.flat[0]))
        stop = self.ends[n] + 1
        start = stop - self.numbers[self.leaves[n].name].size
        left = start + np.flatnonzero(~used[start:stop])
        return len(left) < stop - start and np.array_equal(np.sort(source.places, axis=None), left)

    def leaf_at(self, number: int) -> int:
        return bisect_left(self.ends, number)

    def alike(self, one: Choice, other: Choice) -> bool:
        """Whether what stands for a part is like what stands for another part of the same parameter."""
        return all(
            self.like(mine, theirs) if mine and theirs else mine is theirs
            for mine, theirs in zip(one, other, strict=True)
        )

    def like(self, one: Source, other: Source) -> bool:
        """Whether it is the same part of another array of the same shape, or another such part of the same array."""
        if one.numbers.shape != other.numbers.shape:
            return False
        apart = np.abs(one.numbers) - np.abs(other.numbers)
        step = apart.flat[0]
        mine, theirs = (self.leaf_at(int(np.abs(source.numbers).flat[0])) for source in (one, other))
        if not (apart == step).all():
            return False
        return bool(
            mine == theirs
            or (self.leaves[mine].shape == self.leaves[theirs].shape and step == self.ends[mine] - self.ends[theirs])
        )

    def share_units(self, one: Source, other: Source) -> bool:
        """Whether two parts of one matrix have their rows, a unit each, in the same of its rows or columns."""
        mine, theirs = (
            np.abs(source.numbers.reshape(len(source.numbers), -1)[:, 0]).astype(int) for source in (one, other)
        )
        n = self.leaf_at(mine[0])
        matrix = self.numbers[self.leaves[n].name].squeeze()
        if n != self.leaf_at(theirs[0]) or matrix.ndim != 2 or len(mine) != len(theirs):
            return True
        first = int(matrix.flat[0])
        (a, b), (c, d) = (divmod(numbers - first, matrix.shape[1]) for numbers in (mine, theirs))
        return bool((a == c).all() or (b == d).all())

    def singles(self, unit: Unit, rank: int) -> Iterator[Source]:
        flips = rank > 0 and "conv" in unit.kind
        for leaf in self.leaves:
            for one in oriented(leaf.name, self.numbers[leaf.name], unit.shape, unit.behind):
                yield one
                if flips:
                    yield from flipped(one)
        if rank > 0:
            for leaf in self.leaves:
                for text, part in pieces(leaf.name, self.numbers[leaf.name], unit.shape, rank > 1):
                    yield from oriented(text, part, unit.shape, ())
                if rank > 1 and len(bare(leaf.shape)) == 1:
                    for text, part in self.stretches(leaf, unit):
                        yield from oriented(text, part, unit.shape, ())
        if rank > 1:
            yield from self.sets(unit)

    def stretches(self, leaf: Leaf, unit: Unit) -> Iterator[tuple[str, Array]]:
        """Of a vector of several parameters a part with room before and behind it for whole ones."""
        vector, size = self.numbers[leaf.name].ravel(), int(np.prod(unit.shape))
        name = leaf.name if leaf.shape == vector.shape else f"{leaf.name}.ravel()"
        starts: Sequence[int] = range(min(len(vector) - size + 1, MOST))
        if self.sizes.get(unit.names[0]) == size:
            others = [n for one, n in self.sizes.items() if one != unit.names[0]]
            starts = sorted(start for start, rest in rooms(others, len(vector) - size) if rest == 0)
        for start in starts[:MOST]:
            yield f"{name}[{start}:{start + size}]", vector[start : start + size]

    def sets(self, unit: Unit) -> Iterator[Source]:
        """Several arrays of one shape side by side, one a head or a unit: all orders of up to four, else in theirs."""
        groups: dict[tuple[int, ...], list[Leaf]] = {}
        for leaf in self.leaves:
            groups.setdefault(tuple(n for n in leaf.shape if n != 1), []).append(leaf)
        size = int(np.prod(unit.shape))
        for shape, members in groups.items():
            each = int(np.prod(shape))
            k = size // each if each and size % each == 0 else 0
            if not 2 <= k <= len(members):
                continue
            orders = list(permutations(members)) if k == len(members) <= 4 else [tuple(members[:k])]
            if len(members) > k:
                orders += [tuple(members[n : n + k]) for n in range(k, len(members) - k + 1, k)]
                step = len(members) // k
                orders += [tuple(members[n::step][:k]) for n in range(step)]
            for order in orders:
                names = ", ".join(leaf.name for leaf in order)
                stacked = np.stack([self.numbers[leaf.name].squeeze() for leaf in order])
                inner = (
                    names
                    if all(leaf.shape == shape for leaf in order)
                    else ", ".join(f"{leaf.name}.squeeze()" for leaf in order)
                )
                yield from oriented(f"stack([{inner}])", stacked, unit.shape, ())


def rooms(sizes: Sequence[int], room: int) -> set[tuple[int, int]]:
    """How much of a room some of these fill before something, and what others leave of it behind that."""
    found = {(0, room)}
    for size in sizes:
        more = {(before + size, left - size) for before, left in found if size <= left}
        found |= more | {(before, left - size) for before, left in found if size <= left}
        if len(found) > 50 * MOST:
            return {(start, 0) for start in range(room + 1)}
    return found


def unique(sources: Iterator[Source]) -> list[Source]:
    found: dict[bytes, Source] = {}
    for one in sources:
        found.setdefault(one.numbers.tobytes(), one)
    return list(found.values())


def bare(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def oriented(text: str, array: Array, shape: tuple[int, ...], behind: tuple[int, ...]) -> Iterator[Source]:
    """Every order of axes in which an array has torch's shape; as one axis or more than torch has, too."""
    if array.size != int(np.prod(shape)) or array.ndim > 6:
        return
    small, wanted = array.squeeze(), bare(shape)
    told = text if small.shape == array.shape else f"{text}.squeeze()"
    if small.ndim == len(wanted):
        for axes in permutations(range(small.ndim)):
            if tuple(small.shape[n] for n in axes) == wanted:
                yield Source(moved(told if small.ndim > 1 else text, axes), small.transpose(axes).reshape(shape))
    elif small.ndim > len(wanted):
        for axes in permutations(range(small.ndim)):
            turned = small.transpose(axes)
            yield Source(f"{moved(told, axes)}.reshape{shape_text(shape)}", turned.reshape(shape))
    else:
        for axes in permutations(range(len(wanted))):
            there = tuple(wanted[n] for n in axes)
            leads = {int(np.prod(there[:n])) for n in range(1, len(there))}
            if small.ndim == 1 or (small.ndim == 2 and small.shape[0] in leads):
                back = tuple(int(n) for n in np.argsort(axes))
                turned = small.reshape(there).transpose(back).reshape(shape)
                yield Source(moved(f"{told}.reshape{shape_text(there)}", back), turned)
    if len(behind) > 1 and len(wanted) == 2 == small.ndim:
        yield from flattened(told, small, wanted, behind)


def flattened(text: str, small: Array, wanted: tuple[int, ...], behind: tuple[int, ...]) -> Iterator[Source]:
    """Behind axes that were flattened in another order."""
    rows = wanted[0]
    for told, matrix in ((text, small), (f"{text}.T", small.T)):
        if matrix.shape != wanted:
            continue
        for axes in permutations(range(len(behind))):
            if axes == tuple(range(len(behind))):
                continue
            there = tuple(behind[n] for n in axes)
            back = (0, *(int(n) + 1 for n in np.argsort(axes)))
            turned = matrix.reshape(rows, *there).transpose(back).reshape(wanted)
            code = f"{told}.reshape{shape_text((rows, *there))}.transpose{back}.reshape{shape_text(wanted)}"
            yield Source(code, turned)


def moved(text: str, axes: tuple[int, ...]) -> str:
    if axes == tuple(range(len(axes))):
        return text
    return f"{text}.T" if axes == tuple(range(len(axes)))[::-1] else f"{text}.transpose{axes}"


def shape_text(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))})"


def flipped(one: Source) -> Iterator[Source]:
    """A kernel that is reversed along all of its axes."""
    n = one.numbers.ndim - 2
    if n > 0:
        yield Source(f"{one.text}[..., {', '.join(['::-1'] * n)}]", np.flip(one.numbers, tuple(range(2, n + 2))))


def pieces(name: str, array: Array, shape: tuple[int, ...], strided: bool) -> Iterator[tuple[str, Array]]:
    """Parts of an array that have torch's shape or its transpose: blocks, every n-th, what is left beside others."""
    wanted = bare(shape)
    if array.size <= int(np.prod(shape)) or len(wanted) > 2 or array.ndim == 0:
        return
    small = array.squeeze()
    name = name if small.shape == array.shape else f"{name}.squeeze()"
    if small.ndim == 3 and small.shape[0] <= PARTS:
        for n in range(small.shape[0]):
            yield f"{name}[{n}]", small[n]
            yield from pieces(f"{name}[{n}]", small[n], shape, strided)
    if small.ndim == 1 and len(wanted) < 2:
        for text, cut in cuts(len(small), wanted[0] if wanted else 1, strided):
            yield f"{name}[{text}]", small[cut]
    if small.ndim == 2:
        rows, columns = small.shape
        two = wanted if len(wanted) == 2 else (1, *wanted) if wanted else (1, 1)
        for height, width in dict.fromkeys((two, two[::-1])):
            for (up, cut), (across, other) in product(cuts(rows, height, strided), cuts(columns, width, strided)):
                if isinstance(cut, np.ndarray) and isinstance(other, np.ndarray):
                    continue
                if (height == 1 and width < columns and cut.start not in (0, rows - 1)) or (
                    width == 1 and height < rows and other.start not in (0, columns - 1)
                ):
                    continue  # beside the weights of a part of the units a bias stands at an end
                if len(wanted) == 1 and height == 1:
                    up, cut = up.partition(":")[0], cut.start
                elif len(wanted) == 1 and width == 1:
                    across, other = across.partition(":")[0], other.start
                yield f"{name}[{up}, {across}]".replace(", :]", "]"), small[cut, other]


def cuts(length: int, part: int, strided: bool) -> Iterator[tuple[str, Any]]:
    """Where a part of an axis may lie: in blocks, every n-th, or at an end, with one entry beside it or none."""
    if part >= length:
        if part == length:
            yield ":", slice(None)
        return
    count = length // part if length % part == 0 else 0
    starts = list(range(0, length, part)) if 0 < count <= PARTS else []
    for start in dict.fromkeys([*starts, 0, length - part, 1, length - part - 1]):
        if 0 <= start <= length - part:
            text = f"{start}:{start + part}" if part > 1 else f"{start}:{start + 1}"
            yield text, slice(start, start + part)
    if strided and 1 < count <= PARTS and part > 1:
        for start in range(count):
            yield f"{start}::{count}", slice(start, None, count)
        for size in (n for n in range(2, part) if part % n == 0):  # heads outside, of each several parts
            for start in range(count):
                spans = [(at, at + size) for at in range(start * size, length, count * size)]
                rows = np.concatenate([np.arange(*span) for span in spans])
                yield f"np.r_[{', '.join(f'{a}:{b}' for a, b in spans)}]", rows
