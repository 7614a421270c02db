"""Which of the tensors of a call is whose gradient: by name, by structure, by shape, among equal shapes by value."""

import re
from collections.abc import Mapping, Sequence

from twofold.compare.judge.own.meeting.images import near
from twofold.compare.judge.own.meeting.outputs import Key
from twofold.compare.sides.foreign.calls import Found
from twofold.compare.sides.foreign.leaves import Leaf, last, plain
from twofold.scratch.module import Array

WORDS = ("grad", "g", "diff", "gradient")  # what an object that holds an array calls its gradient


def components(path: str) -> list[str]:
    return [part.strip("'\"") for part in re.split(r"[.\[\]]+", path) if part.strip("'\"")]


def common(leaf: str, path: str) -> int:
    """How many of their last components are equal, but for what says that one is a gradient; numbers alone are none."""
    mine, other = components(leaf), components(path)
    if len(other) > 1 and other[-1] in WORDS:  # of an object that keeps its own: fc1.weight.grad
        other.pop()
    count, named = 0, False
    for own, found in zip(reversed(mine), reversed(other), strict=False):
        if re.search("param|weight", own.lower()) and re.search("grad|nabla|diff", found.lower()):
            count += 1
            continue
        if own not in (found, plain(found)) and own != plain(found).lstrip("_"):
            break
        count += 1
        named = named or not own.isdigit()
    return count if named else 0


def fits(found: Found, leaf: Leaf) -> bool:
    bare = tuple(n for n in found.value.shape if n != 1)
    return found.value.shape == leaf.shape or bare == tuple(n for n in leaf.shape if n != 1)


Assigned = dict[str, tuple[Key, str]]


def of_grads(leaves: Sequence[Leaf], pool: Sequence[Found], expected: Mapping[str, Array]) -> Assigned:
    """What `grads=` gives: by name, else in order."""
    given = [found for found in pool if found.source == "grads"]
    chosen = by_name(leaves, given, expected)
    left = [leaf for leaf in leaves if leaf.name not in chosen]
    rest = [found for found in given if found.key not in {key for key, _ in chosen.values()}]
    if len(rest) == len(left) and all(fits(found, leaf) for found, leaf in zip(rest, left, strict=True)):
        told = {leaf.name: (found.key, "the order in grads=") for leaf, found in zip(left, rest, strict=True)}
        return {**chosen, **told}
    return {**chosen, **by_shape(left, rest, expected)}


def by_name(leaves: Sequence[Leaf], pool: Sequence[Found], expected: Mapping[str, Array]) -> Assigned:
    """Named as the parameter, or as its gradient, and of its shape."""
    chosen: Assigned = {}
    holders = {id(slot.holder): leaf.name for leaf in leaves for slot in leaf.slots}
    for leaf in leaves:
        best, most = None, 0
        taken = {key for key, _ in chosen.values()}
        for found in (one for one in pool if one.key not in taken):
            score = common(leaf.name, found.path)
            if not score or not fits(found, leaf):
                continue
            if found.source == "beside" and not beside(leaf, found, holders):
                continue
            if score > most:
                best, most = found, score
        if best is not None:
            chosen[leaf.name] = best.key, "its name"
    return chosen


def misshapen(leaves: Sequence[Leaf], pool: Sequence[Found], expected: Mapping[str, Array]) -> Assigned:
    """Named as a parameter and of another size, where no other is named so: it is judged by its shape."""
    chosen: Assigned = {}
    for leaf in leaves:
        named = [f for f in pool if f.source != "beside" and common(leaf.name, f.path) and f.value.ndim > 0]
        if len(named) == 1:
            chosen[leaf.name] = named[0].key, "its name"
    return chosen


def beside(leaf: Leaf, found: Found, holders: Mapping[int, str]) -> bool:
    """Its name says that it is a gradient, and it stands with the parameter or in a container of gradients."""
    name = last(found.path)
    if plain(name).lstrip("_") == last(leaf.name) or name in WORDS:
        return True
    return any(re.search("grad|nabla|diff", part.lower()) for part in components(found.path)[:-1])


def by_structure(leaves: Sequence[Leaf], pool: Sequence[Found], expected: Mapping[str, Array]) -> Assigned:
    """Lists that run parallel: the parameters' shapes in the parameters' order."""
    chosen: Assigned = {}
    groups: dict[str, list[Found]] = {}
    for found in pool:
        if found.source == "returned" and re.search(r"\[\d+\]$", found.path):
            groups.setdefault(re.sub(r"\[\d+\]$", "", found.path), []).append(found)
    families: dict[str, list[Leaf]] = {"": list(leaves)}
    for leaf in leaves:
        if re.search(r"\[\d+\]$", leaf.name):
            families.setdefault(re.sub(r"\[\d+\]$", "", leaf.name), []).append(leaf)
    for family in families.values():
        left = [leaf for leaf in family if leaf.name not in chosen]
        for group in groups.values():
            if len(left) > 1 and len(left) == len(group) and all(map(fits, group, left)):
                rule = "its place in a parallel list"
                chosen |= {leaf.name: (found.key, rule) for leaf, found in zip(left, group, strict=True)}
                break
    return chosen


def by_shape(leaves: Sequence[Leaf], pool: Sequence[Found], expected: Mapping[str, Array]) -> Assigned:
    """The one of its shape; of several the one of its value, and what is left over in order."""
    pool = [found for found in pool if found.source in ("returned", "grads") and found.value.ndim > 0]
    chosen: Assigned = {}
    taken: set[Key] = set()
    unsure: list[Leaf] = []
    for leaf in leaves:
        alike = [found for found in pool if fits(found, leaf) and found.key not in taken]
        want = expected.get(leaf.name)
        equal = [f for f in alike if want is not None and near(f.value.reshape(leaf.shape), want)]
        rivals = [other for other in leaves if other is not leaf and fits_leaf(other, leaf)]
        if equal:
            chosen[leaf.name] = equal[0].key, "its value" if rivals or len(alike) > 1 else "its shape"
            taken.add(equal[0].key)
        else:
            unsure.append(leaf)
    for leaf in unsure:
        alike = [found for found in pool if fits(found, leaf) and found.key not in taken]
        if alike and leaf.shape != ():
            chosen[leaf.name] = alike[0].key, "its shape" if len(alike) == 1 else "its shape and order"
            taken.add(alike[0].key)
    return chosen


def fits_leaf(one: Leaf, other: Leaf) -> bool:
    return tuple(n for n in one.shape if n != 1) == tuple(n for n in other.shape if n != 1)
