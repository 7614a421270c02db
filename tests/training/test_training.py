"""Training by script, and the code that both sides share: order, batches, metrics, epoch means, early stopping."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.judge.planting import plant
from tests.training.small import SIDES, SMALL, STAGES, VALIDATED, Silent, small_pair, tokens, training
from twofold.compare.data import DataError, Split, load
from twofold.compare.pair import Recipe
from twofold.compare.pairs import PAIRS
from twofold.compare.training import checkpoint, train
from twofold.compare.training.metrics import METRICS
from twofold.compare.training.train import Configuration, Training, evaluate, first_stop
from twofold.scratch.module import Array

# Steps of the recipe after which the embedded data is clearly learned, for the systems that are quick.
SHORT = {
    "mnist-cnn": 120,
    "sine-rnn": 200,
    "sparse-autoencoder": 400,
    "catcar-mlp": 1600,
    "trigram-lm": 1500,
    "fc-net": 100,
    "activity-lstm": 40,
    "activity-gru": 40,
    "notmnist-mlp-100": 40,
}


def test_both_backends_start_equal_and_see_the_same_batches() -> None:
    scratch, reference = (training(side, "float32") for side in SIDES)
    ours, theirs = scratch.side.state(), reference.side.state()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    for _ in range(2):
        for step in range(scratch.steps_an_epoch):
            for first, second in zip(scratch.batch(step), reference.batch(step), strict=True):
                np.testing.assert_array_equal(first, second)
        scratch.next_epoch(), reference.next_epoch()


@pytest.mark.parametrize("pair", SHORT)
def test_both_backends_draw_one_loss_curve(pair: str) -> None:
    """The first steps of the real recipe on the embedded data, in float64: to 13 digits."""
    dataset = load(PAIRS[pair].dataset, None)
    losses = []
    for side in SIDES:
        run = Training(PAIRS[pair], dataset, Configuration(pair, side, "float64", "cpu", 0, "embedded"))  # type: ignore[arg-type]
        for _ in range(6):
            if run.step_in_epoch == run.steps_an_epoch:
                run.next_epoch()
            run.one_step()
        losses.append(run.steps["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-13)


def assert_own_targets(run: Training) -> Array:
    """The inputs of an epoch, in its order."""
    inputs, targets = (np.concatenate(part) for part in zip(*map(run.batch, range(4)), strict=True))
    assert sorted(map(tuple, inputs)) == sorted(map(tuple, SMALL.train.inputs))
    np.testing.assert_array_equal(inputs.max(axis=1), targets, "targets of other records")
    return inputs


def test_every_record_once_an_epoch_with_its_own_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """F24: inputs and targets are permuted together, each epoch in another order; labels left as they are are seen."""
    run = training()
    first = assert_own_targets(run)
    run.next_epoch()
    assert not (first == assert_own_targets(run)).all()
    assert [len(run.batch(step)[1]) for step in range(4)] == [8, 8, 8, 3]
    whole = "return records(self.dataset.train, self.order[start : start + self.pair.recipe.batch], self.side)"
    unpermuted = "self.dataset.train.targets[start : start + self.pair.recipe.batch]"
    plant(monkeypatch, Training, "batch", whole, f"{whole}[0], {unpermuted}")
    with pytest.raises(AssertionError, match="targets of other records"):
        assert_own_targets(training())


def assert_mean_over_records(run: Training) -> None:
    run.run(1, Silent())
    losses = np.array(run.steps["loss"])
    mean = (8 * losses[:3].sum() + 3 * losses[3]) / 27
    assert run.over_last(4)["loss"] == pytest.approx(mean, rel=1e-15, abs=0), "no mean over records"
    assert mean != pytest.approx(losses.mean(), rel=1e-6)


def test_a_short_last_batch_counts_by_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """F33: the epoch's mean weighs each batch by its records; a short one weighted as a full one is seen."""
    assert_mean_over_records(training())
    plant(monkeypatch, Training, "over_last", 'self.steps["records"][-steps:]', "[self.pair.recipe.batch] * steps")
    with pytest.raises(AssertionError, match="no mean over records"):
        assert_mean_over_records(training())


