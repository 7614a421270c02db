"""What both sides share, and no comparison sees: each fault is planted, and the test that holds its code must fail."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.judge.planting import plant
from tests.training.small import SIDES, VALIDATED, Silent, at_check_size, training
from twofold.compare.sides import Reference, Scratch
from twofold.compare.training import metrics, train
from twofold.compare.training.metrics import METRICS
from twofold.compare.training.train import Training, evaluate
from twofold.scratch.module import Array


class Stands(Silent):
    """Remembers the weights and the number of records of each epoch as it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[dict[str, Array]] = []

    def epoch(self, run: Training) -> None:
        self.weights.append(run.side.state())


def assert_second_stage_from_the_best(backend: str) -> None:
    """Stopped two epochs after the best, the second stage begins from the best, not from the last, and once."""
    run, stands = training(backend, dataset=VALIDATED, patience=2, second_stage={"lr": 1e-5}), Stands()
    run.run(9, stands)
    best = 1 + int(np.argmin(run.epochs["validation_loss"][: run.stopped]))
    assert run.stopped == best + 2 < run.done
    begins, kept = stands.weights[run.stopped - 1], stands.weights[best - 1]
    assert all((begins[name] == kept[name]).all() for name in kept), "the second stage begins from other weights"
    steps = (run.done - run.stopped) * run.steps_an_epoch
    assert int(run.side.optimizer_state()["fc1.weight"].get("step", 0)) == steps, (
        "the second stage begins more than once"
    )


def assert_restored(backend: str) -> None:
    """A training that is taken up from its checkpoint stands with the weights of its best epoch."""
    run, again = (training(backend, dataset=VALIDATED, patience=2) for _ in range(2))
    run.run(9, Silent())
    again.restore(run.checkpoint())
    found, best, last = again.side.state(), run.side.state(), run.last
    assert any((last[name] != best[name]).any() for name in best)
    assert all((found[name] == best[name]).all() for name in best), "restored with other weights"


def drawn(backend: str) -> list[Array]:
    """What a step gives for one batch, whose weights stand still, four steps in a row."""
    run = at_check_size("fc-net-dropout", backend)
    run.side.step = lambda: None  # type: ignore[method-assign]
    run.batch = lambda step, whole=run.batch: whole(0)  # type: ignore[method-assign, misc]
    outs: list[Array] = []
    run.side.train_step = spied(run.side.train_step, outs)  # type: ignore[method-assign]
    for _ in range(4):
        run.one_step()
        run.step_in_epoch = 0
    return outs


def spied(step: Callable[..., Any], outs: list[Array]) -> Callable[..., Any]:
    def stepped(x: Array, target: Array) -> Any:
        loss, out = step(x, target)
        outs.append(np.array(out))
        return loss, out

    return stepped


def assert_drawn_anew(backend: str) -> None:
    """Dropout draws other masks in every step, and the same again in another training of this seed."""
    first, again = drawn(backend), drawn(backend)
    np.testing.assert_array_equal(first, again, err_msg="another training draws others")
    distinct = {out.tobytes() for out in first}
    assert len(distinct) == len(first), "a step draws what another drew"


def assert_penalised(backend: str) -> None:
    """The loss of evaluation and of a step is the criterion's, and half of reg times the weights' squares."""
    run = at_check_size("sparse-autoencoder", backend)
    state, inputs, target = run.side.state(), *run.batch(0)
    squares = sum(float((array**2).sum()) for name, array in state.items() if array.ndim > 1)
    added = run.pair.penalty.arguments["reg"] / 2 * squares  # type: ignore[union-attr]
    run.side.forward((inputs,))
    penalty, run.side.penalty = run.side.penalty, None
    plain = float(run.side.loss(target))
    run.side.penalty = penalty
    told = evaluate(run.pair, run.side, replace(run.dataset.train, inputs=inputs, targets=target))["loss"]
    assert told == pytest.approx(plain + added, rel=1e-12), "evaluated without its penalty"
    run.side.train()
    assert run.side.train_step(inputs, target)[0] == pytest.approx(plain + added, rel=1e-12), "trained without it"


