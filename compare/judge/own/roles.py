"""Which of the tensors that a call gave is the loss, an output, the gradient of what.

What is named or placed as a parameter is has its gradient; else the shape tells, and among equal shapes the value. A
name alone never does: what stands beside the parameters must have been written by the call.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twofold.compare.sides.foreign.calls import Found, Raw
from twofold.compare.sides.foreign.data import reshaped, way_to
from twofold.compare.sides.foreign.leaves import Leaf, last, plain
from twofold.scratch.module import Array

Key = tuple[str, str]
NEAR = 1e-6  # of the largest entry: which tensor is meant is asked, not whether it is right
WORDS = ("grad", "g", "diff", "gradient")  # what an object that holds an array calls its gradient
LOSSES = ("loss", "cost", "error", "j", "l", "e")
OUTPUTS = ("output", "outputs", "out", "y", "yhat", "y_hat", "y_pred", "pred", "probs", "scores", "logits", "a", "h")


def near(ours: Array, theirs: Array, within: float = NEAR) -> bool:
    if ours.shape != theirs.shape or not ours.size:
        return False
    with np.errstate(all="ignore"):
        largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=0)
        return bool(np.allclose(ours, theirs, rtol=0, atol=within * largest, equal_nan=True))


def softmax(x: Array, axis: int = -1) -> Array:
    with np.errstate(all="ignore"):
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)


def sigmoid(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return 1 / (1 + np.exp(-x))


# What a net may give where the reference gives what comes before its loss, or the other way round.
IMAGES: Mapping[str, Callable[[Array], Array]] = {
    "": lambda x: x,
    "softmax": softmax,
    "sigmoid": sigmoid,
    "log_softmax": lambda x: np.log(softmax(x)),
    "exp": np.exp,
    "argmax": lambda x: x.argmax(axis=-1).astype(float) if x.ndim > 1 else x,
}


@dataclass(frozen=True)
class Output:
    """One of the reference's outputs: where it is found, how it is brought into torch's shape, and what it shows."""

    key: Key
    way: str
    image: str = ""


@dataclass
class Roles:
    """The part that each tensor of a call plays, made once and used for every call."""

    loss: Key | None = None
    outputs: list[Output | None] = field(default_factory=list)
    gradients: dict[str, Key] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)  # by leaf, how its gradient was found
    inputs: dict[int, Key] = field(default_factory=dict)  # of a pair: each datum's gradient
    unread: list[str] = field(default_factory=list)  # what was returned and plays no part

    def name_of(self, leaf: str) -> str:
        """The gradient by the name that its side uses, if that says more than the parameter's."""
        source, path = self.gradients.get(leaf, ("", ""))
        name = last(path)
        others = [last(other) for _, other in self.gradients.values()]
        if source not in ("returned", "grads") or name in WORDS or others.count(name) > 1:
            return leaf
        return name if name and not name.isdigit() else leaf


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


