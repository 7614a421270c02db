"""What may be otherwise in a module of the reference, or in its loss: tried on the reference itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

from twofold.compare.judge.own.deciding.forwards import gru_reset_first, lstm_without_tanh, normed, reversed_kernel
from twofold.compare.judge.own.meeting.bout import Bout

EPSILONS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 0.0)
SLOPES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3)


@dataclass(frozen=True)
class Convention:
    """What differs, and what to write where that is meant."""

    text: str
    onward: str = ""
    reported: bool = False  # where it is in the number that is reported alone, and no gradient sees it
    meant: bool = True  # False where scratch has the tensor and does not use it: a fault, if nothing else speaks


Deviation = tuple[Convention, Callable[[], AbstractContextManager[Any]]]


def deviations(bout: Bout) -> Iterator[Deviation]:
    """What may be otherwise in a module of the reference, or in its loss."""
    parts = [
        (f"{prefix}.{name}".strip("."), part)
        for prefix, module in bout.reference.modules.items()
        for name, part in module.named_modules()
    ]
    norms = [(name, part) for name, part in parts if hasattr(part, "eps") and not any(part.children())]
    if norms:
        kind = type(norms[0][1]).__name__
        for eps in EPSILONS:
            told = Convention(f"eps is {eps:g} where {kind} has {norms[0][1].eps:g}", f"nn.{kind}(..., eps={eps:g})")
            yield told, partial(everywhere, [part for _, part in norms], "eps", eps)
        for eps in dict.fromkeys((norms[0][1].eps, *EPSILONS)):
            told = Convention(f"eps = {eps:g} is added to the deviation, where {kind} has it inside the root")
            yield told, partial(replaced, norms, partial(with_norm, eps, False))
            told = Convention(f"the variance is divided by n - 1, where {kind} divides by n (eps {eps:g})")
            yield told, partial(replaced, norms, partial(with_norm, eps, True))
    for name in ("negative_slope", "alpha"):
        kinked = [part for _, part in parts if isinstance(getattr(part, name, None), float)]
        for slope in SLOPES if kinked else ():
            kind = type(kinked[0]).__name__
            told = Convention(
                f"{name} is {slope:g} where {kind} has {getattr(kinked[0], name):g}", f"nn.{kind}({slope:g})"
            )
            yield told, partial(everywhere, kinked, name, slope)
    if gelus := [part for _, part in parts if hasattr(part, "approximate")]:
        for kind in ("none", "tanh"):
            told = Convention(f"GELU is the one of approximate={kind!r}", f"nn.GELU(approximate={kind!r})")
            yield told, partial(everywhere, gelus, "approximate", kind)
    yield from of_kinds(bout, parts)
    if bout.reference.criterion is not None:
        yield from of_loss(bout)


def of_kinds(bout: Bout, parts: list[tuple[str, Any]]) -> Iterator[Deviation]:
    """By the class of a module."""
    import torch
    from torch import nn

    def some(*kinds: Any) -> list[tuple[str, Any]]:
        return [(name, part) for name, part in parts if isinstance(part, kinds)]

    if grus := some(nn.GRU):
        told = Convention(
            "the reset gate acts before the recurrent product, where nn.GRU has it after",
            "a reference whose cell has n = tanh(W x + U (r h)), or the gate after the product",
        )
        yield told, partial(replaced, grus, lambda part: partial(gru_reset_first, part))
    if lstms := some(nn.LSTM):
        told = Convention(
            "the cell is sent out without its tanh, h = o c, where nn.LSTM has h = o tanh(c)", "h = o * np.tanh(c)"
        )
        yield told, partial(replaced, lstms, lambda part: partial(lstm_without_tanh, part))
    if rnns := some(nn.RNN):
        told = Convention("the step is a ReLU where nn.RNN has a tanh", 'nn.RNN(..., nonlinearity="relu")')
        yield told, partial(everywhere, [part for _, part in rnns], "mode", "RNN_RELU")
    if convs := some(nn.Conv1d, nn.Conv2d, nn.Conv3d):
        told = Convention(
            "the kernel is reversed: a convolution, where torch's layer is a correlation",
            "layout={'conv.weight': 'flip(W, (2, 3))'}",
        )
        yield told, partial(replaced, convs, lambda part: partial(reversed_kernel, part))
    if acts := some(nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.Softplus, nn.LeakyReLU):
        others = {
            "ReLU": torch.relu,
            "Tanh": torch.tanh,
            "Sigmoid": torch.sigmoid,
            "GELU": nn.functional.gelu,
            "SiLU": nn.functional.silu,
            "Softplus": nn.functional.softplus,
            "the identity": lambda x: x,
        }
        for path, part in acts:
            for other, function in others.items():
                if other != type(part).__name__:
                    told = Convention(
                        f"{path or 'the activation'} is {other} where the reference has {type(part).__name__}"
                    )
                    yield told, partial(replaced, [(path, part)], partial(always, function))
    layout = bout.pairing.layout.shown()
    for path, part in parts:
        if getattr(part, "bias", None) is not None and isinstance(part.bias, torch.Tensor):
            told = Convention(
                f"{path or type(part).__name__} has no bias in scratch", f"nn.{type(part).__name__}(..., bias=False)"
            )
            if own := layout.get(f"{path}.bias".lstrip(".")):
                told = Convention(f"{own} is not used: with {path}.bias at 0 everything agrees", meant=False)
            yield told, partial(without_bias, part)


def of_loss(bout: Bout) -> Iterator[Deviation]:
    """What may be otherwise in the loss."""
    torch, criterion = bout.reference.torch, bout.reference.criterion

    def broadcast(out: Any, target: Any) -> Any:
        return criterion(*torch.broadcast_tensors(out.reshape(-1, 1), target.reshape(1, -1)))

    told = "(N, 1) and (N,) are broadcast to (N, N) in scratch's loss, where torch takes N pairs"
    yield Convention(told, "y[:, None] in place of y"), partial(patch.object, bout.reference, "criterion", broadcast)
    for name, function in (("softmax", lambda o: torch.softmax(o, -1)), ("sigmoid", torch.sigmoid)):
        told = f"scratch's loss takes a {name} of the output first, the reference does not"
        onward = f"loss=lambda out, y: loss(torch.{name}(out), y)"

        def applied(out: Any, target: Any, function: Any = function) -> Any:
            return criterion(function(out), target)

        yield Convention(told, onward), partial(patch.object, bout.reference, "criterion", applied)


@contextmanager
def everywhere(parts: list[Any], name: str, value: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(patch.object(part, name, value))
        yield


@contextmanager
def replaced(parts: list[tuple[str, Any]], made: Callable[[Any], Any]) -> Iterator[None]:
    """Other forwards on the instances."""
    with ExitStack() as stack:
        for _, part in parts:
            stack.enter_context(patch.object(part, "forward", made(part)))
        yield


@contextmanager
def without_bias(part: Any) -> Iterator[None]:
    kept = part.bias
    part.register_parameter("bias", None)
    try:
        yield
    finally:
        part.register_parameter("bias", kept)


def with_norm(eps: float, unbiased: bool, part: Any) -> Any:
    return partial(normed, part, eps, unbiased)


def always(function: Any, part: Any) -> Any:
    return function
