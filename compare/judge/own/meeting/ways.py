"""How torch takes the stranger's data: as they are, or with axes, dtypes or labels of its own."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from twofold.compare.judge.own.meeting.candidates import listed
from twofold.compare.judge.own.telling.verdict import BadCall
from twofold.compare.sides.foreign.calls import Foreign
from twofold.compare.sides.foreign.data import Way, combinations, given, ways
from twofold.compare.sides.foreign.reference import UsersReference
from twofold.compare.sides.foreign.trees import array_in

PROBABLE = 200  # combinations that torch is asked to take


def data_ways(
    foreign: Foreign, reference: UsersReference, data: Sequence[Any], reference_data: Sequence[Any] | None
) -> list[tuple[Way, ...]]:
    """The ways of the data that torch takes. Raises BadCall."""
    if reference_data is not None:
        if len(reference_data) != len(data):
            raise BadCall(f"reference_data: expected {len(data)} arrays as for scratch, found {len(reference_data)}")
        if told := reference.takes(reference_data):
            raise BadCall(f"the reference does not take reference_data: {told}")
        return [tuple(same_as(value, torchs) for value, torchs in zip(data, reference_data, strict=True))]
    found: list[tuple[Way, ...]] = []
    refusals: dict[str, None] = {}
    for strict in (True, False):
        reference.strict = strict
        for how in islice(combinations(data), PROBABLE):
            if told := reference.takes(given(data, how)):
                refusals.setdefault(told)
            elif not found or not turns(how, found[0]):
                found.append(how)
            if len(found) >= 24:
                break
        if found:
            return found
    told = next(iter(refusals), "it is given nothing")
    shown = listed([f"{np.shape(value)}" for value in data])
    raise BadCall(
        f"the reference does not take the data, of shapes {shown}: {told}; "
        "pass them as it takes them: reference_data=(x, y)"
    )


def turned_ways(
    reference: UsersReference, data: Sequence[Any], hows: Sequence[tuple[Way, ...]]
) -> list[tuple[Way, ...]]:
    """The ways with two axes exchanged that torch takes as well: where a layer has its steps first, values tell."""
    found = []
    for how in islice(combinations(data), PROBABLE):
        one = [way.text for way in how if way.text]
        turned = one and all(text.startswith(".transpose(1, 0") for text in one) and how not in hows
        if turned and not reference.takes(given(data, how)):
            found.append(how)
    return found[:2]


def turns(how: tuple[Way, ...], first: tuple[Way, ...]) -> bool:
    """Whether it moves axes of an array of three or more that torch takes as it is: that would be another batch."""
    return any(way.text.startswith(".transpose") and not taken.text for way, taken in zip(how, first, strict=True))


def same_as(value: Any, torchs: Any) -> Way:
    """The way from theirs to torch's that is given beside it; where there is none, what is given itself."""
    want = array_in(torchs)
    for way in ways(value):
        try:
            found = np.asarray(way.apply(value))
        except Exception:  # a way that this array does not have
            continue
        if found.shape == want.shape and np.allclose(found.astype(float), want.astype(float), rtol=1e-6, atol=0):
            return way
    return Way("as given", lambda a: want)
