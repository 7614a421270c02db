"""One right net by hand, and what its torch reference can have wrong: who is wrong, and in which tensor."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from twofold import judge

rng = np.random.default_rng(0)
W1, b1, W2, b2 = (rng.normal(size=shape) for shape in ((4, 5), 5, (5, 3), 3))
X, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)


def loss(X: np.ndarray, y: np.ndarray) -> tuple[float, dict]:
    h = np.tanh(X @ W1 + b1)
    scores = h @ W2 + b2
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    d = (p - np.eye(3)[y]) / len(y)
    dh = d @ W2.T * (1 - h**2)
    grads = {"W1": X.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ d, "b2": d.sum(axis=0)}
    return -np.log(p[np.arange(len(y)), y]).mean(), grads


class NotSquared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.tanh(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return grad * (1 - torch.tanh(*ctx.saved_tensors))


HIDDEN = {
    "NotSquared": NotSquared.apply,
    "detached": lambda h: torch.tanh(h).detach(),
    "half detached": lambda h: 0.5 * torch.tanh(h) + 0.5 * torch.tanh(h).detach(),
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
}


class Net(nn.Module):
    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 5, bias=kind != "no bias"), nn.Linear(5, 3)
        self.hidden = HIDDEN.get(kind, torch.tanh)
        if kind == "frozen":
            self.fc1.weight.requires_grad_(False)
        if kind == "gradient hook":
            self.fc1.weight.register_hook(lambda grad: 2 * grad)
        if kind == "forward hook":
            self.fc1.register_forward_hook(lambda module, given, out: 1.01 * out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.hidden(self.fc1(x)))


WEIGHTED = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64))


@pytest.mark.parametrize(
    ("kind", "criterion", "side", "tensor"),
    [
        ("", F.cross_entropy, None, None),
        ("NotSquared", F.cross_entropy, "reference", "W1"),
        ("detached", F.cross_entropy, "reference", "W1"),
        ("half detached", F.cross_entropy, "reference", "W1"),
        ("gradient hook", F.cross_entropy, "reference", "W1"),
        ("relu", F.cross_entropy, "conventions", "loss"),
        ("sigmoid", F.cross_entropy, "conventions", "loss"),
        ("forward hook", F.cross_entropy, "conventions", "loss"),
        ("no bias", F.cross_entropy, "conventions", "b1"),
        ("frozen", F.cross_entropy, "conventions", "W1"),
        ("", nn.CrossEntropyLoss(reduction="sum"), "conventions", "loss"),
        ("", nn.CrossEntropyLoss(label_smoothing=0.1), "conventions", "loss"),
        ("", WEIGHTED, "conventions", "loss"),
    ],
)
def test_a_wrong_reference_is_not_scratchs(kind: str, criterion: Any, side: str | None, tensor: str | None) -> None:
    torch.manual_seed(0)
    verdict = judge(loss, Net(kind), X, y, loss=criterion)
    assert (verdict.side, verdict.tensor) == (side, tensor), str(verdict)


def test_an_error_of_one_in_a_million_has_its_side() -> None:
    """A gradient of 1e-6 of itself too much, which no other tensor shows."""

    def identity(X: np.ndarray, y: np.ndarray) -> tuple[float, dict]:
        h = X @ W1
        return 0.5 * ((h - y) ** 2).sum(), {"W1": X.T @ (h - y)}

    class Little(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 5, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.fc(x)
            return h + (1e-6 * h - (1e-6 * h).detach())

    def half(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 0.5 * ((out - target) ** 2).sum()

    verdict = judge(identity, Little(), X, rng.normal(size=(6, 5)), loss=half, dtypes=("float64",))
    assert (verdict.side, verdict.tensor) == ("reference", "W1"), str(verdict)


def test_what_is_told_to_go_on_is_true() -> None:
    """A sum where scratch has a mean: with what the verdict says both are the same."""
    told = judge(loss, Net(), X, y, loss=nn.CrossEntropyLoss(reduction="sum"))
    onward = dict(told.lines)["to go on"].removeprefix("loss=")
    assert judge(loss, Net(), X, y, loss=eval(onward, {"nn": nn})).same