@pytest.mark.parametrize("backend", SIDES)
def test_evaluation_counts_every_record_once_and_changes_nothing(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = training(backend)
    before = run.side.state()
    whole = evaluate(run.pair, run.side, SMALL.test)
    monkeypatch.setattr("twofold.compare.training.train.EVALUATION_BATCH", 4)  # 4, 4, 3
    parts = evaluate(run.pair, run.side, SMALL.test)
    assert parts == pytest.approx(whole, rel=1e-14)
    assert all((before[name] == value).all() for name, value in run.side.state().items())
    assert set(run.side.modes().values()) == {False}


def test_the_test_set_is_not_trained_on() -> None:
    """F28: another test set leaves weights and curves as they are."""
    first, second = training(), training(dataset=replace(SMALL, test=tokens(5, 9)))
    for run in (first, second):
        run.run(2, Silent())
    assert first.steps == second.steps
    assert first.epochs["test_loss"] != second.epochs["test_loss"]


@pytest.mark.parametrize(
    ("rules", "losses", "epoch"),
    [
        ({"stop_below": 2.0}, [3, 2.1, 2.0, 1], 3),
        ({"stop_below": 2.0}, [3, 2.1], None),
        ({"patience": 2}, [3, 2, 2.5, 2, 1], 4),
        ({"patience": 2}, [3, 2, 2.5, 1.9, 2, 1.8], None),
        ({"patience": 1, "stop_below": 0.5}, [3, 0.4, 1], 2),
        ({"patience": 2}, [np.nan, np.nan, 1], 2),
    ],
)
def test_stopping_by_hand(rules: dict, losses: list[float], epoch: int | None) -> None:
    """At or below the target; after so many epochs without a better one, an equal one being no better."""
    assert first_stop(Recipe(batch=1, epochs=9, report_steps=1, **rules), losses) == epoch


@pytest.mark.parametrize("backend", SIDES)
def test_the_best_weights_are_kept(backend: str, tmp_path: Path) -> None:
    """Those of the epoch with the lowest validation loss, in the side, in the checkpoint and in the figures."""
    run = training(backend, dataset=VALIDATED, patience=2)
    run.run(9, Silent(tmp_path / "checkpoint.h5"))
    losses = run.epochs["validation_loss"]
    assert len(losses) == run.done < 9
    assert run.kept_epoch == 1 + int(np.argmin(losses)) == run.done - 2
    assert run.validated()["validation_loss"] == min(losses)
    best = checkpoint.load(tmp_path / "checkpoint.h5").best
    assert all((best[name] == value).all() for name, value in run.side.state().items())
    assert any((run.last[name] != value).any() for name, value in best.items())


@pytest.mark.parametrize("backend", SIDES)
def test_a_second_stage_has_its_own_optimizer_and_starts_from_the_best(backend: str) -> None:
    run = training(backend, dataset=VALIDATED, **STAGES)
    while run.stopped is None:
        run.run(run.done + 1, Silent())
    assert run.done == run.stopped == run.kept_epoch
    assert not any(run.side.optimizer_state()["fc1.weight"])
    groups = getattr(run.side.optimizer, "param_groups", None)
    rate, betas = (groups[0]["lr"], groups[0]["betas"]) if groups else (run.side.optimizer.lr, run.side.optimizer.betas)
    assert (rate, betas) == (0.001, (0.5, 0.9))
    run.run(6, Silent())
    assert run.done == 6  # the rules are those of the first stage


def test_a_second_stage_needs_a_rule_and_a_rule_needs_validation() -> None:
    with pytest.raises(ValueError, match="second stage needs stop_below or patience"):
        Recipe(batch=1, epochs=1, report_steps=1, second_stage={"lr": 0.1})
    with pytest.raises(DataError, match="small: expected validation records to stop trigram-lm by, found none"):
        training(patience=1)


def mean_cross_entropy(run: Training, split: Split) -> float:
    """By hand, from the logits of a plain forward pass."""
    logits = run.side.forward((split.inputs,))
    logarithms = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(split)), split.targets]
    return float(logarithms.mean())


