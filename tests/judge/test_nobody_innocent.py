"""Nobody innocent is blamed, by any check: however a fault lies, in one precision alone, frozen, tied, infinite."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.judge.battery import DTYPES, run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Verdict
from twofold.compare.pair import Case, Draw, Twin
from twofold.scratch import Linear, Module, ReLU, Sequential
from twofold.scratch.module import Array

HERE = __name__
SGD = Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.1})
SEEDS = range(8)


def case(ours: str, theirs: str, optimizer: Twin | None = None) -> Case:
    """With an optimizer also trained."""
    made = Twin(f"{HERE}:{ours}", f"{HERE}:{theirs}")
    if not optimizer:
        return Case(theirs, made, (Draw((6, 5)),))
    loss = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
    return Case(theirs, made, (Draw((6, 5)),), loss, Draw((6,), high=3), optimizer)


# A tiny fault, whatever the directions that are drawn


@dataclass(frozen=True)
class Layer:
    name: str
    arguments: dict[str, Any]
    inputs: Draw

    def case(self) -> Case:
        return Case(
            self.name, Twin(f"twofold.scratch:{self.name}", f"torch.nn:{self.name}", self.arguments), (self.inputs,)
        )


LAYERS = (
    Layer("Linear", {"in_features": 5, "out_features": 3}, Draw((4, 5))),
    Layer("LSTM", {"input_size": 3, "hidden_size": 4, "batch_first": True}, Draw((2, 5, 3))),
    Layer("LayerNorm", {"normalized_shape": 7}, Draw((4, 7))),
)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_no_draw_takes_a_fault_for_a_convention(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A factor that the gradient lacks may lie across one direction, and is no convention for that."""
    kind = getattr(scratch, layer.name)
    own: Callable[..., Any] = kind.forward

    def scaled(self: Any, x: Array) -> Any:
        out = own(self, x)
        factor = x.dtype.type(1 + 1e-8)
        return (out[0] * factor, out[1]) if isinstance(out, tuple) else out * factor

    monkeypatch.setattr(kind, "forward", scaled)
    for seed in SEEDS:
        result = run(layer.case(), "float64", seed=seed, checks=[CHECKS_BY_NAME["forward"]])
        assert result.cause and result.cause.blame and result.cause.blame.side == "scratch", (seed, result.cause)


# One precision of the reference alone, where integers differ too


def relu_net() -> Module:
    return Sequential({"fc1": Linear(5, 7), "relu": ReLU(), "fc2": Linear(7, 3)})


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.relu, self.fc2 = nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.relu(self.fc1(x)))


class OffForward(Net):
    def __init__(self) -> None:
        super().__init__()
        self.fc1.register_forward_hook(lambda module, given, out: out * (1.001 if out.dtype == torch.float32 else 1))


class OffBackward(Net):
    def __init__(self) -> None:
        super().__init__()
        self.fc2.register_full_backward_hook(
            lambda module, given, out: (given[0] * (1.001 if given[0].dtype == torch.float32 else 1),)
        )


@pytest.mark.parametrize(
    ("reference", "place"), [("OffForward", ("forward", "fc1")), ("OffBackward", ("backward", "fc2"))]
)
@pytest.mark.parametrize("check", ["exact", "gradient"])
def test_a_precision_of_the_reference_alone(reference: str, place: tuple[str, str], check: str) -> None:
    finding = only(case("relu_net", reference), "float32", check)
    where = finding.first_divergence
    assert finding.blame.side == "reference", finding.blame
    assert (where.stage, where.module) == place


# Optimizers given extreme gradients


def hooked(named: Any, **arguments: Any) -> Any:
    optimizer = torch.optim.SGD([p for _, p in named], **arguments)
    optimizer.register_step_post_hook(lambda self, args, kwargs: shrink(self))
    return optimizer


def decaying(named: Any, **arguments: Any) -> Any:
    return torch.optim.SGD([{"params": [p for _, p in named], "weight_decay": 1e-4}], **arguments)


@torch.no_grad()
def shrink(optimizer: Any) -> None:
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.mul_(1 - 1e-7)


@pytest.mark.parametrize(("built", "side"), [("hooked", "reference"), ("decaying", "conventions")])
def test_an_optimizer_is_judged_alike_by_every_check(built: str, side: str) -> None:
    optimizer = Twin(SGD.scratch, f"{HERE}:{built}", SGD.arguments)
    result = run(case("relu_net", "Net", optimizer=optimizer), "float64")
    blamed = {f.check: f.blame.side for f in result.findings if f.blame}
    assert blamed.keys() >= {"extremes", "optimizer", "resync"} and set(blamed.values()) == {side}, blamed


# Losses


class LargerLoss(nn.CrossEntropyLoss):
    """Another value, whose gradient is its own."""

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return super().forward(input, target) * (1 + 1e-7)


