"""Training by script, and the code that both sides share: order, batches, metrics, epoch means, checkpoints."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import checkpoint
from compare.data import DataError, Dataset, Split, load
from compare.metrics import METRICS
from compare.pair import Pair, Recipe, Twin
from compare.pairs import PAIRS
from compare.train import Configuration, Training, evaluate, first_stop, outputs

SIDES = ("scratch", "reference")


class Silent:
    """A watcher that saves every epoch, or stops the training after some steps."""

    def __init__(self, path: Path | None = None, steps: int | None = None) -> None:
        self.path, self.steps = path, steps

    def step(self, training: Training) -> None:
        if self.steps is not None and len(training.steps["loss"]) == self.steps:
            raise KeyboardInterrupt

    def epoch(self, training: Training) -> None:
        if self.path:
            training.save(self.path)


def tokens(count: int, seed: int, words: int = 250) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, words, (count, 3))
    return Split(inputs, inputs.max(axis=1))


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

# 27 records in batches of 8: three whole ones and a short one.
SMALL = Dataset("small", "embedded", tokens(27, 0), None, tokens(11, 1), ())
ADAM = Twin("scratch:Adam", "torch.optim:Adam", {"lr": 0.004})


# With few words there is something to learn: the validation loss falls, and rises again later.
VALIDATED = Dataset("small", "embedded", tokens(27, 0, 12), tokens(9, 2, 12), tokens(11, 1, 12), ())


def small_pair(**rules: Any) -> Pair:
    recipe = Recipe(batch=8, epochs=2, report_steps=3, **rules)
    return replace(PAIRS["trigram-lm"], recipe=recipe, optimizer=ADAM)


def training(
    backend: str = "scratch", dtype: str = "float64", seed: int = 0, dataset: Dataset = SMALL, **rules: Any
) -> Training:
    configuration = Configuration("trigram-lm", backend, dtype, "cpu", seed, "embedded")  # type: ignore[arg-type]
    return Training(small_pair(**rules), dataset, configuration)


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


def test_every_record_once_an_epoch_with_its_own_target() -> None:
    """F24: inputs and targets are permuted together; and each epoch in another order."""
    run = training()
    orders = []
    for _ in range(2):
        inputs, targets = (np.concatenate(part) for part in zip(*map(run.batch, range(4)), strict=True))
        np.testing.assert_array_equal(inputs.max(axis=1), targets)
        assert sorted(map(tuple, inputs)) == sorted(map(tuple, SMALL.train.inputs))
        orders.append(inputs)
        run.next_epoch()
    assert not (orders[0] == orders[1]).all()
    assert [len(run.batch(step)[1]) for step in range(4)] == [8, 8, 8, 3]


def test_a_short_last_batch_counts_by_its_records() -> None:
    """F33: the epoch's mean weighs each batch by its records."""
    run = training()
    run.run(1, Silent())
    losses = np.array(run.steps["loss"])
    assert run.epochs["train_loss"][0] == pytest.approx((8 * losses[:3].sum() + 3 * losses[3]) / 27, rel=1e-15)
    assert run.epochs["train_loss"][0] != pytest.approx(losses.mean(), rel=1e-6)


