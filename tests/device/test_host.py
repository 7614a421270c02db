"""What is settled on the host before anything is computed: precision, equal bits, ranges, and CUDA left alone."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from tests.command import twofold
from tests.own.truth import TRUTH
from tests.training.small import Silent
from tests.training.test_sweep import PAIR, SMALL
from twofold import judge
from twofold.compare.data import Dataset, Split
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import ON_DEVICE
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import SideError, devices
from twofold.compare.sides.kernels import carefully
from twofold.compare.sides.steady import in_full, precision_kept, repeatable, settings
from twofold.compare.training.train import Configuration, Training

CASES = {case.name: case for case in LAYERS} | {name: pair.case() for name, pair in PAIRS.items()}
backends = torch.backends


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    with precision_kept():
        yield


def word(precision: str) -> Callable[[], None]:
    return lambda: torch.set_float32_matmul_precision(precision)


def told(place: str, entry: str, value: Any) -> Callable[[], None]:
    def tell() -> None:
        owner = backends
        for part in filter(None, place.split(".")):
            owner = getattr(owner, part)
        setattr(owner, entry, value)

    return tell


# The ways in which torch is told to keep fewer digits of a float32.
COARSE = {
    "high": word("high"),
    "medium": word("medium"),
    "products": told("cuda.matmul", "allow_tf32", True),
    "cudnn": told("cudnn", "allow_tf32", True),
    **{
        f"{place or 'all'} tf32": told(place, "fp32_precision", "tf32")
        for place in ("", "cuda.matmul", "cudnn", "cudnn.conv", "cudnn.rnn")
    },
    "mkldnn": told("mkldnn.matmul", "fp32_precision", "bf16"),
}


@pytest.mark.parametrize("way", COARSE)
def test_float32_has_all_of_its_digits_before_each_run(way: str) -> None:
    """However it was turned off since the side was made."""
    case = CASES["linear"]
    trial = Trial(case, "float32")
    side, seen = trial.reference(), []
    side.load(trial.state)
    side.model.register_forward_pre_hook(lambda *given: seen.append([setting.full for setting in settings()]))
    COARSE[way]()
    assert not all(setting.full for setting in settings())
    side.forward(trial.inputs)
    assert len(seen) == 1 and all(seen[0]) and torch.get_float32_matmul_precision() == "highest"


def test_what_stays_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = settings()[0]._replace(
        owner=type("Stuck", (), {"allow_tf32": property(lambda self: True, lambda s, v: None)})()
    )
    monkeypatch.setattr("twofold.compare.sides.steady.settings", lambda: (stuck,))
    with pytest.raises(SideError, match=r"expected torch.backends.cuda.matmul.allow_tf32 to be False"):
        in_full()


@pytest.mark.parametrize("way", COARSE)
def test_a_judgement_leaves_torch_as_it_was(way: str) -> None:
    COARSE[way]()
    before = [setting.now() for setting in settings()]
    weight = np.ones((3, 1))

    def loss(x: np.ndarray) -> tuple:
        return (x @ weight).sum(), {"weight": x.sum(0)[:, None]}

    with pytest.raises(ValueError):
        judge(loss, torch.nn.Linear(3, 1), np.ones((4, 3)), device="nowhere")
    judge(loss, torch.nn.Linear(3, 1, bias=False), np.ones((4, 3)), params={"weight": weight})
    assert [setting.now() for setting in settings()] == before


def test_a_device_is_asked_for_equal_bits(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it computes, and not afterwards."""
    monkeypatch.setattr(backends.cudnn, "benchmark", True)

    def asked() -> tuple:
        return torch.are_deterministic_algorithms_enabled(), backends.cudnn.deterministic, backends.cudnn.benchmark

    before = asked()
    with repeatable("cpu"):
        assert asked() == before
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(battery, "examined", lambda trial, check: seen.append(asked()))
        patch.setattr(battery, "with_causes", lambda trial, findings, suspects: [])
        battery.run(CASES["linear"], "float32", device)
    assert set(seen) == {(True, True, False)} and asked() == before


