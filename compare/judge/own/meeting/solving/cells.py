"""All parts of a recurrent cell at once, where only what comes out is seen: one order of gates for all arrays."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, permutations, product

import numpy as np

from twofold.compare.judge.own.meeting.solving.sources import Choice, Source, Sources
from twofold.compare.judge.own.meeting.solving.stepping import Unit
from twofold.scratch.module import Array

MOST = 576  # ways to fill a cell

Gates = list[Source | None]  # what stands for each gate's part of a parameter, in the order in which it lies there


def is_of_cell(unit: Unit) -> bool:
    """Whether the operation is one of torch's recurrent layers or cells."""
    return unit.kind.startswith(("lstm", "gru", "rnn"))


def cell_of(unit: Unit) -> tuple[str, str]:
    """The module, and of its layers and directions which."""
    found = re.search(r"_l\d+(_reverse)?$", unit.names[0])
    return unit.place, found.group() if found else ""


def fillings(
    units: Sequence[Unit], sources: Sources, shapes: Mapping[str, tuple[int, ...]], taken: Array, rank: int
) -> Iterator[list[tuple[Unit, Choice]]]:
    """What may stand for all of these units, with the gates of all arrays in one order."""
    yield from islice(all_fillings(units, sources, shapes, taken, rank), MOST)


def all_fillings(
    units: Sequence[Unit], sources: Sources, shapes: Mapping[str, tuple[int, ...]], taken: Array, rank: int
) -> Iterator[list[tuple[Unit, Choice]]]:
    starts = sorted({unit.box[0][0] for unit in units})
    names = list(dict.fromkeys(name for unit in units for name in unit.names))
    options: list[list[Gates]] = []
    for name in names:
        first = next(unit for unit in units if name in unit.names)
        gate = Unit((name,), first.box, (), first.kind)
        found: list[Gates] = [*rows_of(gate, len(starts), sources, taken, rank)]
        options.append([*found, [None] * len(starts)] if len(first.shape) == 1 else found)
    weighing = [unit for unit in units if unit.is_weighing(shapes[unit.names[0]])]
    alone = {unit.names[0] for unit in units if len(unit.names) == 1}
    firsts = {unit.names[0] for unit in units if len(unit.names) == 2} - alone
    for chosen in product(*options):
        if any(chosen[n][0] is None and chosen[n + 1][0] for n in range(len(names) - 1) if names[n] in firsts):
            continue  # the second of two that are always added for the first
        if not disjoint([source for gates in chosen for source in gates if source]):
            continue
        by_name = dict(zip(names, chosen, strict=True))
        for order, turned in product(permutations(range(len(starts))), (False, True) if weighing else (False,)):
            filling = []
            for unit in units:
                place = order[starts.index(unit.box[0][0])]
                parts = tuple(by_name[name][place] for name in unit.names)
                if turned and unit in weighing:
                    parts = tuple(source and source.negated() for source in parts)
                filling.append((unit, parts))
            yield filling


def rows_of(unit: Unit, count: int, sources: Sources, taken: Array, rank: int) -> Iterator[Gates]:
    """As many parts as there are gates, each as far from the one before as the second is from the first."""
    singles = [source for (source,) in sources.of(unit, rank) if source and not taken[source.places].any()]
    begun: dict[bytes, dict[int, Source]] = {}
    for source in singles:
        alike = begun.setdefault((source.numbers - source.numbers.flat[0]).tobytes(), {})
        alike[int(source.numbers.flat[0])] = source
    for alike in begun.values():
        for first, source in alike.items():
            if count == 1:
                yield [source]
            for step in sorted({other - first for other in alike if other > first} if count > 1 else ()):
                places = [first + n * step for n in range(count)]
                if all(place in alike for place in places):
                    gates = [alike[place] for place in places]
                    if disjoint(gates):
                        yield [*gates]


def disjoint(sources: Sequence[Source]) -> bool:
    places = np.concatenate([source.places.ravel() for source in sources]) if sources else np.empty(0)
    return len(np.unique(places)) == len(places)
