"""The line with which two runs part that should be one: never what an array holds before anything is stored in it."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from tests.own.judged import must_read_well
from tests.watch.texts import watch, written
from twofold import judge
from twofold.compare.judge.own.deciding.apart import others

WEIGHT, BIAS = np.full((4, 2), 0.25), np.zeros(2)


def loss(X, y):
    kept = np.empty((3, 4))  # holds whatever stood there
    kept[...] = X - 128
    out = kept / 64 @ WEIGHT + BIAS
    d = 2 * (out - y) / out.size
    return np.mean((out - y) ** 2), {"weight": (kept / 64).T @ d, "bias": d.sum(axis=0)}


class Pixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc((x.to(self.fc.weight.dtype) - 128) / 64)


def test_what_was_never_stored_is_no_place() -> None:
    data = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, np.zeros((3, 2))
    params = {"weight": WEIGHT, "bias": BIAS}
    verdict = judge(loss, Pixels(), *data, loss=torch.nn.functional.mse_loss, params=params)
    must_read_well(verdict)
    assert (verdict.outcome, verdict.side, verdict.tensor) == ("different", "scratch", "data[0]"), str(verdict)
    assert "wraps" in str(verdict) and verdict.place.line == loss.__code__.co_firstlineno + 2, str(verdict)


TEXT = """\
def run(parts, kept):
    for part in parts:
        row = part * 2
    (seen,) = (kept[name] for name in ("h",))
    kept["h"] = kept["h"] + 1
    return seen
"""
FOUND = "return, line 5, is the first that is another then"
A, B, H = np.arange(3.0), np.linspace(4.0, 5.0, 3), np.linspace(-2.0, -1.0, 3)

# What the second call is given where the first is given [A, B] and H, and how what is another then is told.
OTHERWISE = {
    "the same": ([A, B], H, None),
    "in another order, as out of a set": ([B, A], H, None),
    "another part": ([A, B + 1], H, "row, line 4, is the first that is another then"),
    "what the first left": ([A, B], H + 1, f"{FOUND}: what line 6 made in an earlier call"),
    "what nobody left": ([A, B], H + 2, FOUND),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_is_another(what: str) -> None:
    parts, held, told = OTHERWISE[what]
    runs = partial(written(TEXT).run, [A, B], {"h": H.copy()}), partial(written(TEXT).run, parts, {"h": held.copy()})
    first, second = (watch(run)[1].trace for run in runs)
    found = next(others(first, second, carries=True), None)
    assert (found and found[1]) == told
    alone = next(others(first, second, carries=False), None)  # of two that are no calls one after the other
    assert (alone and alone[1]) == (told and told.partition(":")[0])