def assert_own_validation(run: Training) -> None:
    run.run(1, Silent())
    assert run.dataset.validation is not None
    loss = mean_cross_entropy(run, run.dataset.validation)
    assert run.epochs["validation_loss"][0] == pytest.approx(loss, rel=1e-12), "the loss of other records"


def test_validation_is_on_the_validation_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """F22: the loss is that of this data set's own validation records; that of others is seen."""
    assert_own_validation(training(dataset=VALIDATED))
    plant(monkeypatch, Training, "validated", "= self.dataset.validation", "= self.dataset.test")
    with pytest.raises(AssertionError, match="the loss of other records"):
        assert_own_validation(training(dataset=VALIDATED))


def assert_held_back(run: Training) -> None:
    assert run.dataset.validation is not None
    held = {row.tobytes() for row in run.dataset.validation.inputs}
    trained_on = {row.tobytes() for step in range(run.steps_an_epoch) for row in run.batch(step)[0]}
    assert not trained_on & held, "validation records are trained on"


def test_validation_records_are_not_trained_on() -> None:
    """F28: none is in an epoch's batches, and others leave the training as it is; one that is there is seen."""
    assert VALIDATED.validation is not None
    assert_held_back(training(dataset=VALIDATED))
    parts = VALIDATED.train, VALIDATED.validation
    both = Split(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "targets")))
    with pytest.raises(AssertionError, match="validation records are trained on"):
        assert_held_back(training(dataset=replace(VALIDATED, train=both)))
    first, second = training(dataset=VALIDATED), training(dataset=replace(VALIDATED, validation=tokens(7, 9)))
    for run in (first, second):
        run.run(2, Silent())
    assert first.steps == second.steps
    assert first.epochs["validation_loss"] != second.epochs["validation_loss"]


def assert_predicts_by_the_sum(run: Training) -> None:
    """Loss, accuracy and outputs are those of the trained model, whose embeddings are summed."""
    loss, outs = train.outputs(run.side, SMALL.train)
    figures = evaluate(run.pair, run.side, SMALL.train)
    assert figures["loss"] == loss == pytest.approx(mean_cross_entropy(run, SMALL.train), rel=1e-12)
    assert figures["accuracy"] == 100 * np.mean(outs.argmax(axis=1) == SMALL.train.targets)
    state = run.side.state()
    total = state["embedding.weight"][SMALL.train.inputs].sum(axis=1)
    hidden = 1 / (1 + np.exp(-total @ state["fc1.weight"].T - state["fc1.bias"]))
    by_hand = hidden @ state["fc2.weight"].T + state["fc2.bias"]
    np.testing.assert_allclose(outs, by_hand, 1e-10, err_msg="outputs of another model")


# Divided by three, the embeddings' sum is their mean.
AVERAGED = """state = side.state()
        side.load(state | {"embedding.weight": state["embedding.weight"] / 3})
        outs.append(side.evaluate(inputs, target)[1])
        side.load(state)"""


