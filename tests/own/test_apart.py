"""The line with which two runs part that should be one: never what an array holds before anything is stored in it."""

import numpy as np
import torch
from torch import nn

from tests.own.judged import must_read_well
from twofold import judge

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
