"""`twofold train`, `evaluate` and `sweep` as a user calls them: settings, configurations, and what goes on."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.command import twofold
from twofold.compare.commands import sweep, train
from twofold.compare.training import checkpoint


@pytest.fixture(autouse=True)
def no_data_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where pictures would be; drawing them is most of a command's time, and tested elsewhere."""
    folders: list[Path] = []
    monkeypatch.setattr(train, "write_pictures", lambda training, out: folders.append(out) or ["curves.png"])
    monkeypatch.setattr(sweep, "write_pictures", lambda training, out: folders.append(out) or [])
    return folders


SMALL = ("--records", 60, "--set", "hidden=5x4", "--set", "batch=20")


def trained(out: Path, *more: object, pair: str = "fc-net-adam", backend: str = "scratch") -> checkpoint.Checkpoint:
    assert twofold("train", pair, "--backend", backend, *SMALL, "--out", out, *more) == 0
    return checkpoint.load(out / "checkpoint.h5")


def assert_equal(first: checkpoint.Checkpoint, second: checkpoint.Checkpoint) -> None:
    assert first.steps == second.steps
    assert first.weights.keys() == second.weights.keys()
    for name, weight in first.weights.items():
        np.testing.assert_array_equal(weight, second.weights[name])


def test_settings_and_the_first_records_reach_the_training(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stored = trained(tmp_path, "--epochs", 2, "--set", "lr=0.002")
    assert stored.weights["fc1.weight"].shape == (5, 3072)
    assert stored.steps["records"] == [20.0] * 6
    out = " ".join(capsys.readouterr().out.split())
    assert "the first 60 of 2,000 records for training" in out
    assert "not as the recipe has it: batch 20, records 60, hidden 5x4, lr 0.002" in out


def test_the_whole_configuration_lies_beside_the_checkpoint_and_is_taken_back(tmp_path: Path) -> None:
    first = trained(tmp_path / "first", "--epochs", 2, "--set", "betas=0.8x0.9", "--seed", 3, "--dtype", "float64")
    path = tmp_path / "first" / "configuration.toml"
    content = tomllib.loads(path.read_text())
    assert (content["pair"], content["backend"], content["seed"]) == ("fc-net-adam", "scratch", 3)
    assert content["settings"]["betas"] == [0.8, 0.9] and content["settings"]["clip"] == "None"
    assert twofold("train", "--config", path, "--out", tmp_path / "second") == 0
    assert_equal(first, checkpoint.load(tmp_path / "second" / "checkpoint.h5"))


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    trained(tmp_path / "first", "--epochs", 1)
    path = tmp_path / "first" / "configuration.toml"
    given = ("--records", 40, "--set", "lr=0.01", "--backend", "reference", "--device", "cpu")
    assert twofold("train", "--config", path, *given, "--out", tmp_path / "second") == 0
    content = tomllib.loads((tmp_path / "second" / "configuration.toml").read_text())
    assert (content["settings"]["records"], content["settings"]["lr"], content["backend"]) == (40, 0.01, "reference")
    assert content["settings"]["batch"] == 20


def test_resuming_takes_the_configuration_that_lies_there(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", "--epochs", 3)
    trained(tmp_path / "parts", "--epochs", 1)
    assert twofold("train", "--resume", "--out", tmp_path / "parts", "--epochs", 3) == 0
    assert_equal(whole, checkpoint.load(tmp_path / "parts" / "checkpoint.h5"))


def test_resuming_with_another_setting_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    trained(tmp_path, "--epochs", 1)
    capsys.readouterr()
    assert twofold("train", "--resume", "--out", tmp_path, "--epochs", 3, "--set", "lr=0.5") == 2
    assert "checkpoint.h5: expected lr 0.5, found 0.001" in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["scratch", "reference"])
def test_every_so_many_steps_is_printed_and_kept(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stored = trained(tmp_path, "--epochs", 2, "--every", 2, backend=backend)
    assert stored.within["step"] == [2.0, 4.0, 6.0]
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert [line.partition("  ")[0] for line in lines] == ["step 2 of 3", "step 4 of 6", "step 6 of 6"]
    assert all("train: loss" in line and "validation: loss" in line and "test" not in line for line in lines)


@pytest.mark.parametrize("backend", ["scratch", "reference"])
def test_evaluate_gives_the_figures_without_training(
    backend: str, tmp_path: Path, drawn: list[Path], capsys: pytest.CaptureFixture
) -> None:
    trained(tmp_path, "--epochs", 2, backend=backend)
    told = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 2"))
    before = (tmp_path / "checkpoint.h5").read_bytes()
    assert twofold("evaluate", tmp_path, "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert f"after {told.rpartition('  ')[0]}\n" in out
    assert drawn == [tmp_path, tmp_path / "evaluation"]
    assert (tmp_path / "checkpoint.h5").read_bytes() == before


def test_evaluate_takes_the_best_weights_where_they_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stored = trained(tmp_path, "--epochs", 15, "--set", "patience=15", "--set", "lr=0.02")
    best = int(np.argmin(stored.epochs["validation_loss"])) + 1
    assert best < 15, "nothing to choose from"
    capsys.readouterr()
    assert twofold("evaluate", tmp_path / "checkpoint.h5") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("after"))
    assert line.startswith(f"after epoch {best} ")
    assert f"validation: loss {min(stored.epochs['validation_loss']):.4f}" in line


def test_no_stop_trains_all_epochs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rules = ("--set", "patience=1", "--set", "lr=0.05", "--epochs", 6)
    assert len(trained(tmp_path / "stopped", *rules).epochs["test_loss"]) < 6
    path = tmp_path / "stopped" / "configuration.toml"
    assert twofold("train", "--config", path, "--no-stop", "--out", tmp_path / "on") == 0
    assert len(checkpoint.load(tmp_path / "on" / "checkpoint.h5").epochs["test_loss"]) == 6
    assert "patience None" not in capsys.readouterr().out, "the recipe has none"


def test_trigrams_stop_by_their_sources_rule_alone() -> None:
    from twofold.compare.pairs import PAIRS

    assert {(p.recipe.stop_below, p.recipe.patience) for n, p in PAIRS.items() if n.startswith("trigram")} == {
        (2.0, None)
    }


WRONG = [
    (("train",), "expected a PAIR, or --config FILE that names one"),
    (("train", "fc-net"), "--backend: expected scratch or reference, found None"),
    (("train", "fc-net", "--backend", "scratch", "--set", "lr=1,2"), "expected KEY=VALUE with one value"),
    (("train", "fc-net", "--backend", "scratch", "--set", "hiden=3"), "fc-net has no such setting; there are batch"),
    (("train", "fc-net", "--backend", "scratch", "--records", "5", "--set", "records=6"), "found both"),
    (("train", "--config", "gone.toml"), "gone.toml: expected a configuration in TOML, found No such file"),
    (("train", "--config", "BROKEN"), "expected a configuration in TOML, found "),
    (("train", "--config", "STRANGE"), "expected pair (str), backend (str), "),
    (("train", "--config", "ELSEWHERE"), "expected --data DIR with cifar-10-batches-bin"),
    (("evaluate", "gone.h5"), "gone.h5: expected a checkpoint to resume from, found no file"),
    (("sweep", "fc-net", "--backend", "scratch"), "expected several pairs, or --set KEY=V1,V2, found neither"),
    (("sweep", "fc-net", "mnist-cnn", "--backend", "scratch"), "mnist-cnn: expected cifar10-mean-image and accuracy"),
    (
        ("sweep", "fc-net", "--set", "lr=1,2", "--best-by", "f1", "--backend", "scratch"),
        "--best-by: expected loss or accuracy, found 'f1'",
    ),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG, ids=[" ".join(row[0])[:60] for row in WRONG])
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("BROKEN").write_text("pair = \n")
    Path("STRANGE").write_text('pair = "fc-net"\ncolour = 3\n')
    Path("ELSEWHERE").write_text(
        'pair = "fc-net"\nbackend = "scratch"\ndata = "cifar-10-batches-bin/data_batch_1.bin"\n'
    )
    assert twofold(*arguments) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_pairs_are_laid_over_each_other_and_the_best_is_kept(
    tmp_path: Path, drawn: list[Path], capsys: pytest.CaptureFixture
) -> None:
    pairs = ("fc-net-sgd", "fc-net", "fc-net-rmsprop", "fc-net-adam")
    given = ("--set", "hidden=9x8", "--records", 200, "--epochs", 2, "--best-by", "accuracy", "--out", tmp_path)
    assert twofold("sweep", *pairs, "--backend", "scratch", *given) == 0
    finished = json.loads((tmp_path / "sweep.json").read_text())["finished"]
    assert [one["settings"] for one in finished] == [{"pair": name, "hidden": [9, 8]} for name in pairs]
    accuracies = [one["figures"]["validation_accuracy"] for one in finished]
    winner = pairs[accuracies.index(max(accuracies))]
    out = " ".join(capsys.readouterr().out.split())
    assert f"best by validation accuracy: {winner}, hidden=9x8" in out
    assert tomllib.loads((tmp_path / "best" / "configuration.toml").read_text())["pair"] == winner
    assert drawn and set(drawn) == {tmp_path / "best"}
    assert twofold("evaluate", tmp_path / "best") == 0
    assert f"accuracy {max(accuracies):.2f} %" in capsys.readouterr().out


def test_words_of_several_nets_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    given = ("--records", 100, "--epochs", 1, "--backend", "scratch", "--out", tmp_path)
    assert twofold("sweep", "trigram-lm", "trigram-lm-8-64", *given) == 0
    (one, other) = json.loads((tmp_path / "sweep.json").read_text())["finished"]
    assert list(one["words"]) == list(other["words"]) and len(one["words"]) == 5
    assert all(len(words) == 10 for words in one["words"].values())
    out = capsys.readouterr().out
    assert all(context in out for context in one["words"])