@pytest.mark.parametrize("backend", SIDES)
def test_evaluation_counts_every_record_once_and_changes_nothing(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = training(backend)
    before = run.side.state()
    whole = evaluate(run.pair, run.side, SMALL.test)
    monkeypatch.setattr("compare.train.EVALUATION_BATCH", 4)  # 4, 4, 3
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


@pytest.mark.parametrize("backend", SIDES)
@pytest.mark.parametrize("stop_after", [2, 4, 6])
def test_resuming_goes_on_as_if_there_had_been_no_stop(backend: str, stop_after: int, tmp_path: Path) -> None:
    """Stopped within an epoch and between two: the same figures and weights bit for bit."""
    path = tmp_path / "checkpoint.h5"
    whole, stopped, resumed = (training(backend, "float32") for _ in range(3))
    whole.run(3, Silent())
    with pytest.raises(KeyboardInterrupt):
        stopped.run(3, Silent(path, stop_after))
    stopped.save(path)
    resumed.resume(path)
    resumed.run(3, Silent())
    assert resumed.steps == whole.steps
    for name in ("train_loss", "test_loss", "test_accuracy"):
        assert resumed.epochs[name] == whole.epochs[name]
    expected = whole.side.state()
    assert all((expected[name] == value).all() for name, value in resumed.side.state().items())


STAGES = {"stop_below": 3.2, "second_stage": {"lr": 0.001, "betas": (0.5, 0.9)}}


@pytest.mark.parametrize("backend", SIDES)
@pytest.mark.parametrize("rules", [STAGES, {"patience": 2}], ids=["two stages", "patience"])
@pytest.mark.parametrize("stop_after", [6, 8, 9, 17])
def test_resuming_keeps_stages_and_the_best_weights(backend: str, rules: dict, stop_after: int, tmp_path: Path) -> None:
    """Bit for bit: stopped in the first stage, between the two and in the second, and saved once more at the end."""
    path = tmp_path / "checkpoint.h5"
    whole, stopped, resumed, longer = (training(backend, "float32", dataset=VALIDATED, **rules) for _ in range(4))
    whole.run(6, Silent())
    assert whole.stopped == (2 if "stop_below" in rules else 5)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(6, Silent(path, stop_after))
    stopped.save(path)
    resumed.resume(path)
    resumed.run(5, Silent())
    resumed.save(path)  # while the best weights stand in the place of the last
    longer.resume(path)
    longer.run(6, Silent())
    assert longer.steps == whole.steps
    assert longer.epochs["validation_loss"] == whole.epochs["validation_loss"]
    assert longer.kept_epoch == whole.kept_epoch
    for expected, found in ((whole.side.state(), longer.side.state()), (whole.last, longer.last)):
        assert all((expected[name] == value).all() for name, value in found.items())
    expected, found = whole.side.optimizer_state(), longer.side.optimizer_state()
    assert all((expected[name][key] == value).all() for name in found for key, value in found[name].items())


@pytest.mark.parametrize("backend", SIDES)
def test_resuming_right_after_the_first_stage(backend: str, tmp_path: Path) -> None:
    whole, stopped, resumed = (training(backend, "float32", dataset=VALIDATED, **STAGES) for _ in range(3))
    whole.run(4, Silent())
    stopped.run(2, Silent())
    stopped.save(tmp_path / "checkpoint.h5")
    resumed.resume(tmp_path / "checkpoint.h5")
    resumed.run(4, Silent())
    assert resumed.steps == whole.steps
    assert resumed.epochs["validation_loss"] == whole.epochs["validation_loss"]


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


def validates_its_own_records(run: Training) -> bool:
    run.run(1, Silent())
    assert run.dataset.validation is not None
    return bool(np.isclose(run.epochs["validation_loss"][0], mean_cross_entropy(run, run.dataset.validation), 1e-12))


class ValidatesAnotherSet(Training):
    """F22."""

    def validated(self) -> dict[str, float]:
        return {f"validation_{k}": v for k, v in evaluate(self.pair, self.side, self.dataset.test).items()}


def test_validation_is_on_the_validation_records() -> None:
    """F22: the loss is that of this data set's own validation records; planted, it is seen."""
    run = training(dataset=VALIDATED)
    assert validates_its_own_records(run)
    assert not validates_its_own_records(ValidatesAnotherSet(run.pair, VALIDATED, run.configuration))


def trained_on(run: Training) -> set[bytes]:
    return {row.tobytes() for step in range(run.steps_an_epoch) for row in run.batch(step)[0]}


def test_validation_records_are_not_trained_on() -> None:
    """F28: none is in an epoch's batches, and others leave the training as it is; planted, it is seen."""
    assert VALIDATED.validation is not None
    held = {row.tobytes() for row in VALIDATED.validation.inputs}
    assert not trained_on(training(dataset=VALIDATED)) & held
    parts = VALIDATED.train, VALIDATED.validation
    both = Split(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "targets")))
    assert trained_on(training(dataset=replace(VALIDATED, train=both))) >= held
    first, second = training(dataset=VALIDATED), training(dataset=replace(VALIDATED, validation=tokens(7, 9)))
    for run in (first, second):
        run.run(2, Silent())
    assert first.steps == second.steps
    assert first.epochs["validation_loss"] != second.epochs["validation_loss"]


