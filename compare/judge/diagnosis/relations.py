"""In words, how a wrong tensor relates to the right one: a multiple of it, its transposed, some rows of it missing.

A relation says what scratch would have given if it held. It is told only if that is what scratch gave, to the floor of
every row, and if what is left over is a small part of what was to be explained. None knows what was planted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from math import prod

import numpy as np

from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array

PART = 1 / 20  # of the largest error: what a relation may leave unexplained
SURE = 1.0  # floors: what is as near is equal, where something else differs
SHOWN = 4  # indices or factors that are written out


@dataclass(frozen=True)
class Scene:
    """A tensor that differs, scratch's and the reference's, its floor by entry, and what may have come into it.

    `sizes` are the numbers that people forget to divide by, `others` tensors that may stand in its place, `terms` what
    may be added to it, of a shape that broadcasts; all by name.
    """

    actual: Array
    golden: Array
    floor: Array
    sizes: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, Array] = field(default_factory=dict)
    terms: Mapping[str, Array] = field(default_factory=dict)
    gates: tuple[str, ...] = ()

    @property
    def residual(self) -> Array:
        return self.actual - self.golden

    def explained(self, predicted: Array, floor: Array) -> bool:
        """Whether this is what scratch gave: within its floor, and by far nearer than the reference is."""
        left = np.abs(self.actual - predicted)
        least = LIMIT * np.broadcast_to(floor, left.shape)
        return bool((left <= least).all()) and float(left.max()) <= PART * float(np.abs(self.residual).max())

    def rounded(self, predicted: Array) -> Array:
        """The floor of what is computed and not moved about: this tensor's largest, and rounding."""
        return self.floor.max() + 8 * np.finfo(self.actual.dtype).eps * np.abs(predicted)


# What is told if it holds, what scratch would then have given, and the floor of that by entry.
Candidate = tuple[str, Array, Array]


def missing(scene: Scene) -> Iterator[Candidate]:
    if not scene.actual.any():
        yield "all zero: it is forgotten", scene.actual, scene.floor


def multiple(scene: Scene) -> Iterator[Candidate]:
    """A constant factor: those that have reasons, then whatever fits, unless one number has to show it."""
    reasons: dict[float, list[str]] = {-1.0: ["the sign is reversed"]}
    for factor, reason in (*of_sizes(scene.sizes), (2.0, "it is counted twice"), (0.5, "it is halved")):
        reasons.setdefault(factor, []).append(reason)
    if (scene.golden != 0).sum() > 1:
        reasons.setdefault(proportion(scene.actual, scene.golden), [])
    for factor, why in reasons.items():
        told = ", ".join([told_factor(scene), *filter(None, [" or ".join(why)])])
        yield told, factor * scene.golden, abs(factor) * scene.floor


def told_factor(scene: Scene) -> str:
    residual, golden = (array.astype(float).ravel() for array in (scene.residual, scene.golden))
    cosine = residual @ golden / (np.linalg.norm(residual) * np.linalg.norm(golden))
    return f"residual is {proportion(residual, golden):.6g} x the reference, cosine {cosine:.4f}"


def of_sizes(sizes: Mapping[str, int]) -> Iterator[tuple[float, str]]:
    for size in dict.fromkeys(size for size in sizes.values() if size > 1):
        names = [name for name, other in sizes.items() if other == size]
        short, whole = names[0].removesuffix(" size"), " or the ".join(names)
        yield float(size), f"{short} {size}: not divided by the {whole}"
        yield 1 / size, f"{short} {size}: divided by the {whole} once too often"


def proportion(actual: Array, golden: Array) -> float:
    """The factor that takes one nearest to the other."""
    return float((actual * golden).sum() / (golden * golden).sum())


def transposed(scene: Scene) -> Iterator[Candidate]:
    if scene.golden.ndim == 2 and len(set(scene.golden.shape)) == 1:
        yield "equal after transposition", scene.golden.T, np.maximum(scene.floor, scene.floor.T)


def reversed_axes(scene: Scene) -> Iterator[Candidate]:
    for count in (1, 2):
        for some in combinations(axes_of(scene), count):
            kernel = scene.golden.ndim == 4 and some == (2, 3)
            told = "turning the kernel by 180 degrees" if kernel else f"reversing {of_axes(some)}"
            yield f"equal after {told}", np.flip(scene.golden, some), np.flip(scene.floor, some)


