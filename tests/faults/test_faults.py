"""The tests tested: a gradient scaled in any module of any system, and faults beside those of the catalogue."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
import pytest

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare import faults as catalogued
from twofold.compare.faults.fault import FINDER
from twofold.compare.judge import battery
from twofold.compare.judge.battery import Result
from twofold.compare.judge.checks.table import BATTERY, CHECKS_BY_NAME
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case, Twin
from twofold.compare.pairs import MAIN, PAIRS
from twofold.scratch.layers import activations, recurrent

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """`case` is where it is planted; `checks` must fail among others, and `module` be named by each that names one.

    `blame` is what each of `checks` says, and `detail` is what is said of time steps and gates.
    """

    name: str
    case: str
    plant: Plant
    checks: tuple[str, ...]
    module: str | None = None
    dtypes: tuple[str, ...] = ("float64", "float32")
    blame: str = "scratch"
    detail: str = ""


def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    """Puts make(original) in the place of owner.name."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def edited(owner: Any, name: str, right: str, wrong: str) -> Plant:
    return lambda patch: plant(patch, owner, name, right, wrong)


def then(owner: Any, name: str, change: Callable[..., Any]) -> Plant:
    """Lets change(self, result, *arguments) have the last word on owner.name."""

    def make(original: Any) -> Any:
        return lambda self, *arguments: change(self, original(self, *arguments), *arguments)

    return replaced(owner, name, make)


def state_carried_over(original: Any) -> Any:
    """F25: the state of one batch is where the next begins."""

    def forward(self: Any, x: Any, state: Any = None) -> Any:
        out, last = original(self, x, state or vars(self).get("carried"))
        self.carried = last
        return out, last

    return forward


def eps_inside_the_root(original: Any) -> Any:
    def update(self: Any, p: Any, g: Any, state: Any) -> None:
        eps, before = self.eps, p.copy()
        original(self, p, g, state)
        step = int(state["step"])
        m = state["exp_avg"] / (1 - self.betas[0] ** step)
        v = state["exp_avg_sq"] / (1 - self.betas[1] ** step)
        p[...] = before - self.lr * m / np.sqrt(v + eps)

    return update


def no_momentum_on_biases(original: Any) -> Any:
    def update(self: Any, p: Any, g: Any, state: Any) -> None:
        if p.ndim == 1:
            state.clear()
        original(self, p, g, state)

    return update


def one_nan(self: Any, out: Any, x: Any) -> Any:
    out[0, 0] = np.nan
    return out


def always_training(original: Any) -> Any:
    def forward(self: Any, x: Any) -> Any:
        told, self.training = self.training, True
        out = original(self, x)
        self.training = told
        return out

    return forward


def scaled(path: str) -> Plant:
    """Every parameter gradient of one module times 1.001."""

    def make(original: Any) -> Any:
        def build(self: Twin, side: str, *arguments: Any, **keywords: Any) -> Any:
            model = original(self, side, *arguments, **keywords)
            modules = dict(model.named_modules()) if isinstance(model, scratch.Module) else {}
            if path in modules:
                module = modules[path]
                backward = module.backward

                def too_much(_: Any, *douts: Any) -> Any:
                    before = {name: p.grad.copy() for name, p in module.named_parameters()}
                    result = backward(*douts)
                    for name, p in module.named_parameters():
                        p.grad += (p.grad - before[name]) * p.grad.dtype.type(0.001)
                    return result

                module.backward = MethodType(too_much, module)
            return model

        return build

    return replaced(Twin, "build", make)