@pytest.mark.parametrize("backend", SIDES)
def test_evaluation_and_predictions_are_one_forward_pass(backend: str) -> None:
    """F11: accuracy is that of the trained model's outputs, embeddings summed as in training, not averaged."""
    run = training(backend)
    run.run(3, Silent())
    loss, outs = outputs(run.side, SMALL.train)
    figures = evaluate(run.pair, run.side, SMALL.train)
    assert figures["loss"] == loss == pytest.approx(mean_cross_entropy(run, SMALL.train), rel=1e-12)
    assert figures["accuracy"] == 100 * np.mean(outs.argmax(axis=1) == SMALL.train.targets)
    state = run.side.state()
    hidden = 1 / (
        1
        + np.exp(-state["embedding.weight"][SMALL.train.inputs].sum(axis=1) @ state["fc1.weight"].T - state["fc1.bias"])
    )
    np.testing.assert_allclose(outs, hidden @ state["fc2.weight"].T + state["fc2.bias"], rtol=1e-10)


def test_a_loss_that_sums_is_summed_over_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = replace(small_pair(), loss=small_pair().loss.given(reduction="sum"))
    run = Training(pair, SMALL, training().configuration)
    whole = evaluate(pair, run.side, SMALL.test)["loss"]
    monkeypatch.setattr("compare.train.EVALUATION_BATCH", 4)
    assert evaluate(pair, run.side, SMALL.test)["loss"] == pytest.approx(whole, rel=1e-14)
    assert whole == pytest.approx(11 * mean_cross_entropy(run, SMALL.test), rel=1e-12)


DROPOUT = Twin(
    "scratch.models.fc_net:FCNet", "reference.models.fc_net:FCNet", {"inputs": 3, "hidden": (9,), "keep": 0.5}
)


@pytest.mark.parametrize("backend", SIDES)
def test_resuming_draws_the_same_masks(backend: str, tmp_path: Path) -> None:
    """Dropout's masks hang on the seed and the step alone."""
    inputs = np.random.default_rng(0).standard_normal((12, 3))
    split = Split(inputs, np.arange(12) % 10)
    pair = replace(small_pair(), name="masks", model=DROPOUT)
    configuration = Configuration("masks", backend, "float64", "cpu", 0, "embedded")  # type: ignore[arg-type]
    whole, stopped, resumed = (
        Training(pair, Dataset("masks", "embedded", split, None, split, ()), configuration) for _ in range(3)
    )
    whole.run(2, Silent())
    with pytest.raises(KeyboardInterrupt):
        stopped.run(2, Silent(steps=3))
    stopped.save(tmp_path / "checkpoint.h5")
    resumed.resume(tmp_path / "checkpoint.h5")
    resumed.run(2, Silent())
    assert resumed.steps == whole.steps


def test_resuming_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    training(seed=1).save(path)
    with pytest.raises(DataError, match=r"checkpoint.h5: expected seed 2, found 1"):
        training(seed=2).resume(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "found no file"), (b"not HDF5", "found"), (b"\x89HDF\r\n\x1a\n" + bytes(100), "found")],
)
def test_a_file_that_is_no_checkpoint_is_one_line(content: bytes | None, found: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"checkpoint.h5: expected a checkpoint.*{found}") as error:
        checkpoint.load(path)
    assert "\n" not in str(error.value)


def test_a_checkpoint_is_put_in_place_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way leaves the old checkpoint as it was."""
    path = tmp_path / "checkpoint.h5"
    run = training()
    run.save(path)
    before = path.read_bytes()
    run.one_step()
    monkeypatch.setattr("compare.checkpoint.os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        run.save(path)
    assert path.read_bytes() == before


def test_a_checkpoint_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    run = training()
    run.run(1, Silent(path))
    stored = checkpoint.load(path)
    assert stored.weights.keys() == stored.optimizer.keys() == run.side.state().keys()
    assert set(stored.optimizer["fc1.weight"]) == {"step", "exp_avg", "exp_avg_sq"}
    assert stored.position["epoch"] == 1
    assert stored.configuration["backend"] == "scratch"
    assert stored.steps == run.steps
    assert stored.epochs == run.epochs
    assert stored.generator == run.epoch_generator


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
