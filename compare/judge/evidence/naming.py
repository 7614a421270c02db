"""Which call of the reference is which of scratch: by name, else by what it gives, else by order."""

from collections.abc import Iterable, Mapping

import numpy as np

from twofold.compare.sides.trace import Names, call_of
from twofold.scratch.module import Array

Calls = dict[str, list[Array]]  # what each call gave, in order of execution


def calls_of(outputs: Mapping[str, Array]) -> Calls:
    calls: Calls = {}
    for key, array in outputs.items():
        calls.setdefault(call_of(key), []).append(array)
    return calls


def matched(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> dict[str, str]:
    """The reference's calls by scratch's, of two recorded passes on equal inputs; without those that have no match.

    A name alone is no proof: where both sides have it and give different numbers, and one of them gives what a call of
    another name does, that one is meant. Else the name counts, for then it is there that the sides differ.
    """
    mine, other = calls_of(ours), calls_of(theirs)
    pairs = {call: call for call in other if call in mine and near(mine[call], other[call])}
    for call in left(other, pairs):
        same = (own for own in left(mine, pairs.values()) if near(mine[own], other[call]))
        if (own := next(same, None)) is not None:
            pairs[call] = own
    pairs |= {call: call for call in left(other, pairs) if call in left(mine, pairs.values())}
    return pairs | dict(in_order(mine, other, pairs))


def in_order(mine: Calls, other: Calls, pairs: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Between neighbours that are matched, what is left over in equal number and shape is matched by order."""
    back = {own: call for call, own in pairs.items()}
    gaps = [runs(list(mine), back), runs(list(other), pairs)]
    for before, own in gaps[0].items():
        theirs = gaps[1].get(None if before is None else back[before], [])
        if shapes(mine, own) == shapes(other, theirs):
            yield from zip(theirs, own, strict=True)


def shapes(calls: Calls, some: list[str]) -> list[list[tuple[int, ...]]]:
    return [[array.shape for array in calls[call]] for call in some]


def runs(calls: list[str], known: Mapping[str, str]) -> dict[str | None, list[str]]:
    """The calls that are not known, by the last known one before them."""
    found: dict[str | None, list[str]] = {}
    before = None
    for call in calls:
        if call in known:
            before = call
        else:
            found.setdefault(before, []).append(call)
    return found


def left(calls: Calls, taken: Iterable[str]) -> list[str]:
    taken = set(taken)
    return [call for call in calls if call not in taken]


def near(ours: list[Array], theirs: list[Array]) -> bool:
    """Up to the square root of the precision: which call is meant is asked, not whether it is right."""
    return len(ours) == len(theirs) and all(
        a.shape == b.shape
        and np.allclose(a, b, rtol=0, atol=np.sqrt(np.finfo(b.dtype).eps) * np.abs(b).max(initial=0), equal_nan=True)
        for a, b in zip(ours, theirs, strict=True)
    )


def renamed(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Names:
    """The reference's calls that go by another name, and as None those that have no match."""
    pairs = matched(ours, theirs)
    return {call: pairs.get(call) for call in calls_of(theirs) if pairs.get(call) != call}
