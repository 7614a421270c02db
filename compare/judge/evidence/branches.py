"""ReLU signs, pool winners and dropout masks: the reference takes those that scratch took.

A pre-activation within rounding of zero may fall on either side of the kink. That is no fault, but it moves everything
behind it by far more than rounding does. So the reference alone is pinned: each of its ReLUs keeps the entries that are
positive in what scratch's ReLU of the same path was given, each of its pools picks the winners of scratch's input. Only
the *inputs* of scratch's modules are used, so that a scratch ReLU that decides wrongly differs and is found.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.sides import Reference
from twofold.compare.sides.trace import Names, call_key, call_of, fingerprint, going_back, path_of
from twofold.scratch import LeakyReLU, MaxPool2d, ReLU
from twofold.scratch.module import Array, Module


@dataclass(frozen=True)
class Flip:
    """Entries of one module that the reference by itself would have decided otherwise.

    `ulps` is the largest distance of such an entry from the kink, in eps(dtype) times the largest entry of the input.
    """

    module: str
    count: int
    ulps: float


@contextmanager
def pinned(
    side: Reference, inputs: Mapping[str, Array], masks: Mapping[str, Array] | None = None, counting: bool = True
) -> Iterator[list[Flip]]:
    """Pins every nn.ReLU, nn.LeakyReLU and nn.MaxPool2d of the reference to `inputs`, named as in a Trace.

    In training mode every nn.Dropout takes the boolean keep pattern of `masks` and scales by itself.

    What it would have decided otherwise is listed where one is `counting`, on the CPU: it costs looking at every entry.

    A module with a forward of its own on the instance does what that says, and one whose input has another shape than
    the one given stays as it is: such a difference will be found.
    """
    from torch import nn

    flips: list[Flip] = []
    forwards = []
    for path, module in side.model.named_modules():
        pin = {nn.ReLU: _relu, nn.LeakyReLU: _relu, nn.MaxPool2d: _pool, nn.Dropout: _dropout}.get(type(module))
        if pin and "forward" not in vars(module):
            known = (masks or {}) if pin is _dropout else inputs
            forwards.append((module, _Pinned(path, module, pin, known, side.names, flips if counting else None)))
    with shadowed(forwards):
        yield flips


@contextmanager
def shadowed(forwards: Sequence[tuple[Any, Callable]]) -> Iterator[None]:
    """Modules of either side with another forward on the instance, and afterwards with what was there."""
    own = [vars(module).get("forward") for module, _ in forwards]
    for module, forward in forwards:
        vars(module)["forward"] = forward
    try:
        yield
    finally:
        for (module, _), forward in zip(forwards, own, strict=True):
            del vars(module)["forward"]
            if forward:
                vars(module)["forward"] = forward


class _Pinned:
    """The forward of one module that decides as scratch did."""

    def __init__(
        self, path: str, module: Any, pin: Any, known: Mapping[str, Array], names: Names, flips: list[Flip] | None
    ) -> None:
        self.path, self.module, self.pin, self.known, self.names, self.flips = path, module, pin, known, names, flips
        self.forward = module.forward
        self.taken: list[Any] = []  # by every call, to know one again that a checkpoint makes once more

    def __call__(self, x: Any) -> Any:
        own = call_key(self.path, self.call_taking(x))
        key = self.names.get(own, own)
        if key is None or key not in self.known or self.known[key].shape != tuple(x.shape):
            return self.forward(x)
        counting = self.flips is not None and not going_back()
        out, distances = self.pin(self.module, x, self.known[key], counting)
        if self.flips is not None and distances.size:
            unit = np.finfo(distances.dtype).eps * float(x.detach().abs().max())
            self.flips.append(Flip(key, distances.size, float(distances.max() / unit)))
        return out

    def call_taking(self, x: Any) -> int:
        told = fingerprint((x,))
        if going_back() and told in self.taken:
            return self.taken.index(told)
        self.taken.append(told)
        return len(self.taken) - 1


NONE = np.empty(0)


def _relu(module: Any, x: Any, given: Array, counting: bool) -> tuple[Any, Array]:
    import torch

    keep = torch.from_numpy(given > 0).to(x.device)
    flipped = x.detach()[keep != (x.detach() > 0)].abs().numpy() if counting else NONE
    # NaN is kept: a reference that has one must not hide behind scratch's branch
    below = getattr(module, "negative_slope", 0.0) * x
    out = torch.where(keep | x.detach().isnan(), x, below)
    return x.copy_(out) if module.inplace else out, flipped


def unpinned(side: Reference, masks: Mapping[str, Array]) -> str:
    """Which nn.Dropout draws by itself, as scratch's layer of the same name shows no mask; empty where none does."""
    from torch import nn

    shown = {call_of(key) for key in masks}
    drawing = [path for path, module in side.model.named_modules() if type(module) is nn.Dropout and module.training]
    alone = [path for path in drawing if side.names.get(path, path) not in shown]
    return f": scratch keeps no `mask` for it to take in {', '.join(alone)}" if alone else ""


