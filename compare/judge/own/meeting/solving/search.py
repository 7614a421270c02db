"""The search: each part of torch's parameters in the order of its forward pass, by whose value stands in scratch's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np

from twofold.compare.judge.own.meeting.solving.cells import is_of_cell
from twofold.compare.judge.own.meeting.solving.pool import Pool
from twofold.compare.judge.own.meeting.solving.sources import Choice, Source, Sources
from twofold.compare.judge.own.meeting.solving.stepping import Unit
from twofold.compare.judge.own.meeting.solving.walking import Number, Walk, Walker
from twofold.scratch.module import Array

LIKE = -1  # the rank of what was found for another gate of the same parameter
REUSED = 3  # of arrays that serve something else already
# Of a weight, and of what is added to it.
RANKS = (LIKE, LIKE), (0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 2), (REUSED, 0)
NEAR = RANKS[0], RANKS[1], RANKS[2], RANKS[4]  # of those behind the place where the two part
UNBOUND = 60  # solutions that another part multiplies
AGAIN = 9000  # single operations that are run again
MANY = 1000  # candidates before those are preferred of which a bias may make what is there
BEHIND = 2000  # of those behind the place where the two part
BEAM = 4000  # candidates that are held while no value tells them apart
KEPT = 48  # of equally good ones
MOST = 600  # runs
FED = 6  # solutions that are followed behind the place where the two part
INPUTS = 48  # values of scratch's that an operation may be given
FILLED = 24  # ways to fill what is left open


@dataclass(frozen=True, eq=False)
class Solution:
    """What stands for the parts that were met so far."""

    chosen: tuple[tuple[Unit, Choice], ...] = ()
    met: Unit | None = None  # the part that comes next
    fed: tuple[tuple[Unit, Array], ...] = ()  # what torch's operation is given in place of its own input

    def used(self, total: int) -> Array:
        taken = np.zeros(total + 1, bool)
        for _, choice in self.chosen:
            for source in choice:
                if source is not None:
                    taken[source.places] = True
        return taken

    def with_choice(self, choice: Choice) -> "Solution":
        assert self.met is not None
        return Solution((*self.chosen, (self.met, choice)), None, self.fed)

    def beside(self, group: Unit | None) -> list[Source]:
        """What was taken for the same rows of the same layer."""
        return [source for unit, choice in self.chosen if together(group, unit) for source in choice if source]


@dataclass
class Outcome:
    """The solutions that explain most, and the part at which none does."""

    solutions: list[Solution]
    parted: Unit | None = None
    seen: int = 0


Score = tuple[int, int, Array | None]


@dataclass
class Tried:
    """A solution's candidates for what comes next, a run with one of them, and what is known of them already."""

    wider: list[Solution] = field(default_factory=list)
    known: dict[tuple[str, ...], Score] = field(default_factory=dict)  # by what they have besides the solution
    walk: Walk | None = None


