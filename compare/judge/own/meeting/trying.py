"""Which arrays of an object are parameters: those that change something when they are moved alone."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.judge.own.meeting.candidates import same_name
from twofold.compare.sides.foreign.calls import Foreign, Raw
from twofold.compare.sides.foreign.data import in_dtype
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import UsersReference
from twofold.scratch.module import Array


def effective(foreign: Foreign, data: Sequence[Any], reference: UsersReference, named: str = "") -> list[Leaf]:
    """Of all arrays of an object those whose values matter: one moved alone changes something that a call gives.

    One that the layout has `named` is meant, and where results are not finite they show no effect of anything.
    """
    if len(foreign.leaves) <= 1:
        return foreign.leaves
    sizes = [tuple(sorted(n for n in shape if n != 1)) for shape in reference.shapes().values()]
    total = sum(int(np.prod(shape)) for shape in reference.shapes().values())
    rng = np.random.default_rng(3)
    values = {leaf.name: near_own(leaf, rng) for leaf in foreign.leaves}
    begun = results(foreign, values, data)
    if begun is None or not all_finite(begun):
        return foreign.leaves
    kept = []
    for leaf in foreign.leaves:
        mine = tuple(sorted(n for n in leaf.shape if n != 1))
        called = any(same_name(name, leaf) for name in reference.shapes())
        called = called or re.search(rf"(?<![\w.]){re.escape(leaf.name)}(?!\w)", named) is not None
        if called or leaf.scalar or int(np.prod(leaf.shape)) == total:
            kept.append(leaf)
            continue
        if sizes and mine not in sizes and not could_be_part(leaf, reference):
            continue
        moved = results(foreign, {**values, leaf.name: values[leaf.name] + 0.1 * rng.standard_normal(leaf.shape)}, data)
        if moved is None or not same_results(begun, moved):
            kept.append(leaf)
    return kept


def all_finite(raw: Raw) -> bool:
    """Of what is returned."""
    returned = [found.value for found in raw.found if found.source == "returned" and found.value.dtype.kind == "f"]
    return all(np.isfinite(value).all() for value in [*returned, *(raw.outputs or [])])


def could_be_part(leaf: Leaf, reference: UsersReference) -> bool:
    """Of a stacked tensor, or with a bias in it: what shape it has says little."""
    return len([n for n in leaf.shape if n != 1]) >= 1 and leaf.shape != ()


def near_own(leaf: Leaf, rng: Any) -> Array:
    own = leaf.read().astype(float)
    size = float(np.abs(own[np.isfinite(own)]).max(initial=0)) or 0.3
    return np.where(np.isfinite(own), own, 0) + 0.1 * size * np.abs(rng.standard_normal(leaf.shape))


def results(foreign: Foreign, values: Any, data: Sequence[Any]) -> Raw | None:
    try:
        with foreign.afresh(values):
            return foreign.call(
                tuple(in_dtype(array, "float64") for array in data),
                lambda n, out: np.linspace(0.5, 1.5, out.size).reshape(out.shape),
            )
    except Exception:  # a call that cannot be made tells nothing
        return None


def same_results(one: Raw, other: Raw) -> bool:
    """Of what is returned, given as gradients or written beside the parameters."""
    mine = {f.key: f.value for f in one.found if f.source != "beside" or f.key in one.changed}
    theirs = {f.key: f.value for f in other.found}
    outputs = zip(one.outputs or [], other.outputs or [], strict=False)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in outputs) and all(
        key in theirs and np.array_equal(value, theirs[key], equal_nan=True) for key, value in mine.items()
    )
