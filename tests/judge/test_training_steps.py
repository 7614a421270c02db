"""Steps that a short look does not see: late ones, an epoch's short last batch, a second stage's first."""

import pytest

from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.evidence import resync
from twofold.compare.judge.evidence.resync import few_steps, trained_steps
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Finding, Verdict
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import Scratch
from twofold.scratch.optim import Optimizer


def findings(pair: str, *checks: str) -> list[Finding]:
    return list(battery.run(PAIRS[pair].case(), "float64", checks=[CHECKS_BY_NAME[name] for name in checks]).findings)


@pytest.mark.parametrize("begins", [21, 30, 41])
def test_a_fault_of_late_steps_is_placed(begins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of the first 20 shows it; the free run leaves its envelope, and the step is looked for."""
    late = f"p -= denominator * (1.01 if step >= {begins} else 1)"
    plant(monkeypatch, scratch.Adam, "update", "p -= denominator", late)
    early, curve = findings("mnist-cnn", "resync", "curve")
    assert early.verdict is Verdict.PASS
    assert curve.verdict is Verdict.FAIL
    where = curve.first_divergence
    assert where == Divergence("update", "conv1", begins, "conv1.weight")
    assert curve.blame and curve.blame.side == "scratch"


def test_a_late_gradient_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backward pass that goes wrong with its 25th call, with the module that it is in."""
    right = "return dout * (1 - out * out)"
    counted = "self.calls = vars(self).get('calls', 0) + 1"
    plant(monkeypatch, scratch.Tanh, "backward", right, f"{counted}\n    {right} * (1.01 if self.calls == 25 else 1)")
    early, curve = findings("catcar-mlp", "resync", "curve")
    assert early.verdict is Verdict.PASS
    where = curve.first_divergence
    assert where and (where.stage, where.step) == ("backward", 25)
    assert curve.blame and curve.blame.side == "scratch"


# What is planted where, and the step in which training by train_step differs first.
STEPS = {
    "a short batch divided by the full one": (
        "mnist-cnn",
        scratch.CrossEntropyLoss,
        "backward",
        "self.spread(dloss, len(dx))",
        "self.spread(dloss, vars(self).setdefault('first', len(dx)))",
        3,
    ),
    "a short batch's loss over the full one": (
        "mnist-cnn",
        scratch.CrossEntropyLoss,
        "forward",
        "return self.reduce(",
        "return len(x) / vars(self).setdefault('first', len(x)) * self.reduce(",
        3,
    ),
    "a state that outlives its optimizer": (
        "trigram-lm",
        Optimizer,
        "__init__",
        "{name: {} for name in self.parameters}",
        "{name: vars(p).setdefault('kept', {}) for name, p in self.parameters.items()}",
        5,
    ),
    "a short last chunk dropped": (
        "notmnist-mlp",
        Scratch,
        "_chunks",
        "range(0, records, self.chunk)",
        "range(0, records // self.chunk * self.chunk, self.chunk)",
        1,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_what_training_alone_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, owner, method, right, wrong, step = STEPS[name]
    plant(monkeypatch, owner, method, right, wrong)
    with few_steps():
        (found,) = findings(pair, "resync")
    assert found.verdict is Verdict.FAIL
    where = found.first_divergence
    assert where and (where.stage, where.step) == ("train_step", step)
    assert found.blame and found.blame.side == "scratch"


def test_five_steps_with_a_short_one_and_a_second_stage() -> None:
    """The recipe's where it has one: other arguments, and nothing of the first one's state."""
    trial = Trial(PAIRS["activity-rnn"].case(), "float64")
    with few_steps():
        steps = trained_steps(trial)
    sizes = [len(step.start.target) for step in steps]
    assert len(steps) == 5 and sizes[2] < sizes[0] == sizes[1] == sizes[3] == sizes[4]
    assert [any(step.start.optimizer_state.values()) for step in steps] == [False, True, True, True, False]
    assert resync.stage_of(trial).arguments == {
        **trial.case.optimizer.arguments,  # type: ignore[union-attr]
        **(PAIRS["activity-rnn"].recipe.second_stage or {}),
    }
