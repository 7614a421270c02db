"""Branches: ReLU signs in a deep net, their flips, and those of a class of one's own."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from tests.judge.planting import plant
from tests.judge.verdicts import only
from twofold.compare.judge.battery import run, run_trial
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Verdict
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.report.console import flipped
from twofold.scratch import Linear, Module, ReLU, Sequential
from twofold.scratch.layers import linear

HERE = __name__


class SixScratch(ReLU):
    """Clipped above at 0.5, which its gradient forgets."""

    def forward(self, x: Any) -> Any:
        return np.minimum(super().forward(x), 0.5)


def test_a_subclass_keeps_its_own_branches() -> None:
    model = Twin(f"{HERE}:six", f"{HERE}:six_reference")
    finding = only(Case("six", model, (Draw((6, 5)),)), "float64", "gradient")
    assert finding.blame.side == "scratch", finding.blame


def six() -> Module:
    return Sequential({"fc": Linear(5, 7), "six": SixScratch()})


def six_reference() -> Any:
    return nn.Sequential(OrderedDict(fc=nn.Linear(5, 7), six=nn.Hardtanh(0, 0.5)))


def deep_relu(layers: int = 16, width: int = 256) -> Module:
    named: dict[str, Module] = {}
    for n in range(layers):
        named |= {f"fc{n}": Linear(width, width), f"relu{n}": ReLU()}
    return Sequential(named)


def deep_relu_reference(layers: int = 16, width: int = 256) -> Any:
    named: dict[str, nn.Module] = {}
    for n in range(layers):
        named |= {f"fc{n}": nn.Linear(width, width), f"relu{n}": nn.ReLU()}
    return nn.Sequential(OrderedDict(named))


DEEP = Case("deep", Twin(f"{HERE}:deep_relu", f"{HERE}:deep_relu_reference"), (Draw((8, 256)),))
PLAIN = [CHECKS_BY_NAME[name] for name in ("forward", "gradient", "grad_output")]


@pytest.mark.parametrize("seed", range(10))
def test_a_deep_relu_net_in_float32_gives_no_false_alarm(seed: int) -> None:
    result = run(DEEP, "float32", seed=seed, checks=PLAIN)
    assert result.passed, [(f.check, f.worst) for f in result.findings]


def test_flips_are_listed_with_their_distance_from_the_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the units sum to zero but for rounding; its sign hangs on the order of summation, which is turned."""
    plant(monkeypatch, Linear, "forward", "x @ self.weight.data.T", "x[..., ::-1] @ self.weight.data[:, ::-1].T")
    arguments = {"layers": 2, "width": 64}
    trial = Trial(replace(DEEP, model=DEEP.model.given(**arguments), inputs=(Draw((32, 64)),)), "float32")
    weight, bias = trial.state["fc0.weight"], trial.state["fc0.bias"]
    weight[:32, 1::2], bias[:32] = -weight[:32, ::2], 0
    trial.inputs[0][:, 1::2] = trial.inputs[0][:, ::2]
    result = run_trial(trial, PLAIN)
    assert result.passed
    (flip,) = result.flips
    assert flip.module == "relu0" and flip.count > 0 and 0 < flip.ulps < 8
    assert f"relu0 {flip.count} (at most {flip.ulps:.2g} ulps from the kink)" in flipped([result])[0]


def test_a_fault_in_a_deep_relu_net_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One part in a thousand of one layer's bias gradient, among 32,768 branches."""
    backward = linear.Linear.backward
    calls = iter(range(10_000))

    def too_much(self: Linear, dout: Any) -> Any:
        dx = backward(self, dout)
        if next(calls) % 16 == 7:  # the layers come last first
            self.bias.grad *= self.bias.grad.dtype.type(1.001)  # type: ignore[union-attr]
        return dx

    monkeypatch.setattr(linear.Linear, "backward", too_much)
    result = run(DEEP, "float32", checks=PLAIN)
    gradient = next(finding for finding in result.findings if finding.check == "gradient")
    assert [q.name for q in gradient.quantities if q.verdict is Verdict.FAIL] == ["fc8.bias"]
    assert gradient.first_divergence == Divergence("backward", "fc8")
