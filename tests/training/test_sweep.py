"""Sweeps: settings parsed, a new net for each combination, what is finished kept, and the command."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import twofold
from tests.judge.planting import plant
from tests.places import ROOT
from tests.training.small import Silent
from twofold.compare.data import Dataset, Split
from twofold.compare.errors import BadInput
from twofold.compare.pair import Recipe
from twofold.compare.pairs import PAIRS
from twofold.compare.training import sweep
from twofold.compare.training.settings import points
from twofold.compare.training.train import Configuration, Training

CATCAR = PAIRS["catcar-mlp"]


def images(count: int, seed: int) -> Split:
    """4x4 images whose brighter half decides: -1 or +1."""
    inputs = np.random.default_rng(seed).random((count, 16))
    return Split(inputs, np.where(inputs[:, :8].sum(1) > inputs[:, 8:].sum(1), 1.0, -1.0)[:, None])


SMALL = Dataset("catcar", "embedded", images(20, 0), None, images(10, 1), ("cat", "car"))
PAIR = replace(
    CATCAR, model=CATCAR.model.given(pixels=16, hidden=(3,)), recipe=Recipe(batch=8, epochs=2, report_steps=3)
)
PLACE = Configuration("catcar-mlp", "scratch", "float64", "cpu", 0, "embedded")


@pytest.fixture
def small(undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands find the small pair and its data."""
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(PAIRS, "catcar-mlp", PAIR)
    monkeypatch.setattr("twofold.compare.commands.sweep.load", lambda name, directory: SMALL)


WRONG = [
    (
        ["hiden=4"],
        "--set hiden: catcar-mlp has no such setting; there are batch, epochs, records, stop_below",
    ),
    (["lr=fast"], "--set lr: expected a number, found 'fast'"),
    (["batch=2.5"], "--set batch: expected a whole number, found '2.5'"),
    (["batch=0"], "--set batch: expected at least 1, found 0"),
    (["hidden=4xx"], "--set hidden: expected a whole number, or several such as 3, found '4xx'"),
    (["nesterov=yes"], "--set nesterov: expected true or false, found 'yes'"),
    (["optimizer=Adam,LBFGS"], "found 'LBFGS'"),
    (["optimizer=SGD,Adam", "momentum=0.9"], "--set momentum: catcar-mlp with Adam has no such setting"),
    (["lr"], "--set: expected KEY=V1,V2, found 'lr'"),
    (["lr=0.1,"], "--set: expected KEY=V1,V2, found 'lr=0.1,'"),
    (["lr=0.1", "lr=0.2"], "--set lr: expected once"),
    (["lr=0.1,0.10"], "--set lr: expected each value once, found 0.1,0.10"),
    (["pixels=17"], "pixels=17: "),
    (["nesterov=true"], "nesterov=True: SGD expected a momentum and no dampening"),
    (["reduction=none"], "reduction=none: "),
    (["hidden=0"], "hidden=0: Linear expected out_features of 1 or more, found 0"),
    (["hidden=2,999999999"], "hidden=999999999: Unable to allocate"),
    (
        ["optimizer=Adam", "betas=0.9,0.99"],
        "betas: expected 2 values joined by x, such as 0.9x0.999, found '0.9'",
    ),
    (["optimizer=Adam", "betas=0.9x0.9x0.9"], "found '0.9x0.9x0.9'; a comma parts the values that a sweep tries"),
    (["lr=0.1,1e400"], "--set lr: expected a finite number, found '1e400'"),
    (["batch=\u0664"], "--set batch: expected a whole number"),
    (["hiden=4"], "; did you mean hidden?"),
    (["LR=4"], "; did you mean lr?"),
    (["weight-decay=4"], "; did you mean weight_decay?"),
    (["optimizer=adam"], "found 'adam'; did you mean Adam?"),
    (["lr=\x1b[31m\n"], "found '\\x1b[31m\\n'"),
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("settings", "message"), WRONG, ids=[ascii(row[0][-1]) for row in WRONG])
def test_a_wrong_setting_is_one_line(settings: list[str], message: str, tmp_path: Path, capsys: Any) -> None:
    given = [word for setting in settings for word in ("--set", setting)]
    assert twofold("sweep", "catcar-mlp", *given, "--backend", "scratch", "--out", tmp_path) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def trained(*settings: str) -> list[sweep.Trained]:
    plans = [sweep.planned({PAIR.name: PAIR}, point, PLACE, SMALL) for point in points(PAIR, settings)]
    return [sweep.train_point(plan, SMALL, Silent())[0] for plan in plans]