class Search:
    """Over one run of scratch: its values by leaf, and the pool of all that it made."""

    def __init__(
        self, walker: Walker, pool: Pool, sources: Sources, flat: Array, drawn: Mapping[str, Array], most: int = AGAIN
    ) -> None:
        self.walker, self.pool, self.sources, self.drawn, self.most = walker, pool, sources, drawn, most
        self.flat = np.concatenate([[0.0], flat])  # numbers are from 1
        self.of_source: dict[Source, Array] = {}
        self.again = 0
        self.weak: list[Solution] = []  # of which slices are there alone
        self.known: dict[Solution, dict[tuple[str, ...], Score]] = {}  # of candidates of a lower rank

    def solve(self, given: Sequence[tuple[Unit, Choice]] = ()) -> Outcome:
        """From what is given to the end of torch's forward pass.

        Where no candidate explains what scratch has, the two have parted. From there on torch's operations are given
        scratch's own values for input, and what no such value explains is left open until the others are known.
        """
        beam = self.walked([Solution(tuple(given))], None)
        anchor, seen = beam, 0
        parted: Unit | None = None
        left: Unit | None = None
        lost = False  # whether torch's values are no longer scratch's, and since which part
        while beam and beam[0].met is not None:
            unbound: list[Solution] = []
            found: list[Solution] = []
            self.weak, self.known = [], {}
            for ranks in () if lost else RANKS:
                found, wider = self.through(beam, ranks)
                unbound = unbound or wider
                if found:
                    break
            found = found or self.walked(self.weak, beam[0].met)
            if not found and parted is None and unbound and unbound[0].met is not None and len(unbound) <= UNBOUND:
                beam = unbound  # nothing of it is bound: it is asked together with what follows
                continue
            if not found:
                if parted is None:
                    parted, self.most = anchor[0].met, self.again + BEHIND
                    if len(anchor) > 1:
                        anchor = sorted(anchor, key=lambda one: -self.multiples(one))
                same = lost and together(left, anchor[0].met)  # as a bias whose weight was left open
                found = [] if same else self.behind(anchor[:FED])
                lost, left = not found, anchor[0].met
            seen += bool(found)
            beam = anchor = found or self.walked([one.with_choice(()) for one in anchor[:FED]], anchor[0].met)
        if parted is not None:  # those first that leave least over
            some = islice(self.filled(beam), 20 * FILLED)
            beam = sorted(some, key=lambda one: -int(one.used(self.sources.total).sum()))[:FILLED]
        return Outcome(beam, parted, seen)

    def multiples(self, one: Solution) -> int:
        """How many of torch's values scratch has up to a factor, which may be what is wrong."""
        walk = self.probe(one, None) if self.walker.runs < MOST else None
        return sum(map(self.pool.has_multiple, walk.values())) if walk else 0

    def behind(self, beam: list[Solution]) -> list[Solution]:
        """The solutions with the next part under which torch makes of a value of scratch's another one."""
        for ranks in NEAR:
            found, _ = self.through(beam, ranks, True)
            if found:
                return found
        return []

    def with_inputs(self, one: Solution) -> list[Solution]:
        """With each value that scratch has and the next operation may be given."""
        assert one.met is not None
        choice = next(iter(self.open(one, 2, one.met)), None)
        walk = None if choice is None else self.probe(one.with_choice(choice), one.met)
        taken = None if walk is None else walk.taken()
        if taken is None:
            return []
        there = islice(unlike(self.pool.of_shape(tuple(taken.shape))), INPUTS)
        return [replace(one, fed=(*one.fed, (one.met, array))) for array in there]

    def filled(self, beam: list[Solution]) -> Iterator[Solution]:
        """With what is left for the parts that were left open, by names and order."""
        for one in beam:
            open_units = [unit for unit, choice in one.chosen if not choice]
            some = replace(one, chosen=tuple((unit, choice) for unit, choice in one.chosen if choice))
            yield from self.with_rest(some, open_units)

    def with_rest(self, one: Solution, units: Sequence[Unit]) -> Iterator[Solution]:
        if not units:
            yield one
            return
        here = replace(one, met=units[0])
        options = next((some for rank in (LIKE, 0, 1, 2) if (some := self.open(here, rank, units[0]))), [])
        if options and not any(map(any, options)):  # what is left of the matrix that a weight is of is its bias
            options = [*filter(partial(self.completes, here), self.open(here, 2, units[0])), *options]
        if not options:
            yield from self.with_rest(one, units[1:])
        for choice in options[:KEPT]:
            yield from self.with_rest(here.with_choice(choice), units[1:])

    def completes(self, one: Solution, choice: Choice) -> bool:
        """Whether nothing is left of an array with this beside what else was taken of it."""
        used = one.used(self.sources.total)
        return any(self.sources.is_rest(source, used) for source in choice if source)

    def through(
        self, beam: list[Solution], ranks: tuple[int, int], fed: bool = False
    ) -> tuple[list[Solution], list[Solution]]:
        """The solutions with the next part of which most is found; else all, past the parts that one result needs.

        Where they are `fed` each goes with each value of scratch's that the operation may be given.
        """
        group = beam[0].met
        assert group is not None
        tried = []
        for one in beam:
            choices = [] if self.again >= self.most else self.open(one, ranks[0], group)
            some = self.with_inputs(one) if fed and choices else [one]
            if 0 < len(choices) * len(some) <= BEAM:
                known = {} if fed else self.known.setdefault(one, {})
                tried.append(Tried([more.with_choice(choice) for more in some for choice in choices], known))
        while True:
            tried = [each for each in tried if each.wider]
            count = sum(len(each.wider) for each in tried)
            if not 0 < count <= BEAM or self.walker.runs + len(tried) > MOST or self.again + count > self.most:
                return [], []
            self.again += count
            for each in tried:
                each.walk = self.probe(each.wider[0], group)
            scored = [(*self.score(one, wider, group), one, wider) for one in tried if one.walk for wider in one.wider]
            best = max((score for score, *_ in scored), default=0)
            if best:
                found = [wider for score, *_, wider in scored if score == best][:KEPT]
                return self.walked(self.twins(found, group), group), []
            best = max((weak for _, weak, *_ in scored), default=0)
            if best and not self.weak and not is_of_cell(group):  # a cell has no heads
                self.weak = [wider for _, weak, *_, wider in scored if weak == best][:KEPT]
            met = next((one.walk.met for one in tried if one.walk), None)
            wider = [replace(wider, met=met) for *_, wider in scored]
            if met is None or not together(group, met):
                return [], wider
            choices = self.open(replace(tried[0].wider[0], met=met), ranks[1], group)
            if sum(len(each.wider) for each in tried) * len(choices) > MANY:
                likely = {id(wider) for *_, last, _, wider in scored if last is not None and self.is_affine(last, met)}
                for each in tried if likely else ():
                    each.wider = [part for part in each.wider if id(part) in likely]
            if sum(len(each.wider) for each in tried) * len(choices) > 2 * BEAM:
                return [], []
            for each in tried:
                parts = [replace(part, met=met) for part in each.wider]
                each.wider = [part.with_choice(choice) for part in parts for choice in self.open(part, ranks[1], group)]

    def twins(self, solutions: list[Solution], group: Unit | None) -> list[Solution]:
        """Beside each the one whose gate is the complement, which shows only where it is used."""
        if group is None or not group.is_weighing(self.drawn[group.names[0]].shape):
            return solutions
        if any(unit.names == group.names and negative(choice) for one in solutions for unit, choice in one.chosen):
            return solutions
        others = []
        for one in solutions:
            chosen = [
                (unit, tuple(s and s.negated() for s in choice) if together(group, unit) else choice)
                for unit, choice in one.chosen
            ]
            others.append(replace(one, chosen=tuple(chosen)))
        return [*solutions, *others]

    def walked(self, solutions: Sequence[Solution], tried: Unit | None) -> list[Solution]:
        """With the parts that come next; without those with which torch does not run."""
        walks = [(one, self.probe(one, tried)) for one in solutions]
        return [replace(one, met=walk.met) for one, walk in walks if walk is not None]

    def is_affine(self, value: Array, met: Unit) -> bool:
        """Whether scratch has this with a bias, whichever, where one is added to it next."""
        if "add" not in met.kind or len(met.shape) != 1 or value.ndim < 2:
            return False
        axis = next((n for n in (value.ndim - 1, 1) if value.shape[n] == met.shape[0]), None)
        return axis is not None and self.pool.has_shifted(value, axis)

    def score(self, tried: Tried, wider: Solution, group: Unit) -> Score:
        """Of a candidate, once."""
        assert tried.walk is not None
        if wider.fed:
            return self.reached(tried.walk, wider, group)
        choices = [choice for unit, choice in wider.chosen if together(group, unit)]
        key = tuple(source.text if source else "" for choice in choices for source in choice)
        if key not in tried.known:
            tried.known[key] = self.reached(tried.walk, wider, group)
        return tried.known[key]

    def reached(self, walk: Walk, one: Solution, group: Unit) -> Score:
        """How much of what is computed is there, if any of it rests on what is tried; how far it reaches first.

        What only moves entries counts as a whole; then as well slice by slice, as heads are, which other orders of
        the same blocks have too. With it the last value that rests on what is tried.
        """
        names = {name for unit, _ in one.chosen if together(group, unit) for name in unit.names}
        fed = next((array for unit, array in one.fed if unit == group), None)
        values = walk.again(self.parameters(one, names), fed)
        if values is None:
            another = self.probe(one, group) if self.walker.runs < MOST else None
            values = [*map(Number, another.values())] if another else []
        chosen = "embedding" not in (group.kind if group else "")
        last = next((value for value, rests, _ in reversed(values) if rests), None)
        wholes, parts = [], []
        for n, (value, rests, moved) in enumerate(values, 1):
            whole = self.pool.find(value) is not None
            if whole or self.pool.has_slices(value):
                parts.append((n, rests and not (chosen and self.is_choice(value))))
                wholes += parts[-1:] if whole or not moved else []
        return reach(wholes), reach(parts), last

    def is_choice(self, value: Array) -> bool:
        """Whether all that it holds are entries of parameters, as a product with one-hot rows gives them."""
        return bool(np.isin(value, self.flat).all())

    def open(self, one: Solution, rank: int, group: Unit | None) -> list[Choice]:
        """The candidates for the part that comes next."""
        if one.met is None:
            return []
        if rank == REUSED:
            return [choice for choice in self.sources.of(one.met, 0) if choice[0] is not None]
        used, beside = one.used(self.sources.total), one.beside(group)
        earlier = [choice for unit, choice in one.chosen if choice and unit.names == one.met.names]
        found = [
            choice
            for choice in self.sources.of(one.met, self.sources.last if rank == LIKE else rank)
            if not any(source and used[source.places].any() for source in choice)
            and (rank != LIKE or any(self.sources.alike(choice, other) for other in earlier))
            and all(self.sources.share_units(source, other) for source in choice if source for other in beside)
        ]
        if any(negative((source,)) for source in beside):
            return [tuple(source and source.negated() for source in choice) for choice in found]
        return found

    def entries(self, source: Source | None, unit: Unit) -> Array:
        if source is None:
            return np.zeros(unit.shape)
        if source not in self.of_source:
            self.of_source[source] = np.sign(source.numbers) * self.flat[source.places]
        return self.of_source[source]

    def probe(self, one: Solution, tried: Unit | None) -> Walk | None:
        state, known = self.state(one)
        try:
            return self.walker.walk(state, known, tried, one.fed)
        except Exception:  # these do not fit one another
            return None

    def end(self, one: Solution) -> Walk | None:
        """What comes out, where every part is chosen."""
        try:
            return self.walker.end(self.parameters(one, set(self.drawn)))
        except Exception:  # these do not fit one another
            return None

    def state(self, one: Solution) -> tuple[dict[str, Array], dict[str, Array]]:
        """Torch's parameters and which of their entries are known."""
        known = {name: np.zeros(value.shape, bool) for name, value in self.drawn.items()}
        for unit, _ in one.chosen:
            for name in unit.names:
                known[name][unit.slices()] = True
        return self.parameters(one, set(self.drawn)), known

    def parameters(self, one: Solution, names: set[str]) -> dict[str, Array]:
        found = {name: self.drawn[name].copy() for name in names}
        for unit, choice in one.chosen:
            for name, source in zip(unit.names, choice, strict=False):  # one that is left open stands for nothing
                if name in found:
                    found[name][unit.slices()] = self.entries(source, unit)
        return found


def unlike(arrays: Iterator[Array]) -> Iterator[Array]:
    """Each once."""
    met: set[bytes] = set()
    for array in arrays:
        if (key := array.tobytes()) not in met:
            met.add(key)
            yield array


def reach(there: Sequence[tuple[int, bool]]) -> int:
    """Of the values that are there, by number and whether they rest on what is tried."""
    return 1000 * there[-1][0] + len(there) if any(rests for _, rests in there) else 0


def negative(choice: Choice) -> bool:
    return any(source is not None and source.numbers.flat[0] < 0 for source in choice)


def together(one: Unit | None, other: Unit | None) -> bool:
    """Whether both are of the same rows of one layer, as a weight and its bias."""
    return one is not None and other is not None and (one.place, one.box[:1]) == (other.place, other.box[:1])
