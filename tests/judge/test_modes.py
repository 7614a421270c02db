"""What two instances of a class share, and what `evaluate` leaves out: each planted, and found by `modes`."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.judge.planting import plant
from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import Reference, Scratch
from twofold.scratch import BatchNorm1d, Module, optim
from twofold.scratch.module import Buffer

CASES: dict[str, Case] = {case.name: case for case in (*LAYERS, *(pair.case() for pair in PAIRS.values()))}


def failing(case: str) -> set[str]:
    return {quantity.name for quantity in only(CASES[case], "float64", "modes").quantities if quantity.side}


@pytest.fixture
def classes_as_they_were() -> Iterator[None]:
    """Without what a class was given while it was wrong."""
    yield
    for kind in subclasses(Module):
        for name in {"training", "cache"} & set(vars(kind)):
            delattr(kind, name)


def subclasses(kind: type) -> Iterator[type]:
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


@pytest.mark.usefixtures("classes_as_they_were")
@pytest.mark.parametrize("case", ["catcar-mlp", "relu", "fc-net-dropout"])
def test_a_mode_that_a_class_has_is_found(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Module, "train", "module.training = mode", "type(module).training = mode")
    assert {"told to train alone", "told to evaluate alone"} & failing(case)


@pytest.mark.usefixtures("classes_as_they_were")
@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("sigmoid", "self.cache = out", "type(self).cache = out"),
        ("linear", "self.cache = x", "type(self).cache = x"),
        ("layer-norm", "self.cache = centred, scale", "type(self).cache = centred, scale"),
    ],
)
def test_a_cache_that_a_class_has_is_found(kind: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = getattr(scratch, CASES[kind].model.scratch.rpartition(":")[2])
    plant(monkeypatch, owner, "forward", right, wrong)
    assert "gradients of two instances" in failing(kind)


def test_running_statistics_that_all_instances_share_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: dict[tuple[int, str], Buffer] = {}
    track = BatchNorm1d.track

    def tracked(self: BatchNorm1d, mean: np.ndarray, var: np.ndarray) -> None:
        self.running_mean = shared.setdefault((self.num_features, mean.dtype.name), self.running_mean)
        track(self, mean, var)

    monkeypatch.setattr(BatchNorm1d, "track", tracked)
    assert "state of two instances" in failing("batch-norm-1d")


@pytest.mark.parametrize("pair", ["trigram-lm", "mnist-cnn"])
def test_an_optimizer_state_that_all_instances_share_is_found(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: dict[str, dict] = {}
    make = optim.Optimizer.__init__

    def made(self: optim.Optimizer, named_parameters: object) -> None:
        make(self, named_parameters)  # type: ignore[arg-type]
        self.state = {name: shared.setdefault(name, {}) for name in self.parameters}

    monkeypatch.setattr(optim.Optimizer, "__init__", made)
    assert "optimizer state of two instances" in failing(pair)


def test_a_loss_whose_cache_the_class_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[type, object] = {}

    def forward(self: scratch.HalfMSELoss, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        kept[type(self)] = x - target
        return self.reduce((x - target) ** 2) / 2

    def backward(self: scratch.HalfMSELoss, dloss: float = 1.0) -> np.ndarray:
        difference = np.asarray(kept[type(self)])
        return difference * self.spread(dloss, difference.size)

    monkeypatch.setattr(scratch.HalfMSELoss, "forward", forward)
    monkeypatch.setattr(scratch.HalfMSELoss, "backward", backward)
    assert failing("catcar-mlp") == {"loss gradient of two instances"}


@pytest.mark.parametrize("pair", ["sparse-autoencoder", "fc-net-two-layer"])
def test_a_penalty_that_evaluate_leaves_out_is_found_on_either_side(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for side, name, right, wrong in (
        (Scratch, "evaluate", "self._objective(out, target)", "self.criterion(out, target)"),
        (
            Reference,
            "evaluate of the reference",
            "self._objective(out, self.tensor(target))",
            "self.criterion(out, self.tensor(target))",
        ),
    ):
        with monkeypatch.context() as patch:
            plant(patch, side, "evaluate", right, wrong)
            assert name in failing(pair)
