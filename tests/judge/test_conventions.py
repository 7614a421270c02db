"""Conventions that differ, named by module and argument."""

from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from torch import nn

from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.judge.battery import DTYPES
from twofold.compare.pair import Case, Draw, Twin
from twofold.scratch import Linear, Module, ReLU, Sequential

HERE = __name__


def conv(padding: int) -> Module:
    layers = {"conv1": scratch.Conv2d(2, 3, 3, padding=padding), "relu": ReLU(), "flat": scratch.Flatten()}
    return Sequential(layers)


def padded_by_one() -> Module:
    return conv(1)


def padded_by_two() -> Any:
    layers = {"conv1": nn.Conv2d(2, 3, 3, padding=2), "relu": nn.ReLU(), "flat": nn.Flatten()}
    return nn.Sequential(OrderedDict(layers))


class ForgetFirst(scratch.LSTM):
    """An LSTM that stacks its gates f, i, g, o: consistent in itself."""

    @contextmanager
    def reordered(self) -> Any:
        self.exchange()
        yield
        self.exchange()

    def exchange(self) -> None:
        for _, parameter in self.named_parameters():
            for array in (parameter.data, parameter.grad):
                i, f, g, o = np.split(array.copy(), 4)
                array[...] = np.concatenate([f, i, g, o])

    def forward(self, x: Any, state: Any = None) -> Any:
        with self.reordered():
            return super().forward(x, state)

    def backward(self, dout: Any, dstate: Any = None) -> Any:
        with self.reordered():
            return super().backward(dout, dstate)


def gated(layer: str, reference: str) -> Case:
    return Case("gated", Twin(layer, reference, {"input_size": 3, "hidden_size": 4}), (Draw((7, 5, 3)),), time_axis=0)


@dataclass(frozen=True)
class Convention:
    name: str
    case: Case
    module: str
    told: str


CONVENTIONS = (
    Convention(
        "wrong padding",
        Case("padded", Twin(f"{HERE}:padded_by_one", f"{HERE}:padded_by_two"), (Draw((4, 2, 7, 9)),)),
        "conv1",
        "conv1.padding: (1, 1) against (2, 2)",
    ),
    Convention(
        "swapped gates",
        gated(f"{HERE}:ForgetFirst", "torch.nn:LSTM"),
        "gated",
        "gated: equal after exchanging gates i and f",
    ),
    Convention(
        "a GRU of the other convention",
        gated("twofold.scratch:ResetFirstGRU", "torch.nn:GRU"),
        "gated",
        "gated: ResetFirstGRU against GRU; forward: gates r and n from t = 0 up to t = 6",
    ),
    Convention(
        "another eps",
        Case("norm", Twin(f"{HERE}:norm", "torch.nn:LayerNorm", {"normalized_shape": 7}), (Draw((6, 7)),)),
        "norm",
        "norm.eps: 0.001 against 1e-05",
    ),
)


def norm(normalized_shape: int) -> Module:
    return scratch.LayerNorm(normalized_shape, eps=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda convention: convention.name)
def test_conventions_are_named_by_module_and_argument(convention: Convention, dtype: str) -> None:
    finding = only(convention.case, dtype, "forward")
    assert finding.first_divergence.module == convention.module
    assert (finding.blame.side, finding.blame.reason) == ("conventions", convention.told)


def behind(padding: int) -> Module:
    """A linear layer takes what a convolution with padding 1 leaves."""
    conv = scratch.Conv2d(2, 3, 3, padding=padding)
    return Sequential({"conv1": conv, "flat": scratch.Flatten(), "fc": Linear(189, 4)})


def fitting() -> Module:
    return behind(1)


def misfit() -> Any:
    layers = {"conv1": nn.Conv2d(2, 3, 3, padding=2), "flat": nn.Flatten(), "fc": nn.Linear(189, 4)}
    return nn.Sequential(OrderedDict(layers))


def test_an_argument_that_makes_a_side_raise_is_a_convention() -> None:
    finding = only(
        Case("behind", Twin(f"{HERE}:fitting", f"{HERE}:misfit"), (Draw((4, 2, 7, 9)),)), "float64", "forward"
    )
    assert (finding.blame.side, finding.blame.reason) == ("conventions", "conv1.padding: (1, 1) against (2, 2)")
