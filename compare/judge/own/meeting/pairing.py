"""What stands for what: torch's parameters among the stranger's, and the data as torch takes them.

An explicit layout, else equal names, else order and shape with transposition. What shapes leave open, a square matrix
or several tensors of one shape, is decided by values: the candidate whose forward pass agrees is taken.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, dropwhile, islice
from types import MappingProxyType
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.draws import redrawn as drawn_state
from twofold.compare.judge.own.meeting.candidates import MOST, candidates, explicit, same_name
from twofold.compare.judge.own.meeting.images import IMAGES, near, scalar
from twofold.compare.judge.own.meeting.solving.solve import Solved, drawn_leaf, solve
from twofold.compare.judge.own.meeting.ways import data_ways, turned_ways
from twofold.compare.judge.own.telling.verdict import BadCall
from twofold.compare.sides.foreign.calls import Foreign, Raw
from twofold.compare.sides.foreign.data import Way, given, reshaped
from twofold.compare.sides.foreign.layout import Entry, Layout
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import Run, UsersReference
from twofold.scratch.module import Array

QUICK = 12  # runs of layouts by order and shape before the values on the way are asked


@dataclass
class Pairing:
    """The layout and the ways of the data; how it was found, in words."""

    layout: Layout
    ways: tuple[Way, ...]
    runs: int = 0
    decided: bool = True  # the forward passes agree under it
    extra: dict[str, Array] = field(default_factory=dict)  # torch's parameters that theirs lacks, as zeros
    unused: tuple[str, ...] = ()  # theirs that torch has nothing for
    rivals: tuple[str, ...] = ()  # other layouts that agree as well
    parted: str | None = None  # the module of torch's at which no layout explains what scratch has
    unwatched: bool = False  # nothing but what comes out was there to be asked
    guesses: tuple[Layout, ...] = ()  # what explains as much, up to where the two part
    open: tuple[str, ...] = ()  # torch's tensors of which that is a guess: of where they part, and behind it


def draw(layout: Layout, reference: UsersReference, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Random parameters: the stranger's by leaf, and torch's, of which those beside the first of a sum are free."""
    rng = np.random.default_rng([seed, 7])
    torchs = drawn_state({name: np.zeros(shape) for name, shape in reference.shapes().items()}, rng)
    torchs = {name: fanned(name, value) for name, value in torchs.items()}
    mapped = {name for entry in layout.entries for name in entry.names}
    values = layout.from_torch({name: value for name, value in torchs.items() if name in mapped})
    return values, {name: torchs[name] for entry in layout.entries for name in entry.names[1:]}


def fanned(name: str, value: Array) -> Array:
    """A bias of a name of its own, as a reference function's b, is drawn as one."""
    last = name.rpartition(".")[2].lower()
    if value.ndim < 2 and "weight" not in last and "gamma" not in last and "bias" not in last:
        return value if last.startswith(("g", "w", "s")) else 0.3 * (value - 1) / 0.5
    return value


def find(
    foreign: Foreign,
    reference: UsersReference,
    data: Sequence[Any],
    fixed: Mapping[str, str],
    reference_data: Sequence[Any] | None,
    send: Any,
    seed: int,
    still: Mapping[str, Array] = MappingProxyType({}),
    solving: bool = True,
) -> Pairing:
    """The pairing under which the forward passes agree, else the one under which most gradients do.

    Raises BadCall where torch takes the data in no way, or a parameter has no counterpart.
    """
    shapes = reference.shapes()
    leaves = tuple(foreign.leaves)
    entries = explicit(fixed, leaves, shapes)
    some = list(islice(candidates(leaves, shapes, entries), MOST)) or [entries]
    hows = data_ways(foreign, reference, data, reference_data)
    layouts = [Layout(leaves, tuple(chosen)) for chosen in some]
    first = layouts[0]
    values, shares = draw(first, reference, seed)
    values |= {leaf.name: still[leaf.name] for leaf in leaves if leaf.name in still and not first.covered(leaf)}
    missing = lacking(first, shapes)
    try:
        raw = foreign.call_once(values, data, send, seed)
    except Exception as error:
        raise BadCall(
            f"scratch does not take its own data: {type(error).__name__}: {' '.join(str(error).split())}; "
            f"it is called as scratch({', '.join(str(np.shape(a)) for a in data)})"
        ) from None
    pairing = Pairing(first, hows[0], 0, False, missing)
    trial = Trial(reference, raw, values, shares, send, data, pairing, partial(foreign.call_once, data=data, send=send))
    sound = (layout for layout in layouts if not leaves_both(layout, shapes))
    first_of = list(islice(sound, QUICK))
    trial.among(first_of, hows, QUICK)
    solved: Solved | None = None
    seen = reference.device == "cpu"  # the search lays tensors of its own between torch's
    solving = solving and seen
    if solving and (not pairing.decided or (len(first_of) == QUICK and not pairing.rivals)):
        turned = [] if reference_data is not None else turned_ways(reference, data, hows)
        if fixed and turned and not pairing.decided:  # a layout that is given may have been found under one of them
            trial.among(first_of, turned, pairing.runs + QUICK)
        solved = solve(foreign, reference, data, [*hows, *turned], entries, seed, send, dict(still))
        by_values(trial, solved, hows)
    if not pairing.decided:
        parts = () if pairing.parted else (layout for layout in layouts if leaves_both(layout, shapes))
        trial.among(
            chain(first_of, sound, parts), hows, pairing.runs + (4 * QUICK if pairing.parted or not solving else MOST)
        )
    if not seen and not pairing.decided:
        pairing.open = tuple(key for key in unnamed(pairing.layout) if key not in fixed)
    pairing.unused = tuple(leaf.name for leaf in leaves if not pairing.layout.covered(leaf))
    if pairing.parted and solved is not None and not pairing.decided:
        pairing.open = tuple(unsolved(pairing.layout, solved, shapes))
        pairing.guesses = tuple(
            Layout(leaves, tuple(chosen)) for one in solved.layouts for chosen in completed(one, leaves, shapes)
        )
    return pairing