def exchanged(scene: Scene) -> Iterator[Candidate]:
    if len(scene.gates) > 1:
        for first, second in combinations(range(len(scene.gates)), 2):
            order = list(range(len(scene.gates)))
            order[first], order[second] = second, first
            blocks = (np.split(array, len(order)) for array in (scene.golden, scene.floor))
            moved = [np.concatenate([block[n] for n in order]) for block in blocks]
            yield f"equal after exchanging gates {scene.gates[first]} and {scene.gates[second]}", moved[0], moved[1]


def rolled(scene: Scene) -> Iterator[Candidate]:
    """Every value beside its place; what falls off comes in again on the other side, or anything does."""
    for axis in axes_of(scene):
        for by in (1, -1):
            golden, floor = (np.roll(array, by, axis) for array in (scene.golden, scene.floor))
            yield f"equal after rolling {of_axes((axis,))} by one", golden, floor
            if scene.golden.shape[axis] > 2:
                edge = (slice(None),) * axis + (0 if by > 0 else -1,)
                golden[edge] = scene.actual[edge]
                yield f"equal after shifting {of_axes((axis,))} by one", golden, floor


def permuted(scene: Scene) -> Iterator[Candidate]:
    """Each index of an axis holds what belongs to another, if there is something at each to know it by."""
    for axis in axes_of(scene):
        actual, golden = (slices(array, axis) for array in (scene.actual, scene.golden))
        if golden.shape[1] < 2 or len(golden) > 1000:
            continue
        order = [int(np.abs(golden - one).max(axis=1).argmin()) for one in actual]
        if sorted(order) == list(range(len(order))) != order:
            told = flattened(order) or f"permuting {of_axes((axis,))}: {first_of(order)}"
            yield f"equal after {told}", np.take(scene.golden, order, axis), np.take(scene.floor, order, axis)


def flattened(order: Sequence[int]) -> str:
    """Where an order is that of an array flattened with its axes exchanged."""
    count = len(order)
    for first in (n for n in range(2, count) if count % n == 0):
        if np.arange(count).reshape(first, -1).T.ravel().tolist() == list(order):
            return f"transposing its {count} as {first} x {count // first}: flattened in another order"
    for shape in ((a, b, count // a // b) for a in range(2, count) for b in range(2, count) if count % (a * b) == 0):
        for axes in permutations(range(3)):
            if prod(shape) == count and np.arange(count).reshape(shape).transpose(axes).ravel().tolist() == list(order):
                return f"taking its {count} as {shape} in the order {axes}: flattened in another order"
    return ""


def misplaced(scene: Scene) -> Iterator[Candidate]:
    """Another tensor; where several are equal here, nothing says which."""
    alike = {name: other for name, other in scene.others.items() if other.shape == scene.golden.shape}
    holding = [name for name, other in alike.items() if scene.explained(other, scene.rounded(other))]
    if holding:
        yield f"equal to {' or '.join(holding)}", scene.actual, scene.floor


def added(scene: Scene) -> Iterator[Candidate]:
    """A multiple of something that does not belong there, or is missing."""
    for name, term in scene.terms.items():
        term = np.broadcast_to(term, scene.golden.shape)
        if term.any() and (scene.residual != 0).sum() > 1:
            for factor, why in (
                (-1.0, ": left out"),
                (1.0, ": once too often"),
                (proportion(scene.residual, term), ""),
            ):
                told = f"residual is {factor:.6g} x {name}{why}"
                yield told, scene.golden + factor * term, scene.rounded(scene.golden)


def gate_rows(scene: Scene) -> Iterator[Candidate]:
    if len(scene.gates) > 1:
        size = len(scene.golden) // len(scene.gates)
        wrong = differing(scene, 0, size)
        if 0 < len(wrong) < len(scene.gates):
            told = f"differs only in gate{'s' * (len(wrong) > 1)} {', '.join(scene.gates[gate] for gate in wrong)}"
            rows = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in wrong])
            yield from somewhere(scene, told, 0, rows)


def parts(scene: Scene) -> Iterator[Candidate]:
    """A few indices of one axis that alone differ, of the axis where they are the fewest."""
    found = []
    for axis, size in enumerate(scene.golden.shape):
        wrong = differing(scene, axis)
        if 0 < len(wrong) <= size / 2:
            found.append((len(wrong) / size, axis, wrong))
    for _, axis, wrong in sorted(found, key=lambda one: one[:2]):
        where = f"{first_of(wrong.tolist())} of {scene.golden.shape[axis]}"
        yield from somewhere(scene, f"differs only at {where} along axis {axis}", axis, wrong)


