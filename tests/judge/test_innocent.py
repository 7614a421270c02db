"""Correct code that a judge might convict: other names, tied weights, lists of modules, checkpoints, dicts, an FFT."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.judge.battery import DTYPES, run
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Verdict
from twofold.compare.pair import Case, Draw, Twin
from twofold.scratch import Conv2d, Embedding, LeakyReLU, Linear, Module, ReLU, Sequential
from twofold.scratch.module import Array, Parameter

HERE = __name__


def plain_net() -> Module:
    return Sequential({"fc1": Linear(5, 7), "relu1": ReLU(), "fc2": Linear(7, 6), "relu2": ReLU(), "fc3": Linear(6, 3)})


class Net(nn.Module):
    """Three linear layers; each form below calls what stands between them otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(5, 7), nn.Linear(7, 6), nn.Linear(6, 3)


class Shared(Net):
    """One nn.ReLU for both places."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


class SharedByAName(Net):
    """The same, and it has a name that scratch has for one of the two."""

    def __init__(self) -> None:
        super().__init__()
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.relu2(self.fc2(self.relu2(self.fc1(x)))))


class Swapped(Net):
    """Each of the two has the other's name."""

    def __init__(self) -> None:
        super().__init__()
        self.relu2, self.relu1 = nn.ReLU(), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.relu1(self.fc2(self.relu2(self.fc1(x)))))


class Identities(Net):
    """Modules that do nothing, which scratch has none of."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Identity(), nn.ReLU(), nn.Dropout(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.fc3(self.act(self.fc2(self.act(self.fc1(self.first(x)))))))


class Wrapped(Net):
    """A block that holds the ReLU alone."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.relu2 = nn.Sequential(nn.ReLU(), nn.Identity()), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.relu2(self.fc2(self.block(self.fc1(x)))))


class OwnForward(Net):
    """ReLUs whose forward is replaced on the instance, by the same computation."""

    def __init__(self) -> None:
        super().__init__()
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.relu1.forward = lambda x: torch.clamp(x, min=0)  # type: ignore[method-assign]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(self.relu2(self.fc2(self.relu1(self.fc1(x)))))


