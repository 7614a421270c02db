"""After a verdict everything is as it was, bit for bit and object for object; a second verdict is the first."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.own.truth import TRUTH, Truth
from twofold import judge

KINDS = ("containers-", "two_modes-", "trained-", "pairs-methods", "references-last")
SOME = [truth for truth in TRUTH if truth.name.startswith(KINDS) and truth.outcome == "same"]


def held(value: Any, seen: set[int]) -> list[Any]:
    """What can be reached, each with its identity and its bits."""
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return [(id(value), value.dtype.str, value.tobytes(), value.flags.writeable)]
    if isinstance(value, torch.Tensor):
        return [(id(value), value.detach().numpy().tobytes(), id(value.grad))]
    if isinstance(value, nn.Module):
        state = [*value.parameters(), *value.buffers()]
        return [value.training, *(part for tensor in state for part in held(tensor, seen))]
    if isinstance(value, np.random.Generator):
        return [str(value.bit_generator.state)]
    if isinstance(value, dict):
        return [list(value), *(part for one in value.values() for part in held(one, seen))]
    if isinstance(value, list | tuple):
        return [id(value), len(value), *(part for one in value for part in held(one, seen))]
    found = [part for one in (getattr(value, "__closure__", None) or ()) for part in held(one.cell_contents, seen)]
    for key in ("__self__", "__func__", "__dict__", "args"):
        if not isinstance(value, type) and (part := getattr(value, key, None)) is not None:
            found += held(part, seen)
    return found or [value if isinstance(value, int | float | str) else id(value)]


def streams() -> tuple[Any, ...]:
    state: Any = np.random.get_state()  # noqa: NPY002 : the stream of the user
    return state[1].tobytes(), state[2], random.getstate(), torch.get_rng_state().numpy().tobytes()


@pytest.mark.parametrize("truth", SOME, ids=lambda truth: truth.name)
def test_everything_is_put_back(truth: Truth) -> None:
    call = truth.make()
    seen: list[Any] = [call.arguments, call.keywords]
    before, begun = held(seen, set()), streams()
    verdict = judge(*call.arguments, **call.keywords)
    assert held(seen, set()) == before
    assert streams() == begun
    assert str(judge(*call.arguments, **call.keywords)) == str(verdict)


def test_everything_is_put_back_after_an_exception() -> None:
    class Breaks:
        def __init__(self) -> None:
            self.W, self.calls = np.ones((3, 2)), []

        def loss(self, x: Any, y: Any) -> float:
            self.calls.append(np.random.rand())  # noqa: NPY002 : as users do
            self.W += 1
            raise RuntimeError

    model, net = Breaks(), nn.Linear(3, 2, bias=False)
    seen: list[Any] = [model, net]
    before, begun = held(seen, set()), streams()
    with pytest.raises(ValueError):
        judge(model.loss, net, np.ones((5, 3)), np.ones((5, 2)), loss=nn.MSELoss())
    assert held(seen, set()) == before
    assert streams() == begun