def assign(
    raw: Raw,
    leaves: Sequence[Leaf],
    expected: Mapping[str, Array],
    outputs: Sequence[Array],
    loss: Array | None,
    n_data: int,
    asked: tuple[bool, ...] = (),
    inputs: Sequence[Array | None] = (),
) -> Roles:
    """The roles, given what the reference has for the same numbers. `expected` are gradients by leaf."""
    roles = Roles()
    taken: set[Key] = set()
    if raw.outputs is not None:
        roles.outputs = [
            Output(("output", str(n)), next((way for way, _ in reshaped(mine, theirs.shape)), ""))
            for n, (mine, theirs) in enumerate(zip(raw.outputs, outputs, strict=False))
        ]
        by_place(roles, raw, leaves, n_data, asked)
    pool = {found.key: found for found in raw.found if found.source != "beside" or found.key in raw.changed}
    whole = [found for found in raw.found if found.source == "returned" and not found.path]
    if raw.outputs is None and outputs:
        taken |= {found.key for found in whole}
        for golden in outputs:
            given = [f for k, f in pool.items() if f.source == "returned" and k not in taken]
            if (output := output_by_value(given, golden)) is not None:
                taken.add(output.key)
    for find in (of_grads, by_name, misshapen, by_structure, by_shape):
        left = [leaf for leaf in leaves if leaf.name not in roles.gradients]
        for name, (key, rule) in find(left, [f for k, f in pool.items() if k not in taken], expected).items():
            roles.gradients[name], roles.rules[name] = key, rule
            taken.add(key)
    if any(source == "beside" for source, _ in roles.gradients.values()):
        # where others are written beside the parameters, one that the call leaves alone is forgotten, not absent
        left = [leaf for leaf in leaves if leaf.name not in roles.gradients]
        idle = [found for found in raw.found if found.source == "beside" and found.key not in raw.changed]
        for name, (key, rule) in by_name(left, idle, expected).items():
            roles.gradients[name], roles.rules[name] = key, rule
    served = set(roles.gradients.values())
    rest = [found for key, found in pool.items() if key not in served]
    if raw.outputs is None:
        if loss is not None:
            roles.loss = loss_among(rest, loss)
        rest = [found for found in rest if found.key != roles.loss]
        agrees = roles.loss is not None and loss is not None and near(scalar(pool[roles.loss].value), loss, 1e-4)
        roles.outputs = [output_among(rest, golden, loss is not None and agrees) for golden in outputs]
        if roles.loss is None and loss is not None and not any(roles.outputs):
            roles.loss = loss_among(rest, loss, beside=True)
    if raw.outputs is None:
        roles.inputs = of_data(raw, [found for found in rest if is_array(found)], roles, leaves, inputs)
    used = {roles.loss, *(output.key for output in roles.outputs if output), *roles.inputs.values()}
    roles.unread = [f"{found.path} {found.value.shape}" for found in rest if found.key not in used and is_array(found)]
    return roles


def of_data(
    raw: Raw, pool: Sequence[Found], roles: Roles, leaves: Sequence[Leaf], inputs: Sequence[Array | None]
) -> dict[int, Key]:
    """The data's own gradients among what is left: by value, or of a loss without parameters the one of its shape."""
    taken = {output.key for output in roles.outputs if output}
    chosen: dict[int, Key] = {}
    for n, want in enumerate(inputs):
        if want is None or not want.any() or n >= len(raw.data):
            continue
        shape = np.shape(raw.data[n])
        alike = [f for f in pool if f.value.shape == shape and f.key not in taken and f.key not in chosen.values()]
        equal = [f for f in alike if f.value.shape == want.shape and near(f.value, want)]
        if equal or (len(alike) == 1 and not leaves):
            chosen[n] = (equal or alike)[0].key
    return chosen


def is_array(found: Found) -> bool:
    return found.source == "returned" and found.value.ndim > 0 and found.value.size > 1


def scalar(value: Array) -> Array:
    return value.reshape(()) if value.size == 1 else value


def by_place(roles: Roles, raw: Raw, leaves: Sequence[Leaf], n_data: int, asked: tuple[bool, ...]) -> None:
    """A pair's backward gives the gradients in the order of forward's arguments."""
    given = raw.gradients or []
    if len(given) == n_data + len(leaves):
        asks = [*asked, *[False] * n_data]
        roles.inputs = {n: ("place", str(n)) for n in range(n_data) if given[n] is not None or asks[n]}
        for n, leaf in enumerate(leaves, n_data):
            if given[n] is not None:
                roles.gradients[leaf.name], roles.rules[leaf.name] = ("place", str(n)), "the order of arguments"
    elif len(given) <= n_data:
        roles.inputs = {n: ("place", str(n)) for n in range(len(given)) if given[n] is not None}
    elif len(given) == len(leaves):
        for n, leaf in enumerate(leaves):
            if given[n] is not None:
                roles.gradients[leaf.name], roles.rules[leaf.name] = ("place", str(n)), "the order of arguments"
    for n, name in enumerate(raw.names):
        keyed = (one.key for one in raw.found if plain(last(one.path)) == name and one.source == "returned")
        if n not in roles.inputs and (key := next(keyed, None)) is not None:
            roles.inputs[n] = key


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


