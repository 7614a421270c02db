"""Who is wrong: torch's classes tampered with, ties, one precision alone, tiny faults, gradients cut off."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.judge.planting import plant
from tests.judge.test_innocent import Innocent
from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.pairs import PAIRS
from twofold.scratch import BatchNorm1d, Linear, Module, ReLU, Sequential
from twofold.scratch.models.activity import Activity
from twofold.scratch.models.sine_rnn import SineRNN

HERE = __name__


def normed_net() -> Module:
    return Sequential({"fc1": Linear(5, 7), "norm": BatchNorm1d(7), "relu": ReLU(), "fc2": Linear(7, 3)})


class Net(nn.Module):
    """A norm and a ReLU between two linear layers; subclasses do something to it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.norm, self.relu, self.fc2 = nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.relu(self.norm(self.fc1(x))))


class HookedStatistics(Net):
    """A forward hook moves the running mean."""

    def __init__(self) -> None:
        super().__init__()
        self.norm.register_forward_hook(self.moved)

    @staticmethod
    def moved(module: Any, inputs: Any, out: Any) -> None:
        module.running_mean.data.mul_(0.9)


class NormTwice(Net):
    """A checkpoint runs the norm again on the way back, and its statistics with it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(checkpoint(lambda x: self.relu(self.norm(self.fc1(x))), x, use_reentrant=False))


class OwnNorm(Net):
    """The norm's forward on the instance forgets the statistics."""

    def __init__(self) -> None:
        super().__init__()
        own = self.norm.forward

        def forward(x: torch.Tensor) -> torch.Tensor:
            kept = self.norm.running_var.clone() if self.norm.running_var is not None else None
            out = own(x)
            self.norm.running_var.data.copy_(kept)  # type: ignore[union-attr, arg-type]
            return out

        self.norm.forward = forward  # type: ignore[method-assign]


class HookedReLU(Net):
    """Sends back twice what it should at ties and everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.relu.register_full_backward_hook(lambda module, grad_input, grad_output: (1.5 * grad_input[0],))


def trained(reference: str, optimizer: str = "torch.optim:SGD", **arguments: Any) -> Case:
    return Case(
        reference,
        Twin(f"{HERE}:normed_net", f"{HERE}:{reference}"),
        (Draw((6, 5)),),
        Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
        Draw((6,), high=3),
        Twin("twofold.scratch:SGD", optimizer, arguments or {"lr": 0.1}),
    )


def hooked_after(named: Any, **arguments: Any) -> Any:
    """Its weights decay a little after each step."""
    optimizer = torch.optim.SGD([p for _, p in named], **arguments)
    optimizer.register_step_post_hook(lambda self, args, kwargs: scaled(self, 0.999))
    return optimizer


def hooked_before(named: Any, **arguments: Any) -> Any:
    """Its gradients are clipped before each step."""
    optimizer = torch.optim.SGD([p for _, p in named], **arguments)
    optimizer.register_step_pre_hook(lambda self, args, kwargs: clipped(self))
    return optimizer


def replaced_step(named: Any, **arguments: Any) -> Any:
    """Its step is another on the instance, twice what it was."""
    optimizer = torch.optim.SGD([p for _, p in named], **arguments)
    own = optimizer.step
    optimizer.step = lambda closure=None: (own(), own())[0]  # type: ignore[method-assign, misc, assignment]
    return optimizer


@torch.no_grad()
def scaled(optimizer: Any, factor: float) -> None:
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.mul_(factor)


@torch.no_grad()
def clipped(optimizer: Any) -> None:
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad.mul_(0.5)


@dataclass(frozen=True)
class Tampered:
    """A reference of torch's own classes that does not do what they do, and what must be said of it."""

    case: Case
    checks: tuple[str, ...]
    told: str


