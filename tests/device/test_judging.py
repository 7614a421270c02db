"""A device that computes wrongly, or never twice alike, is found: what, where, and that the reference is wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.device.standin import faulty
from tests.judge.planting import plant
from tests.own.truth import LAYOUTS, TRUTH
from twofold import BadCall, judge
from twofold.compare.judge import battery
from twofold.compare.judge.battery import Result
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, ON_DEVICE
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.judge.finding import Verdict
from twofold.compare.judge.own.meeting import preparing
from twofold.compare.layers import LAYERS
from twofold.compare.pairs import PAIRS
from twofold.scratch import Linear

CASES = {case.name: case for case in LAYERS} | {name: pair.case() for name, pair in PAIRS.items()}


def judged(case: str, device: str, *checks: str, dtype: str = "float32") -> Result:
    with few_steps():
        chosen = [ON_DEVICE, *(CHECKS_BY_NAME[name] for name in checks)]
        return battery.run(CASES[case], dtype, device, checks=chosen)


def changed(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], Any]:
    """Of what a kernel gives every float changed, in place, for it may be an argument."""

    def of(found: Any) -> Any:
        if isinstance(found, (list, tuple)):
            return type(found)(map(of, found))
        return found.copy_(change(found)) if found.is_floating_point() else found

    return of


def noisy(size: float) -> Callable[[Any], Any]:
    """Another result each time, as of sums in whatever order."""
    draws = torch.Generator().manual_seed(0)

    def noise(found: torch.Tensor) -> torch.Tensor:
        return found * (1 + size * torch.randn(found.shape, generator=draws, dtype=found.dtype))

    return changed(noise)


def tf32(found: torch.Tensor) -> torch.Tensor:
    """Ten bits of it."""
    return (found.float().view(torch.int32) & ~0x1FFF).view(torch.float32) if found.dtype == torch.float32 else found


# An operation off by a part in a thousand: the case, and the stage and module with which it begins.
WRONG = [
    ("addmm", "catcar-mlp", "forward", "fc1"),
    ("mm", "catcar-mlp", "backward", "fc2"),
    ("tanh", "catcar-mlp", "forward", "tanh1"),
    ("tanh_backward", "catcar-mlp", "backward", "tanh2"),
    ("mse_loss", "catcar-mlp", "loss", "loss"),
    ("_thnn_fused_lstm_cell", "lstm", "forward", "lstm"),
    ("_thnn_fused_lstm_cell_backward_impl", "lstm", "backward", "lstm"),
    ("convolution", "conv", "forward", "conv"),
    ("convolution_backward", "conv", "backward", "conv"),
    ("relu", "relu", "forward", "relu"),
    ("index_select", "embedding", "forward", "embedding"),
]


@pytest.mark.parametrize(("operation", "case", "stage", "module"), WRONG)
def test_the_reference_is_wrong_on_the_device(operation: str, case: str, stage: str, module: str, device: str) -> None:
    with faulty(**{operation: changed(lambda found: found * 1.001)}):
        (found,) = judged(case, device).findings
    assert found.verdict is Verdict.FAIL and found.blame and found.blame.side == "reference"
    assert found.blame.reason.startswith(f"the reference is wrong on {device}: ")
    where = found.first_divergence
    assert (where and where.stage, where and where.module) == (stage, module)


@pytest.mark.parametrize(
    ("operation", "case"), [("addcdiv", "mnist-cnn"), ("lerp", "mnist-cnn"), ("add", "catcar-mlp")]
)
def test_a_wrong_update_on_the_device(operation: str, case: str, device: str) -> None:
    with faulty(**{operation: changed(lambda found: found * 1.001)}):
        (found,) = judged(case, device).findings
    assert found.blame and found.blame.side == "reference"
    assert {q.name.rpartition(" ")[2] for q in found.quantities if q.verdict is Verdict.FAIL} >= {
        "optimizer",
        "training",
    }


# An operation that is another each time, and what the case does with it.
NOISE = [
    ("addmm", "catcar-mlp", "fc1 (forward)"),
    ("mm", "catcar-mlp", "tanh1 (backward)"),
    ("sum", "catcar-mlp", "fc1.bias"),
    ("mse_loss_backward", "catcar-mlp", "gradient of the output"),
    ("relu", "relu", "relu (forward)"),
    ("addcdiv", "mnist-cnn", "a step of Adam"),
    ("_thnn_fused_lstm_cell", "lstm", "(forward)"),
    ("embedding_dense_backward", "embedding", "embedding"),
]


@pytest.mark.parametrize(("operation", "case", "told"), NOISE)
def test_what_does_not_repeat_is_named(operation: str, case: str, told: str, device: str) -> None:
    with faulty(**{operation: noisy(1e-6)}):
        (found,) = judged(case, device).findings
    assert found.verdict is Verdict.INCONCLUSIVE
    assert f"on {device} " in found.reason and told in found.reason
    asked = "_foreach_addcdiv_" if operation == "addcdiv" else operation  # of several tensors at once
    assert f"the operation {asked} gives something else each time" in found.reason


@pytest.mark.parametrize("size", [0.0, 1e-3])
def test_a_mistake_of_a_percent_passes_beside_no_noise(
    size: float, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floors are the CPU's, which a device's noise does not widen."""
    plant(monkeypatch, Linear, "accumulate", "grad += dout_part", "grad += 1.01 * dout_part")
    with faulty(addmm=noisy(size), mm=noisy(size)):
        on_device, gradient = judged("catcar-mlp", device, "gradient").findings
    assert on_device.verdict is (Verdict.INCONCLUSIVE if size else Verdict.PASS)
    assert gradient.verdict is Verdict.FAIL and gradient.blame and gradient.blame.side == "scratch"


