"""A checkpoint is checked, not trusted: damaged, changed, or another's, it is one line, and nothing is trained on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import twofold
from tests.training.small import SIDES, SMALL, Silent, tokens, training
from twofold.compare.commands import train
from twofold.compare.data import DataError
from twofold.compare.training import checkpoint
from twofold.compare.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "checkpoint.h5"
    training().run(1, Silent(path))
    return path.read_bytes()


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        training().resume(path)
    told = str(error.value)
    assert told.startswith(f"{path}: expected") and "found" in told and "\n" not in told and len(told) < 600
    return told


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_one_line(seed: int, whole: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(whole)
    place = int(rng.integers(len(content)))
    kind = ("flipped", "cut", "longer", "zeros")[seed % 4]
    if kind == "flipped":
        content[place] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del content[place:]
    elif kind == "longer":
        content += bytes(int(rng.integers(1, 99)))
    else:
        content[place : place + 64] = bytes(b ^ 255 for b in content[place : place + 64])
    path = tmp_path / "checkpoint.h5"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        checkpoint.load(path)
    assert str(error.value).startswith(f"{path}: expected") and "\n" not in str(error.value)


Change = Callable[[Checkpoint], Checkpoint]


def weight(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda one: replace(one, weights={**one.weights, "fc1.weight": change(one.weights["fc1.weight"])})


def moment(key: str, change: Callable[[np.ndarray], Any]) -> Change:
    def changed(one: Checkpoint) -> Checkpoint:
        entry = {**one.optimizer["fc1.weight"], key: change(one.optimizer["fc1.weight"][key])}
        return replace(one, optimizer={**one.optimizer, "fc1.weight": entry})

    return changed


def position(**values: Any) -> Change:
    return lambda one: replace(one, position={**one.position, **values})


def circumstance(**values: Any) -> Change:
    return lambda one: replace(one, circumstances={**one.circumstances, **values})


def without(kind: str, name: str) -> Change:
    return lambda one: replace(one, **{kind: {n: v for n, v in getattr(one, kind).items() if n != name}})


def spoiled(array: np.ndarray, value: float) -> np.ndarray:
    out = array.copy()
    out.flat[3] = value
    return out


# Written with a digest of their own, as another version or another hand would: what is wrong, and what is told.
CRAFTED: dict[str, tuple[Change, str]] = {
    "a weight that is NaN": (weight(lambda a: spoiled(a, np.nan)), "expected finite numbers in weights/fc1.weight"),
    "an infinite weight": (weight(lambda a: spoiled(a, -np.inf)), "found -inf"),
    "a transposed weight": (weight(lambda a: a.T), "expected weights/fc1.weight in float64 of shape"),
    "a weight of another type": (weight(lambda a: a.astype(np.float32)), "found float32"),
    "a weight too many": (lambda one: replace(one, weights={**one.weights, "fc9.bias": np.zeros(2)}), "fc9.bias"),
    "a weight too few": (without("weights", "fc1.bias"), "expected weights/fc1.bias"),
    "best weights of another net": (lambda one: replace(one, best={"fc1.weight": np.zeros(3)}), "best/"),
    "a moment that is NaN": (moment("exp_avg", lambda a: spoiled(a, np.nan)), "optimizer/fc1.weight/exp_avg"),
    "a moment of another shape": (moment("exp_avg_sq", lambda a: a[:2]), "optimizer/fc1.weight/exp_avg_sq"),
    "a moment too few": (lambda one: replace(one, optimizer={**one.optimizer, "fc1.bias": {}}), "fc1.bias"),
    "another optimizer's state": (without("optimizer", "fc2.bias"), "expected the state of"),
    "a step that was never taken": (moment("step", lambda a: np.asarray(a) * 100), "from 1 to 4"),
    "a half step": (moment("step", lambda a: np.asarray(a) / 8), "found float64"),
    "more steps than an epoch has": (position(step=9), "up to 4 steps"),
    "steps below none": (position(step=-1), "up to 4 steps"),
    "a step that is no number": (position(step=None), "up to 4 steps"),
    "half an epoch": (position(epoch=0.5), "epoch 0.5"),
    "an epoch that was never trained": (position(epoch=7), "curves over 28 steps"),
    "an epoch below none": (position(epoch=-1), "epoch -1"),
    "seconds below none": (position(seconds=-3.0), "seconds"),
    "a curve too many": (lambda one: replace(one, steps={**one.steps, "lossx": one.steps["loss"]}), "lossx"),
    "a curve too few": (without("steps", "records"), "curves over 4 steps"),
    "a curve cut short": (lambda one: replace(one, steps={**one.steps, "loss": one.steps["loss"][:2]}), "curves over"),
    "no curves at all": (lambda one: replace(one, steps={}), "curves over 4 steps, found none"),
    "epochs without figures": (lambda one: replace(one, epochs={}), "curves over 1 epochs"),
    "a generator that is none": (
        lambda one: replace(one, generator={"bit_generator": "PCG64"}),
        "the generator of batches",
    ),
    "another generator": (lambda one: replace(one, generator=np.random.PCG64(1).state), "the generator of batches"),
    "fewer records": (circumstance(records={"train": 20, "test": 11}), "20 (train)"),
    "other data of the same count": (circumstance(data="0" * 64), "found others in their place"),
    "another seed": (lambda one: replace(one, configuration={**one.configuration, "seed": 5}), "expected seed 0"),
    "other threads": (lambda one: replace(one, configuration={**one.configuration, "threads": 3}), "threads 1"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_what_no_such_training_wrote_is_refused(name: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    path.write_bytes(whole)
    change, told = CRAFTED[name]
    checkpoint.save(path, change(checkpoint.load(path)))
    assert told in refused(path)


@pytest.mark.parametrize("backend", SIDES)
def test_other_data_under_the_same_name_is_refused(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    training(backend).run(1, Silent(path))
    with pytest.raises(DataError, match="found others in their place"):
        training(backend, dataset=replace(SMALL, train=tokens(27, 5))).resume(path)
    with pytest.raises(DataError, match=r"27 \(train\), 11 \(test\) as it had, found 19 \(train\)"):
        training(backend, dataset=replace(SMALL, train=SMALL.train.first(19))).resume(path)


def test_another_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    training().run(1, Silent(path))
    assert training().resume(path) == []
    stored = checkpoint.load(path)
    versions = {**stored.circumstances["versions"], "numpy": "1.0"}
    checkpoint.save(path, replace(stored, circumstances={**stored.circumstances, "versions": versions}))
    (told,) = training().resume(path)
    assert told.startswith("made with numpy 1.0, now 2")


def test_the_same_training_writes_the_same_bytes(tmp_path: Path) -> None:
    """But for seconds."""
    found = []
    for name in ("one", "two"):
        run = training("reference", "float32")
        run.run(1, Silent(tmp_path / name))
        found.append(checkpoint.hdf5(replace(run.checkpoint(), position={}, epochs={})))
    assert found[0] == found[1]


SHORT = ("--records", 60, "--set", "hidden=5x4", "--set", "batch=20", "--backend", "scratch")
# What lies there, what is asked for then, and the status.
AFTER: dict[str, tuple[tuple[object, ...], tuple[object, ...], int]] = {
    "a longer one": (("--epochs", 3), ("--epochs", 2), 2),
    "a longer one of another seed": (("--epochs", 3), ("--epochs", 2, "--seed", 4), 2),
    "the same, unfinished": (("--epochs", 1), ("--epochs", 2), 2),
    "the same": (("--epochs", 2), ("--epochs", 2), 0),
    "a shorter one of another seed": (("--epochs", 1), ("--epochs", 2, "--seed", 4), 0),
    "a longer one, insisted": (("--epochs", 3), ("--epochs", 2, "--overwrite"), 0),
    "resumed": (("--epochs", 1), ("--epochs", 2, "--resume"), 0),
}


@pytest.mark.parametrize("case", AFTER)
def test_a_longer_training_is_not_lost(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(train, "write_pictures", lambda training, out: [])
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    before, after, status = AFTER[case]
    path = tmp_path / "checkpoint.h5"
    assert twofold("train", "fc-net-adam", *SHORT, "--out", tmp_path, *before) == 0
    content = path.read_bytes()
    capsys.readouterr()
    assert twofold("train", "fc-net-adam", *SHORT, "--out", tmp_path, *after) == status
    if status:
        assert "--resume goes on, --overwrite begins anew" in (error := capsys.readouterr().err)
        assert error.count("\n") == 1 and path.read_bytes() == content
    else:
        assert checkpoint.load(path).position["epoch"] == 2
