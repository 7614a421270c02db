"""From a call to two sides that can be run on the same numbers: parameters, layout, data, roles."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.own.bout import Bout, Draw, random_draw
from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.contract import line_of, text_of
from twofold.compare.judge.own.kernels import Kernel
from twofold.compare.judge.own.pairing import Pairing, find, listed, same_name
from twofold.compare.judge.own.roles import Roles, assign
from twofold.compare.judge.own.verdict import BadCall
from twofold.compare.sides.foreign.calls import Foreign, Raw, gradient_word
from twofold.compare.sides.foreign.data import given, in_dtype
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import UsersReference, arity
from twofold.compare.sides.foreign.trees import is_floating, is_module
from twofold.scratch.module import Array

NOTHING = (
    "scratch: expected a loss, outputs or gradients, found nothing in what it returns nor beside its params; "
    "return them, or pass the objects that hold them as params= and grads="
)


def prepared(call: Call) -> tuple[Bout, Draw]:
    """The bout, and a first draw of random parameters on the user's data. Raises BadCall."""
    foreign = made(call)
    must_run(foreign, call)
    must_have_effect(foreign, call)
    reference = users_reference(call, foreign)
    if not is_explicit(call.params) and not call.kernel:
        named = " ".join((call.layout or {}).values())
        foreign.leaves = effective(foreign, call.data, reference, named)
    if reference.shapes() and not foreign.leaves:
        raise BadCall(
            "params: expected the arrays that are learned, found none on what scratch is bound to or closes over; "
            "pass them: params={'W1': W1, ...}, a list, or the object that holds them"
        )
    bout = Bout(foreign, reference, Pairing(empty(foreign), ()), Roles(), call.seed)
    bout.buffers = matched_buffers(foreign, reference)
    if call.modes is not None:
        enter_mode(bout, call, True)
    send = bout.send_in("float64") if foreign.is_pair else None
    data = tuple(in_dtype(array, "float64") for array in call.data)
    bout.pairing = find(foreign, reference, data, call.layout or {}, call.reference_data, send, call.seed)
    must_cover(bout, call)
    one = random_draw(bout, data, "random parameters", call.seed)
    must_take(bout, one, call)
    settle_roles(bout, one, call.asked)
    must_give(bout, call)
    return bout, one


def must_have_effect(foreign: Foreign, call: Call) -> None:
    """Raises BadCall where all params together can be moved and nothing that a call gives follows."""
    if call.kernel or not foreign.leaves:
        return
    rng = np.random.default_rng(3)
    values = {leaf.name: near_own(leaf, rng) for leaf in foreign.leaves}
    moved = {name: value + 0.1 * rng.standard_normal(value.shape) for name, value in values.items()}
    one, other = results(foreign, values, call.data), results(foreign, moved, call.data)
    if one is not None and not (
        one.outputs or one.changed or call.step or [f for f in one.found if f.source != "beside"]
    ):
        raise BadCall(NOTHING)
    finite = one is not None and all(np.isfinite(found.value).all() for found in one.found)
    if call.params is not None and one is not None and other is not None and finite and same_results(one, other):
        raise BadCall(
            f"params: {listed(values, 4)} have no effect on what scratch gives; "
            "pass those of the object that is called: judge(net.loss, ..., params=net)"
        )


def must_give(bout: Bout, call: Call) -> None:
    """Raises BadCall where a call leaves nothing that torch has too."""
    roles = bout.roles
    if roles.loss or any(roles.outputs) or roles.gradients or roles.inputs or call.step or bout.buffers:
        return
    raise BadCall(NOTHING)


def made(call: Call) -> Foreign:
    if call.kernel:
        return Kernel(call, call.asked)
    others = {"step": call.step, "modes": call.modes}
    return warmed(call, Foreign(call.scratch, call.data, call.params, call.grads, call.buffers, others))


def enter_mode(bout: Bout, call: Call, training: bool) -> None:
    bout.training = training
    bout.foreign.enter = call.modes[0 if training else 1]


def matched_buffers(foreign: Foreign, reference: UsersReference) -> dict[str, str]:
    """Torch's buffers by the stranger's: by what both names say, else the first of the shape."""
    left = [name for name in reference.tensors if name not in reference.parameters]
    found: dict[str, str] = {}
    for leaf in foreign.kept_buffers:
        size = tuple(n for n in leaf.shape if n != 1)
        alike = [n for n in left if tuple(k for k in reference.tensors[n].shape if k != 1) == size]
        words = [word for word in ("mean", "var") if word in leaf.name.lower()]
        named = [name for name in alike if any(word in name for word in words)]
        if chosen := next(iter(named or ([] if words else alike)), None):
            found[leaf.name] = chosen
            left.remove(chosen)
    return found


def empty(foreign: Foreign) -> Any:
    from twofold.compare.sides.foreign.layout import Layout

    return Layout(tuple(foreign.leaves), ())


