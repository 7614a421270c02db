"""Named deviations, tried on the reference: what makes both sides agree is told, with what to pass to go on.

Each is a way in which right nets differ from torch's. It is tried by running the reference with it, and told only where
every tensor that is compared then agrees.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from twofold.compare.judge.own.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.roles import near
from twofold.scratch.module import Array

ALIKE = 1e-9  # of a tensor's largest entry: under a convention that explains everything all agree so nearly
LEFT = 1e-3  # of what was apart: more than that may not be left under it
EPSILONS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 0.0)
SLOPES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3)


@dataclass(frozen=True)
class Convention:
    """What differs, and what to write where that is meant."""

    text: str
    onward: str = ""
    meant: bool = True  # False where scratch has the tensor and does not use it: a fault, if nothing else speaks


def convention(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """The first that explains every tensor; None for none, as for numbers that are not finite."""
    if not all(np.isfinite(value).all() for value in ours.values()):
        return None
    for find in (factor, penalty, constant, clipped):
        if (found := find(bout, one, ours, theirs)) is not None:
            return found
    for told, deviating in deviations(bout):
        try:
            with deviating():
                run = bout.of_run(bout.golden(one))
        except Exception:  # it does not fit this reference
            continue
        if explains(ours, run, theirs):
            return told
    return None


def explains(ours: Tensors, deviating: Tensors, theirs: Tensors) -> bool:
    """Whether all agree with what deviates, and far better than with what does not: a small error is no convention."""
    if not all(name in deviating and near(np.asarray(value), deviating[name], ALIKE) for name, value in ours.items()):
        return False
    left, were = apart(ours, deviating), apart(ours, theirs)
    return left <= LEFT * were or left == 0


def apart(ours: Tensors, theirs: Tensors) -> float:
    """The largest difference of any tensor, as a part of its largest entry."""
    found = [
        float(np.abs(value - theirs[name]).max(initial=0)) / (float(np.abs(theirs[name]).max(initial=0)) or 1.0)
        for name, value in ours.items()
        if name in theirs and value.shape == theirs[name].shape
    ]
    return max(found, default=0.0)


def agree(ours: Tensors, theirs: Tensors, names: list[str]) -> bool:
    return all(near(np.asarray(ours[name]), theirs[name], ALIKE) for name in names if name in theirs)


def factor(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """One number between the losses and between all gradients: a sum, a mean, a half."""
    outputs = [name for name in ours if name.startswith("output")]
    if "loss" not in ours or "loss" not in theirs or not agree(ours, theirs, outputs):
        return None
    of, other = float(ours["loss"]), float(theirs["loss"])
    if not other or not of or not np.isfinite(of / other):
        return None
    by = of / other
    gradients = [name for name in ours if name.startswith("d ")]
    if abs(by - 1) < 1e-6 or not all(near(ours[n], by * theirs[n], ALIKE) for n in gradients if n in theirs):
        return None
    told = f"the losses are {of:.6g} and {other:.6g}, a factor of {by:.6g}"
    told += f", and so it is in each of {len(gradients)} gradients"
    criterion = type(bout.reference.criterion).__name__ if bout.reference.criterion is not None else ""
    name = f"nn.{criterion}" if criterion.endswith("Loss") else "loss"
    reason, onward = reasons(bout, one, by)
    if bout.reference.criterion is None:
        return Convention(f"{told}{reason}", f"a reference that returns {number(by)} times its loss")
    onward = onward.replace("LOSS", name) or f"loss=lambda out, y: {number(by)} * loss(out, y)"
    return Convention(f"{told}{reason}", onward)


def number(by: float) -> str:
    """In six digits where that is all of it, else in so many that what is followed agrees."""
    short = f"{by:.6g}"
    return short if abs(float(short) - by) <= 1e-13 * abs(by) else repr(by)


def reasons(bout: Bout, one: Draw, by: float) -> tuple[str, str]:
    sizes = counts(bout, one)
    times = f"loss=lambda out, y: {number(by)} * loss(out, y)"
    for scale, half in ((1.0, ""), (0.5, "half "), (2.0, "twice ")):
        for name, size in sizes.items():
            if size > 1 and abs(by - scale * size) < 1e-6 * by:
                onward = 'loss=LOSS(reduction="sum")' if scale == 1 else times
                return f": {half}the sum over {size} {name}, where torch takes the mean", onward
            if size > 1 and abs(by - scale / size) < 1e-6 * by:
                told = f": {half}the mean over {size} {name}, where torch takes the sum"
                return told, f"loss=lambda out, y: {number(by)} * loss(out, y)"
    if abs(by - 0.5) < 1e-9:
        return ": halved", "loss=lambda out, y: 0.5 * loss(out, y)"
    return "", ""


def counts(bout: Bout, one: Draw) -> dict[str, int]:
    """What a sum may run over: samples, outputs of one, both."""
    shapes = [shape for shape in bout.shapes if shape]
    if not shapes:
        first = np.shape(bout.pairing.ways[0].apply(one.data[0]))
        return {"samples": int(first[0])} if first else {}
    found = {"samples": shapes[0][0], "entries": int(np.prod(shapes[0]))}
    if len(shapes[0]) > 1:
        found["outputs"] = shapes[0][-1]
        found["positions"] = int(np.prod(shapes[0][:-1]))
    return found


def weights(bout: Bout, one: Draw) -> dict[str, Array]:
    return {
        f"d {leaf.name}": bout.pairing.layout.in_rows(leaf, one.values[leaf.name])
        for leaf in bout.leaves
        if f"{leaf.name}" in one.values
    }


def penalty(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """L2 of the weights in scratch's loss and gradients alone."""
    if "loss" not in ours or "loss" not in theirs:
        return None
    held, rates, squares, whose = weights(bout, one), [], 0.0, []
    for name in (n for n in ours if n.startswith("d ") and n in theirs):
        if ours[name].shape != theirs[name].shape:
            return None
        rest = ours[name] - theirs[name]
        if near(ours[name], theirs[name], ALIKE):
            continue
        if name not in held:
            return None
        weight = held[name]
        rate = float((rest * weight).sum() / (weight * weight).sum())
        if not near(ours[name], theirs[name] + rate * weight, ALIKE):
            return None
        rates.append(rate)
        whose += bout.pairing.layout.torch_names(bout.leaf(name.removeprefix("d ")))
        squares += float((weight * weight).sum())
    if not rates or max(rates) - min(rates) > 1e-6 * abs(rates[0]):
        return None
    extra = float(ours["loss"]) - float(theirs["loss"])
    if abs(extra - 0.5 * rates[0] * squares) > 1e-6 * abs(extra):
        return None
    told = f"scratch's loss has {0.5 * rates[0]:.6g} times the squares of {len(rates)} weights in it, torch's has not"
    squares_of = f"sum((net.get_parameter(name) ** 2).sum() for name in {tuple(whose)})"
    more = f"{number(float(f'{0.5 * rates[0]:.12g}'))} * {squares_of}"
    if bout.reference.criterion is None:
        return Convention(told, f"a reference, net, that adds {more}")
    return Convention(told, f"loss=lambda out, y: loss(out, y) + {more}")


