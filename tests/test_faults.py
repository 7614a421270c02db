"""The tests tested: each class of fault, planted in scratch alone, is found by a named check in the right module."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
import pytest
from planting import plant

import scratch
from compare.judge import battery
from compare.judge.battery import Result
from compare.judge.checks import BATTERY, CHECKS_BY_NAME
from compare.judge.floor import Verdict
from compare.judge.trial import Divergence, Trial
from compare.pair import Case, Twin
from compare.pairs import MAIN, PAIRS
from compare.pairs.layers import LAYERS
from scratch.layers import activations, recurrent

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


def no_bias_gradient(self: Any, dx: Any, dout: Any) -> Any:
    self.bias.grad[...] = 0
    return dx


def derivative_of_activated(self: Any, dx: Any, dout: Any) -> Any:
    return dout * (1 - np.tanh(self.cache) ** 2)


def duplicates_overwritten(self: Any, dout: Any) -> None:
    self.weight.grad[self.cache] = dout


def kernel_not_flipped(self: Any, dx: Any, dout: Any) -> Any:
    return dx[:, :, ::-1, ::-1]


def gates_swapped(original: Any) -> Any:
    def joined(self: Any) -> Any:
        i, f, g, o = np.split(original(self), 4)
        return np.vstack([f, i, g, o])

    return joined


def stops_after_the_first_step(self: Any, result: Any, dout: Any, dstate: Any = None) -> Any:
    """F6: the gradients of t = 0 are missing."""
    z, *_ = self.cache
    hidden = self.hidden_size
    _, (dh0, _) = result
    da = np.linalg.lstsq(self.weight_hh_l0.data.T, dh0[0].T, rcond=None)[0]  # the gates' gradients of t = 0
    self.weight_ih_l0.grad -= da @ z[0, hidden:-1].T
    return result


def state_carried_over(original: Any) -> Any:
    """F25: the state of one batch is where the next begins."""

    def forward(self: Any, x: Any, state: Any = None) -> Any:
        out, last = original(self, x, state or vars(self).get("carried"))
        self.carried = last
        return out, last

    return forward


def no_bias_correction(self: Any, p: Any, g: Any, state: Any) -> None:
    if not state:
        state.update(step=np.zeros((), np.int64), exp_avg=np.zeros_like(p), exp_avg_sq=np.zeros_like(p))
    state["step"] += 1
    state["exp_avg"] = self.betas[0] * state["exp_avg"] + (1 - self.betas[0]) * g
    state["exp_avg_sq"] = self.betas[1] * state["exp_avg_sq"] + (1 - self.betas[1]) * g * g
    p -= self.lr * state["exp_avg"] / (np.sqrt(state["exp_avg_sq"]) + self.eps)


def eps_inside_the_root(original: Any) -> Any:
    def update(self: Any, p: Any, g: Any, state: Any) -> None:
        eps, before = self.eps, p.copy()
        original(self, p, g, state)
        step = int(state["step"])
        m = state["exp_avg"] / (1 - self.betas[0] ** step)
        v = state["exp_avg_sq"] / (1 - self.betas[1] ** step)
        p[...] = before - self.lr * m / np.sqrt(v + eps)

    return update


def moments_restart(original: Any) -> Any:
    """F14: the moments begin afresh in every batch."""

    def update(self: Any, p: Any, g: Any, state: Any) -> None:
        state.clear()
        original(self, p, g, state)

    return update


def no_momentum_on_biases(original: Any) -> Any:
    def update(self: Any, p: Any, g: Any, state: Any) -> None:
        if p.ndim == 1:
            state.clear()
        original(self, p, g, state)

    return update


def every_tie_wins(self: Any, dx: Any, dout: Any) -> Any:
    x, largest = self.cache
    dx = np.zeros(x.shape, dout.dtype)
    for tap, dtap in zip(self.taps(x), self.taps(dx), strict=True):
        dtap += dout * (tap == largest)
    return dx


def cache_changed(self: Any, dout: Any) -> Any:
    """F12: the loss's gradient is worked into the cached activation."""
    self.cache *= -self.cache
    self.cache += 1
    return dout * self.cache


def over_classes_too(self: Any, loss: Any, x: Any, target: Any) -> Any:
    return loss / x.shape[1] if x.ndim == 2 else loss


def in_single_precision(self: Any, out: Any, x: Any) -> Any:
    return out.astype(np.float32).astype(out.dtype)


