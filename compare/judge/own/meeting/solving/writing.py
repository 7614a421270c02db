"""A solution as a layout: an expression for each of torch's parameters."""

from collections.abc import Mapping, Sequence

import numpy as np

from twofold.compare.judge.own.meeting.solving.search import Solution
from twofold.compare.judge.own.meeting.solving.sources import Source, Sources, shape_text
from twofold.compare.judge.own.meeting.solving.stepping import Box, whole
from twofold.compare.sides.foreign.layout import Entry, Misfit, entry_of, evaluated

Parts = dict[Box, Source | None]


def entries(solution: Solution, sources: Sources, shapes: Mapping[str, tuple[int, ...]]) -> list[Entry]:
    """The entries of what was solved whole; two biases for one as a sum."""
    parts: dict[str, Parts] = {}
    partners: dict[str, str] = {}
    for unit, choice in solution.chosen:
        for name, source in zip(unit.names, choice, strict=bool(choice)):
            parts.setdefault(name, {})[unit.box] = source
        if len(unit.names) == 2:
            partners[unit.names[1]] = unit.names[0]
    summed = {
        partners[name]: name
        for name in partners
        if not any(parts[name].values()) and any(parts[partners[name]].values())
    }
    found = []
    for name, own in parts.items():
        if name in summed.values() or not any(own.values()):
            continue
        if (text := written(name, own, sources, shapes[name])) is None:
            continue
        names = (name, summed[name]) if name in summed else (name,)
        try:
            found.append(entry_of(names, text, sources.leaves, shapes[name]))
        except Misfit:  # it cannot be said in one expression
            continue
    return found


def written(name: str, parts: Parts, sources: Sources, shape: tuple[int, ...]) -> str | None:
    """The parts side by side; shorter, where they are one array in its order. None where some are missing."""
    numbers = np.full(shape, np.nan)
    for box, source in parts.items():
        numbers[tuple(slice(*span) for span in box)] = 0 if source is None else source.numbers
    if np.isnan(numbers).any():  # torch uses a part of it, or the others are left open
        known = ~np.isnan(numbers)
        whole_ones = sources.singles(whole(name, shape), 0) if known.any() else ()
        return next((one.text for one in whole_ones if (one.numbers[known] == numbers[known]).all()), None)
    unit = whole(name, shape)
    if len(parts) > 1:
        for one in sources.singles(unit, 1):
            if np.array_equal(one.numbers, numbers):
                return one.text
    source = next(iter(parts.values()))
    return source.text if len(parts) == 1 and source else beside(list(parts.items()), 0, sources)


def beside(parts: Sequence[tuple[Box, Source | None]], axis: int, sources: Sources) -> str | None:
    """The parts of a parameter joined along this axis and those that follow."""
    if len(parts) == 1:
        return said(*parts[0], sources)
    if axis == len(parts[0][0]):
        return None
    groups: dict[tuple[int, int], list[tuple[Box, Source | None]]] = {}
    for box, source in parts:
        groups.setdefault(box[axis], []).append((box, source))
    texts = [beside(groups[span], axis + 1, sources) for span in sorted(groups)]
    if None in texts or len(texts) == 1:
        return texts[0]
    inner = ", ".join(map(str, texts))
    return f"concatenate([{inner}])" if axis == 0 else f"concatenate([{inner}], {axis})"


def said(box: Box, source: Source | None, sources: Sources) -> str:
    shape = tuple(stop - start for start, stop in box)
    if source is None:
        return f"zeros({shape if len(shape) > 1 else shape[0]})"
    if np.shape(evaluated(source.text, sources.numbers)) == shape:
        return source.text
    text = f"({source.text})" if source.text.startswith("-") else source.text
    return f"{text}.reshape{shape_text(shape)}"
