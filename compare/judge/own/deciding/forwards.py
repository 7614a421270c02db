"""Forward passes of torch's modules as others write them."""

from collections.abc import Callable
from typing import Any


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
