"""What tests of verdicts start from: a small net, what a reference can have wrong, a failing check, a quantity."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from twofold import scratch
from twofold.compare.judge.battery import run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.pair import Case, Draw, Twin
from twofold.scratch import Linear, Module, Sequential

HERE = __name__


class Scaled(torch.autograd.Function):
    """The identity, whose gradient is 1e-9 too large."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, dout: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return dout * (1 + 1e-9)


class Net(nn.Module):
    """Two linear layers and a tanh; `fault` is what stands between them."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fc1, self.tanh, self.fc2, self.fault = nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), fault

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.tanh(self.fc1(x))
        h = {"": h, "detach": h.detach(), "partly": h + h.detach() - h.detach()}.get(self.fault, h)
        if self.fault == "half":
            h = 0.5 * h + 0.5 * h.detach()
        return self.fc2(Scaled.apply(h) if self.fault == "function" else h)


def small_net() -> Module:
    return Sequential({"fc1": Linear(5, 7), "tanh": scratch.Tanh(), "fc2": Linear(7, 3)})


def net(fault: str) -> Case:
    return Case("net", Twin(f"{HERE}:small_net", f"{HERE}:Net_{fault}"), (Draw((6, 5)),))


def __getattr__(name: str) -> Any:
    """Net_detach builds Net("detach"): a Twin gives both sides equal arguments."""
    kind, _, fault = name.partition("_")
    if kind == "Net":
        return lambda: Net(fault)
    raise AttributeError(name)


def against(reference: str) -> Case:
    """The small net and another reference of it."""
    return replace(net(""), model=Twin(f"{HERE}:small_net", reference))


def only(case: Case, dtype: str, check: str) -> Any:
    """The finding of one check, which must fail."""
    (finding,) = run(case, dtype, checks=[CHECKS_BY_NAME[check]]).findings
    assert finding.verdict is Verdict.FAIL, finding
    return finding


def quantity(name: str, verdict: Verdict, ratio: float = 1.0) -> Quantity:
    return Quantity(name, ratio, 1.0, ratio, verdict)