TAMPERED = (
    Tampered(trained("HookedStatistics"), ("resync",), "norm has a forward hook"),
    Tampered(trained("NormTwice"), ("resync",), "calls norm 2 times"),
    Tampered(trained("OwnNorm"), ("resync",), "norm has a forward of its own"),
    Tampered(trained("HookedReLU"), ("gradient",), ""),
    Tampered(trained("Net", f"{HERE}:hooked_after"), ("optimizer", "resync"), "the optimizer has a step hook"),
    Tampered(trained("Net", f"{HERE}:hooked_before"), ("optimizer", "resync"), "the optimizer has a step pre-hook"),
    Tampered(
        trained("Net", f"{HERE}:hooked_after", lr=0.1, momentum=0.9), ("optimizer",), "the optimizer has a step hook"
    ),
    Tampered(trained("Net", f"{HERE}:replaced_step"), ("optimizer", "resync"), "the optimizer has a step of its own"),
)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "tampered", TAMPERED, ids=lambda t: f"{t.case.name}-{t.case.optimizer.reference.partition(':')[2]}"
)
def test_a_class_name_is_no_witness(tampered: Tampered, dtype: str) -> None:
    for check in tampered.checks:
        blame = only(tampered.case, dtype, check).blame
        assert blame.side == "reference" and tampered.told in blame.reason, (check, blame)


# Ties


def integers_net() -> Module:
    return Sequential({"fc1": Linear(5, 7), "relu": ReLU(), "fc2": Linear(7, 3)})


class Integers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.relu, self.fc2 = nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.relu(self.fc1(x)))


class OwnReLU(torch.autograd.Function):
    """Passes the gradient at zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, dout: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return dout * (x >= 0)


class OwnTies(Integers):
    def __init__(self) -> None:
        super().__init__()
        self.relu.forward = OwnReLU.apply  # type: ignore[method-assign]


class SharedReLUNet(Module):
    """One ReLU, called twice."""

    def __init__(self) -> None:
        self.fc1, self.relu, self.fc2, self.fc3 = Linear(5, 7), ReLU(), Linear(7, 7), Linear(7, 3)

    def forward(self, x: Any) -> Any:
        first = self.relu(self.fc1(x))
        self.cache = (vars(self.relu)["cache"],)
        return self.fc3(self.relu(self.fc2(first)))

    def backward(self, dout: Any) -> Any:
        dhidden = self.fc2.backward(self.relu.backward(self.fc3.backward(dout)))
        (vars(self.relu)["cache"],), last = self.cache, vars(self.relu)["cache"]
        dx = self.fc1.backward(self.relu.backward(dhidden))
        vars(self.relu)["cache"] = last
        return dx


class SharedReLU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.relu, self.fc2, self.fc3 = nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 7), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


def at_ties(ours: str, theirs: str) -> Case:
    return Case("ties", Twin(f"{HERE}:{ours}", f"{HERE}:{theirs}"), (Draw((6, 5)),))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("ours", "theirs"), [("integers_net", "Integers"), ("SharedReLUNet", "SharedReLU")])
def test_a_wrong_slope_at_zero_is_scratchs(ours: str, theirs: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backward = ReLU.backward
    monkeypatch.setattr(ReLU, "backward", lambda self, dout: backward(self, dout) + dout * (self.cache == 0))
    finding = only(at_ties(ours, theirs), dtype, "exact")
    assert finding.blame.side == "scratch", finding.blame


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_slope_at_zero_is_the_references(dtype: str) -> None:
    finding = only(at_ties("integers_net", "OwnTies"), dtype, "exact")
    assert finding.blame.side == "reference", finding.blame


# One precision alone


def in_float32(self: Any, value: Any) -> Any:
    return value * value.dtype.type(1.001) if value.dtype == np.float32 else value


FORMS: dict[str, tuple[Any, str, str]] = {
    "forward": (Linear, "forward", "forward"),
    "backward": (scratch.Tanh, "backward", "gradient"),
    "loss": (scratch.CrossEntropyLoss, "forward", "loss"),
    "gradient of the loss": (scratch.CrossEntropyLoss, "backward", "loss"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_branch_that_float32_alone_takes_is_scratchs(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, method, check = FORMS[form]
    own: Callable[..., Any] = getattr(kind, method)
    monkeypatch.setattr(kind, method, lambda self, *given: in_float32(self, np.asarray(own(self, *given))))
    finding = only(
        PAIRS["catcar-mlp" if kind is not scratch.CrossEntropyLoss else "trigram-lm"].case(), "float32", check
    )
    assert finding.blame.side == "scratch", finding.blame


@pytest.mark.parametrize(("kind", "module"), [("Linear", "fc1"), ("Tanh", "tanh1")])
def test_a_branch_that_float32_alone_takes_is_the_references(
    kind: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own runs in float32 would make the floor, and hide it."""
    owner = getattr(nn, kind)
    own = owner.forward
    monkeypatch.setattr(owner, "forward", lambda self, x: own(self, x) * (1.001 if x.dtype == torch.float32 else 1))
    for check in ("forward", "gradient"):
        finding = only(PAIRS["catcar-mlp"].case(), "float32", check)
        assert finding.blame.side == "reference", finding.blame
        assert finding.first_divergence and finding.first_divergence.module == module


