"""Training, resuming, sweeping, the report and a stranger's pair on the device, by the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.command import twofold
from tests.training.small import Silent
from tests.training.test_sweep import PAIR, SMALL
from twofold import judge
from twofold.compare.data import DataError
from twofold.compare.pairs import PAIRS
from twofold.compare.training.train import Configuration, Training
from twofold.compare.training.workers import held, on_host

TRAIN = ("train", "catcar-mlp", "--backend", "reference")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, undrawn: None) -> None:
    """A few records of a pair with momentum."""
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setitem(PAIRS, "catcar-mlp", PAIR)
    for module in ("sweep", "planning", "evaluate", "report"):
        monkeypatch.setattr(f"twofold.compare.commands.{module}.load", lambda name, directory: SMALL)
    monkeypatch.setattr("twofold.compare.report.build.load", lambda name, directory: SMALL)


def on(device: str, **more: object) -> Training:
    return Training(PAIR, SMALL, Configuration("catcar-mlp", "reference", "float64", device, 0, "embedded", **more))  # type: ignore[arg-type]


def test_training_on_the_device_is_that_on_the_cpu(device: str) -> None:
    here, there = on("cpu"), on(device)
    for training in (here, there):
        training.run(2, Silent())
    assert next(there.side.model.parameters()).device.type == device
    assert np.allclose(here.steps["loss"], there.steps["loss"], rtol=1e-12)
    assert np.allclose(here.epochs["test_loss"], there.epochs["test_loss"], rtol=1e-12)


@pytest.mark.parametrize("places", ["device to device", "cpu to device", "device to cpu"])
def test_a_checkpoint_goes_on_where_it_is_told_to(
    places: str, device: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first, then = (device if word == "device" else "cpu" for word in places.split(" to "))
    assert twofold(*TRAIN, "--device", first, "--epochs", 1, "--out", tmp_path) == 0
    capsys.readouterr()
    assert twofold(*TRAIN, "--device", then, "--epochs", 2, "--resume", "--out", tmp_path) == 0
    told = capsys.readouterr().out
    assert f"in float32 on {then}" in told
    assert (f"made on {first}, now on {then}: the last bits may be others" in told) == (first != then)
    capsys.readouterr()
    assert twofold("evaluate", tmp_path, "--device", first) == 0


def test_resuming_on_the_device_is_bit_for_bit(device: str, tmp_path: Path) -> None:
    whole, stopped, resumed = on(device), on(device), on(device)
    whole.run(2, Silent())
    with pytest.raises(KeyboardInterrupt):
        stopped.run(2, Silent(steps=2))
    stopped.save(tmp_path / "checkpoint.h5")
    resumed.resume(tmp_path / "checkpoint.h5")
    resumed.run(2, Silent())
    assert resumed.steps == whole.steps
    expected = whole.side.state()
    assert all((expected[name] == value).all() for name, value in resumed.side.state().items())


def test_another_seed_is_still_another_training(device: str, tmp_path: Path) -> None:
    on("cpu").save(tmp_path / "checkpoint.h5")
    other = Training(PAIR, SMALL, Configuration("catcar-mlp", "reference", "float64", device, 1, "embedded"))
    with pytest.raises(DataError, match="expected seed 1, found 0"):
        other.resume(tmp_path / "checkpoint.h5")


def test_dropout_and_watched_gradients_draw_as_the_seed_says(device: str) -> None:
    """The device's own generator is seeded before each step, and looking at gradients leaves it where it stood."""
    from twofold.compare.data import Dataset, Split
    from twofold.compare.training.gradients import Watched

    rng = np.random.default_rng(0)
    pair = PAIRS["fc-net-dropout"]
    split = Split(rng.standard_normal((6, 3, 32, 32)).astype(np.float32), rng.integers(0, 10, 6))
    data = Dataset("six", "embedded", split, None, split, ())
    found = []
    for watch in (False, False, True):
        training = Training(pair, data, Configuration(pair.name, "reference", "float32", device, 0, "embedded"))
        watched = Watched(training) if watch else None
        for _ in range(2):
            if watched:
                watched.record(*training.batch(0))
            training.step_in_epoch = 0
            training.one_step()
        found.append(training.steps["loss"])
    assert found[0] == found[1] == found[2]


def test_a_sweep_on_the_device(device: str, tmp_path: Path) -> None:
    given = ("sweep", "catcar-mlp", "--backend", "reference", "--device", device, "--set", "hidden=2,3")
    assert twofold(*given, "--out", tmp_path) == 0
    assert f'device = "{device}"' in (tmp_path / "best/configuration.toml").read_text()


def test_a_report_on_the_device(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twofold.compare.report.build.planted", lambda pair, verdict: "none is planted here")
    monkeypatch.setattr("twofold.compare.commands.report.timed", lambda pair, dataset, place: [])
    twofold("report", "catcar-mlp", "--device", device, "--jobs", 1, "--out", tmp_path)
    results = json.loads((tmp_path / "report.json").read_text())["results"]
    assert [result["device"] for result in results] == [device] * 3
    assert all(result["verdict"] == "pass" for result in results)
    assert "device" in {check["check"] for check in results[0]["checks"]}
    assert 'title="on a device the reference repeats itself' in (tmp_path / "index.html").read_text()


def test_check_writes_the_device(device: str, tmp_path: Path) -> None:
    given = ("check", "trigram-lm", "--dtype", "float32", "--device", device, "--json", tmp_path / "found.json")
    assert twofold(*given) == 0
    (result,) = json.loads((tmp_path / "found.json").read_text())["results"]
    assert result["device"] == device and result["checks"][-1]["check"] == "device"


@pytest.mark.parametrize("wrong", [False, True])
def test_a_strangers_pair_on_the_device(wrong: bool, device: str) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((4, 3)), rng.standard_normal(3)
    net = torch.nn.Linear(4, 3)
    kept = net.weight.detach().clone()

    def loss_and_gradients(x: np.ndarray, y: np.ndarray) -> tuple:
        out = np.tanh(x @ weight + bias)
        dout = 2 * (out - y) / out.size * (1 - out if wrong else 1 - out**2)
        return ((out - y) ** 2).mean(), {"weight": x.T @ dout, "bias": dout.sum(0)}

    module = torch.nn.Sequential(net, torch.nn.Tanh())
    given = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    params = {"weight": weight, "bias": bias}
    verdict = judge(loss_and_gradients, module, *given, loss=torch.nn.functional.mse_loss, params=params, device=device)
    assert verdict.same != wrong and (not wrong or verdict.side == "scratch"), str(verdict)
    assert net.weight.device.type == "cpu" and torch.equal(net.weight, kept)


def test_what_a_worker_adds_lies_beside_its_model_and_what_it_sends_on_the_host(device: str) -> None:
    side = on(device).side
    places = {parameter.device.type for parameter in held(side).parameters()}
    assert places == {device}
    sent = on_host(torch, {"weights": [*side.model.parameters()], "step": 3})
    assert {tensor.device.type for tensor in sent["weights"]} == {"cpu"}
    assert sent["step"] == 3
