"""The first number that is none ends a training with one line and a status of its own."""

from pathlib import Path

import numpy as np
import pytest

from tests.command import twofold
from tests.training.small import SIDES, Silent, training
from twofold.compare.commands import sweep as sweep_command
from twofold.compare.commands import train
from twofold.compare.training import checkpoint, sweep
from twofold.compare.training.divergence import Diverged

SMALL = ("--records", 60, "--set", "hidden=5x4", "--set", "batch=20", "--epochs", 3)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setattr(train, "write_pictures", lambda training, out: [])
    monkeypatch.setattr(sweep_command, "write_pictures", lambda training, out: [])


@pytest.mark.parametrize("backend", SIDES)
def test_a_training_that_diverges_is_one_line(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ("train", "fc-net-sgd", "--backend", backend, *SMALL, "--out", tmp_path, "--set", "lr=1e30")
    assert twofold(*command) == 4
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("twofold: diverged in step 2 (epoch 1, batch 2): the output of fc")
    assert "a smaller --set lr=, it is 1e+30" in error and error.endswith("no checkpoint was written yet\n")


# Which array is spoiled before a step, and what is told of it.
SPOILED = {
    "weight": "fc1.weight is nan (1 of",
    "gradient": "the gradient of fc2.bias is inf (1 of",
    "loss": "the loss is nan, of outputs that are finite",
}


@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("backend", SIDES)
def test_the_first_tensor_is_named_and_no_update_made(kind: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = training(backend)
    run.one_step()
    if kind == "weight":
        state = run.side.state()
        state["fc1.weight"][0, 0] = np.nan
        run.side.load(state)
    elif kind == "loss":
        given = run.side._objective if backend == "reference" else run.side.criterion.forward
        place = (run.side, "_objective") if backend == "reference" else (run.side.criterion, "forward")
        monkeypatch.setattr(*place, lambda *values: given(*values) * float("nan"))
    else:
        ask = run.side.check

        def spoil(loss: float) -> None:
            gradients = run.side.gradients()
            gradients["fc2.bias"][0] = np.inf
            run.side.set_gradients(gradients)
            assert ask is not None
            ask(loss)

        run.side.check = spoil
    before, kept = run.side.state(), run.side.optimizer_state()
    with pytest.raises(Diverged, match=r"diverged in step 2 \(epoch 1, batch 2\)") as error:
        run.one_step()
    assert SPOILED[kind] in str(error.value)
    after = run.side.state()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert all((run.side.optimizer_state()[n][k] == v).all() for n, entry in kept.items() for k, v in entry.items())


@pytest.mark.parametrize("backend", SIDES)
def test_large_squares_are_no_divergence(backend: str) -> None:
    """A gradient whose square is more than float32 holds is finite itself."""
    run = training(backend, "float32")
    ask, seen = run.side.check, []

    def enlarge(loss: float) -> None:
        run.side.set_gradients({name: np.full_like(array, 1e25) for name, array in run.side.gradients().items()})
        assert ask is not None
        ask(loss)
        seen.append(run.side.squares())

    run.side.check = enlarge
    run.one_step()
    assert np.isinf(seen)


@pytest.mark.parametrize("backend", SIDES)
def test_the_last_good_checkpoint_is_kept(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run = training(backend)
    run.run(1, Silent(tmp_path / "checkpoint.h5"))
    state = run.side.state()
    state["fc2.bias"][:] = -np.inf
    run.side.load(state)
    with pytest.raises(Diverged):
        run.run(2, Silent(tmp_path / "checkpoint.h5"))
    stored = checkpoint.load(tmp_path / "checkpoint.h5")
    assert stored.position["epoch"] == 1 and all(np.isfinite(array).all() for array in stored.weights.values())


@pytest.mark.parametrize("keep", ["save", "end_epoch"])
@pytest.mark.parametrize("backend", SIDES)
def test_a_weight_that_no_loss_shows_is_not_kept(backend: str, keep: str, tmp_path: Path) -> None:
    run = training(backend)
    run.save(path := tmp_path / "checkpoint.h5")
    before, state = path.read_bytes(), run.side.state()
    state["fc1.bias"][0] = np.nan
    run.side.load(state)
    with pytest.raises(Diverged, match=r"diverged by step 0 \(epoch 1\): fc1.bias is nan"):
        run.save(path) if keep == "save" else run.end_epoch()
    assert path.read_bytes() == before


@pytest.mark.parametrize("backend", SIDES)
def test_a_sweep_shows_it_and_goes_on(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ("sweep", "fc-net-sgd", "--backend", backend, *SMALL, "--out", tmp_path, "--set", "lr=1e30,0.001")
    assert twofold(*command) == 0
    out = capsys.readouterr().out
    assert "lr=1e+30: diverged in step" in out and "lr=0.001, epoch 3; test: loss" in out
    assert "NaN" not in (tmp_path / "sweep.json").read_text()
    assert twofold(*command) == 0  # read again from its file
    assert "2 finished before" in (again := capsys.readouterr().out) and again.count("diverged") == 6


def test_none_is_best_where_all_diverge(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ("sweep", "fc-net-sgd", "--backend", "scratch", *SMALL, "--out", tmp_path, "--set", "lr=1e30,1e31")
    assert twofold(*command) == 0
    assert "none is the best" in capsys.readouterr().out
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize("figure", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_never_the_best(figure: float) -> None:
    def point(loss: float) -> sweep.Trained:
        return sweep.Trained({}, {"test_loss": loss}, 1, 1, [], {})

    assert sweep.best([point(figure), point(3.0), point(2.0)]) == 2
    assert sweep.best([point(figure)]) is None
