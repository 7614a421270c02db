"""Workers train what one process trains; one that ends or does not answer ends all, and nothing is left behind."""

import os
from dataclasses import replace
from functools import cache
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import twofold
from tests.training.troubles import STEP, TROUBLES
from twofold.compare.commands import planning, train
from twofold.compare.data import Dataset, load
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.gates import LIMIT
from twofold.compare.training import crew, workers
from twofold.compare.training.checkpoint import Checkpoint
from twofold.compare.training.checkpoint import load as stored
from twofold.compare.training.train import Training

# Three batches an epoch, the last with two records: of three workers one has none.
TRAIN = ("train", "catcar-mlp", "--backend", "reference", "--device", "cpu", "--set", "batch=8", "--set", "hidden=5")


@cache
def few(name: str, folder: None) -> Dataset:
    whole = load(name, folder)
    return replace(whole, train=whole.train.first(18), validation=None, test=whole.test.first(10))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWOFOLD_DATA", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(train, "write_pictures", lambda training, out: [])
    monkeypatch.setattr(planning, "load", few)


def trained(out: Path, *more: object) -> Checkpoint:
    assert twofold(*TRAIN, *more, "--out", out) == 0
    return stored(out / "checkpoint.h5")


def same(one: Checkpoint, other: Checkpoint) -> bool:
    """All numbers, to the bit."""
    kept = [(c.steps, {k: v for k, v in c.epochs.items() if k != "seconds"}) for c in (one, other)]
    states = [
        {**c.weights, **{f"{n} {k}": v for n, entry in c.optimizer.items() for k, v in entry.items()}}
        for c in (one, other)
    ]
    names = states[0].keys() == states[1].keys()
    return names and kept[0] == kept[1] and all(np.array_equal(states[0][n], states[1][n]) for n in states[0])


def test_one_worker_is_none(tmp_path: Path) -> None:
    """To the bit, with a penalty and clipping and batches that are not whole."""
    more = ("--set", "clip=0.01", "--set", "optimizer=Adam", "--set", "lr=0.01", "--epochs", 2)
    alone, one = trained(tmp_path / "a", *more), trained(tmp_path / "b", *more, "--workers", 1)
    assert same(alone, one)
    assert alone.configuration["workers"] == 0 and one.configuration["workers"] == 1


def furthest(one: Checkpoint, other: Checkpoint) -> float:
    return max(float(np.abs(one.weights[name] - other.weights[name]).max()) for name in one.weights)


def test_workers_train_what_none_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within what one unit in the last place makes of the weights, though one has no records of the last batch.

    What they listen on is the loopback alone, by Linux's own table.
    """
    more = ("--dtype", "float64", "--set", "clip=0.01")
    alone = trained(tmp_path / "alone", *more, "--epochs", 2)
    before = trained(tmp_path / "three", *more, "--epochs", 1)
    with monkeypatch.context() as patch:
        listened = listening_while(patch)
        went_on = trained(tmp_path / "three", "--resume", "--epochs", 2, "--workers", 3)
    assert "made with no workers, now with 3 workers: the last bits may be others" in capsys.readouterr().out
    assert (before.configuration["workers"], went_on.configuration["workers"]) == (0, 3)
    assert {place.partition(":")[0] for place in listened} == ({"0100007F"} if listening() is not None else set())
    build = Training.__init__

    def moved(self: Training, *given: Any) -> None:
        build(self, *given)
        self.side.load(perturbed(self.side.state(), 0))

    monkeypatch.setattr(Training, "__init__", moved)
    twin = trained(tmp_path / "twin", *more, "--epochs", 2)
    ulps = 8 * np.finfo(np.float64).eps * max(float(np.abs(weight).max()) for weight in alone.weights.values())
    assert furthest(alone, went_on) <= LIMIT * (furthest(alone, twin) + ulps)
    steps = np.array([alone.steps["loss"], went_on.steps["loss"]])
    assert np.allclose(*steps, rtol=1e-12, atol=0)
    assert went_on.steps["records"] == alone.steps["records"] == [8, 8, 2, 8, 8, 2]
    assert active_children() == []


ENDS = {
    "killed": (2, "--workers 2: worker 2 of 2 was killed by SIGKILL"),
    "raises": (2, "--workers 2: worker 2 of 2 raised ValueError: no more"),
    "hangs between steps": (2, "--workers 2: worker 2 of 2 did not answer for 5 seconds"),
    "hangs": (2, "--workers 2: worker 2 of 2 did not answer for 5 seconds"),
}


@pytest.mark.parametrize("trouble", ENDS)
def test_a_worker_that_ends_ends_all(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In one line, and soon after the step in which it happens."""
    status, told = ENDS[trouble]
    monkeypatch.setattr(workers, "serve", TROUBLES[trouble])
    monkeypatch.setattr(crew, "PATIENCE", 5.0)
    assert twofold(*TRAIN, "--workers", 2, "--out", tmp_path) == status
    printed = capfd.readouterr().err
    assert printed == f"twofold: {told}\n"
    assert active_children() == []