def differing(scene: Scene, axis: int, together: int = 1) -> Array:
    """The indices of an axis, or blocks of so many, that differ; none where one lies between equal and different."""
    ratio = np.abs(scene.residual) / np.where(scene.floor > 0, scene.floor, np.finfo(float).tiny)
    most = slices(ratio, axis).max(axis=1, initial=0).reshape(-1, together).max(axis=1)
    between = (most > SURE) & (most <= LIMIT)
    return np.flatnonzero((most > LIMIT) & ~between.any())


def somewhere(scene: Scene, told: str, axis: int, wrong: Array) -> Iterator[Candidate]:
    """At these indices something is another; if nothing else can be said of them, that."""
    at = (slice(None),) * axis + (wrong,)

    def but(values: Array, floor: Array) -> tuple[Array, Array]:
        predicted, within = scene.golden.astype(np.result_type(scene.golden, scene.actual)), scene.floor.copy()
        predicted[at], within[at] = values, floor
        return predicted, within

    actual, golden, floor = (array[at] for array in (scene.actual, scene.golden, scene.floor))
    if not actual.any():
        yield (f"{told}, where it is zero", *but(actual, floor))
    elif (golden != 0).sum() > 1:
        factor = proportion(actual, golden)
        yield (f"{told}, where it is {factor:.6g} x the reference", *but(factor * golden, abs(factor) * floor))
    if len(wrong) == 1:
        for other in range(scene.golden.shape[axis]):
            if other != wrong[0] and golden.size > 1:
                taken = (array[(slice(None),) * axis + ([other],)] for array in (scene.golden, scene.floor))
                yield (f"{told}, where it is the reference's {other}", *but(*taken))
    yield (told, *but(actual, floor))


def factors(scene: Scene) -> Iterator[Candidate]:
    """Of every index of an axis its own multiple, if there are entries enough to show it."""
    for axis in axes_of(scene):
        actual, golden = (slices(array, axis) for array in (scene.actual, scene.golden))
        if ((golden != 0).sum(axis=1) > 1).all():
            by = (actual * golden).sum(axis=1) / (golden * golden).sum(axis=1)
            along = by.reshape([-1 if n == axis else 1 for n in range(scene.golden.ndim)])
            told = f"of every index along axis {axis} its own multiple: {first_of([f'{one:.4g}' for one in by])}"
            yield told, along * scene.golden, np.maximum(1, np.abs(along)) * scene.floor


def constant(scene: Scene) -> Iterator[Candidate]:
    """The same error along some axes, as sums or means over them give."""
    for count in range(len(axes_of(scene)), 0, -1):
        for some in combinations(axes_of(scene), count):
            mean = scene.residual.mean(axis=some, keepdims=True)
            if scene.golden.size > 2 * mean.size:
                yield f"residual is constant along {of_axes(some)}", scene.golden + mean, scene.floor


def axes_of(scene: Scene) -> list[int]:
    return [axis for axis, size in enumerate(scene.golden.shape) if size > 1]


def slices(array: Array, axis: int) -> Array:
    """What stands at each index of an axis: (size, rest)."""
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def of_axes(axes: tuple[int, ...]) -> str:
    return f"ax{'e' if len(axes) > 1 else 'i'}s {' and '.join(map(str, axes))}"


def first_of(many: Sequence[object]) -> str:
    return ", ".join(map(str, many[:SHOWN])) + " and more" * (len(many) > SHOWN)


RELATIONS: tuple[Callable[[Scene], Iterator[Candidate]], ...] = (
    missing,
    multiple,
    transposed,
    reversed_axes,
    exchanged,
    rolled,
    misplaced,
    added,
    permuted,
    gate_rows,
    parts,
    factors,
    constant,
)


def relation(scene: Scene) -> str:
    """The first relation that holds; "" where none does, or nothing can be told."""
    if scene.actual.shape != scene.golden.shape:
        return shapes(scene)
    if not (np.isfinite(scene.actual).all() and np.isfinite(scene.golden).all() and scene.golden.any()):
        return ""
    candidates = (one for holds in RELATIONS for one in holds(scene))
    return next((told for told, predicted, floor in candidates if scene.explained(predicted, floor)), "")


def shapes(scene: Scene) -> str:
    ours, theirs = scene.actual.shape, scene.golden.shape
    if [n for n in ours if n != 1] == [n for n in theirs if n != 1]:
        return f"an axis of size 1 too many or too few: {ours} against {theirs}"
    return "transposed shape" if ours == theirs[::-1] else ""
