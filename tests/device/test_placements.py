"""Each placement left out of the product's own source, one at a time, is found by what is run on the device."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.device import standin
from tests.device.placements import Site, planted, sites
from twofold import judge
from twofold.compare.data import Dataset, Split
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, ON_DEVICE
from twofold.compare.judge.evidence.operations import all_moved
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.layers import LAYERS
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import SideError, devices
from twofold.compare.sides.foreign.reference import UsersReference
from twofold.compare.sides.ranges import must_lie_within
from twofold.compare.sides.steady import begin_to_go_back
from twofold.compare.training.train import Configuration, Training

CASES = {case.name: case for case in LAYERS} | {name: pair.case() for name, pair in PAIRS.items()}
Detector = Callable[[str], None]  # raises where something is wrong


def passes(case: str) -> Detector:
    """The battery's checks of a device."""

    def detect(device: str) -> None:
        with few_steps():
            found = battery.run(CASES[case], "float32", device, checks=(ON_DEVICE, CHECKS_BY_NAME["load"]))
        assert found.passed, found.verdict

    return detect


def trains(device: str) -> None:
    """A net with dropout, twice from one seed with other draws between, and evaluated."""
    rng = np.random.default_rng(0)
    split = Split(rng.standard_normal((6, 3, 32, 32)).astype(np.float32), rng.integers(0, 10, 6))
    data = Dataset("six", "embedded", split, None, split, ())
    found = []
    for _ in range(2):
        torch.ones(7, device=device).bernoulli_(0.5)
        place = Configuration("fc-net-dropout", "reference", "float32", device, 0, "embedded")
        training = Training(PAIRS["fc-net-dropout"], data, place)
        training.one_step()
        assert next(training.side.model.parameters()).device.type == device
        found.append((training.steps["loss"], training.tested()))
    assert found[0] == found[1]


def judges(device: str) -> None:
    """A stranger's: a norm with a counter, data of floats, as a tensor of the device and as booleans."""
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((4, 3)), rng.standard_normal(3)
    net = torch.nn.Linear(4, 3)

    def loss_and_gradients(x: np.ndarray, keep: np.ndarray, y: np.ndarray) -> tuple:
        out = np.tanh((x * keep) @ weight + bias)
        dout = 2 * (out - y) / out.size * (1 - out**2)
        return ((out - y) ** 2).mean(), {"weight": (x * keep).T @ dout, "bias": dout.sum(0)}

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net
            self.register_buffer("one", torch.ones(3))
            self.register_buffer("count", torch.ones(3, dtype=torch.int64))

        def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.net(x * keep) * self.one * self.count)

    x, keep, y = rng.standard_normal((6, 4)), rng.random((6, 4)) < 0.7, rng.standard_normal((6, 3))
    given = {"loss": torch.nn.functional.mse_loss, "params": {"weight": weight, "bias": bias}, "device": device}
    own = torch.get_device_module(device).get_rng_state()
    verdict = judge(loss_and_gradients, Net(), x, keep, y, **given)
    assert verdict.same, str(verdict)
    assert judge(
        loss_and_gradients, Net(), x, keep, y, reference_data=(torch.tensor(x).to(device), keep, y), **given
    ).same
    assert torch.equal(own, torch.get_device_module(device).get_rng_state())
    assert net.weight.device.type == "cpu"


def keeps_strangers(device: str) -> None:
    """Where their tensors lie while they run: data, parameters and buffers, of a copy or of the module itself."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    copied = UsersReference(net, device=device)
    assert {p.device.type for p in copied.reference.parameters()} == {device}
    for value in (torch.ones(2, dtype=torch.bfloat16), np.ones(2, int), np.ones(2, bool), np.ones(2)):
        assert copied.tensor(value, "float64").device.type == device
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twofold.compare.sides.foreign.reference.placed", lambda module, device: module)  # as on CUDA
        itself = UsersReference(net, device=device)
    with itself.kept():
        itself.load({name: np.zeros(p.shape) for name, p in net.named_parameters()}, "float64")
        kept = [*itself.tensors.values(), *itself.counters]
        assert {tensor.device.type for tensor in kept} == {device} and len(kept) == 7
    assert {tensor.device.type for tensor in net.state_dict().values()} == {"cpu"}


def moves(device: str) -> None:
    """By one unit in the last place what a device's operations give."""
    with all_moved(0):
        found = torch.ones(3, device=device) * 3
    assert found.device.type == device and not torch.equal(found.cpu(), torch.full((3,), 3.0))


def names_devices(device: str) -> None:
    """A device that keeps no numbers is none, and labels are looked at on the host."""
    assert devices(device) == [device]
    with pytest.raises(SideError, match="expected cpu, cuda, auto or a device"):
        devices("meta")
    with pytest.raises(IndexError, match="expected 0 to 2, found 3"):
        must_lie_within("nll_loss", torch.tensor([0, 3]).to(device), 3, None)


def begins_there(device: str) -> None:
    before = standin.calls.get("aten::mul", 0)
    begin_to_go_back(device)
    assert standin.calls.get("aten::mul", 0) > before


BATTERY = (passes("sigmoidrnn"), passes("mnist-cnn"), passes("fc-net-dropout"))
# Which of them meets the sites of a file: what is first in the list begins.
DETECTORS: dict[str, tuple[Detector, ...]] = {
    "compare/sides/foreign/": (keeps_strangers, judges),
    "compare/judge/evidence/operations.py": (moves,),
    "compare/sides/devices.py": (names_devices, trains),
    "compare/sides/ranges.py": (names_devices,),
    "compare/sides/steady.py": (begins_there,),
    "compare/sides/reference.py": (trains, *BATTERY),
    "": BATTERY,
}
SITES = sites()


def detectors(site: Site) -> tuple[Detector, ...]:
    return next(found for start, found in DETECTORS.items() if site.file.startswith(start))


def test_nothing_is_found_where_nothing_is_planted(device: str) -> None:
    for detect in {detect for found in DETECTORS.values() for detect in found}:
        detect(device)


def test_there_are_sites() -> None:
    assert {site.file for site in SITES} >= {"compare/sides/reference.py", "reference/recurrent.py"}
    assert len(SITES) > 20


@pytest.mark.parametrize("site", SITES, ids=lambda site: str(site)[:70])
def test_a_placement_left_out_is_found(site: Site, device: str) -> None:
    with planted(site):
        for detect in detectors(site):
            try:
                detect(device)
            except (Exception, pytest.fail.Exception):
                return
    pytest.fail(f"nothing finds {site}")