def test_workers_have_the_variable_that_makes_products_repeat(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    devices("cpu")
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    devices(device)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


OUT_OF_RANGE = {
    "a token": lambda t: torch.nn.functional.embedding(t([0, 5]), torch.ones(5, 2)),
    "a negative token": lambda t: torch.nn.Embedding(5, 2)(t([0, -1])),
    "a label": lambda t: torch.nn.functional.cross_entropy(torch.ones(2, 5), t([0, 5])),
    "a label of a loss module": lambda t: torch.nn.NLLLoss()(torch.ones(2, 5), t([-1, 0])),
    "a label among margins": lambda t: torch.nn.functional.multi_margin_loss(torch.ones(2, 5), t([7, 0])),
    "one hot": lambda t: torch.nn.functional.one_hot(t([0, 5]), 5),
    "gathered": lambda t: torch.ones(2, 5).gather(1, t([[0], [5]])),
    "selected": lambda t: torch.index_select(torch.ones(2, 5), 0, t([2])),
    "an item": lambda t: torch.ones(5)[t([0, -6])],
}


@pytest.mark.parametrize("what", OUT_OF_RANGE)
def test_an_index_out_of_range_is_told_on_the_host(what: str, device: str) -> None:
    with pytest.raises(IndexError, match="index out of range: expected"), carefully(device):
        OUT_OF_RANGE[what](torch.tensor)


def test_what_is_left_out_of_a_loss_and_counted_from_the_end_is_in_range(device: str) -> None:
    with carefully(device):
        loss = torch.nn.CrossEntropyLoss(ignore_index=-7)(torch.ones(3, 5), torch.tensor([0, -7, 4]))
        assert loss > 0 and torch.arange(5)[torch.tensor([-5, 4])].tolist() == [0, 4]
        torch.ones(5)[torch.tensor([True] * 5)] = 1


NAMES = ("lstm", "gru", "rnn_tanh", "rnn_relu")
RECURRENT: dict[str, Callable[[], Any]] = {
    "RNN": lambda: torch.nn.RNN(3, 4),
    "RNN with ReLU": lambda: torch.nn.RNN(3, 4, nonlinearity="relu"),
    "LSTM": lambda: torch.nn.LSTM(3, 4, bidirectional=True),
    "GRU": lambda: torch.nn.GRU(3, 4, num_layers=2),
}


class Asked(TorchFunctionMode):
    """Whether cuDNN is on, by what is asked of a device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, set[bool]] = {}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(one.device.type != "cpu" for one in args if isinstance(one, torch.Tensor)):
            self.found.setdefault(function.__name__, set()).add(torch.backends.cudnn.enabled)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("what", RECURRENT)
def test_recurrent_layers_alone_go_without_cudnn(what: str, device: str) -> None:
    """On a device: cuDNN's tanh in float32 has 17 bits, and it cannot go back in evaluation mode."""
    net, conv = RECURRENT[what]().to(device), torch.nn.Conv1d(3, 2, 2).to(device)
    with Asked() as asked, repeatable(device):
        net(torch.ones(5, 2, 3, device=device))
        conv(torch.ones(2, 3, 5, device=device))
    recurrent = {name: found for name, found in asked.found.items() if name in NAMES}
    assert list(recurrent.values()) == [{False}]
    assert asked.found["conv1d"] == {True} and torch.backends.cudnn.enabled


def check_a_cell(device: str) -> None:
    assert battery.run(CASES["lstm"], "float32", device, checks=[ON_DEVICE]).passed


def train_a_net(device: str) -> None:
    pair = replace(PAIRS["activity-gru"], recipe=replace(PAIRS["activity-gru"].recipe, batch=4))
    rng = np.random.default_rng(0)
    split = Split(rng.standard_normal((8, 6, 3)).astype(np.float32), rng.integers(0, 6, 8))
    data = Dataset("eight", "embedded", split, split, split, ())
    training = Training(pair, data, Configuration(pair.name, "reference", "float32", device, 0, "embedded"))
    training.run(1, Silent())
    with repeatable(device):  # as `evaluate` does
        training.tested()


def judge_a_net(device: str) -> None:
    call = next(truth for truth in TRUTH if truth.name == "rnn-blog").make()
    assert judge(*call.arguments, **call.keywords, dtypes=("float32",), device=device).same


@pytest.mark.parametrize("run", [check_a_cell, train_a_net, judge_a_net])
def test_whatever_is_run_goes_without_cudnns_cells(run: Callable[[str], None], device: str) -> None:
    """A whole net, a part by itself, in training and evaluation, and a stranger's."""
    with Asked() as asked:
        run(device)
    recurrent = [found for name, found in asked.found.items() if name in NAMES]
    assert recurrent and all(found == {False} for found in recurrent)


def test_a_token_too_many_never_reaches_the_device(device: str) -> None:
    """The pair is wrong: both sides raise, and the device goes on."""
    embedding = Twin("twofold.scratch:Embedding", "torch.nn:Embedding", {"num_embeddings": 4, "embedding_dim": 3})
    wrong = Case("too-many", embedding, (Draw((6, 2), high=9),))
    result = battery.run(wrong, "float32", device)
    assert result.pair_is_wrong and "index out of range" in str(result.findings)
    assert float((torch.ones(3, device=device) + 1).sum()) == 6


TOUCHING = ("is_available", "device_count", "_lazy_init", "_lazy_call", "init", "get_device_name", "manual_seed_all")


@pytest.mark.parametrize("command", ["check", "train", "sweep", "judge", "auto scratch"])
def test_the_cpu_alone_never_touches_cuda(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own code may ask; ours does not, and nothing starts it."""
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setitem(PAIRS, "catcar-mlp", PAIR)
    for module in ("sweep", "planning"):
        monkeypatch.setattr(f"twofold.compare.commands.{module}.load", lambda name, directory: SMALL)
    monkeypatch.setattr("twofold.compare.commands.train.write_pictures", lambda training, out: [])
    touched: list[str] = []

    def watching(name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **more: Any) -> Any:
            asking = sys._getframe(1).f_globals.get("__name__", "")
            if not asking.startswith("torch.") or name in ("_lazy_init", "_lazy_call"):
                touched.append(f"{name} by {asking}")
            return own(*given, **more)

        return watched

    for name in TOUCHING:
        monkeypatch.setattr(torch.cuda, name, watching(name, getattr(torch.cuda, name)))
    out = ("--device", "cpu", "--epochs", 1, "--out", tmp_path / "out")
    given: dict[str, tuple] = {
        "check": ("check", "trigram-lm", "--dtype", "float32", "--device", "cpu", "--json", tmp_path / "found.json"),
        "train": ("train", "catcar-mlp", "--backend", "reference", *out),
        "sweep": ("sweep", "catcar-mlp", "--backend", "reference", "--set", "hidden=2,3", *out),
        "auto scratch": ("train", "catcar-mlp", "--backend", "scratch", "--epochs", 1, "--out", tmp_path / "out"),
    }
    if command == "judge":
        weight = np.ones((3, 1))
        net = torch.nn.Linear(3, 1, bias=False)
        judge(lambda x: ((x @ weight).sum(), {"w": x.sum(0)[:, None]}), net, np.ones((4, 3)), params={"w": weight})
    else:
        assert twofold(*given[command]) == 0
    assert touched == [] and not torch.cuda.is_initialized()


def test_a_device_is_begun_in_one_process(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's trials go to other processes, a device's stay in this one, and all come in order."""
    work = [(CASES[name], "float32", place) for name in ("linear", "relu") for place in ("cpu", device)]
    spread: list[Any] = []

    def elsewhere(function: Any, given: list, jobs: int) -> Iterator[tuple[int, Any]]:
        spread.extend(item[2] for item in given)
        yield from reversed([(n, function(*item)) for n, item in enumerate(given)])

    monkeypatch.setattr(battery, "spread", elsewhere)
    monkeypatch.setattr(battery, "TRIALS_A_PROCESS", 1)
    monkeypatch.setattr(battery, "battery_on", lambda device: ())
    found = list(battery.run_all(work, 0, 2, lambda what: None))
    assert spread == ["cpu", "cpu"]
    assert [(result.pair, result.device) for result in found] == [(case.name, place) for case, _, place in work]