def loss_among(pool: Iterable[Found], golden: Array, beside: bool = False) -> Key | None:
    """The number that is the loss by value, else by name, else the first that was returned."""
    numbers = [found for found in pool if found.value.size == 1 and found.value.dtype.kind in "fiu"]
    returned = [found for found in numbers if found.source == "returned"]
    for found in returned:
        if near(scalar(found.value), golden, 1e-4):
            return found.key
    for found in returned:
        if any(word in found.path.lower() for word in ("loss", "cost")):
            return found.key
    for found in numbers if beside else ():
        if last(found.path).strip("_").lower() in LOSSES:  # no running mean of it
            return found.key
    for found in numbers:
        if near(scalar(found.value), golden, 1e-9):
            return found.key
    return returned[0].key if returned else None


def output_among(pool: Sequence[Found], golden: Array, agrees: bool) -> Output | None:
    """The tensor that is the output by value, as it is or as a usual image of it; else the one of its shape.

    Where the loss `agrees` a tensor of another value is no output, for a wrong one would have made the loss wrong.
    """
    if (equal := output_by_value(pool, golden)) is not None or agrees:
        return equal
    for source in ("returned", "beside"):
        for found in pool:
            named = last(found.path).lower() in OUTPUTS
            if found.source != source or (source == "beside" and not named) or found.value.dtype.kind != "f":
                continue
            way = next((way for way, _ in reshaped(found.value, golden.shape)), None)
            if way is not None:
                return Output(found.key, way, likely_image(found.value, golden))
    return None


def output_by_value(pool: Sequence[Found], golden: Array) -> Output | None:
    for image, function in IMAGES.items():
        if image and golden.ndim < 1:
            continue
        want = function(golden)
        for found in pool:
            for way, moved in reshaped(found.value, want.shape):
                if near(moved, want):
                    return Output(found.key, way, image)
    return None


def likely_image(value: Array, golden: Array) -> str:
    """Rows of numbers from 0 to 1 that sum to 1 are the softmax of what is none, however wrong."""
    with np.errstate(all="ignore"):
        for axis in range(value.ndim) if value.ndim > 1 else ():
            if value.shape[axis] > 1 and (value >= 0).all() and np.allclose(value.sum(axis=axis), 1):
                return "" if (golden >= 0).all() and np.allclose(golden.sum(axis=-1), 1) else "softmax"
    return ""


def extracted(raw: Raw, roles: Roles, leaves: Sequence[Leaf], shapes: Sequence[tuple[int, ...]]) -> dict[str, Array]:
    """Of one call the tensors that are compared: "loss", "output", gradients under "d <leaf>", inputs' as "d data"."""
    found: dict[str, Array] = {}
    if roles.loss is not None and (value := raw.get(roles.loss)) is not None and value.size == 1:
        found["loss"] = scalar(value).astype(float) if value.dtype.kind != "f" else scalar(value)
    for n, output in enumerate(roles.outputs):
        name = "output" if len(roles.outputs) == 1 else f"output[{n}]"
        if output is None:
            continue
        value = (raw.outputs or [])[n] if output.key[0] == "output" else raw.get(output.key)
        if value is None:
            continue
        moved = way_to(value, shapes[n], output.way)
        found[name] = value if moved is None else moved
    for leaf in leaves:
        key = roles.gradients.get(leaf.name)
        if key is None:
            continue
        value = value_at(raw, key)
        if value is not None:
            found[f"d {leaf.name}"] = value.reshape(leaf.shape) if value.size == np.prod(leaf.shape) else value
    for datum, key in roles.inputs.items():
        if (value := value_at(raw, key)) is not None:
            found[f"d data {datum}"] = value
    return found


def value_at(raw: Raw, key: Key) -> Array | None:
    """What a call gave there; of a pair's backward by its place, if it was called."""
    if key[0] != "place":
        return raw.get(key)
    given = raw.gradients or []
    return given[int(key[1])] if int(key[1]) < len(given) else None