# Tiny faults of a forward pass


@pytest.mark.parametrize("size", [1e-6, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("right", [True, False], ids=["with its own gradient", "without"])
def test_a_tiny_fault_forward_is_told_from_a_convention(
    size: float, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factor that the gradient has as well is another function; one that it lacks is a fault, or open: never else."""
    forward, backward = scratch.Tanh.forward, scratch.Tanh.backward
    monkeypatch.setattr(scratch.Tanh, "forward", lambda self, x: forward(self, x) * x.dtype.type(1 + size))
    if right:
        monkeypatch.setattr(scratch.Tanh, "backward", lambda self, d: backward(self, d) * d.dtype.type(1 + size))
    finding = only(PAIRS["catcar-mlp"].case(), "float64", "forward")
    expected = {"conventions" if right else "scratch"} | ({"inconclusive"} if size < 1e-11 else set())
    assert finding.blame.side in expected, finding.blame


# Truncated gradients


@dataclass(frozen=True)
class Cut:
    """A mistake in a pair whose gradient is cut off on purpose."""

    pair: str
    kind: Any
    method: str
    right: str
    wrong: str
    check: str
    side: str


CUTS = (
    Cut(
        "sine-rnn-truncated", SineRNN, "forward", "(self.rnn(inputs[:, :before])[1],)", "()", "forward", "inconclusive"
    ),
    Cut(
        "activity-rnn-truncated-clipped",
        Activity,
        "forward",
        "(self.recurrent(x[:, :before])[1],)",
        "()",
        "forward",
        "inconclusive",
    ),
    Cut(
        "sine-rnn-truncated",
        SineRNN,
        "backward",
        "backward(dstates)",
        "backward(dstates * 1.001)",
        "gradient",
        "scratch",
    ),
    Cut("sine-rnn-truncated", SineRNN, "backward", "dx[:, steps] =", "dx[:, steps] = 2 *", "gradient", "scratch"),
    Cut(
        "activity-rnn-truncated-clipped",
        Activity,
        "backward",
        "self.recurrent.backward(dstates)",
        "self.recurrent.backward(dstates * 1.001)",
        "gradient",
        "scratch",
    ),
)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"{cut.pair}-{cut.wrong}")
def test_nobody_innocent_is_convicted_where_a_gradient_is_cut(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, cut.kind, cut.method, cut.right, cut.wrong)
    assert only(PAIRS[cut.pair].case(), "float64", cut.check).blame.side == cut.side


def test_another_cut_in_the_reference_does_not_convict_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    from twofold.reference.models.sine_rnn import SineRNN as Reference

    own = Reference.forward
    monkeypatch.setattr(Reference, "forward", lambda self, x: own(self, torch.cat([x[:, :-1], x[:, -1:].detach()], 1)))
    finding = only(PAIRS["sine-rnn-truncated"].case(), "float64", "gradient")
    assert finding.blame.side != "scratch", finding.blame


# Names


def test_a_fault_beside_tied_tensors_is_placed_and_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two sides name the tensor, and order their parameters, otherwise."""
    forward = Linear.forward
    monkeypatch.setattr(Linear, "forward", lambda self, x: forward(self, x) * x.dtype.type(1.001))
    finding = only(Innocent("TiedNet", "Tied", Draw((6,), high=11), 11).case(), "float64", "forward")
    assert finding.first_divergence.module == "out" and finding.blame.side == "scratch", finding.blame