def constant(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """A number in the loss that no gradient sees."""
    rest = [name for name in ours if name != "loss"]
    if "loss" not in ours or "loss" not in theirs or len(rest) < 1 or not agree(ours, theirs, rest):
        return None
    more = float(ours["loss"]) - float(theirs["loss"])
    if apart({name: ours[name] for name in rest}, theirs) > LEFT * abs(more / (float(theirs["loss"]) or 1.0)):
        return None
    onward = f"loss=lambda out, y: loss(out, y) + {more!r}" if bout.reference.criterion else ""
    return Convention(f"the losses are {more:.6g} apart and every gradient agrees", onward)


def clipped(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """Gradients cut at one bound, which is the largest entry that there is."""
    gradients = [name for name in ours if name.startswith("d ") and name in theirs]
    if not gradients or any(ours[n].shape != theirs[n].shape for n in gradients):
        return None
    bound = max(float(np.abs(ours[name]).max(initial=0)) for name in gradients)
    if not all(near(ours[n], np.clip(theirs[n], -bound, bound), ALIKE) for n in gradients):
        return None
    if not any((np.abs(theirs[n]) > bound).any() for n in gradients):
        return None
    return Convention(
        f"gradients are clipped at {bound:.6g}", "clip in a reference_step=, or pass data of a smaller scale"
    )


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
            "a reference whose cell has tanh(W x + U (r h)), or the gate after the product",
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


def normed(part: Any, eps: float, unbiased: bool, x: Any) -> Any:
    """A norm with eps beside the deviation, or with the variance over n - 1."""
    import torch

    shape = getattr(part, "normalized_shape", None)
    axes = tuple(range(x.ndim - len(shape), x.ndim)) if shape else (0, *range(2, x.ndim))
    mean = x.mean(axes, keepdim=True)
    variance = x.var(axes, keepdim=True, unbiased=unbiased)
    if not part.training and getattr(part, "running_var", None) is not None:
        view = [1, -1, *([1] * (x.ndim - 2))]
        mean, variance = part.running_mean.view(view), part.running_var.view(view)
    root = torch.sqrt(variance + eps) if unbiased else torch.sqrt(variance) + eps
    out = (x - mean) / root
    if part.weight is None:
        return out
    view = [1] * (x.ndim - len(shape)) + list(shape) if shape else [1, -1, *([1] * (x.ndim - 2))]
    return out * part.weight.view(view) + (0 if part.bias is None else part.bias.view(view))


def with_norm(eps: float, unbiased: bool, part: Any) -> Any:
    return partial(normed, part, eps, unbiased)


def always(function: Any, part: Any) -> Any:
    return function


def unrolled(part: Any, x: Any, cell: Callable[..., Any], state: Any) -> tuple[Any, Any]:
    """A recurrent layer of one direction, step by step; `state` is a tuple of (layers, N, H) tensors."""
    import torch

    batched = x.ndim == 3
    steps = x.transpose(0, 1) if batched and part.batch_first else x
    steps = steps if batched else steps[:, None]
    begun = [s if s.ndim == 3 else s[:, None] for s in state]
    ends = []
    for layer in range(part.num_layers):
        held, outs = tuple(s[layer] for s in begun), []
        tensors = [getattr(part, f"{kind}_l{layer}", None) for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for step in steps:
            held = cell(step, held, *tensors)
            outs.append(held[0])
        steps = torch.stack(outs)
        ends.append(held)
    out = steps.transpose(0, 1) if batched and part.batch_first else steps
    last = tuple(torch.stack([end[n] for end in ends]) for n in range(len(begun)))
    return (out, last) if batched else (out[:, 0], tuple(s[:, 0] for s in last))


def zeros(part: Any, x: Any) -> Any:
    if x.ndim == 2:
        return x.new_zeros(part.num_layers, part.hidden_size)
    return x.new_zeros(part.num_layers, x.shape[0 if part.batch_first else 1], part.hidden_size)


def gru_reset_first(part: Any, x: Any, h: Any = None) -> Any:
    import torch
    from torch.nn.functional import linear

    size = part.hidden_size

    def cell(step: Any, held: Any, w: Any, u: Any, b: Any, c: Any) -> Any:
        (h,) = held
        given = linear(step, w, b)
        fed = linear(h, u[: 2 * size], None if c is None else c[: 2 * size])
        r, z = torch.sigmoid(given[:, : 2 * size] + fed).split(size, 1)
        n = torch.tanh(given[:, 2 * size :] + linear(r * h, u[2 * size :], None if c is None else c[2 * size :]))
        return ((1 - z) * n + z * h,)

    out, (last,) = unrolled(part, x, cell, (zeros(part, x) if h is None else h,))
    return out, last


def lstm_without_tanh(part: Any, x: Any, state: Any = None) -> Any:
    import torch
    from torch.nn.functional import linear

    def cell(step: Any, held: Any, w: Any, u: Any, b: Any, d: Any) -> Any:
        h, c = held
        i, f, g, o = (linear(step, w, b) + linear(h, u, d)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * c, c

    return unrolled(part, x, cell, (zeros(part, x), zeros(part, x)) if state is None else state)


def reversed_kernel(part: Any, x: Any) -> Any:
    return part._conv_forward(x, part.weight.flip(tuple(range(2, part.weight.ndim))), part.bias)


__all__ = ["Convention", "convention", "shown"]
