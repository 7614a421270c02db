"""Resuming: a training goes on as if there had been no stop, and what a checkpoint holds."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.small import SIDES, STAGES, VALIDATED, Silent, small_pair, training
from twofold.compare.data import DataError, Dataset, Split
from twofold.compare.errors import BadInput
from twofold.compare.pair import Twin
from twofold.compare.training import checkpoint
from twofold.compare.training.train import Configuration, Training


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


DROPOUT = Twin(
    "twofold.scratch.models.fc_net:FCNet",
    "twofold.reference.models.fc_net:FCNet",
    {"inputs": 3, "hidden": (9,), "keep": 0.5},
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


FAILING = {"write": "fsync", "rename": "replace"}


@pytest.mark.parametrize("step", FAILING)
def test_a_checkpoint_is_put_in_place_whole(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way is one line, leaves the old checkpoint as it was, and nothing beside it."""
    path = tmp_path / "checkpoint.h5"
    run = training()
    run.save(path)
    before = path.read_bytes()
    run.one_step()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"twofold.compare.output.os.{FAILING[step]}", full)
    with pytest.raises(BadInput, match=r"checkpoint.h5: expected a file to write to, found: No space left on device"):
        run.save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.h5"]


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