def test_a_loss_of_another_value_is_a_convention_in_training_too() -> None:
    other = case("relu_net", "Net", optimizer=SGD)
    result = run(replace(other, loss=Twin("twofold.scratch:CrossEntropyLoss", f"{HERE}:LargerLoss")), "float64")
    blamed = {f.check: f.blame.side for f in result.findings if f.blame}
    assert blamed.keys() >= {"loss", "resync"} and set(blamed.values()) <= {"conventions", "inconclusive"}, blamed


def test_a_loss_that_is_given_nan_is_not_where_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ReLU.forward
    monkeypatch.setattr(ReLU, "forward", lambda self, x: np.where(x > 1, np.nan, right(self, x)))
    result = run(case("relu_net", "Net", optimizer=SGD), "float64")
    where = result.cause and result.cause.first_divergence
    assert where and (where.stage, where.module) == ("forward", "relu"), result.cause
    assert all(f.blame.side != "reference" for f in result.findings if f.blame)


# What is frozen, tied or reached by no gradient on one side alone


class FrozenBias(Net):
    def __init__(self) -> None:
        super().__init__()
        self.fc2.bias.requires_grad_(False)


class SquareNet(Module):
    def __init__(self) -> None:
        self.a, self.tanh, self.b = Linear(5, 5), scratch.Tanh(), Linear(5, 5)

    def forward(self, x: Array) -> Array:
        return self.b(self.tanh(self.a(x)))

    def backward(self, dout: Array) -> Array:
        return self.a.backward(self.tanh.backward(self.b.backward(dout)))


class TiedAlone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.tanh, self.b = nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5)
        self.b.weight = self.a.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.tanh(self.a(x)))


class IdleNet(Module):
    def __init__(self) -> None:
        self.fc, self.idle = Linear(5, 3), Linear(4, 4)

    def forward(self, x: Array) -> Array:
        return self.fc(x)

    def backward(self, dout: Array) -> Array:
        return self.fc.backward(dout)


class Idle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.idle = nn.Linear(5, 3), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


def dropping_net() -> Module:
    return Sequential({"fc1": Linear(5, 7), "drop": scratch.Dropout(0.3), "fc2": Linear(7, 3)})


class Drops(Net):
    p = 0.3

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(self.p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.drop(self.fc1(x)))


class DropsMore(Drops):
    p = 0.4


def test_a_tiny_fault_where_units_are_dropped_is_no_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Linear.forward
    monkeypatch.setattr(Linear, "forward", lambda self, x: own(self, x) * x.dtype.type(1 + 1e-8))
    finding = only(case("dropping_net", "Drops"), "float64", "forward")
    assert finding.blame.side == "scratch", finding.blame


@pytest.mark.parametrize(
    "told",
    [
        case("dropping_net", "DropsMore", optimizer=SGD),
        case("relu_net", "FrozenBias", optimizer=SGD),
        case("SquareNet", "TiedAlone"),
        case("IdleNet", "Idle", optimizer=SGD.given(weight_decay=0.1)),
    ],
    ids=lambda case: case.name,
)
def test_what_one_side_alone_is_told_is_a_convention(told: Case) -> None:
    result = run(told, "float64")
    blamed = {f.check: f.blame.side for f in result.findings if f.blame}
    assert result.cause and result.cause.blame and result.cause.blame.side == "conventions", result.cause
    assert set(blamed.values()) <= {"conventions", "inconclusive"}, blamed


# Correct code


class HeadsNet(Module):
    """Two outputs by name."""

    def __init__(self) -> None:
        self.fc, self.head = Linear(5, 7), Linear(5, 2)

    def forward(self, x: Array) -> Any:
        return {"wide": self.fc(x), "narrow": self.head(x)}

    def backward(self, dout: Any) -> Array:
        return self.fc.backward(dout["wide"]) + self.head.backward(dout["narrow"])


class Heads(nn.Module):
    """The same names in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.head = nn.Linear(5, 7), nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> Any:
        return {"narrow": self.head(x), "wide": self.fc(x)}


class LogNet(Module):
    """Minus infinity where nothing is positive, as a logarithm of probabilities has."""

    def __init__(self) -> None:
        self.fc = Linear(5, 5)

    def forward(self, x: Array) -> Array:
        out = self.fc(x)
        self.cache = out > 0
        return np.where(self.cache, out, -np.inf)

    def backward(self, dout: Array) -> Array:
        kept = self.cache
        return self.fc.backward(np.where(kept, dout, 0))


class Log(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.fc(x)
        return torch.where(out > 0, out, torch.full_like(out, -np.inf))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("ours", "theirs"), [("HeadsNet", "Heads"), ("LogNet", "Log")])
def test_correct_code_passes(ours: str, theirs: str, dtype: str) -> None:
    result = run(case(ours, theirs), dtype)
    assert result.passed, [(f.check, f.reason, f.worst) for f in result.findings if f.verdict is Verdict.FAIL]


def test_a_wrong_gradient_beside_infinities_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = LogNet.backward
    monkeypatch.setattr(LogNet, "backward", lambda self, dout: right(self, dout * (1 + 1e-6)))
    assert only(case("LogNet", "Log"), "float64", "gradient").blame.side == "scratch"