def one_nan(self: Any, out: Any, x: Any) -> Any:
    out[0, 0] = np.nan
    return out


def lets_small_negatives_through(self: Any, out: Any, x: Any) -> Any:
    return np.where(x > -0.01, x, out)


def in_memory_order(original: Any) -> Any:
    return lambda self, x: original(self, x.ravel(order="K").reshape(x.shape))


def always_training(original: Any) -> Any:
    def forward(self: Any, x: Any) -> Any:
        told, self.training = self.training, True
        out = original(self, x)
        self.training = told
        return out

    return forward


def workspace_returned(original: Any) -> Any:
    def forward(self: Any, x: Any) -> Any:
        work = vars(self).setdefault("_work", np.empty_like(x))
        work[...] = original(self, x)
        return work

    return forward


def renamed(original: Any) -> Any:
    def build(self: Any, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        self.offset = vars(self).pop("bias")

    return build


def views_handed_out(self: Any) -> Any:
    return {name: holder.data for name, holder in self.named_state()}


def last_tensor_forgotten(original: Any) -> Any:
    def load(self: Any, state: Any) -> None:
        own = self.state_dict()
        last = list(own)[-1]
        original(self, {**state, last: own[last]})

    return load


def mode_stays_at_the_top(self: Any, mode: bool = True) -> Any:
    self.training = mode
    return self


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


def input_changed(original: Any) -> Any:
    def forward(self: Any, x: Any, target: Any) -> Any:
        x -= x.max(axis=1, keepdims=True)
        return original(self, x, target)

    return forward


def carried_while_evaluating(original: Any) -> Any:
    def forward(self: Any, x: Any, state: Any = None) -> Any:
        out, last = original(self, x, state or (None if self.training else vars(self).get("carried")))
        self.carried = last
        return out, last

    return forward


def decay_written_to_the_gradient(original: Any) -> Any:
    def update(self: Any, p: Any, g: Any, state: Any) -> None:
        g += self.weight_decay * p
        decay, self.weight_decay = self.weight_decay, 0.0
        original(self, p, g, state)
        self.weight_decay = decay

    return update


def last_chunk_dropped(original: Any) -> Any:
    def chunks(self: Any, *arguments: Any) -> Any:
        slices = original(self, *arguments)
        return slices[:-1] if len(slices) > 1 else slices

    return chunks


def poor_near_zero(self: Any, out: Any, x: Any) -> Any:
    """F23: the textbook's form of tanh."""
    return 2 / (1 + np.exp(-2 * x)) - 1


def constant(value: Any) -> Callable[[Any], Any]:
    return lambda original: value


FAULTS = [
    Fault(
        "bias gradient forgotten", "mnist-cnn", then(scratch.Linear, "backward", no_bias_gradient), ("gradient",), "fc2"
    ),
    Fault(
        "derivative fed the activated value",
        "catcar-mlp",
        then(scratch.Tanh, "backward", derivative_of_activated),
        ("gradient", "backward", "numerical"),
        "tanh2",
        ("float64",),
    ),
    Fault(
        "duplicate tokens overwritten",
        "trigram-lm",
        replaced(scratch.Embedding, "backward", constant(duplicates_overwritten)),
        ("gradient", "resync"),
        "embedding",
    ),
    Fault(
        "kernel not flipped", "mnist-cnn", then(scratch.Conv2d, "backward", kernel_not_flipped), ("backward",), "conv2"
    ),
    Fault("gates swapped", "activity-lstm", replaced(scratch.LSTM, "joined", gates_swapped), ("forward",), "recurrent"),
    Fault(
        "time t = 0 left out",
        "lstm-batch-first",
        then(scratch.LSTM, "backward", stops_after_the_first_step),
        ("gradient",),
        "lstm-batch-first",
    ),
    Fault(
        "state carried into the next batch",
        "activity-lstm",
        replaced(scratch.LSTM, "forward", state_carried_over),
        ("resync",),
    ),
    Fault(
        "Adam without bias correction",
        "mnist-cnn",
        replaced(scratch.Adam, "update", constant(no_bias_correction)),
        ("optimizer", "resync"),
    ),
    Fault("eps inside the root", "mnist-cnn", replaced(scratch.Adam, "update", eps_inside_the_root), ("optimizer",)),
    Fault("moments restart", "mnist-cnn", replaced(scratch.Adam, "update", moments_restart), ("optimizer", "resync")),
    Fault(
        "no momentum on biases",
        "trigram-lm",
        replaced(scratch.SGD, "update", no_momentum_on_biases),
        ("optimizer", "resync"),
    ),
    Fault("every tie wins", "pool-overlapping", then(scratch.MaxPool2d, "backward", every_tie_wins), ("exact",)),
    Fault(
        "cache changed in place", "catcar-mlp", replaced(scratch.Tanh, "backward", constant(cache_changed)), ("twice",)
    ),
    Fault(
        "mean over classes too",
        "activity-lstm",
        then(scratch.CrossEntropyLoss, "forward", over_classes_too),
        ("loss", "resync", "curve"),
        dtypes=("float64",),
    ),
    Fault(
        "float32 where float64 was given",
        "trigram-lm",
        then(scratch.Sigmoid, "forward", in_single_precision),
        ("forward",),
        "sigmoid",
        ("float64",),
    ),
    Fault("a NaN", "mnist-cnn", then(scratch.Linear, "forward", one_nan), ("forward",), "fc1"),
    Fault(
        "a kink in the wrong place",
        "mnist-cnn",
        then(scratch.ReLU, "forward", lets_small_negatives_through),
        ("forward",),
    ),
    Fault(
        "arrays read in memory order",
        "flatten",
        replaced(scratch.Flatten, "forward", in_memory_order),
        ("strides",),
    ),
    Fault(
        "a norm's third term",
        "batch-norm-1d",
        edited(scratch.BatchNorm1d, "backward", " - normal * dvar[:, None]", ""),
        ("gradient",),
        "batch-norm-1d",
    ),
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
    Fault(
        "evaluation mode forgotten by dropout",
        "fc-net-dropout",
        replaced(scratch.Dropout, "forward", always_training),
        ("modes",),
    ),
    Fault(
        "a gate's gradient from the wrong step",
        "activity-lstm",
        edited(scratch.LSTM, "backward", "dc * c[t] * (f", "dc * c[t + 1] * (f"),
        ("gradient", "resync"),
        "recurrent",
        detail="backward: gate f from t = 6 down to t = 0; i, g and o follow at t = 5",
    ),
    Fault("workspace returned", "catcar-mlp", replaced(scratch.Tanh, "forward", workspace_returned), ("twice",)),
    Fault(
        "parameter renamed",
        "linear",
        replaced(scratch.Linear, "__init__", renamed),
        ("names", "load"),
        blame="conventions",
    ),
    Fault(
        "views handed out",
        "trigram-lm",
        replaced(scratch.Module, "state_dict", constant(views_handed_out)),
        ("memory",),
    ),
    Fault(
        "one tensor not loaded",
        "catcar-mlp",
        replaced(scratch.Module, "load_state_dict", last_tensor_forgotten),
        ("load", "forward"),
    ),
    Fault(
        "mode not passed on",
        "activity-lstm",
        replaced(scratch.Module, "train", constant(mode_stays_at_the_top)),
        ("modes",),
    ),
    Fault(
        "input changed in place",
        "cross-entropy-mean",
        replaced(scratch.CrossEntropyLoss, "forward", input_changed),
        ("twice",),
    ),
    Fault(
        "state carried while evaluating",
        "lstm",
        replaced(scratch.LSTM, "forward", carried_while_evaluating),
        ("modes",),
    ),
    Fault(
        "decay written to the gradient",
        "trigram-lm",
        replaced(scratch.SGD, "update", decay_written_to_the_gradient),
        ("optimizer",),
    ),
    Fault("last chunk dropped", "mnist-cnn", replaced(scratch.Conv2d, "chunks", last_chunk_dropped), ("chunks",)),
    Fault("tanh poor near zero", "tanh-small", then(scratch.Tanh, "forward", poor_near_zero), ("forward",)),
    *(
        Fault(f"gradients of {path} times 1.001", pair.name, scaled(path), ("gradient", "resync"), path)
        for pair in (PAIRS[name] for name in MAIN)
        for path, module in pair.case().model.build("scratch").named_modules()
        if path and any(isinstance(value, scratch.Parameter) for value in vars(module).values())
    ),
]
CASES: dict[str, Case] = {case.name: case for case in (*LAYERS, *(pair.case() for pair in PAIRS.values()))}


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
    assert {check for fault in FAULTS for check in fault.checks} == {check.name for check in BATTERY}


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