class Checkpointed(Net):
    """Its middle is forgotten on the way forward and made once more on the way back."""

    reentrant = False

    def __init__(self) -> None:
        super().__init__()
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu2(self.fc2(self.relu1(x)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc3(checkpoint(self.middle, self.fc1(x), use_reentrant=self.reentrant))


class CheckpointedReentrant(Checkpointed):
    reentrant = True


class Twice(Checkpointed):
    """A checkpoint over two calls of one ReLU."""

    def middle(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu1(self.fc2(self.relu1(x)))


def leaky_net() -> Module:
    return Sequential({"fc": Linear(5, 7), "leaky": LeakyReLU(0.25), "out": Linear(7, 3)})


class NamedOtherwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act, self.out = nn.Linear(5, 7), nn.LeakyReLU(0.25), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.act(self.fc(x)))


class ListedNet(Module):
    """Modules in a Python list."""

    def __init__(self) -> None:
        self.layers = [Linear(5, 7), scratch.Tanh(), Linear(7, 3)]

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, dout: Array) -> Array:
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class TiedNet(Module):
    """Embedding and output share one matrix."""

    def __init__(self) -> None:
        self.embedding, self.out = Embedding(11, 5), Linear(5, 11)
        self.out.weight = self.embedding.weight

    def forward(self, x: Array) -> Array:
        return self.out(self.embedding(x))

    def backward(self, dout: Array) -> Array:
        return self.embedding.backward(self.out.backward(dout))


class Tied(nn.Module):
    """The same; the name that comes first is the other one."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 11)
        self.embedding = nn.Embedding(11, 5)
        self.embedding.weight = self.out.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(x))


class UnusedNet(Module):
    """A parameter and a layer that nothing uses."""

    def __init__(self) -> None:
        self.fc, self.idle = Linear(5, 3), Linear(4, 4)
        self.scale = Parameter(np.ones(6))

    def forward(self, x: Array) -> Array:
        return self.fc(x)

    def backward(self, dout: Array) -> Array:
        return self.fc.backward(dout)


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.idle = nn.Linear(5, 3), nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


class SeveralNet(Module):
    """Two outputs, in the container that `kind` makes of them."""

    def __init__(self, kind: str) -> None:
        self.kind, self.fc, self.head = kind, Linear(5, 7), Linear(7, 3)

    def forward(self, x: Array) -> Any:
        self.cache = ()
        hidden = self.fc(x)
        return contained(self.kind, hidden, self.head(hidden))

    def backward(self, *douts: Any) -> Array:
        (dhidden, dout) = list(douts[0].values()) if self.kind == "dict" else douts[0] if self.kind == "list" else douts
        return self.fc.backward(dhidden + self.head.backward(dout))


class Several(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.fc, self.head = kind, nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> Any:
        hidden = self.fc(x)
        return contained(self.kind, hidden, self.head(hidden))


def contained(kind: str, hidden: Any, out: Any) -> Any:
    return {"dict": {"hidden": hidden, "logits": out}, "list": [hidden, out], "tuple": (hidden, out)}[kind]


class Fourier(Conv2d):
    """Its forward pass goes by FFT, whose sums round even integers."""

    def forward(self, x: Array) -> Array:
        right = super().forward(x)
        sizes = [n + k - 1 for n, k in zip(x.shape[2:], self.weight.data.shape[2:], strict=True)]
        image, kernel = (np.fft.rfft2(a, sizes) for a in (x, self.weight.data[:, :, ::-1, ::-1]))
        full = np.fft.irfft2(np.einsum("nchw,ochw->nohw", image, kernel), sizes)
        first = [k - 1 for k in self.weight.data.shape[2:]]
        valid = full[:, :, first[0] : first[0] + right.shape[2], first[1] : first[1] + right.shape[3]]
        return (valid + self.bias.data[:, None, None]).astype(x.dtype)


def fourier_net() -> Module:
    return Sequential({"conv": Fourier(2, 3, 3), "flatten": scratch.Flatten(), "fc": Linear(3 * 5 * 6, 3)})


def convolving() -> nn.Module:
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(2, 3, 3))
    net.add_module("flatten", nn.Flatten())
    net.add_module("fc", nn.Linear(3 * 5 * 6, 3))
    return net


@dataclass(frozen=True)
class Innocent:
    """A pair that is right."""

    scratch: str
    reference: str
    inputs: Draw = field(default_factory=lambda: Draw((6, 5)))
    classes: int | None = 3
    arguments: dict[str, Any] = field(default_factory=dict)
    optimizer: str = "Adam"

    def case(self) -> Case:
        trained = self.classes is not None
        home = "twofold.scratch", "torch.nn", "torch.optim"
        return Case(
            self.reference.lower(),
            Twin(f"{HERE}:{self.scratch}", f"{HERE}:{self.reference}", self.arguments),
            (self.inputs,),
            Twin(f"{home[0]}:CrossEntropyLoss", f"{home[1]}:CrossEntropyLoss") if trained else None,
            Draw((6,), high=self.classes) if trained else None,
            Twin(f"{home[0]}:{self.optimizer}", f"{home[2]}:{self.optimizer}", {"lr": 0.01}) if trained else None,
        )


INNOCENT = (
    *(
        Innocent("plain_net", kind)
        for kind in (
            "Shared",
            "SharedByAName",
            "Swapped",
            "Identities",
            "Wrapped",
            "OwnForward",
            "Checkpointed",
            "CheckpointedReentrant",
            "Twice",
        )
    ),
    Innocent("leaky_net", "NamedOtherwise"),
    Innocent("fourier_net", "convolving", Draw((6, 2, 7, 8))),
    Innocent("ListedNet", "Listed"),
    Innocent("TiedNet", "Tied", Draw((6,), high=11), 11),
    Innocent("TiedNet", "Tied", Draw((6,), high=11), 11, optimizer="SGD"),
    Innocent("UnusedNet", "Unused"),
    Innocent("UnusedNet", "Unused", optimizer="SGD"),
    *(Innocent("SeveralNet", "Several", classes=None, arguments={"kind": kind}) for kind in ("dict", "list", "tuple")),
)


def named(innocent: Innocent) -> str:
    return f"{innocent.reference}{'-'.join(innocent.arguments.values())}-{innocent.optimizer}"


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # a reentrant checkpoint under no_grad
@pytest.mark.parametrize("innocent", INNOCENT, ids=named)
@pytest.mark.parametrize("dtype", DTYPES)
def test_correct_code_passes(innocent: Innocent, dtype: str) -> None:
    result = run(innocent.case(), dtype)
    assert result.passed, [
        (f.check, f.reason, f.worst and (f.worst.name, f.worst.reason))
        for f in result.findings
        if f.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    ]


# What differs, and is named for what it is


class Frozen(NamedOtherwise):
    def __init__(self) -> None:
        super().__init__()
        self.fc.requires_grad_(False)


class PythonList(nn.Module):
    """Modules where torch does not see them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


@pytest.mark.parametrize("check", ["names", "gradient", "resync"])
def test_a_frozen_layer_is_named_as_frozen(check: str) -> None:
    finding = only(Innocent("leaky_net", "Frozen").case(), "float64", check)
    assert finding.blame.side == "conventions" and "requires_grad is False" in finding.blame.reason, finding.blame


def test_modules_that_torch_does_not_register_are_named() -> None:
    finding = only(Innocent("ListedNet", "PythonList", classes=None).case(), "float64", "names")
    assert "torch registers no modules in layers: nn.ModuleList does" in finding.worst.reason


def test_what_is_named_otherwise_is_noted() -> None:
    (finding,) = run(
        Innocent("leaky_net", "NamedOtherwise").case(), "float64", checks=[CHECKS_BY_NAME["forward"]]
    ).findings
    notes = [quantity.reason for quantity in finding.quantities if quantity.verdict is Verdict.NOT_APPLICABLE]
    assert finding.verdict is Verdict.PASS and notes == ["leaky: the reference calls it act"]