@pytest.mark.parametrize(("operation", "case"), [("addmm", "linear"), ("convolution", "conv"), ("mm", "linear")])
def test_integers_show_tf32(operation: str, case: str, device: str) -> None:
    """Eleven bits of a result stand for those of its factors: small integers have no more, those of a device have."""
    with faulty(**{operation: changed(tf32)}):
        _, exact = judged(case, device, "exact").findings
    assert exact.verdict is Verdict.FAIL and exact.blame and exact.blame.side == "reference"
    assert all(q.name.endswith(device) for q in exact.quantities if q.verdict is Verdict.FAIL)


@pytest.mark.parametrize(
    ("fault", "outcome", "side"), [("noise", "undecided", None), ("off", "different", "reference")]
)
def test_a_stranger_is_not_judged_beside_a_device_that_is_wrong(
    fault: str, outcome: str, side: str | None, device: str
) -> None:
    """With a mistake of a percent that noise would hide, and with none."""
    rng = np.random.default_rng(0)
    weight, x, y = rng.standard_normal((4, 3)), rng.standard_normal((6, 4)), rng.standard_normal((6, 3))

    def judged_with(factor: float) -> Any:
        def loss_and_gradient(x: np.ndarray, y: np.ndarray) -> tuple:
            apart = x @ weight - y
            return (apart**2).mean(), {"weight": factor * 2 * x.T @ apart / apart.size}

        net, loss = torch.nn.Linear(4, 3, bias=False), torch.nn.functional.mse_loss
        return judge(loss_and_gradient, net, x, y, loss=loss, params={"weight": weight}, device=device)

    assert judged_with(1.0).same
    change = noisy(1e-3) if fault == "noise" else changed(lambda found: found * 1.001)
    with faulty(mm=change):
        for factor in (1.0, 1.01):
            verdict = judged_with(factor)
            assert (verdict.outcome, verdict.side) == (outcome, side) and device in verdict.cause, str(verdict)
            assert fault == "off" or "the operation mm gives something else" in verdict.cause


# Nets whose layout is solved beside torch on the CPU: what the search lays between torch's tensors lies there.
MENDED = "lstm-columns:exchanged"
LAID_OUT = (
    "flat-vector/biases-last",
    "attention-layer/fused-qkv",
    "nested-checkpoint/shuffled",
    "lstm-columns/bias-last-column",
    "rnn-blog/one-matrix",
    "gru-cell/lying",
)


def judged_there(name: str, device: str) -> Any:
    call = next(truth for truth in LAYOUTS if truth.name == name).make()
    return judge(*call.arguments, **call.keywords, device=device)


@pytest.mark.parametrize("name", LAID_OUT)
def test_layouts_are_solved_as_on_the_cpu(name: str, device: str) -> None:
    verdict = judged_there(name, device)
    assert verdict.same, str(verdict)


@pytest.mark.parametrize("name", LAID_OUT[:3])
def test_what_runs_on_a_device_alone_is_not_wrong_for_want_of_a_layout(
    name: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a reference with a constant there: its layout is given, or the verdict is none."""
    monkeypatch.setattr(preparing, "on_the_cpu", lambda *given: None)
    try:
        verdict = judged_there(name, device)
    except BadCall as asked:
        assert "layout=" in str(asked)
        return
    assert (verdict.outcome, verdict.side) == ("undecided", None), str(verdict)
    assert "layout= for" in str(verdict) and f"runs on {device} alone" in verdict.cause


def test_a_line_and_an_edit_beside_a_device(device: str) -> None:
    """What torch computes on the way is looked at on the CPU, where a fused cell is taken apart."""
    call = next(truth for truth in TRUTH if truth.name == MENDED).make()
    there, here = (judge(*call.arguments, **call.keywords, device=place) for place in (device, "cpu"))
    assert there.place.line == here.place.line and there.place.line is not None
    assert "comparisons agree" in str(here) and dict(there.lines)["edit"] == dict(here.lines)["edit"]


def test_a_float64_device_is_held_to_float64(device: str) -> None:
    with faulty(addmm=changed(lambda found: found.float().to(found.dtype))):
        (found,) = judged("catcar-mlp", device, dtype="float64").findings
    assert found.blame and found.blame.side == "reference"


def test_tanh_within_a_fused_cell_is_within_the_floors(device: str) -> None:
    """One kernel on the device shows none of them: the CPU, on which they are seen, says how far they may move."""
    saturated = replace(CASES["activity-lstm"], name="activity-lstm")
    assert battery.run(saturated, "float64", device, checks=[ON_DEVICE, CHECKS_BY_NAME["extremes"]]).passed
