"""From both sides to a layout: scratch is run once under the watcher, and torch operation by operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.draws import redrawn as redrawn_state
from twofold.compare.judge.own.meeting.candidates import same_name
from twofold.compare.judge.own.meeting.images import IMAGES
from twofold.compare.judge.own.meeting.solving.peeling import Peeling, values_of
from twofold.compare.judge.own.meeting.solving.pool import LEAST, Pool
from twofold.compare.judge.own.meeting.solving.search import AGAIN, Outcome, Search, Solution
from twofold.compare.judge.own.meeting.solving.seen import given_back, seen
from twofold.compare.judge.own.meeting.solving.sources import Choice, Source, Sources
from twofold.compare.judge.own.meeting.solving.stepping import Unit
from twofold.compare.judge.own.meeting.solving.walking import Walker
from twofold.compare.judge.own.meeting.solving.writing import entries
from twofold.compare.sides.foreign.calls import Foreign
from twofold.compare.sides.foreign.data import Way, given, redrawn
from twofold.compare.sides.foreign.layout import Entry
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import UsersReference, array_of
from twofold.scratch.module import Array


@dataclass
class Solved:
    """Layouts that explain all values, or the most of them; where torch's forward pass parted from scratch's."""

    layouts: list[list[Entry]]
    way: tuple[Way, ...]
    runs: int
    parted: str | None = None
    seen: int = 0  # parts of parameters that values decided
    watched: bool = True


def solve(
    foreign: Foreign,
    reference: UsersReference,
    data: Sequence[Any],
    hows: Sequence[tuple[Way, ...]],
    fixed: Sequence[Entry],
    seed: int,
    send: Any,
    still: Mapping[str, Array],
    training: bool | None = None,
) -> Solved | None:
    """The layouts under which the values agree, operation by operation. None where scratch cannot be run."""
    leaves = foreign.leaves
    values = {leaf.name: still.get(leaf.name, drawn_leaf(leaf, seed)) for leaf in leaves}
    try:
        arrays, bound = seen(foreign, values, data, send, seed)
        blind = not bound and not fixed
    except Exception:  # it does not take other values than its own
        return None
    pool, sources = Pool(arrays, values.values()), Sources(leaves, reference.shapes())
    flat = np.concatenate([np.empty(0), *(values[leaf.name].ravel() for leaf in leaves)])
    begun = [*map(choice_of, fixed)]
    rng = np.random.default_rng([seed, 43])
    drawn = redrawn_state({name: np.zeros(shape) for name, shape in reference.shapes().items()}, rng)
    named = all(any(same_name(name, leaf) for leaf in leaves) for name in drawn)  # then little is asked

    def alone(entries_of_all: Array) -> list[Array]:
        held = values_of(entries_of_all, {leaf.name: leaf.shape for leaf in leaves})
        return given_back(foreign.call_once(held, data, send, seed))

    best: tuple[Outcome, tuple[Way, ...]] | None = None
    runs = 1
    with reference.kept():
        for how in unlike(hows, data, reference.criterion is not None):
            walker = Walker(reference, given(data, how), pool, training)
            walker.look(drawn)
            search = Search(walker, pool, sources, flat, drawn, AGAIN // 6 if named else AGAIN)
            outcome = Outcome([]) if blind else search.solve(begun)
            if not outcome.seen and not begun:  # nothing on the way is there to be seen
                peeling = Peeling(search, sources, alone)
                peeled = peeling.solve()
                runs += peeling.runs
                bound = bound and peeled.parted is not None
                outcome = peeled if peeled.parted is None or blind else outcome
            runs += walker.runs
            if best is None or better(outcome, best[0]):
                best = outcome, how
            if outcome.solutions and (outcome.parted is None or outcome.seen > 1):
                break
    if best is None or not best[0].solutions:
        return None
    outcome, how = best
    if outcome.parted is None:
        for again in (1, 2):
            runs += 1 + len(outcome.solutions)
            other = {leaf.name: still.get(leaf.name, drawn_leaf(leaf, seed + again)) for leaf in leaves}
            rng = np.random.default_rng([seed, again])
            fresh = [shortened(redrawn(array, rng), again == 2) for array in data]
            outcome = confirmed(outcome, foreign, reference, fresh, how, sources, other, send, seed, training)
    shapes = reference.shapes()
    places = {name: n for n, name in enumerate(shapes)}
    layouts = [
        [*fixed, *sorted(entries(without(one, begun), sources, shapes), key=lambda entry: places[entry.names[0]])]
        for one in outcome.solutions
    ]
    parted = None if outcome.parted is None else outcome.parted.place or outcome.parted.names[0]
    return Solved(layouts, how, runs, parted, outcome.seen, bound)


def shortened(array: Any, one_less: bool) -> Any:
    """Without the last sample, if that is how samples lie; where it is not the two sides will not take it."""
    return array[:-1] if one_less and isinstance(array, np.ndarray) and array.ndim and len(array) > 2 else array


def confirmed(
    outcome: Outcome,
    foreign: Foreign,
    reference: UsersReference,
    data: Sequence[Any],
    how: tuple[Way, ...],
    sources: Sources,
    values: Mapping[str, Array],
    send: Any,
    seed: int,
    training: bool | None,
) -> Outcome:
    """The solutions under which both sides agree with other numbers too; all where these do not serve."""
    flat = np.concatenate([np.empty(0), *(values[leaf.name].ravel() for leaf in foreign.leaves)])
    try:
        pool = Pool(given_back(foreign.call_once(values, data, send, seed)))
        walker = Walker(reference, given(data, how), None, training)
    except Exception:  # it does not take these
        return outcome
    drawn = {name: np.zeros(shape) for name, shape in reference.shapes().items()}
    search = Search(walker, pool, sources, flat, drawn)
    kept = []
    with reference.kept():
        for one in outcome.solutions:
            walk = search.probe(one, None)
            ends = [] if walk is None else [array_of(end) for end in walk.outputs if end.numel() >= LEAST]
            if ends and all(any(image(end) in pool for image in IMAGES.values()) for end in ends):
                kept.append(one)
    return replace(outcome, solutions=kept) if kept else outcome


def better(one: Outcome, other: Outcome) -> bool:
    return bool(one.solutions) and (one.parted is None, one.seen) > (other.parted is None, other.seen)


def without(one: Solution, begun: Sequence[tuple[Unit, Choice]]) -> Solution:
    return replace(one, chosen=one.chosen[len(begun) :])


def choice_of(entry: Entry) -> tuple[Unit, Choice]:
    """What the user has given, as if it had been found."""
    box = tuple((0, n) for n in entry.index.shape)
    source = Source(entry.text, entry.sign * (entry.index + 1))
    return Unit(entry.names, box), (source, *[None] * (len(entry.names) - 1))


def unlike(hows: Sequence[tuple[Way, ...]], data: Sequence[Any], target: bool) -> list[tuple[Way, ...]]:
    """Of the ways of the data the first of each that differ in what torch's forward pass takes."""
    found: dict[tuple[str, ...], tuple[Way, ...]] = {}
    for how in hows:
        found.setdefault(tuple(way.text for way in (how[:-1] if target else how)), how)
    return list(found.values())


def drawn_leaf(leaf: Leaf, seed: int) -> Array:
    """Small enough for any activation, and vectors positive: a bias, a factor, a variance."""
    rng = np.random.default_rng([seed, 41, *leaf.name.encode()])
    bare = [n for n in leaf.shape if n != 1]
    normal = rng.standard_normal(leaf.shape)
    if len(bare) < 2:
        return np.asarray(0.2 + np.abs(0.5 * normal))
    return normal / np.sqrt(max(float(np.median(bare)), 2.0))