# Each metric of five records, by hand.
LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 3.5], [0.5, 0.0], [-1.0, 1.0]])
CLASSES = np.array([0, 1, 0, 0, 0])
WAVES, AIMS = np.array([[0.5, 9.0], [-1.0, 9.0], [2.0, 9.0], [0.25, 9.0]]), np.array([[1.0], [1.0], [2.0], [-1.0]])
BY_HAND = {
    "accuracy": (LOGITS, CLASSES, 60.0),
    "sign_accuracy": (WAVES[:, :1], AIMS, 50.0),
    "mse": (WAVES[:, :1], AIMS, (0.25 + 4 + 0 + 1.5625) / 4),
    "reconstruction_mse": (WAVES, AIMS, (0.25 + 4 + 0 + 1.5625) / 4),
    "cross_entropy": (LOGITS, CLASSES, float(np.mean(np.log1p(np.exp([-2.0, -1.0, 0.5, -0.5, 2.0]))))),
}


def assert_metrics() -> None:
    """By hand, and as often as it may be counted the same: a mean over records."""
    assert BY_HAND.keys() == METRICS.keys()
    for name, (out, target, value) in BY_HAND.items():
        told = getattr(metrics, METRICS[name].__name__)
        assert told(out, target) == pytest.approx(value, rel=1e-14), f"{name} is another"
        thrice = told(np.tile(out, (3, 1)), np.concatenate([target] * 3))
        assert thrice == pytest.approx(value, rel=1e-14), f"{name} is another"


def of_both(holds: Callable[[str], None]) -> Callable[[], None]:
    def held() -> None:
        for side in SIDES:
            holds(side)

    return held


HOLDS: dict[str, Callable[[], None]] = {
    "second stage": of_both(assert_second_stage_from_the_best),
    "restored": of_both(assert_restored),
    "draws": of_both(assert_drawn_anew),
    "penalty": of_both(assert_penalised),
    "metrics": assert_metrics,
}
# What holds it, where it is planted, and what is said.
PLANTED: dict[str, tuple[str, Any, str, str, str, str]] = {
    "a second stage from the last weights": (
        "second stage",
        Training,
        "end_epoch",
        "if self.best:\n            self.side.load(self.best)",
        "if self.best:\n            pass",
        "begins from other weights",
    ),
    "a second stage that begins in every epoch": (
        "second stage",
        Training,
        "end_epoch",
        "self.stopped == self.done",
        "self.stopped is not None",
        "begins more than once",
    ),
    "a training restored with its last weights": (
        "restored",
        Training,
        "restore",
        "if self.best:",
        "if False:",
        "restored with other weights",
    ),
    "the same mask in every step": (
        "draws",
        Training,
        "_reseed",
        'len(self.steps.get("loss", []))',
        "0",
        "another drew",
    ),
    "the same masks in every epoch": (
        "draws",
        Training,
        "_reseed",
        'len(self.steps.get("loss", []))',
        "self.step_in_epoch",
        "another drew",
    ),
    "masks that no seed decides": (
        "draws",
        train,
        "draws",
        'return any("rng" in',
        'return False and any("rng" in',
        "draws others",
    ),
    "masks of torch that no seed decides": (
        "draws",
        train,
        "draws",
        "return any(isinstance(",
        "return False and any(isinstance(",
        "draws others",
    ),
    "an evaluation without the penalty": (
        "penalty",
        Reference,
        "evaluate",
        "self._objective(out, self.tensor(target))",
        "self.criterion(out, self.tensor(target))",
        "evaluated without",
    ),
    "scratch's evaluation without the penalty": (
        "penalty",
        Scratch,
        "evaluate",
        "self._objective(out, target)",
        "self.criterion(out, target)",
        "evaluated without",
    ),
    "a step's loss without the penalty": (
        "penalty",
        Scratch,
        "train_step",
        "losses.append(self.penalty.forward())",
        "pass",
        "trained without",
    ),
    "a metric that sums": ("metrics", metrics, "cross_entropy", "np.mean(", "np.sum(", "cross_entropy is another"),
    "an error that sums": ("metrics", metrics, "mse", "np.mean(", "np.sum(", "mse is another"),
    "an error of other columns": (
        "metrics",
        metrics,
        "reconstruction_mse",
        "out[:, : target.shape[1]]",
        "out[:, -target.shape[1] :]",
        "reconstruction_mse is another",
    ),
}


@pytest.mark.parametrize("name", HOLDS)
def test_shared_code_holds(name: str) -> None:
    HOLDS[name]()


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_of_shared_code_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holds, owner, method, right, wrong, told = PLANTED[name]
    plant(monkeypatch, owner, method, right, wrong)
    with pytest.raises(AssertionError, match=told):
        HOLDS[holds]()