FAULTS = [
    Fault(
        "derivative fed the activated value",
        "catcar-mlp",
        edited(scratch.Tanh, "backward", "out * out", "np.tanh(out) ** 2"),
        ("gradient", "grad_output", "numerical"),
        "tanh2",
        ("float64",),
    ),
    Fault(
        "mean over classes too",
        "activity-lstm",
        edited(scratch.CrossEntropyLoss, "forward", "self.reduce(", "1 / x.shape[1] * self.reduce("),
        ("loss", "resync", "curve"),
        dtypes=("float64",),
    ),
    Fault(
        "a gate's gradient from the wrong step",
        "activity-lstm",
        edited(scratch.LSTM, "backward_steps", "dc * c[t] * (f", "dc * (f * c[t] + i * g) * (f"),
        ("gradient", "resync"),
        "recurrent",
        detail="backward: gate f from t = 6 down to t = 0; i, g and o follow at t = 5",
    ),
    Fault("a NaN", "mnist-cnn", then(scratch.Linear, "forward", one_nan), ("exact", "forward", "resync"), "fc1"),
    Fault(
        "running variance from the biased estimate",
        "bn-convnet",
        edited(scratch.BatchNorm1d, "forward", "var * (count / (count - 1))", "var"),
        ("resync",),
        "norm1",
    ),
    Fault(
        "evaluation mode forgotten by a norm",
        "bn-convnet",
        replaced(scratch.BatchNorm2d, "forward", always_training),
        ("modes",),
        "norm1",
    ),
    Fault("eps inside the root", "mnist-cnn", replaced(scratch.Adam, "update", eps_inside_the_root), ("optimizer",)),
    Fault(
        "state carried into the next batch",
        "activity-lstm",
        replaced(scratch.LSTM, "forward", state_carried_over),
        ("resync",),
    ),
    *(
        Fault(
            f"gradients of {path} times 1.001",
            pair.name,
            scaled(path),
            ("gradient", "resync"),
            path,
            dtypes=("float64",),
        )
        for pair in (PAIRS[name] for name in MAIN)
        for path, module in pair.case().model.build("scratch").named_modules()
        if path and any(isinstance(value, scratch.Parameter) for value in vars(module).values())
    ),
]
CASES: dict[str, Case] = {case.name: case for case in (*LAYERS, *(pair.case() for pair in PAIRS.values()))}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three re-synchronised steps show each of these, and what they look like is asked elsewhere."""
    monkeypatch.setattr(battery, "with_causes", lambda trial, findings, suspects: findings)
    monkeypatch.setattr(battery, "with_lines", lambda trial, findings: findings)
    with few_steps():
        yield


def failed(result: Result) -> dict[str, Any]:
    return {f.check: f.first_divergence for f in result.findings if f.verdict in (Verdict.FAIL, Verdict.VACUOUS)}


@pytest.mark.parametrize(("fault", "dtype"), [pytest.param(f, d, id=f"{f.name}-{d}") for f in FAULTS for d in f.dtypes])
def test_a_planted_fault_is_found(fault: Fault, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.plant(monkeypatch)
    result = battery.run(CASES[fault.case], dtype, checks=[CHECKS_BY_NAME[name] for name in fault.checks])
    found = failed(result)
    assert not result.passed
    assert set(fault.checks) <= found.keys(), f"found by {list(found)}"
    if fault.module:
        named = {check: where.module for check, where in found.items() if where}
        assert named and set(named.values()) == {fault.module}
    findings = {finding.check: finding for finding in result.findings}
    blamed = {check: findings[check].blame for check in fault.checks}
    assert {blame.side for blame in blamed.values() if blame} == {fault.blame}, blamed
    if fault.detail:
        assert fault.detail in {finding.gates.line() for finding in findings.values() if finding.gates}


def test_every_check_finds_some_fault() -> None:
    """Those here, and those of the catalogue, most of which name the check that their stage says.

    What workers do wrong lies in no part of scratch: tests/judge/test_workers.py plants that.
    """
    catalogue = {check for fault in catalogued.FAULTS for check in fault.checks} | set(FINDER.values()) | {"loss"}
    assert {check for fault in FAULTS for check in fault.checks} | catalogue == {check.name for check in BATTERY} - {
        "workers"
    }


def test_the_step_since_when_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Momentum missing on biases shows from the second step on, state carried over likewise."""
    replaced(scratch.SGD, "update", no_momentum_on_biases)(monkeypatch)
    result = battery.run(CASES["trigram-lm"], "float64")
    where = failed(result)["resync"]
    assert where == Divergence("update", "fc1", 2, "fc1.bias momentum_buffer")


def test_sigmoid_that_overflows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """F23: exp(x) / (1 + exp(x)) is NaN for large inputs; the judge sees NaN as a failure, never as equal."""
    monkeypatch.setattr(activations, "sigmoid", lambda x: np.exp(x * 1000) / (1 + np.exp(x * 1000)))
    with np.errstate(all="ignore"):
        result = battery.run(CASES["sigmoid"], "float32")
    assert "NaN" in next(f for f in result.findings if f.check == "forward").worst.reason  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", battery.DTYPES)
def test_closed_gates_keep_their_digits(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first unit's i, f and o lie near sigmoid(-12): as (1 + tanh(a/2)) / 2 they would have few right digits."""

    def verdict() -> Verdict:
        trial = Trial(CASES["lstm"], dtype)
        trial.state["bias_ih_l0"][[0, 4, 12]] -= 12
        return CHECKS_BY_NAME["gradient"](trial).verdict

    assert verdict() is Verdict.PASS
    monkeypatch.setattr(recurrent, "sigmoid", lambda a: 0.5 * np.tanh(0.5 * a) + 0.5)
    assert verdict() is Verdict.FAIL
