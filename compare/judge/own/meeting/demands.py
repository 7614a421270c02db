"""What a call must be like to be judged, each told in one line that says what to write instead."""

import numpy as np

from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.contract import line_of, text_of
from twofold.compare.judge.own.meeting.bout import Bout
from twofold.compare.judge.own.meeting.candidates import listed
from twofold.compare.judge.own.meeting.trying import near_own, results, same_results
from twofold.compare.judge.own.telling.verdict import BadCall
from twofold.compare.sides.foreign.calls import Foreign

NOTHING = (
    "scratch: expected a loss, outputs or gradients, found nothing in what it returns nor beside its params; "
    "return them, or pass the objects that hold them as params= and grads="
)


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


def must_cover(bout: Bout, call: Call) -> None:
    """Raises BadCall where a weight of torch's has no counterpart: that cannot be a missing bias.

    Where the values say that the forward passes part it may be what is wrong there, and is no question.
    """
    layout = bout.pairing.layout
    left = [leaf for leaf in bout.leaves if not layout.covered(leaf)]
    if bout.pairing.parted and left:
        return
    alone = [name for name, value in bout.pairing.extra.items() if np.squeeze(value).ndim > 1 or not is_bias(name)]
    if alone:
        shapes = bout.reference.shapes()
        spare = [f"{leaf.name} {leaf.shape}" for leaf in left]
        solved = "".join(f'"{key}": "{text}", ' for key, text in layout.shown().items())
        raise BadCall(
            f"layout: expected a tensor for {listed([f'{name} {shapes[name]}' for name in alone], 4)}, "
            f'left are {listed(spare) or "none"}; write layout={{{solved}"{alone[0]}": "..."}}'
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
