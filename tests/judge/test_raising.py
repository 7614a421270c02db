"""What raises is placed: the module that gives the wrong shape before it, or the one that raises."""

from typing import Any

import pytest

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.pairs import PAIRS
from twofold.reference.recurrent import ResetFirstGRU


def found(pair: str, check: str) -> Finding:
    (finding,) = battery.run(PAIRS[pair].case(), "float64", checks=[CHECKS_BY_NAME[check]]).findings
    assert finding.verdict is Verdict.FAIL
    return finding


def told(finding: Finding) -> tuple[Any, ...]:
    where = finding.first_divergence
    return where and (where.stage, where.module), finding.blame and finding.blame.side


def test_the_module_that_gives_another_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.ReLU, "forward", "x.dtype), x)", "x.dtype), x[1:])")
    assert told(found("fc-net", "forward"))[0] == ("forward", "relu1")


def test_the_module_that_raises_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.MaxPool2d, "forward", "def forward(self, x: Array) -> Array:", RAISES)
    finding = found("mnist-cnn", "forward")
    assert told(finding) == (("forward", "pool"), "scratch")
    assert "ValueError: no images" in finding.reason


def test_the_module_that_raises_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "def backward(self, dout: Array) -> Array:", RAISES_BACKWARD)
    assert told(found("catcar-mlp", "gradient")) == (("backward", "tanh2"), "scratch")


def test_the_module_that_sends_back_another_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    right = scratch.Linear.backward
    monkeypatch.setattr(scratch.Linear, "backward", lambda self, dout: right(self, dout)[:, 1:])
    assert told(found("catcar-mlp", "gradient")) == (("backward", "fc2"), "scratch")


def test_a_reference_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, ResetFirstGRU, "forward", "outs = []", 'raise ValueError("no gates")')
    assert told(found("activity-reset-first-gru", "forward")) == (("forward", "recurrent"), "reference")


def test_what_raises_beside_the_passes_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Adam, "step", STEP, RAISES_IN_STEP)
    assert told(found("mnist-cnn", "optimizer")) == (None, "scratch")


RAISES = 'def forward(self, x: Array) -> Array:\n    raise ValueError("no images")'
RAISES_BACKWARD = 'def backward(self, dout: Array) -> Array:\n    raise ValueError("no slope")'
STEP = "def step(self, closure: Callable[[], Any] | None = None) -> Any:"
RAISES_IN_STEP = STEP + '\n    raise ValueError("no state")'
