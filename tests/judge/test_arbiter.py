"""Who is wrong: faults in the reference, updates, and what the arbiter leaves open."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.judge.planting import plant
from tests.judge.verdicts import Net, against, net, only
from twofold import scratch
from twofold.compare.judge.battery import DTYPES, run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.diagnosis import arbiter, gradients, slopes
from twofold.compare.judge.finding import Divergence, Verdict
from twofold.compare.pair import Twin
from twofold.compare.pairs import PAIRS
from twofold.reference.models.trigram_lm import TrigramLM
from twofold.scratch import Linear

HERE = __name__


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fault", "module"), [("detach", "net"), ("half", "net")])
def test_a_stray_detach_is_the_reference(fault: str, module: str, dtype: str) -> None:
    """Of what fc2 sends back none or half arrives at tanh: it is lost between them, in the net."""
    finding = only(net(fault), dtype, "gradient")
    assert finding.blame and finding.blame.side == "reference", finding.blame
    assert finding.first_divergence == Divergence("backward", module)


def test_a_wrong_autograd_function_is_seen_to_one_part_in_a_billion() -> None:
    finding = only(net("function"), "float64", "gradient")
    assert finding.blame and finding.blame.side == "reference", finding.blame


def test_scratch_is_convicted_of_one_part_in_a_billion(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = Linear.backward
    monkeypatch.setattr(Linear, "backward", lambda self, dout: backward(self, dout) * dout.dtype.type(1 + 1e-9))
    finding = only(net("none"), "float64", "gradient")
    assert finding.blame and finding.blame.side == "scratch", finding.blame


@pytest.mark.parametrize(("factor", "side"), [(1 + 1e-6, "scratch"), (1 + 3e-14, "inconclusive")])
def test_without_longdouble_the_arbiter_says_what_it_cannot_resolve(
    factor: float, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (arbiter, gradients, slopes):
        monkeypatch.setattr(module, "WIDE", "float64")
    backward = Linear.backward
    monkeypatch.setattr(Linear, "backward", lambda self, dout: backward(self, dout) * factor)
    finding = only(net("none"), "float64", "gradient")
    assert finding.blame.side == side
    assert side == "scratch" or "in float64 do not settle" in finding.blame.reason


# Updates


def slow(parameters: Any, lr: float) -> Any:
    return scratch.SGD(parameters, lr=lr / 2)


class OwnSGD(torch.optim.SGD):
    """No class of torch's: it does not define what is right."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["lr"] *= 1.5
        return super().step(closure)


def updated(scratch_optimizer: str, reference_optimizer: str) -> Any:
    case = PAIRS["trigram-lm"].case()
    return replace(case, optimizer=Twin(scratch_optimizer, reference_optimizer, {"lr": 0.1}))


def test_an_optimizer_with_another_argument_is_a_convention() -> None:
    finding = only(updated(f"{HERE}:slow", "torch.optim:SGD"), "float64", "optimizer")
    assert (finding.blame.side, finding.blame.reason) == ("conventions", "lr: 0.05 against 0.1")


def uneven(parameters: Any, lr: float) -> Any:
    """Twice the rate for what is one-dimensional."""
    matrices, vectors = ([p for _, p in parameters if (p.ndim > 1) == many] for many in (True, False))
    return torch.optim.SGD([{"params": matrices}, {"params": vectors, "lr": 2 * lr}], lr=lr)


def backwards(parameters: Any, lr: float) -> Any:
    return torch.optim.SGD([p for _, p in parameters], lr=lr, maximize=True)


def decoupled(parameters: Any, lr: float) -> Any:
    return torch.optim.AdamW([p for _, p in parameters], lr=lr, weight_decay=0.1)


def coupled(parameters: Any, lr: float) -> Any:
    return scratch.Adam(parameters, lr=lr, weight_decay=0.1)


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("twofold.scratch:SGD", "uneven", "lr: 0.1 against 0.2"),
        ("twofold.scratch:SGD", "backwards", "maximize: False against True"),
        (f"{HERE}:coupled", "decoupled", "decoupled_weight_decay: False against True"),
    ],
)
def test_arguments_that_only_torch_has_are_conventions(ours: str, theirs: str, told: str) -> None:
    finding = only(updated(ours, f"{HERE}:{theirs}"), "float64", "resync")
    assert finding.blame.side == "conventions" and told in finding.blame.reason, finding.blame


class Scheduled(torch.optim.SGD):
    """Halves its rate at every eighth step, which its state does not tell."""

    taken = 0

    def step(self, closure: Any = None) -> Any:
        self.taken += 1
        if self.taken % 8 == 0:
            self.param_groups[0]["lr"] /= 2
        return super().step(closure)


def test_a_reference_that_goes_by_more_than_its_state_is_never_the_measure() -> None:
    case = updated("twofold.scratch:SGD", f"{HERE}:Scheduled")
    (finding,) = run(case, "float64", checks=[CHECKS_BY_NAME["resync"]]).findings
    assert finding.verdict is Verdict.INCONCLUSIVE and "carries more than its state" in finding.reason


def test_an_optimizer_that_torch_does_not_define_leaves_it_open() -> None:
    finding = only(updated("twofold.scratch:SGD", f"{HERE}:OwnSGD"), "float64", "optimizer")
    assert finding.blame.side == "inconclusive" and "OwnSGD is not torch's own" in finding.blame.reason


class Remembers(TrigramLM):
    """Scales its output by what it gave before."""

    kept: Any = 0.0

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        out = super().forward(tokens) * (1 + self.kept)
        if self.training:
            self.kept = 0.01 * out.detach().mean()
        return out


@pytest.mark.parametrize("check", ["forward", "gradient", "resync"])
def test_a_reference_that_remembers_is_never_the_measure(check: str) -> None:
    """Its own noise would pass for the floor."""
    case = PAIRS["trigram-lm"].case()
    twin = replace(case.model, reference=f"{HERE}:Remembers")
    (finding,) = run(replace(case, model=twin), "float64", checks=[CHECKS_BY_NAME[check]]).findings
    assert finding.verdict is Verdict.INCONCLUSIVE and "reference" in finding.reason


# What is missing or not finite


class Extra(Net):
    """A parameter more than scratch has."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.scale


class NotANumber(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * torch.nan


def test_an_extra_tensor_fails_by_name() -> None:
    case = against(f"{HERE}:Extra")
    finding = only(case, "float64", "names")
    assert [q.name for q in finding.quantities if q.verdict is Verdict.FAIL] == ["scale"]


def test_a_nan_in_the_reference_is_the_references() -> None:
    case = against(f"{HERE}:NotANumber")
    finding = only(case, "float64", "forward")
    assert (finding.blame.side, finding.blame.reason) == ("reference", "NaN or inf in reference")


def test_a_nan_on_both_sides_convicts_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Linear, "forward", "x @ self.weight.data.T", "x @ self.weight.data.T * np.nan")
    finding = only(against(f"{HERE}:NotANumber"), "float64", "forward")
    output = next(q for q in finding.quantities if q.name == "<output>")
    assert (output.reason, output.side) == ("NaN or inf in scratch and reference", "")


def refuses() -> Any:
    raise RuntimeError("no such layer")


def test_a_reference_that_cannot_be_built_is_told_in_one_line() -> None:
    (finding,) = run(against(f"{HERE}:refuses"), "float64", checks=[CHECKS_BY_NAME["forward"]]).findings
    assert finding.verdict is Verdict.FAIL and finding.reason.startswith("RuntimeError: no such layer")
