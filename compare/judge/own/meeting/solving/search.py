"""The search: each part of torch's parameters in the order of its forward pass, by whose value stands in scratch's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twofold.compare.judge.own.meeting.images import sigmoid, softmax
from twofold.compare.judge.own.meeting.solving.pool import Pool
from twofold.compare.judge.own.meeting.solving.sources import Choice, Source, Sources
from twofold.compare.judge.own.meeting.solving.stepping import Operation, Unit, Walk, Walker
from twofold.scratch.module import Array

LIKE = -1  # the rank of what was found for another gate of the same parameter
REUSED = 2  # of arrays that serve something else already
RANKS = (LIKE, LIKE), (0, 0), (1, 0), (0, 1), (1, 1), (REUSED, 0)  # of a weight, and of what is added to it
UNBOUND = 60  # solutions that another part multiplies
BEAM = 2000  # solutions that are held while no value tells them apart
KEPT = 48  # of equally good ones
MOST = 2000  # runs
ACTIVATIONS: tuple[Callable[[Array], Array], ...] = (
    lambda x: x,
    sigmoid,
    np.tanh,
    lambda x: np.maximum(x, 0),
    softmax,
    lambda x: 1 - sigmoid(x),
)


@dataclass(frozen=True, eq=False)
class Solution:
    """What stands for the parts that were met so far."""

    chosen: tuple[tuple[Unit, Choice], ...] = ()
    met: Unit | None = None  # the part that comes next
    seen: int = 0  # values found
    operation: Operation | None = None  # that takes it

    def used(self, total: int) -> Array:
        taken = np.zeros(total + 1, bool)
        for _, choice in self.chosen:
            for source in choice:
                if source is not None:
                    taken[np.abs(source.numbers).astype(np.int64).ravel()] = True
        return taken

    def with_choice(self, choice: Choice) -> "Solution":
        assert self.met is not None
        return Solution((*self.chosen, (self.met, choice)), None, self.seen)


@dataclass
class Outcome:
    """The solutions that explain most, and the part at which none does."""

    solutions: list[Solution]
    parted: Unit | None = None
    seen: int = 0


class Search:
    """Over one run of scratch: its values by leaf, and the pool of all that it made."""

    def __init__(
        self, walker: Walker, pool: Pool, sources: Sources, flat: Array, drawn: Mapping[str, Array], most: int = MOST
    ) -> None:
        self.walker, self.pool, self.sources, self.drawn, self.most = walker, pool, sources, drawn, most
        self.flat = np.concatenate([[0.0], flat])  # numbers are from 1

    def solve(self, given: Sequence[tuple[Unit, Choice]] = ()) -> Outcome:
        """From what is given to the end of torch's forward pass.

        Where no candidate explains what scratch has, the two have parted: from there on what lies next is taken.
        """
        first = self.probe(Solution(tuple(given)), None)
        if first is None:
            return Outcome([])
        beam = [Solution(tuple(given), first.met, 0, first.operation)]
        anchor, parted, seen = beam, None, 0
        while beam and beam[0].met is not None:
            unbound: list[Solution] = []
            found: list[Solution] = []
            for ranks in RANKS:
                found, wider = self.through(beam, ranks)
                unbound = unbound or wider
                if found:
                    break
            if found:
                anchor = beam = found
                seen += 1
            elif parted is None and unbound and unbound[0].met is not None and len(unbound) <= UNBOUND:
                beam = unbound  # nothing of it is bound: it is asked together with what follows
            else:
                parted = parted or anchor[0].met
                beam = anchor = self.forced(anchor[0])
        return Outcome(beam, parted, seen)

    def forced(self, one: Solution) -> list[Solution]:
        """The next part by what lies next, names and order; none where torch takes none of it."""
        assert one.met is not None
        likely = (choice for rank in (LIKE, 0, 1) for choice in self.open(one, rank, None))
        further = one.with_choice(next(likely, (None,) * len(one.met.names)))
        walk = self.probe(further, one.met)
        return [] if walk is None else [Solution(further.chosen, walk.met, 0, walk.operation)]

    def through(self, beam: list[Solution], ranks: tuple[int, int]) -> tuple[list[Solution], list[Solution]]:
        """The solutions with the next part of which most is found; else all, past the parts that one result needs."""
        group, rank = beam[0].met, ranks[0]
        while True:
            open_to = [(one, choice) for one in beam for choice in self.open(one, rank, group)]
            fit = [(one, choice) for one, choice in open_to if self.fits(one, choice)]
            wider = [one.with_choice(choice) for one, choice in fit or open_to]
            walked = []
            for one in wider if len(wider) <= BEAM else ():
                if self.walker.runs < self.most and (walk := self.probe(one, one.chosen[-1][0])) is not None:
                    found = self.found(walk)
                    walked.append(Solution(one.chosen, walk.met, found, walk.operation))
            best = max((one.seen for one in walked), default=0)
            if best:
                return [one for one in walked if one.seen == best][:KEPT], []
            if not walked or not together(group, walked[0].met):
                return [], walked
            beam, rank = walked, ranks[1]

    def found(self, walk: Walk) -> int:
        """How much of what was computed is there: how far it reaches first, for what comes last rests on the rest."""
        there = [n for n, value in enumerate(walk.values, 1) if value in self.pool]
        return 1000 * there[-1] + len(there) if there else 0

    def fits(self, one: Solution, choice: Choice) -> bool:
        """Whether the operation by itself gives something that stands in scratch's values, as it is or activated."""
        if one.operation is None:
            return False
        value = one.operation.value(sum((self.entries(source, one.operation.unit) for source in choice), np.float64(0)))
        return value is not None and any(image(value) in self.pool for image in ACTIVATIONS)

    def entries(self, source: Source | None, unit: Unit) -> Array:
        if source is None:
            return np.zeros(unit.shape)
        return np.sign(source.numbers) * self.flat[np.abs(source.numbers).astype(np.int64)]

    def open(self, one: Solution, rank: int, group: Unit | None) -> list[Choice]:
        """The candidates for the part that comes next; of arrays that serve something already only in the last rank."""
        if one.met is None:
            return []
        if rank == REUSED:
            return [choice for choice in self.sources.of(one.met, 0) if choice[0] is not None]
        choices = self.sources.of(one.met, 0 if rank == 0 else 1)
        if rank == LIKE:
            earlier = [choice for unit, choice in one.chosen if unit.names == one.met.names]
            choices = [
                choice
                for choice in choices
                if any(
                    all((s is None) == (o is None) and (s is None or o is None or self.sources.like(s, o)) for s, o in zip(choice, other))
                    for other in earlier
                )
            ]
        used = one.used(self.sources.total)
        beside = [source for unit, choice in one.chosen if together(group, unit) for source in choice if source]
        return [
            choice
            for choice in choices
            if not any(source and takes(source.numbers, used) for source in choice)
            and all(self.sources.share_units(source, other) for source in choice if source for other in beside)
        ]

    def probe(self, one: Solution, tried: Unit | None) -> Walk | None:
        state, known = self.state(one)
        try:
            return self.walker.walk(state, known, tried)
        except Exception:  # these do not fit one another
            return None

    def state(self, one: Solution) -> tuple[dict[str, Array], dict[str, Array]]:
        """Torch's parameters and which of their entries are known."""
        state = {name: value.copy() for name, value in self.drawn.items()}
        known = {name: np.zeros(value.shape, bool) for name, value in state.items()}
        for unit, choice in one.chosen:
            for name, source in zip(unit.names, choice, strict=True):
                state[name][unit.slices()] = self.entries(source, unit)
                known[name][unit.slices()] = True
        return state, known


def takes(numbers: Array, used: Array) -> bool:
    return bool(used[np.abs(numbers).astype(np.int64)].any())


def together(one: Unit | None, other: Unit | None) -> bool:
    """Whether both are of the same rows of one layer, as a weight and its bias."""
    return one is not None and other is not None and (one.place, one.box[:1]) == (other.place, other.box[:1])