def is_explicit(params: Any) -> bool:
    """Arrays one by one, in dicts and lists: then every one is meant."""
    if isinstance(params, dict):
        return all(map(is_explicit, params.values()))
    if isinstance(params, list | tuple):
        return all(map(is_explicit, params))
    return is_floating(params)


def warmed(call: Call, foreign: Foreign) -> Foreign:
    """Code that makes its parameters at its first call is called once before they are looked for."""
    if any(not leaf.scalar or gradient_word(leaf) for leaf in foreign.leaves) or foreign.is_torch:
        return foreign
    try:
        foreign.call(call.data, lambda n, out: np.ones_like(out))
    except Exception:  # told when it is met again
        return foreign
    foreign.reach.forget()
    others = {"step": call.step, "modes": call.modes}
    return Foreign(call.scratch, call.data, call.params, call.grads, call.buffers, others)


def users_reference(call: Call, foreign: Foreign) -> UsersReference:
    """A function that has more arguments than there are data takes the parameters behind them."""
    if not is_module(call.reference) and not call.kernel:
        taken = arity(call.reference)
        n = len(call.data) - (call.loss is not None)
        plain = UsersReference(call.reference, call.loss)
        if not plain.parameters and taken is not None and taken == n + len(foreign.leaves) and foreign.leaves:
            return UsersReference(call.reference, call.loss, {leaf.name: leaf.read() for leaf in foreign.leaves})
    return UsersReference(call.reference, call.loss)


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
        called = any(same_name(name, leaf.name) for name in reference.shapes())
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


def must_cover(bout: Bout, call: Call) -> None:
    """Raises BadCall where a weight of torch's has no counterpart: that cannot be a missing bias."""
    layout = bout.pairing.layout
    alone = [name for name, value in bout.pairing.extra.items() if np.squeeze(value).ndim > 1 or not is_bias(name)]
    if alone:
        shapes = bout.reference.shapes()
        left = [f"{leaf.name} {leaf.shape}" for leaf in bout.leaves if not layout.covered(leaf)]
        solved = "".join(f'"{key}": "{text}", ' for key, text in layout.shown().items())
        raise BadCall(
            f"layout: expected a tensor for {listed([f'{name} {shapes[name]}' for name in alone], 4)}, "
            f'left are {listed(left) or "none"}; write layout={{{solved}"{alone[0]}": "..."}}'
        )


def is_bias(name: str) -> bool:
    return "bias" in name.rpartition(".")[2] or len(name.rpartition(".")[2]) == 1


def must_run(foreign: Foreign, call: Call) -> None:
    """Raises BadCall where the code raises with the parameters and the data that it was handed with."""
    if call.kernel:
        return
    try:
        with foreign.afresh():
            foreign.call(call.data, lambda n, out: np.ones_like(out))
    except Exception as error:
        place = line_of(error)
        where = f" at {place.file}:{place.line}   {text_of(error)}" if place.file else ""
        raise BadCall(
            f"scratch raises {type(error).__name__}: {' '.join(str(error).split())}{where}; "
            f"it is called as scratch({', '.join(str(np.shape(a)) for a in call.data)})"
        ) from None


def must_take(bout: Bout, one: Draw, call: Call) -> None:
    """Raises BadCall where the user's code does not take the user's own data, or leaves nothing to compare."""
    try:
        bout.foreign.call_once(one.values, one.data, bout.send_in("float64") if bout.foreign.is_pair else None)
    except Exception as error:
        if raises_by_itself(bout, call):
            raise BadCall(
                f"scratch does not take its own data: {type(error).__name__}: {' '.join(str(error).split())}; "
                f"it is called as scratch({', '.join(str(np.shape(a)) for a in call.data)})"
            ) from None


def raises_by_itself(bout: Bout, call: Call) -> bool:
    """Whether it raises with its own parameters and the data as they were given."""
    try:
        bout.foreign.call_once(None, call.data, bout.send_in("float64") if bout.foreign.is_pair else None)
    except Exception:
        return True
    return False


def settle_roles(bout: Bout, one: Draw, asked: tuple[bool, ...] = ()) -> None:
    """What each tensor of a call is, by one run of each side."""
    state = bout.state(one.values, one.shares)
    data = given(one.data, bout.pairing.ways)
    send = bout.send if bout.foreign.is_pair or bout.reference.criterion is None else None
    run = bout.reference.run(state, data, "float64", send)
    bout.shapes = [out.shape for out in run.outputs]
    raw = bout.foreign.call_once(one.values, one.data, bout.send_in("float64"))
    if raw.outputs is not None:
        # the sent gradients go through the axes that the outputs are moved by, which this says
        bout.roles = assign(raw, bout.leaves, {}, run.outputs, run.loss, len(one.data), asked)
        raw = bout.foreign.call_once(one.values, one.data, bout.send_in("float64"))
    expected = bout.pairing.layout.gradients(run.gradients)
    bout.roles = assign(raw, bout.leaves, expected, run.outputs, run.loss, len(one.data), asked, run.inputs)


def with_data(one: Draw, data: Sequence[Any], label: str) -> Draw:
    return replace(one, data=tuple(data), label=label)
