"""Which of the tensors that a call gave is the loss, an output, the gradient of what.

What is named or placed as a parameter is has its gradient; else the shape tells, and among equal shapes the value. A
name alone never does: what stands beside the parameters must have been written by the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twofold.compare.judge.own.meeting.gradients import WORDS, by_name, by_shape, by_structure, misshapen, of_grads
from twofold.compare.judge.own.meeting.images import near, scalar
from twofold.compare.judge.own.meeting.outputs import Key, Output, is_array, loss_among, output_among, output_by_value
from twofold.compare.sides.foreign.calls import Found, Raw
from twofold.compare.sides.foreign.data import reshaped, way_to
from twofold.compare.sides.foreign.leaves import Leaf, last, plain
from twofold.scratch.module import Array


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