def unsolved(layout: Layout, solved: Solved, shapes: Iterable[str]) -> Iterator[str]:
    """The tensors that no name tells: of where the two sides part, behind it, or other in another layout left."""
    behind = list(dropwhile(lambda name: not f"{name}.".startswith(f"{solved.parted}."), shapes))
    known = set.intersection(*({(entry.key, entry.text) for entry in one} for one in solved.layouts))
    texts = layout.shown()
    for key, names in unnamed(layout).items():
        if names[0] in behind or (key, texts[key]) not in known:
            yield key


def unnamed(layout: Layout) -> dict[str, tuple[str, ...]]:
    """The entries, with torch's tensors in each, of which nothing of scratch's has the name."""
    named = (entry for entry in layout.entries if not any(same_name(entry.names[0], leaf) for leaf in layout.leaves))
    return {entry.key: entry.names for entry in named}


def ways_of_writing(layout: Layout) -> int:
    """In how many ways its tensors are cut and turned: who puts gates in an order does so for inputs and states."""
    cut = {re.sub(r"(?<!\.)\b[A-Za-z_]\w*\b(?!\()|\.T\b", "", entry.text) for entry in layout.entries}
    turned = {".T" in entry.text for entry in layout.entries if entry.index.ndim == 2 and min(entry.index.shape) > 1}
    return len(cut) + len(turned)


def by_values(trial: "Trial", solved: Solved | None, hows: Sequence[tuple[Way, ...]]) -> None:
    """The pairing gets what the values on the way say: a layout, its rivals, or where no layout explains them."""
    if solved is None:
        return
    pairing, leaves, shapes = trial.pairing, trial.pairing.layout.leaves, trial.reference.shapes()
    pairing.runs += solved.runs
    more = [Layout(leaves, tuple(chosen)) for one in solved.layouts for chosen in completed(one, leaves, shapes)]
    if pairing.decided:
        others = (differences(pairing.layout, other) for other in more if solved.parted is None)
        pairing.rivals = tuple(told for told in others if told)
        return
    pairing.parted, pairing.unwatched = solved.parted, not solved.watched
    if solved.parted is not None:  # of guesses the likeliest first
        more.sort(key=ways_of_writing)
    ways = [solved.way, *(how for how in hows if how is not solved.way)]
    trial.include(more)
    trial.among(more, ways, pairing.runs + 2 * QUICK, solved.seen > 0)
    if not pairing.decided and solved.parted is None:
        pairing.layout, pairing.ways, pairing.decided = more[0], solved.way, True
        pairing.extra = lacking(more[0], shapes)


