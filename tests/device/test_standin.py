"""The device by itself: it computes what the CPU computes, elsewhere, and refuses what CUDA refuses."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.device import standin


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


Compute = Callable[[torch.Tensor], torch.Tensor]


def both(
    compute: Callable[[torch.Tensor], torch.Tensor], device: str, *shape: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the CPU makes of some numbers, and what the device makes of them, each back through autograd."""
    found = []
    for place in ("cpu", device):
        x = drawn(*shape).to(place).requires_grad_()
        out = compute(x)
        assert out.device.type == x.device.type
        out.square().sum().backward()
        found.append(torch.cat([out.detach().cpu().reshape(-1), x.grad.cpu().reshape(-1)]))
    return found[0], found[1]


COMPUTED: dict[str, Compute] = {
    "a sum": lambda x: x + x,
    "a product": lambda x: x @ x.t(),
    "views": lambda x: x.t()[1:, ::2].reshape(-1),
    "in place": lambda x: (x * 2).add_(1).mul_(x),
    "an index": lambda x: x[torch.tensor([1, 0, 1])],
    "a scalar": lambda x: x * x.sum().item(),
    "parts": lambda x: torch.cat([part.tanh() for part in x.chunk(2, 1)]),
    "a softmax": lambda x: x.log_softmax(1),
}


@pytest.mark.parametrize("what", COMPUTED)
def test_it_computes_what_the_cpu_computes(what: str, device: str) -> None:
    here, there = both(COMPUTED[what], device, 4, 6)
    assert torch.equal(here, there)


LAYERS: dict[str, tuple[Callable[[], torch.nn.Module], tuple[int, ...]]] = {
    "Conv2d": (lambda: torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 7, 8)),
    "BatchNorm2d": (lambda: torch.nn.BatchNorm2d(3), (4, 3, 5, 6)),
    "LSTM": (lambda: torch.nn.LSTM(5, 4, batch_first=True), (3, 6, 5)),
    "LSTM no bias": (lambda: torch.nn.LSTM(5, 4, bias=False), (3, 6, 5)),
    "GRU": (lambda: torch.nn.GRU(5, 4), (3, 6, 5)),
    "RNN": (lambda: torch.nn.RNN(5, 4), (3, 6, 5)),
    "MaxPool2d": (lambda: torch.nn.MaxPool2d(2), (2, 3, 6, 8)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_are_those_of_the_cpu(layer: str, device: str) -> None:
    """To rounding: a cell is one kernel there, and on the CPU several."""
    make, shape = LAYERS[layer]
    torch.manual_seed(0)
    module = make().double()
    found = []
    for place in ("cpu", device):
        module.to(place)
        module.zero_grad()
        x = drawn(*shape).to(place).requires_grad_()
        out = module(x)
        out = out[0] if isinstance(out, tuple) else out
        out.square().sum().backward()
        found.append([out.detach().cpu(), x.grad.cpu(), *(p.grad.cpu().clone() for p in module.parameters())])
    for here, there in zip(*found, strict=True):
        assert torch.allclose(here, there, rtol=1e-12, atol=1e-12)


REFUSED: dict[str, Callable[[torch.Tensor], Any]] = {
    "a tensor of the CPU's": lambda x: x + torch.ones(3),
    "one among several": lambda x: torch.cat([x, torch.ones(3)]),
    "numpy": lambda x: x.numpy(),
    "the CPU's generator": lambda x: x.normal_(generator=torch.Generator()),
    "a CPU module": lambda x: torch.nn.Linear(3, 2)(x),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses_what_cuda_refuses(what: str, device: str) -> None:
    with pytest.raises((RuntimeError, TypeError), match=r"device|generator"):
        REFUSED[what](torch.ones(3, device=device))


def test_a_number_of_the_cpus_may_stand_beside_it(device: str) -> None:
    x = torch.ones(3, device=device)
    assert torch.equal((x * torch.tensor(2.0)).cpu(), torch.full((3,), 2.0))


def test_it_has_a_generator_of_its_own(device: str) -> None:
    def drawn_after(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.nn.functional.dropout(torch.ones(50, device=device), 0.5).cpu()

    first = drawn_after(1)
    assert torch.equal(first, drawn_after(1)) and not torch.equal(first, drawn_after(2))
    state = torch.get_rng_state()
    torch.ones(50, device=device).bernoulli_(0.5)
    assert torch.equal(state, torch.get_rng_state())


def test_it_goes_back_in_a_thread_of_its_own(device: str) -> None:
    seen = []
    x = torch.ones(3, device=device, requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: seen.append(threading.get_ident()))
    y.sum().backward()
    assert seen and seen[0] != threading.get_ident()


def test_memory_outlives_what_shares_it_and_is_given_back(device: str) -> None:
    """Views stay whole when the tensor is gone or resized; what nobody has any more is let go."""
    whole = torch.arange(6.0).to(device)
    part = whole[2:]
    whole.resize_(50)
    assert whole[:6].tolist() == [0, 1, 2, 3, 4, 5] and part.tolist() == [2, 3, 4, 5]
    del whole
    rest = [torch.full((100,), float(n), device=device) for n in range(20)]
    assert part.tolist() == [2, 3, 4, 5] and [float(one[0]) for one in rest] == list(range(20))
    for _ in range(3000):
        torch.ones(10, device=device) + 1
    assert len(standin.memory) < 6000


def test_out_takes_what_is_made(device: str) -> None:
    small, exact = torch.empty(0, device=device), torch.zeros(3, device=device)
    view = exact[1:]
    for out in (small, exact):
        torch.add(torch.ones(3, device=device), 1, out=out)
    assert small.tolist() == exact.tolist() == [2, 2, 2] and view.tolist() == [2, 2]
