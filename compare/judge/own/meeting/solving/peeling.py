"""Without lines: layouts from what comes out alone, layer after layer from the last one.

With every parameter zero but the last bias that bias alone shows; then the last weight with the bias before it, and so
on to the first weight. So here too candidates add up.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from twofold.compare.judge.own.meeting.images import IMAGES, near
from twofold.compare.judge.own.meeting.solving.cells import cell_of, fillings, is_of_cell
from twofold.compare.judge.own.meeting.solving.pool import LEAST, Pool
from twofold.compare.judge.own.meeting.solving.search import Outcome, Search, Solution, together
from twofold.compare.judge.own.meeting.solving.sources import Choice, Sources
from twofold.compare.judge.own.meeting.solving.stepping import Unit
from twofold.compare.sides.foreign.reference import array_of
from twofold.scratch.module import Array

Run = Callable[[Array], Sequence[Array]]  # what comes out of scratch with these entries of all its parameters

MOST = 400  # runs of scratch
HELD = 4  # solutions that no output tells apart


class Peeling:
    """Over a search's torch side; `run` is scratch's."""

    def __init__(self, search: Search, sources: Sources, run: Run) -> None:
        self.search, self.sources, self.run = search, sources, run
        self.pools: dict[bytes, tuple[Pool, list[float]]] = {}

    @property
    def runs(self) -> int:
        return len(self.pools)

    def solve(self) -> Outcome:
        """All parts of torch's parameters, from the last to the first."""
        stages = list(staged(self.order))
        beam, seen = [Solution()], 0
        for stage in stages:
            found: list[Solution] = []
            for rank in (1, 2) if any(map(is_of_cell, stage)) else (0, 1):
                found = [one for old in beam for one in self.wider(old, stage, rank) if self.agrees(one, old)]
                if found:
                    break
            if not found:
                return Outcome(beam, stage[0], 0)
            beam, seen = found[:HELD], seen + 1
        return Outcome(beam, None, seen)

    @cached_property
    def order(self) -> list[Unit]:
        """The parts in the order in which torch takes them."""
        drawn = self.search.drawn
        known = {name: np.zeros(value.shape, bool) for name, value in drawn.items()}
        found: list[Unit] = []
        while (met := self.search.walker.walk(drawn, known, None).met) is not None:
            found.append(met)
            for name in met.names:
                known[name][met.slices()] = True
        return found

    def wider(self, one: Solution, stage: Sequence[Unit], rank: int) -> list[Solution]:
        found = [one]
        cell = [unit for unit in stage if is_of_cell(unit)]
        if cell:
            shapes = {name: value.shape for name, value in self.search.drawn.items()}
            used = one.used(self.sources.total)
            found = [Solution((*one.chosen, *more)) for more in fillings(cell, self.sources, shapes, used, rank)]
        for unit in (unit for unit in stage if unit not in cell):
            further = [Solution(part.chosen, unit) for part in found]
            found = [part.with_choice(choice) for part in further for choice in self.search.open(part, rank, unit)]
        return found

    def agrees(self, one: Solution, before: Solution) -> bool:
        """Whether both sides give the same with these entries and zeros elsewhere, and something else than before."""
        used = one.used(self.sources.total)
        if self.runs >= MOST or not used.any():
            return False
        walk = self.search.end(self.whole(one))
        if walk is None:
            return False
        ends = [array_of(end) for end in walk.outputs if end.numel() >= LEAST]
        pool, numbers = self.of(used)
        if ends and all(any(image(end) in pool for image in IMAGES.values()) for end in ends):
            return not same(ends, self.outputs(before))
        return walk.loss is not None and any(near(np.asarray(n), walk.loss.astype(float), 1e-9) for n in numbers)

    def outputs(self, one: Solution) -> list[Array]:
        walk = self.search.end(self.whole(one))
        return [] if walk is None else [array_of(end) for end in walk.outputs if end.numel() >= LEAST]

    def whole(self, one: Solution) -> Solution:
        """With nothing for every part that is not chosen."""
        chosen = {unit for unit, _ in one.chosen}
        rest = [(unit, nothing(unit)) for unit in self.order if unit not in chosen]
        return Solution((*one.chosen, *rest))

    def of(self, used: Array) -> tuple[Pool, list[float]]:
        key = used.tobytes()
        if key not in self.pools:
            arrays = self.run(np.where(used, self.search.flat, 0.0)[1:])
            self.pools[key] = Pool(arrays), [float(array.ravel()[0]) for array in arrays if array.size == 1]
        return self.pools[key]


def nothing(unit: Unit) -> Choice:
    return (None,) * len(unit.names)


def staged(order: Sequence[Unit]) -> Sequence[list[Unit]]:
    """Each weight with the bias before it, the last bias alone first."""
    groups: list[list[Unit]] = []
    for unit in order:
        last = groups[-1][0] if groups else None
        if last and (together(last, unit) or (is_of_cell(last) and cell_of(last) == cell_of(unit))):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    stages: list[list[Unit]] = []
    behind: list[Unit] = []
    for n, group in reversed([*enumerate(groups)]):
        if is_of_cell(group[0]):  # of a first layer with what takes the data, else that comes with the one before
            given = [unit for unit in group if "ih" in unit.names[0] and len(unit.shape) > 1] if n else []
            stages.append([*behind, *(unit for unit in group if unit not in given)])
            behind = given
            continue
        weight, *added = group
        stages.append([*behind, *added])
        behind = [weight]
    return [stage for stage in [*stages, behind] if stage]


def same(one: Sequence[Array], other: Sequence[Array]) -> bool:
    return len(one) == len(other) and all(map(near, one, other))


def values_of(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Entries of all parameters, one after the other, by the name of each."""
    found, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name] = flat[start : start + size].reshape(shape)
        start += size
    return found
