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
from compare.train import Configuration, Training, evaluate

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


def tokens(count: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 250, (count, 3))
    return Split(inputs, inputs.max(axis=1))


# 27 records in batches of 8: three whole ones and a short one.
SMALL = Dataset("small", "embedded", tokens(27, 0), None, tokens(11, 1), ())
ADAM = Twin("scratch:Adam", "torch.optim:Adam", {"lr": 0.01})


def small_pair(**changes: Any) -> Pair:
    recipe = Recipe(batch=8, epochs=2, report_steps=3)
    return replace(PAIRS["trigram-lm"], recipe=recipe, optimizer=ADAM, **changes)


def training(backend: str = "scratch", dtype: str = "float64", seed: int = 0, dataset: Dataset = SMALL) -> Training:
    configuration = Configuration("trigram-lm", backend, dtype, "cpu", seed, "embedded")  # type: ignore[arg-type]
    return Training(small_pair(), dataset, configuration)


def test_both_backends_start_equal_and_see_the_same_batches() -> None:
    scratch, reference = (training(side, "float32") for side in SIDES)
    ours, theirs = scratch.side.state(), reference.side.state()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    for _ in range(2):
        for step in range(scratch.steps_an_epoch):
            for first, second in zip(scratch.batch(step), reference.batch(step), strict=True):
                np.testing.assert_array_equal(first, second)
        scratch.next_epoch(), reference.next_epoch()


@pytest.mark.parametrize("pair", PAIRS)
def test_both_backends_draw_one_loss_curve(pair: str) -> None:
    """The first steps of the real recipe on the embedded data, in float64: to 13 digits."""
    dataset = load(PAIRS[pair].dataset, None)
    losses = []
    for side in SIDES:
        run = Training(PAIRS[pair], dataset, Configuration(pair, side, "float64", "cpu", 0, "embedded"))  # type: ignore[arg-type]
        for _ in range(6):
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


@pytest.mark.parametrize("pair", PAIRS)
def test_the_embedded_data_is_learned(pair: str) -> None:
    """From scratch, in the recipe's first steps: the mean loss of the last tenth falls well below that of the start."""
    steps = {"mnist-cnn": 120, "catcar-mlp": 1600, "trigram-lm": 1500, "activity-lstm": 60}[pair]
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
