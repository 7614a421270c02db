"""What a waiver sets aside, and what it does not: other failures, and its own tensor where that is wrong."""

import numpy as np
import pytest

from tests.judge.planting import plant
from tests.judge.verdicts import quantity
from twofold.compare.errors import BadInput
from twofold.compare.judge.battery import examined, run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.checks.waivers import waived
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Finding, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pairs import PAIRS
from twofold.scratch import Conv2d, Sequential


def test_waivers() -> None:
    finding = Finding("curve", Verdict.FAIL, (quantity("a", Verdict.FAIL), quantity("b", Verdict.PASS)))
    excused = waived(finding, {"curve: a": "a bias in front of a norm"})
    assert excused.verdict is Verdict.PASS
    assert excused.quantities[0].verdict is Verdict.NOT_APPLICABLE
    assert "a bias in front of a norm" in excused.quantities[0].reason
    assert waived(finding, {"forward": "elsewhere"}) == finding
    stale = waived(finding, {"curve: a": "needed", "curve: b": "not needed"})
    assert stale.verdict is Verdict.FAIL
    assert stale.quantities[-1].reason == "this waiver is no longer needed"


def test_a_waiver_of_no_check_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(BadInput, match="gradeint"):
        run(replace(LAYERS[0], waivers={"gradeint": "misspelt"}), "float64")


def test_a_waiver_covers_rounding_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Conv2d, "add_bias_gradient", "dlines.sum(axis=2)", "(dlines.sum(axis=2) + 1)")
    finding = examined(Trial(PAIRS["bn-convnet"].case(), "float64"), CHECKS_BY_NAME["gradient"])
    assert {q.name for q in finding.quantities if q.verdict is Verdict.FAIL} >= {"conv1.bias", "conv2.bias"}
    assert finding.first_divergence == Divergence("backward", "conv3")
    assert finding.blame and finding.blame.side == "scratch"


def test_a_waived_tensor_hides_no_fault_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam makes a whole step of rounding in a gradient that is zero."""
    plant(monkeypatch, Conv2d, "add_bias_gradient", "dlines.sum(axis=2)", "(dlines.sum(axis=2) + 1e-14)")
    monkeypatch.setattr(Sequential, "accumulate", lambda self, dout: self.backward(dout / 2))
    resync = examined(Trial(PAIRS["bn-convnet"].case(), "float64"), CHECKS_BY_NAME["resync"])
    assert {q.verdict for q in resync.quantities} >= {Verdict.FAIL, Verdict.NOT_APPLICABLE}
    assert resync.first_divergence == Divergence("train_step", "conv1", 1, "conv1.weight")


def test_a_waived_tensor_is_not_where_a_fault_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what it is blamed by: in the backward pass the waived biases of conv3 and conv2 come before conv1."""
    plant(monkeypatch, Conv2d, "add_bias_gradient", "dlines.sum(axis=2)", "(dlines.sum(axis=2) + 1e-13)")
    back = Conv2d.backward

    def of_the_first_wrong(self: Conv2d, dout: np.ndarray) -> np.ndarray:
        dx = back(self, dout)
        if self.out_channels == 3:
            self.weight.grad += 1e-3
        return dx

    monkeypatch.setattr(Conv2d, "backward", of_the_first_wrong)
    found = run(PAIRS["bn-convnet"].case(), "float64", checks=[CHECKS_BY_NAME[name] for name in ("gradient", "resync")])
    for finding, step in zip(found.findings, (None, 1), strict=True):
        assert finding.first_divergence == Divergence("backward", "conv1", step)
        assert finding.blame and finding.blame.side == "scratch"