@pytest.mark.parametrize("backend", SIDES)
def test_evaluation_and_predictions_are_one_forward_pass(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F11: predictions are of embeddings summed as in training and in the loss; those of averaged ones are seen."""
    run = training(backend)
    run.run(3, Silent())
    assert_predicts_by_the_sum(run)
    plant(monkeypatch, train, "outputs", "outs.append(out)", AVERAGED)
    with pytest.raises(AssertionError, match="outputs of another model"):
        assert_predicts_by_the_sum(run)


def test_a_loss_that_sums_is_summed_over_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = replace(small_pair(), loss=small_pair().loss.given(reduction="sum"))
    run = Training(pair, SMALL, training().configuration)
    whole = evaluate(pair, run.side, SMALL.test)["loss"]
    monkeypatch.setattr("twofold.compare.training.train.EVALUATION_BATCH", 4)
    assert evaluate(pair, run.side, SMALL.test)["loss"] == pytest.approx(whole, rel=1e-14)
    assert whole == pytest.approx(11 * mean_cross_entropy(run, SMALL.test), rel=1e-12)


BY_HAND = [
    ("accuracy", [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], [1, 0, 0, 0], 75.0),
    ("sign_accuracy", [[0.5], [-0.2], [0.0], [-1.0]], [[1.0], [1.0], [1.0], [-1.0]], 50.0),
    ("mse", [[1.0], [3.0]], [[0.0], [1.0]], 2.5),
]


@pytest.mark.parametrize(("name", "out", "target", "value"), BY_HAND, ids=[row[0] for row in BY_HAND])
def test_metric_by_hand(name: str, out: list, target: list, value: float) -> None:
    assert METRICS[name](np.array(out), np.array(target)) == value


@pytest.mark.parametrize("pair", SHORT)
def test_the_embedded_data_is_learned(pair: str) -> None:
    """From scratch, in the recipe's first steps: the mean loss of the last tenth falls well below that of the start."""
    steps = SHORT[pair]
    spec = PAIRS[pair]
    run = Training(
        spec, load(spec.dataset, None), Configuration(pair, "scratch", "float32", "cpu", spec.recipe.seed, "embedded")
    )
    for _ in range(steps):
        if run.step_in_epoch == run.steps_an_epoch:
            run.next_epoch()
        run.one_step()
    first, last = np.mean(run.steps["loss"][:5]), np.mean(run.steps["loss"][-steps // 10 :])
    assert last < 0.9 * first


@pytest.mark.parametrize("backend", SIDES)
def test_figures_are_those_after_the_epoch_in_evaluation_mode(backend: str) -> None:
    """Of the weights as they then stand, on the first records: not the means of what was seen on the way."""
    run = training(backend)
    run.pair = replace(run.pair, recipe=replace(run.pair.recipe, measured=5))
    run.run(1, Silent())
    assert run.epochs["train_loss"] == [evaluate(run.pair, run.side, run.dataset.train.first(5))["loss"]]
    assert run.epochs["train_loss"][0] != pytest.approx(run.over_last(4)["loss"], rel=1e-3)


@pytest.mark.parametrize("backend", SIDES)
def test_evaluating_within_an_epoch_changes_nothing(backend: str) -> None:
    plain, often = (training(backend, dataset=VALIDATED) for _ in range(2))
    plain.run(2, Silent())
    often.run(2, Silent(), every=3)
    assert often.within["step"] == [3, 6]
    assert len(often.within["train_loss"]) == len(often.within["validation_loss"]) == 2
    assert plain.steps == often.steps and plain.within == {}
    for name, weight in plain.side.state().items():
        np.testing.assert_array_equal(weight, often.side.state()[name])


@pytest.mark.parametrize("backend", SIDES)
def test_the_first_records_alone_are_trained_on(backend: str) -> None:
    run = training(backend, records=10)
    assert run.steps_an_epoch == 2
    seen = np.concatenate([run.batch(step)[0] for step in range(2)])
    assert sorted(map(tuple, seen)) == sorted(map(tuple, SMALL.train.inputs[:10]))
    assert len(training(backend, records=1000).dataset.train) == 27, "all where there are fewer"


def test_the_wave_is_learned_by_weights_by_fan_in_alone() -> None:
    """After 12 epochs the published weights know no more than the mean: the error is the wave's variance, a half."""
    error = {}
    for pair in ("sine-rnn", "sine-rnn-fan-in"):
        configuration = Configuration(pair, "scratch", "float64", "cpu", 0, "embedded")
        run = Training(PAIRS[pair], load("sine", None), configuration)
        run.run(12, Silent())
        error[pair] = run.epochs["train_mse"][-1]
    assert error["sine-rnn"] == pytest.approx(0.5, rel=0.05)
    assert error["sine-rnn-fan-in"] < 0.02