@dataclass
class Trial:
    """Layouts by what torch makes of the values that scratch was run on once."""

    reference: UsersReference
    raw: Raw
    values: Mapping[str, Array]
    shares: Mapping[str, Array]
    send: Any
    data: Sequence[Any]
    pairing: Pairing
    again: Callable[[Mapping[str, Array]], Raw]
    best: int = -1

    def include(self, layouts: Sequence[Layout]) -> None:
        """What was zero, because the first layout leaves it out, gets numbers where one of these takes it."""
        leaves = self.pairing.layout.leaves
        more = {leaf.name: drawn_leaf(leaf, 0) for leaf in leaves if not np.any(self.values[leaf.name])}
        if any(one.covered(leaf) for one in layouts for leaf in leaves if leaf.name in more):
            self.values = {**self.values, **more}
            self.raw, self.best = self.again(self.values), -1

    def among(self, layouts: Iterable[Layout], hows: Sequence[tuple[Way, ...]], most: int, first: bool = False) -> None:
        """The pairing gets the layout with which the forward passes agree, and its rivals, else most gradients do.

        They are given up when there were `most` runs. The `first` of equal ones may be of these.
        """
        agreeing: list[tuple[Layout, tuple[Way, ...]]] = []
        for layout in layouts:
            if self.pairing.runs >= most or len(agreeing) > 1:
                break
            lacks = lacking(layout, self.reference.shapes())
            fit: tuple[Way, ...] | None = None
            for how in hows:
                if self.pairing.runs >= most or len(agreeing) > 1:
                    break
                self.pairing.runs += 1
                known = drawn_shares(layout, self.shares, self.reference.shapes())
                state = {**layout.to_torch(self.values, known), **lacks}
                try:
                    run = self.reference.run(state, given(self.data, how), "float64", self.send)
                except Exception:  # these do not fit one another
                    continue
                forward, score = agreement(self.raw, run, layout)
                if forward:
                    fit = fit or how
                    if agrees_in_loss(self.raw, run):
                        fit = how
                        break  # another way of the data would be the same
                elif not agreeing and fit is None and (score > self.best or (first and score == self.best)):
                    self.best, first = score, False
                    self.pairing.layout, self.pairing.ways, self.pairing.extra = layout, how, lacks
            if fit is not None:
                agreeing.append((layout, fit))
        if agreeing:
            pairing = self.pairing
            (pairing.layout, pairing.ways), pairing.decided = agreeing[0], True
            pairing.extra = lacking(pairing.layout, self.reference.shapes())
            others = [layout for layout, _ in agreeing[1:] if layout is not pairing.layout]
            pairing.rivals = tuple(differences(pairing.layout, other) for other in others)


def leaves_both(layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether some of both sides stand for nothing: with zeros in both of them they agree whatever is meant."""
    return bool(lacking(layout, shapes)) and not all(map(layout.covered, layout.leaves))


def agrees_in_loss(raw: Raw, run: Run) -> bool:
    """Whether torch's loss is among what was given; where one of the two has none there is nothing to ask."""
    numbers = [scalar(found.value) for found in raw.found if found.value.size == 1]
    if run.loss is None or not numbers:
        return True
    return any(near(np.asarray(number, float), run.loss.astype(float), 1e-9) for number in numbers)


def completed(
    entries: Sequence[Entry], leaves: Sequence[Leaf], shapes: Mapping[str, tuple[int, ...]]
) -> list[list[Entry]]:
    """With what is left by names, order and shape."""
    return list(islice(candidates(leaves, shapes, entries), QUICK)) or [list(entries)]


def differences(one: Layout, other: Layout) -> str:
    mine = one.shown()
    return ", ".join(f"{key} = {text}" for key, text in other.shown().items() if mine.get(key) != text)


def drawn_shares(
    layout: Layout, shares: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Array]:
    names = [name for entry in layout.entries for name in entry.names[1:]]
    rng = np.random.default_rng(5)
    return {name: shares[name] if name in shares else 0.3 * rng.standard_normal(shapes[name]) for name in names}


def lacking(layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Torch's parameters that nothing stands for, as zeros: a bias may be missing."""
    mapped = {name for entry in layout.entries for name in entry.names}
    return {name: np.zeros(shape) for name, shape in shapes.items() if name not in mapped}


def agreement(raw: Raw, run: Run, layout: Layout) -> tuple[bool, int]:
    """Whether outputs or loss agree, and how many tensors do, up to a factor."""
    arrays = [found.value for found in raw.found if found.value.dtype.kind == "f"] + list(raw.outputs or [])
    forward = 0
    seen = False
    for golden in run.outputs:
        if golden.size < 2:
            continue
        seen = True
        images = [function(golden) for function in IMAGES.values()]
        forward += any(near(moved, want) for a in arrays for want in images for _, moved in reshaped(a, want.shape))
    agrees = seen and forward == len([golden for golden in run.outputs if golden.size > 1])
    if run.loss is not None and not agrees and any(found.value.size == 1 for found in raw.found):
        agrees = agrees_in_loss(raw, run)
    score = 3 * forward
    for golden in layout.gradients(run.gradients).values():
        score += any(alike(a, golden) for a in arrays)
    return agrees, score


def alike(ours: Array, theirs: Array) -> bool:
    """Equal up to a factor, of more than one entry."""
    if ours.size != theirs.size or ours.size < 2 or not np.isfinite(ours).all():
        return False
    a, b = ours.ravel().astype(float), theirs.ravel().astype(float)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return size > 0 and abs(float(a @ b)) > (1 - 1e-9) * size
