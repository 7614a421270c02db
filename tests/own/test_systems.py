"""Our own systems, handed over as a stranger would: the verdict is the one of `check`, right and with a mistake."""

from typing import Any

import numpy as np
import pytest

from twofold import judge
from twofold.compare.faults import FAULTS
from twofold.compare.faults.fault import LOSS
from twofold.compare.faults.matrix import Ground
from twofold.compare.pairs import MAIN, PAIRS


def call(name: str) -> tuple[Any, Any, list[Any], Any, Any]:
    """Net, reference, data, torch's loss and a function of the data that returns loss and output."""
    case = PAIRS[name].case()
    rng = np.random.default_rng(0)
    net, reference = case.model.build("scratch").to(np.float64), case.model.build("reference")
    criterion, loss = case.loss.build("scratch"), case.loss.build("reference")  # type: ignore[union-attr]
    data = [draw(rng, "float64") for draw in case.inputs] + [case.target(rng, "float64")]  # type: ignore[misc]

    def once(*data: Any) -> tuple[Any, Any]:
        *inputs, target = data
        net.zero_grad()
        out = net(*inputs)
        value = criterion(out, target)
        net.backward(criterion.backward(np.float64(1)))
        return value, out

    return net, reference, data, loss, once


# Of a stranger's code these are no difference: float32 inside is said and held to that floor, and how a square matrix
# is stored is decided by values. The penalty is no part of the calls here, and where data are vectors an order of
# flattening shows nothing.
OTHERWISE = {fault.id for fault in FAULTS if fault.id.endswith("in-single")}
OTHERWISE |= {"linear-stored-transposed", "flattened-channels-last"}


@pytest.mark.parametrize("name", MAIN)
def test_a_system_is_the_same(name: str) -> None:
    net, reference, data, loss, once = call(name)
    assert judge(once, reference, *data, loss=loss, params=net).same
    assert judge(net, reference, *data, loss=loss, dtypes=("float64",)).same


def seen_in_a_call(name: str) -> list[str]:
    """The faults that a system can have in the tensors of one call, beside those that are told of float32 alone."""
    ground = Ground(PAIRS[name].case())
    found = []
    for fault in FAULTS:
        expected = ground.expected(fault)
        if expected is None or fault.only_at_home or fault.id in OTHERWISE or "penalty" in fault.id:
            continue
        if set(expected.checks) & {"forward", "gradient", "loss"}:
            found.append(fault.id)
    return found


@pytest.mark.parametrize("name", MAIN)
def test_a_mistake_is_blamed_as_check_does(name: str) -> None:
    """Every sixth of those that can show, in turn with the system's place in the table."""
    faults = {fault.id: fault for fault in FAULTS}
    ground = Ground(PAIRS[name].case())
    for one in seen_in_a_call(name)[MAIN.index(name) % 6 :: 6]:
        expected = ground.expected(faults[one])
        assert expected is not None
        with faults[one].planted():
            net, reference, data, loss, once = call(name)
            if expected.modules == (LOSS,):
                verdict = judge(once, reference, *data, loss=loss, params=net, dtypes=("float64",))
            else:  # by its own forward and backward, which gives the input's gradient too
                verdict = judge(net, reference, *data, loss=loss, dtypes=("float64",))
        assert verdict.outcome == "different", f"{one}: {verdict}"
        assert verdict.side == {"inconclusive": "open"}.get(expected.blame, expected.blame), f"{one}: {verdict}"
