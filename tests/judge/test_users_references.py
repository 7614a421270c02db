"""Users' references: functions for modules, modules of their own, norms that stand still, masks that go unseen."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.judge.planting import plant
from tests.judge.verdicts import Net, against, only
from twofold import scratch
from twofold.compare.judge.battery import DTYPES, run
from twofold.compare.judge.evidence import resync
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Verdict
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.pairs import PAIRS
from twofold.scratch import Linear, Module, Sequential

HERE = __name__


class Functional(Net):
    """As torch users write it: no module for what has no state."""

    def __init__(self) -> None:
        super().__init__()
        del self.tanh

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(torch.tanh(self.fc1(x)), self.fc2.weight, self.fc2.bias)


FUNCTIONAL = against(f"{HERE}:Functional")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_reference_of_functions_is_the_same_computation(dtype: str) -> None:
    result = run(FUNCTIONAL, dtype)
    assert result.passed, [(f.check, f.reason, f.worst) for f in result.findings if f.verdict is Verdict.FAIL]


def test_a_reference_of_functions_agrees_in_every_stage_of_training() -> None:
    """What is no module is not missing: else each step would seem to fail, and be placed where nothing is wrong."""
    loss, optimizer = (
        Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
        PAIRS["trigram-lm"].optimizer,
    )
    trial = Trial(replace(FUNCTIONAL, loss=loss, target=Draw((6,), high=3), optimizer=optimizer), "float64")
    assert not any(resync.fails(trial, step.judged) for step in resync.resynchronised_steps(trial))


def test_a_fault_against_a_reference_of_functions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "1 - out * out", "1 - out")
    finding = only(FUNCTIONAL, "float64", "gradient")
    assert finding.blame.side == "scratch"


class BiasDetached(Net):
    """One missing gradient, and an output that differs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = nn.functional.linear(x, 1.001 * self.fc1.weight, self.fc1.bias.detach())
        return self.fc2(self.tanh(h))


def test_a_missing_gradient_is_a_zero_one() -> None:
    finding = only(against(f"{HERE}:BiasDetached"), "float64", "gradient")
    assert finding.blame.side == "reference", finding.blame


def normed_net(frozen: bool = False) -> Module:
    norm: Module = (FrozenNorm if frozen else scratch.BatchNorm1d)(7)
    return Sequential({"fc1": Linear(5, 7), "norm": norm, "fc2": Linear(7, 3)})


def frozen_net() -> Module:
    return normed_net(frozen=True)


class FrozenNorm(scratch.BatchNorm1d):
    def track(self, mean: Any, unbiased_var: Any) -> None:
        pass


class AlwaysTraining(nn.BatchNorm1d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return nn.functional.batch_norm(input, None, None, self.weight, self.bias, True)


def normed_reference() -> Any:
    return nn.Sequential(OrderedDict(fc1=nn.Linear(5, 7), norm=nn.BatchNorm1d(7), fc2=nn.Linear(7, 3)))


def deaf_reference() -> Any:
    return nn.Sequential(OrderedDict(fc1=nn.Linear(5, 7), norm=AlwaysTraining(7), fc2=nn.Linear(7, 3)))


NORMED = Case(
    "normed",
    Twin(f"{HERE}:normed_net", f"{HERE}:normed_reference"),
    (Draw((6, 5)),),
    Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
    Draw((6,), high=3),
    Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.1}),
    waivers={"resync: fc1.bias": "a bias in front of a norm"},
)


def test_running_statistics_that_stand_still_are_scratchs() -> None:
    """Another class name acquits nobody."""
    finding = only(replace(NORMED, model=Twin(f"{HERE}:frozen_net", f"{HERE}:normed_reference")), "float64", "resync")
    assert (
        finding.blame.side == "scratch"
        and "BatchNorm1d, made afresh, does what the reference does" in finding.blame.reason
    )


def test_a_reference_that_ignores_its_mode_is_wrong() -> None:
    finding = only(replace(NORMED, model=Twin(f"{HERE}:normed_net", f"{HERE}:deaf_reference")), "float64", "modes")
    assert finding.blame.side == "reference" and "in evaluation mode" in finding.blame.reason


class DropNormScratch(Sequential):
    def __init__(self) -> None:
        super().__init__({"fc": Linear(9, 8), "drop": scratch.Dropout(0.3), "norm": scratch.LayerNorm(8, eps=1e-3)})


def drop_norm() -> Any:
    return nn.Sequential(OrderedDict(fc=nn.Linear(9, 8), drop=nn.Dropout(0.3), norm=nn.LayerNorm(8)))


def test_dropout_stands_still_while_a_side_is_held_to_its_loss() -> None:
    finding = only(
        Case("dropped", Twin(f"{HERE}:DropNormScratch", f"{HERE}:drop_norm"), (Draw((6, 9)),)), "float64", "forward"
    )
    assert (finding.blame.side, finding.blame.reason) == ("conventions", "norm.eps: 0.001 against 1e-05")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (">= self.p", "< self.p", "share"),
        ("self.rng.random(x.shape) >= self.p", "np.ones(x.shape, bool)", "share"),
        ("self.rng.random(x.shape)", "np.random.default_rng(1).random(x.shape)", "drawn anew"),
    ],
    ids=["p for 1 - p", "nothing dropped", "one mask for ever"],
)
def test_masks_that_no_comparison_sees(right: str, wrong: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Dropout, "forward", right, wrong)
    finding = only(PAIRS["fc-net-dropout"].case(), "float64", "modes")
    assert finding.blame.side == "scratch"
    assert any(q.name.endswith(told) for q in finding.quantities if q.verdict is Verdict.FAIL)