def _dropout(module: Any, x: Any, mask: Array, counting: bool) -> tuple[Any, Array]:
    import torch

    kept = x * torch.from_numpy(mask).to(x.device) / (1 - module.p) if module.training else x
    return kept, NONE


def _pool(module: Any, x: Any, given: Array, counting: bool) -> tuple[Any, Array]:
    import torch
    from torch.nn.functional import max_pool2d

    def winners(images: Any) -> tuple[Any, Any]:
        return max_pool2d(
            images, module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode, True
        )

    _, indices = winners(torch.from_numpy(given.astype(np.float64, copy=False)).to(x.device))
    out = x.flatten(2).gather(2, indices.flatten(2)).reshape(indices.shape)
    if not counting:
        return out, NONE
    largest, _ = winners(x.detach())
    lost = largest - out.detach()
    return out, lost[lost > 0].numpy()


@contextmanager
def held(
    model: Module, inputs: Mapping[str, Array], outputs: Mapping[str, Sequence[Array]] | None = None
) -> Iterator[None]:
    """Scratch's own ReLUs and pools, held to the branches that they took for `inputs` while their inputs move.

    Calls in `outputs` give those whatever they take: what lies before a cut-off gradient stands still. A subclass of a
    ReLU or pool is left alone.
    """
    outputs = outputs or {}
    forwards = [
        (module, _Held(path, module, inputs, outputs))
        for path, module in model.named_modules()
        if type(module) in (ReLU, LeakyReLU, MaxPool2d) or any(path_of(call) == path for call in outputs)
    ]
    with shadowed(forwards):
        yield


class _Held:
    """The forward of one module of scratch that decides, or gives, what it did before."""

    def __init__(
        self, path: str, module: Module, inputs: Mapping[str, Array], outputs: Mapping[str, Sequence[Array]]
    ) -> None:
        self.path, self.module, self.inputs, self.outputs = path, module, inputs, outputs
        self.forward, self.calls = module.forward, 0

    def __call__(self, *given: Any) -> Any:
        key = call_key(self.path, self.calls)
        self.calls += 1
        if key in self.outputs:
            return nest.fill(self.forward(*given), iter(self.outputs[key]))
        if key in self.inputs and type(self.module) in (ReLU, LeakyReLU, MaxPool2d):
            return _decided(self.module, self.inputs[key], *given)
        return self.forward(*given)


def _decided(module: Module, given: Array, x: Array) -> Array:
    if isinstance(module, MaxPool2d):
        winners = np.argmax(module.taps(given), axis=0)
        return np.take_along_axis(np.stack(module.taps(x)), winners[None], axis=0)[0]
    return np.where(given > 0, x, getattr(module, "negative_slope", 0) * x)
