"""Signals placed inside a step, an update, an evaluation or a save: nothing is lost, and nothing counted twice."""

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import twofold
from twofold import scratch
from twofold.compare.commands import planning, train
from twofold.compare.data import Dataset, load
from twofold.compare.sides import Reference
from twofold.compare.training import checkpoint
from twofold.compare.training.train import Training

# Running statistics, and an optimizer that counts: what is done twice or left out shows in the last bit.
TRAIN = ("train", "bn-convnet", "--records", 24, "--set", "batch=8", "--epochs", 2, "--set", "filters=2x2x2")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setattr(train, "write_pictures", lambda training, out: [])
    monkeypatch.setattr(planning, "load", few)


@cache
def few(name: str, folder: None) -> Dataset:
    whole = load(name, folder)
    return replace(whole, train=whole.train.first(24), validation=None, test=whole.test.first(10))


def raising(method: Callable[..., Any], at: int, number: int, twice: bool = False) -> Callable[..., Any]:
    """The method, whose n-th call sends the signal to this process before its work is done, or twice."""
    calls = 0

    def shadow(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            for _ in range(1 + twice):
                signal.raise_signal(number)
        return method(*arguments, **more)

    return shadow


# Where the signal comes: the object whose method it is, the method, and its calls before.
PLACES: dict[str, tuple[str, Any, str, int]] = {
    "forward": ("scratch", scratch.BatchNorm2d, "forward", 9),
    "backward": ("scratch", scratch.BatchNorm2d, "backward", 4),
    "update": ("scratch", scratch.Adam, "step", 2),
    "within an update": ("scratch", scratch.Adam, "update", 30),
    "evaluation": ("scratch", Training, "tested", 1),
    "between two epochs": ("scratch", Training, "next_epoch", 1),
    "the save after an epoch": ("scratch", Training, "checkpoint", 1),
    "the last step": ("scratch", Training, "one_step", 6),
    "torch's update": ("reference", Reference, "step", 2),
    "torch's evaluation": ("reference", Training, "trained", 1),
}
WHOLE: dict[str, checkpoint.Checkpoint] = {}


def whole(backend: str, folder: Path) -> checkpoint.Checkpoint:
    """The same training without a stop, once a backend."""
    if backend not in WHOLE:
        assert twofold(*TRAIN, "--backend", backend, "--out", folder) == 0
        WHOLE[backend] = checkpoint.load(folder / "checkpoint.h5")
    return WHOLE[backend]


def assert_equal(first: checkpoint.Checkpoint, second: checkpoint.Checkpoint) -> None:
    """Bit for bit, but for seconds."""
    assert first.steps == second.steps
    for kind in ("weights", "best"):
        ours, theirs = getattr(first, kind), getattr(second, kind)
        assert ours.keys() == theirs.keys()
        assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)
    for name, entry in first.optimizer.items():
        assert all(entry[key].tobytes() == second.optimizer[name][key].tobytes() for key in entry)
    assert first.generator == second.generator
    names = set(first.epochs) - {"seconds"}
    assert {name: first.epochs[name] for name in names} == {name: second.epochs[name] for name in names}


@pytest.mark.parametrize("number", STATUS, ids=["INT", "TERM"])
@pytest.mark.parametrize("place", PLACES)
def test_interrupted_and_resumed_is_as_never_interrupted(
    place: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    backend, owner, method, at = PLACES[place]
    wanted = whole(backend, tmp_path / "whole")
    out = tmp_path / "parts"
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, raising(getattr(owner, method), at, number))
        assert twofold(*TRAIN, "--backend", backend, "--out", out) == STATUS[signal.Signals(number)]
    assert "saved to" in capsys.readouterr().out
    assert twofold(*TRAIN, "--backend", backend, "--out", out, "--resume") == 0
    assert_equal(checkpoint.load(out / "checkpoint.h5"), wanted)
    assert not list(out.glob("*.part"))


def test_a_second_signal_stops_at_once_and_saves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(scratch.Adam, "step", raising(scratch.Adam.step, 5, signal.SIGINT, twice=True))
        assert twofold(*TRAIN, "--backend", "scratch", "--out", tmp_path) == 130
    assert "at once, nothing was saved" in (out := capsys.readouterr().out) and "holds epoch 1, step 0" in out
    assert checkpoint.load(tmp_path / "checkpoint.h5").position["epoch"] == 1
    assert twofold(*TRAIN, "--backend", "scratch", "--out", tmp_path, "--resume") == 0
    assert_equal(checkpoint.load(tmp_path / "checkpoint.h5"), whole("scratch", tmp_path / "whole"))


def test_a_checkpoint_by_time_within_the_first_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves, that nobody can answer: the last save, here after every step."""

    def killed(self: Training) -> None:
        if len(self.steps.get("loss", [])) == 2:
            raise SystemExit(137)
        step(self)

    step = Training.one_step
    with monkeypatch.context() as patch:
        patch.setattr(Training, "one_step", killed)
        assert twofold(*TRAIN, "--backend", "scratch", "--out", tmp_path, "--save-every", 0) == 137
    assert checkpoint.load(tmp_path / "checkpoint.h5").position == {
        "epoch": 0,
        "step": 2,
        "seconds": pytest.approx(0, abs=60),
    }
    assert twofold(*TRAIN, "--backend", "scratch", "--out", tmp_path, "--resume") == 0
    assert_equal(checkpoint.load(tmp_path / "checkpoint.h5"), whole("scratch", tmp_path / "whole"))


def test_handlers_are_as_before(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in STATUS]
    assert twofold(*TRAIN, "--backend", "scratch", "--out", tmp_path) == 0
    assert [signal.getsignal(number) for number in STATUS] == before
    assert np.isfinite(checkpoint.load(tmp_path / "checkpoint.h5").steps["loss"]).all()