def assert_new_nets(*settings: str) -> None:
    """Every point's first loss is that of a net of its own from the same seed."""
    fresh = Training(PAIR, SMALL, PLACE)
    fresh.one_step()
    for one in trained(*settings):
        assert one.losses[0] == fresh.steps["loss"][0], "a net that was trained before"


# The weights of the point before, loaded into what should be new.
GOING_ON = """training = Training(plan.pair, dataset, plan.configuration)
    NETS and training.side.load(NETS[-1].side.state())
    NETS.append(training)"""


def test_every_point_is_a_new_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """F35: each starts from the weights of the seed; one net trained on and on is seen."""
    assert_new_nets("lr=0.1,0.35", "momentum=0,0.5")
    one, two = trained("epochs=1,2")
    assert one.epochs["test_loss"] == two.epochs["test_loss"][:1]
    monkeypatch.setattr(sweep, "NETS", [], raising=False)
    plant(monkeypatch, sweep, "train_point", GOING_ON.partition("\n")[0], GOING_ON)
    with pytest.raises(AssertionError, match="a net that was trained before"):
        assert_new_nets("lr=0.1,0.35")


def test_a_point_holds_its_last_figures_and_its_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "CURVE_POINTS", 4)
    alone = Training(PAIR, SMALL, PLACE)
    alone.run(2, Silent())
    (one,) = trained("lr=0.35")
    assert one.epoch == 2
    assert one.figures["test_loss"] == alone.epochs["test_loss"][-1]
    assert one.epochs["train_mse"] == alone.epochs["train_mse"]
    assert one.steps_a_block == 2  # six steps, at most four blocks
    np.testing.assert_allclose(one.losses, np.reshape(alone.steps["loss"], (3, 2)).mean(axis=1), rtol=1e-15)


def test_the_best_has_the_lowest_validation_or_test_loss() -> None:
    def point(**figures: float) -> sweep.Trained:
        return sweep.Trained({}, figures, 1, 1, [], {})

    assert sweep.best([point(test_loss=2.0), point(test_loss=math.nan), point(test_loss=1.0)]) == 2
    figures = [point(test_loss=1.0, test_accuracy=a) for a in (50.0, 70.0, 70.0, 60.0)]
    assert (sweep.best(figures, "accuracy"), sweep.best(figures)) == (1, 0)
    rows = [point(test_loss=1.0, validation_loss=3.0), point(test_loss=2.0, validation_loss=2.0)]
    assert sweep.best(rows) == 1
    assert sweep.best([point(test_loss=math.nan)]) is None


def stored(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "sweep.json").read_text())["finished"]


COMMAND = ("sweep", "catcar-mlp", "--set", "hidden=2,3", "--set", "lr=0.1,0.35", "--backend", "scratch", "--out")


