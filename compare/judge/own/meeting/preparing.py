"""From a call to two sides that can be run on the same numbers: parameters, layout, data, roles."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.meeting.bout import Bout, Draw, random_draw
from twofold.compare.judge.own.meeting.demands import must_cover, must_give, must_have_effect, must_run
from twofold.compare.judge.own.meeting.kernels import Kernel
from twofold.compare.judge.own.meeting.pairing import Pairing, find
from twofold.compare.judge.own.meeting.roles import Roles, assign
from twofold.compare.judge.own.meeting.trying import effective
from twofold.compare.judge.own.meeting.ways import data_ways
from twofold.compare.judge.own.telling.verdict import BadCall
from twofold.compare.sides.foreign.calls import Foreign, gradient_word
from twofold.compare.sides.foreign.data import in_dtype
from twofold.compare.sides.foreign.layout import Layout
from twofold.compare.sides.foreign.reference import UsersReference, arity
from twofold.compare.sides.foreign.trees import is_floating, is_module


def prepared(call: Call) -> tuple[Bout, Draw]:
    """The bout, and a first draw of random parameters on the user's data. Raises BadCall."""
    foreign = made(call)
    must_run(foreign, call)
    must_have_effect(foreign, call)
    reference = users_reference(call, foreign)
    data = tuple(in_dtype(array, "float64") for array in call.data)
    if call.device != "cpu":
        reference.on_the_cpu = on_the_cpu(reference, call, foreign, data)
    if not is_explicit(call.params) and not call.kernel:
        named = " ".join((call.layout or {}).values())
        foreign.leaves = effective(foreign, call.data, reference, named)
    if reference.shapes() and not foreign.leaves:
        raise BadCall(
            "params: expected the arrays that are learned, found none on what scratch is bound to or closes over; "
            "pass them: params={'W1': W1, ...}, a list, or the object that holds them"
        )
    bout = Bout(foreign, reference, Pairing(empty(foreign), ()), Roles(), call.seed, is_explicit(call.params))
    bout.buffers = matched_buffers(foreign, reference)
    if call.modes is not None:
        enter_mode(bout, call, True)
    send = bout.send_in("float64") if foreign.is_pair else None
    given = (foreign, reference.near, data, call.layout or {}, call.reference_data, send, call.seed)
    bout.pairing = find(*given, still={} if bout.explicit else foreign.read())
    undecided = not bout.pairing.decided and bout.pairing.unused
    if undecided and (other := find(*given, solving=not bout.pairing.parted)).decided:
        lacks_weights = any(np.squeeze(value).ndim > 1 for value in other.extra.values())
        if not (bout.pairing.parted and lacks_weights):  # with zeros for weights any two agree
            bout.pairing = other
    must_cover(bout, call)
    one = random_draw(bout, data, "random parameters", call.seed)
    settle_roles(bout, one, call.asked)
    one = random_draw(bout, data, "random parameters", call.seed)
    must_give(bout, call)
    return bout, one


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


def empty(foreign: Foreign) -> Layout:
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
        plain = UsersReference(call.reference, call.loss, device=call.device)
        if not plain.parameters and taken is not None and taken == n + len(foreign.leaves) and foreign.leaves:
            named = {leaf.name: leaf.read() for leaf in foreign.leaves}
            return UsersReference(call.reference, call.loss, named, call.device)
    return UsersReference(call.reference, call.loss, device=call.device)


def on_the_cpu(reference: UsersReference, call: Call, foreign: Foreign, data: Sequence[Any]) -> UsersReference | None:
    """The same there; None where it cannot run there, as with constants that lie on the device."""
    near = UsersReference(call.reference, call.loss, reference.arguments)
    try:
        data_ways(foreign, near, data, call.reference_data)
    except BadCall:
        return None
    return near


def settle_roles(bout: Bout, one: Draw, asked: tuple[bool, ...] = ()) -> None:
    """What each tensor of a call is, by one run of each side."""
    run = bout.golden(one)
    bout.shapes = [out.shape for out in run.outputs]
    raw = bout.foreign.call_once(one.values, one.data, bout.send_in("float64"))
    if raw.outputs is not None:
        # the sent gradients go through the axes that the outputs are moved by, which this says
        bout.roles = assign(raw, bout.leaves, {}, run.outputs, run.loss, len(one.data), asked)
        raw = bout.foreign.call_once(one.values, one.data, bout.send_in("float64"))
    expected = bout.pairing.layout.gradients(run.gradients)
    bout.roles = assign(raw, bout.leaves, expected, run.outputs, run.loss, len(one.data), asked, run.inputs)
