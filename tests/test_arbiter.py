"""Who is wrong: faults in the reference, conventions that differ, and what the arbiter leaves open."""

from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from planting import plant
from torch import nn

import reference.models.trigram_lm
import scratch
from compare.judge import arbiter, curves, slopes
from compare.judge.battery import DTYPES, run, run_trial
from compare.judge.checks import CHECKS_BY_NAME
from compare.judge.floor import Verdict
from compare.judge.trial import Divergence, Trial
from compare.pair import Case, Draw, Twin
from compare.pairs import PAIRS
from compare.report.console import flipped
from scratch import Linear, Module, ReLU, Sequential
from scratch.layers import linear

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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fault", "module"), [("detach", "fc2"), ("half", "net")])
def test_a_stray_detach_is_the_reference(fault: str, module: str, dtype: str) -> None:
    """Half of what fc2 sends back arrives at tanh: it is lost between them, in the net."""
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


@pytest.mark.parametrize(("factor", "side"), [(1 + 1e-6, "scratch"), (1 + 1e-12, "inconclusive")])
def test_without_longdouble_the_arbiter_says_what_it_cannot_resolve(
    factor: float, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (arbiter, slopes):
        monkeypatch.setattr(module, "WIDE", "float64")
    backward = Linear.backward
    monkeypatch.setattr(Linear, "backward", lambda self, dout: backward(self, dout) * factor)
    finding = only(net("none"), "float64", "gradient")
    assert finding.blame.side == side
    assert side == "scratch" or "in float64 do not settle" in finding.blame.reason


def only(case: Case, dtype: str, check: str) -> Any:
    """The finding of one check, which must fail."""
    (finding,) = run(case, dtype, checks=[CHECKS_BY_NAME[check]]).findings
    assert finding.verdict is Verdict.FAIL, finding
    return finding


# Conventions


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
        gated("scratch:ResetFirstGRU", "torch.nn:GRU"),
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
        ("scratch:SGD", "uneven", "lr: 0.1 against 0.2"),
        ("scratch:SGD", "backwards", "maximize: False against True"),
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
    case = updated("scratch:SGD", f"{HERE}:Scheduled")
    (finding,) = run(case, "float64", checks=[CHECKS_BY_NAME["resync"]]).findings
    assert finding.verdict is Verdict.INCONCLUSIVE and "carries more than its state" in finding.reason


def test_an_optimizer_that_torch_does_not_define_leaves_it_open() -> None:
    finding = only(updated("scratch:SGD", f"{HERE}:OwnSGD"), "float64", "optimizer")
    assert finding.blame.side == "inconclusive" and "OwnSGD is not torch's own" in finding.blame.reason


class Remembers(reference.models.trigram_lm.TrigramLM):
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
    case = replace(net(""), model=Twin(f"{HERE}:small_net", f"{HERE}:Extra"))
    finding = only(case, "float64", "names")
    assert [q.name for q in finding.quantities if q.verdict is Verdict.FAIL] == ["scale"]


def test_a_nan_in_the_reference_is_the_references() -> None:
    case = replace(net(""), model=Twin(f"{HERE}:small_net", f"{HERE}:NotANumber"))
    finding = only(case, "float64", "forward")
    assert (finding.blame.side, finding.blame.reason) == ("reference", "NaN or inf in reference")


def test_a_nan_on_both_sides_convicts_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Linear, "forward", "x @ self.weight.data.T", "x @ self.weight.data.T * np.nan")
    finding = only(replace(net(""), model=Twin(f"{HERE}:small_net", f"{HERE}:NotANumber")), "float64", "forward")
    output = next(q for q in finding.quantities if q.name == "<output>")
    assert (output.reason, output.side) == ("NaN or inf in scratch and reference", "")


def refuses() -> Any:
    raise RuntimeError("no such layer")


def test_a_reference_that_cannot_be_built_is_told_in_one_line() -> None:
    (finding,) = run(
        replace(net(""), model=Twin(f"{HERE}:small_net", f"{HERE}:refuses")),
        "float64",
        checks=[CHECKS_BY_NAME["forward"]],
    ).findings
    assert finding.verdict is Verdict.FAIL and finding.reason.startswith("RuntimeError: no such layer")


# Users' references


class Functional(Net):
    """As torch users write it: no module for what has no state."""

    def __init__(self) -> None:
        super().__init__()
        del self.tanh

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(torch.tanh(self.fc1(x)), self.fc2.weight, self.fc2.bias)


FUNCTIONAL = replace(net(""), model=Twin(f"{HERE}:small_net", f"{HERE}:Functional"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_reference_of_functions_is_the_same_computation(dtype: str) -> None:
    result = run(FUNCTIONAL, dtype)
    assert result.passed, [(f.check, f.reason, f.worst) for f in result.findings if f.verdict is Verdict.FAIL]


def test_a_reference_of_functions_agrees_in_every_stage_of_training() -> None:
    """What is no module is not missing: else each step would seem to fail, and be placed where nothing is wrong."""
    loss, optimizer = Twin("scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"), PAIRS["trigram-lm"].optimizer
    trial = Trial(replace(FUNCTIONAL, loss=loss, target=Draw((6,), high=3), optimizer=optimizer), "float64")
    assert not any(curves.fails(step.judged) for step in curves.resynchronised_steps(trial))


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
    finding = only(replace(net(""), model=Twin(f"{HERE}:small_net", f"{HERE}:BiasDetached")), "float64", "gradient")
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
    Twin("scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
    Draw((6,), high=3),
    Twin("scratch:SGD", "torch.optim:SGD", {"lr": 0.1}),
    waivers={"resync: fc1.bias": "a bias in front of a norm"},
)


def test_running_statistics_that_stand_still_are_scratchs() -> None:
    """Another class name acquits nobody."""
    finding = only(replace(NORMED, model=Twin(f"{HERE}:frozen_net", f"{HERE}:normed_reference")), "float64", "resync")
    assert finding.blame.side == "scratch" and "BatchNorm1d is what torch defines" in finding.blame.reason


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


# Branches of a class of one's own


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


# Branches


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
PLAIN = [CHECKS_BY_NAME[name] for name in ("forward", "gradient", "backward")]


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
    assert f"relu0 {flip.count} (at most {flip.ulps:.2g} ulps from the kink)" in flipped(result)


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