def test_a_signal_to_a_worker_stops_all_after_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "serve", TROUBLES["asked"])
    assert twofold(*TRAIN, "--workers", 2, "--out", tmp_path) == 143
    assert capfd.readouterr().err == "twofold: interrupted\n"
    assert len(stored(tmp_path / "checkpoint.h5").steps["loss"]) == STEP
    assert active_children() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("catcar-mlp", "--backend", "scratch", "--workers", 2),
            "--workers 2: expected --backend reference, found scratch, which is one process",
        ),
        (
            ("bn-convnet", "--backend", "reference", "--workers", 2),
            "--workers 2: expected a model whose gradient of a batch is the mean of its parts', but norm1 "
            "(BatchNorm2d) takes the statistics of all records",
        ),
        (
            ("sparse-autoencoder", "--backend", "reference", "--workers", 3),
            "--workers 3: expected a model whose gradient of a batch is the mean of its parts', but its loss, "
            "SparseAutoencoderLoss, is no sum or mean over records",
        ),
        (
            ("fc-net-dropout", "--backend", "reference", "--workers", 2),
            "--workers 2: expected a model whose gradient of a batch is the mean of its parts', but dropout1 (Dropout) "
            "draws one mask for all records",
        ),
        (
            ("catcar-mlp", "--backend", "reference", "--workers", "0"),
            "--workers: expected a whole number from 1, or env, found '0'",
        ),
        (
            ("catcar-mlp", "--backend", "reference", "--workers", "env"),
            "--workers env: expected the whole number RANK in the environment, as torchrun sets it, found none",
        ),
    ],
)
def test_what_workers_cannot_train_is_refused(
    arguments: tuple[object, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert twofold("train", *arguments, "--device", "cpu", "--out", tmp_path / "out") == 2
    assert capsys.readouterr().err == f"twofold: {told}\n"
    assert not (tmp_path / "out").exists()


def test_as_many_workers_as_were_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from twofold.compare.commands.planning import workers_of
    from twofold.compare.errors import BadInput

    for name, value in (("RANK", "0"), ("WORLD_SIZE", "3"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    assert workers_of("env", 0) == workers_of("3", 2) == 3
    with pytest.raises(BadInput, match="--workers 2: expected as many as WORLD_SIZE says were started, found 3"):
        workers_of("2", 0)


def listening_while(patch: pytest.MonkeyPatch) -> set[str]:
    """The addresses on which this process listens after each step and did not before."""
    found, before, whole = set[str](), listening() or set(), train.Progressing.whole

    def look(self: Any, training: Training, asked: Any) -> None:
        found.update((listening() or set()) - before)
        whole(self, training, asked)

    patch.setattr(train.Progressing, "whole", look)
    return found


def listening() -> set[str] | None:
    """The addresses on which sockets of this process listen; None where Linux's table is not to be read."""
    if not Path("/proc/net/tcp").exists():
        return None
    links = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    mine = {os.readlink(link) for link in links if link.is_symlink()}
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return {line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in mine}