@pytest.mark.usefixtures("small")
def test_sweep_goes_on_after_an_interruption(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """Two of four are finished and kept; the same command trains the others, and the result is that of one run."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert twofold(*COMMAND, whole) == 0
    out = capsys.readouterr().out
    assert "4 combinations" in out
    assert out.count("hidden=") == 5  # a line each, and the best
    assert out.count(" best\n") == 1
    assert (whole / "sweep.png").read_bytes().startswith(b"\x89PNG")
    real, made = sweep.train_point, []

    def interrupted(*arguments: Any) -> sweep.Trained:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(sweep, "train_point", interrupted)
    assert twofold(*COMMAND, parts) != 0
    assert "2 of 4 are kept" in capsys.readouterr().out
    assert len(stored(parts)) == 2
    made.clear()
    assert twofold(*COMMAND, parts) == 0
    assert len(made) == 2
    assert "2 finished before" in capsys.readouterr().out
    first, second = (
        [(one["settings"], one["losses"], one["figures"] | {"seconds": 0}) for one in stored(folder)]
        for folder in (whole, parts)
    )
    assert first == second
    assert not list(parts.glob("*.part"))


@pytest.mark.usefixtures("small")
def test_each_point_takes_a_step_before_the_grid_starts(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """What only an update shows, in the last point, is known before the first is trained; and leaves nothing behind."""
    from twofold import scratch

    def update(self: Any, *arguments: Any) -> None:
        raise ZeroDivisionError("no such rate")

    monkeypatch.setattr(scratch.RMSprop, "update", update)
    command = ("sweep", "catcar-mlp", "--backend", "scratch", "--out", tmp_path / "new", "--set")
    assert twofold(*command, "optimizer=SGD,RMSprop") == 2
    assert capsys.readouterr().err == "twofold: optimizer=RMSprop: no such rate\n"
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("small")
def test_another_sweep_in_the_folder_is_one_line(tmp_path: Path, capsys: Any) -> None:
    command = ("sweep", "catcar-mlp", "--backend", "scratch", "--epochs", "1", "--out", tmp_path, "--set")
    assert twofold(*command, "lr=0.1") == 0
    before = (tmp_path / "sweep.json").read_bytes()
    capsys.readouterr()
    for changed, message in (
        (("lr=0.2",), "expected points ['lr=0.2'], found ['lr=0.1']"),
        (("lr=0.1", "--records", "9"), "expected settings catcar-mlp records 9, found None"),
        (("lr=0.1", "--seed", "7"), "expected seed 7, found 0"),
    ):
        assert twofold(*command, *changed) == 2
        error = capsys.readouterr().err
        assert f"{tmp_path / 'sweep.json'}: {message}" in error
        assert error.count("\n") == 1
    assert (tmp_path / "sweep.json").read_bytes() == before


def test_what_is_not_finite_is_null_in_the_file_and_never_the_best(tmp_path: Path) -> None:
    """JSON that every program reads, and the same points again."""
    figures = {"test_loss": math.nan, "test_accuracy": 50.0}
    lost = sweep.Trained({"records": None}, figures, 1, 1, [1.0, math.inf], {"test_loss": [math.nan]})
    path = tmp_path / "sweep.json"
    sweep.save(path, {"pair": "a"}, [lost])

    def no_constant(word: str) -> None:
        raise AssertionError(word)

    json.loads(path.read_text(), parse_constant=no_constant)
    (again,) = sweep.load(path, {"pair": "a"})
    assert again.settings == {"records": None}
    assert np.isnan([again.losses[1], again.figures["test_loss"], again.epochs["test_loss"][0]]).all()
    assert sweep.best([again]) is None


@pytest.mark.parametrize("content", ["", "[]", '{"configuration": 3, "finished": []}', '{"finished": [{}]}'])
def test_a_file_that_is_no_sweep_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"sweep.json: expected a sweep, found") as error:
        sweep.load(path, {})
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("small")
def test_epochs_twice_is_one_line(tmp_path: Path, capsys: Any) -> None:
    command = ("sweep", "catcar-mlp", "--backend", "scratch", "--out", tmp_path, "--epochs", "3")
    assert twofold(*command, "--set", "epochs=1,2") == 2
    assert "--epochs: expected here or as --set epochs, found both" in capsys.readouterr().err


@pytest.mark.usefixtures("small")
def test_both_backends_sweep_alike(tmp_path: Path) -> None:
    for backend in ("scratch", "reference"):
        command = ("sweep", "catcar-mlp", "--set", "lr=0.1,0.3", "--backend", backend, "--device", "cpu")
        assert twofold(*command, "--dtype", "float64", "--out", tmp_path / backend) == 0
    ours, theirs = (stored(tmp_path / backend) for backend in ("scratch", "reference"))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one["losses"], other["losses"], rtol=1e-12)


def test_help_teaches(capsys: Any) -> None:
    assert twofold("sweep", "--help") == 0
    assert "Example: twofold sweep" in " ".join(capsys.readouterr().out.split())


def test_a_scratch_sweep_imports_no_torch(tmp_path: Path) -> None:
    code = f"""
import sys
sys.argv = ["twofold", "sweep", "catcar-mlp", "--set", "lr=0.1", "--epochs", "1", "--backend", "scratch",
            "--out", {str(tmp_path)!r}]
from twofold.compare.cli import main
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
assert not {{"torch", "torchvision"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)
