"""Torch's fused operations as such as use one parameter, or one gate of it, at a time: by name, the same arguments."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

GATES = {"lstm": 4, "gru": 3}


def linear(input: Tensor, weight: Tensor, bias: Any = None) -> Tensor:
    out = input @ weight.T
    return out if bias is None else out + bias


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return alpha * (mat1 @ mat2) + beta * input


def convolution(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """With the bias added behind it, an entry a channel."""

    def form(input: Tensor, weight: Tensor, bias: Any = None, *rest: Any, **named: Any) -> Tensor:
        out = function(input, weight, None, *rest, **named)
        return out if bias is None else out + bias.view(-1, *[1] * (weight.ndim - 2))

    return form


def scaled(out: Tensor, weight: Any, bias: Any, shape: Sequence[int]) -> Tensor:
    out = out if weight is None else out * weight.view(shape)
    return out if bias is None else out + bias.view(shape)


def layer_norm(input: Tensor, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    return scaled(F.layer_norm(input, shape, None, None, eps), weight, bias, tuple(shape))


def rms_norm(input: Tensor, shape: Any, weight: Any = None, eps: Any = None) -> Tensor:
    return scaled(F.rms_norm(input, shape, None, eps), weight, None, tuple(shape))


def group_norm(input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    return scaled(F.group_norm(input, num_groups, None, None, eps), weight, bias, (-1, *[1] * (input.ndim - 2)))


def batch_norm(
    input: Tensor, mean: Any, var: Any, weight: Any = None, bias: Any = None, *rest: Any, **named: Any
) -> Tensor:
    out = F.batch_norm(input, mean, var, None, None, *rest, **named)
    return scaled(out, weight, bias, (-1, *[1] * (input.ndim - 2)))


def gates(kind: str, tensor: Any) -> Sequence[Any]:
    n = GATES.get(kind, 1)
    return [None] * n if tensor is None else tensor.chunk(n)


def summed(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one + other


def cell(kind: str, x: Tensor, state: tuple[Tensor, ...], w: Tensor, u: Tensor, b: Any, c: Any) -> tuple[Tensor, ...]:
    """One step of a recurrent layer, gate by gate; `state` is (h,) or (h, c). Raises no error of its own."""
    h = state[0]
    ws, us, bs, cs = (gates(kind, tensor) for tensor in (w, u, b, c))

    def gate(n: int) -> Tensor:
        both = summed(bs[n], cs[n])
        out = x @ ws[n].T + h @ us[n].T
        return out if both is None else out + both

    if kind == "lstm":
        i, f, g, o = torch.sigmoid(gate(0)), torch.sigmoid(gate(1)), torch.tanh(gate(2)), torch.sigmoid(gate(3))
        held = f * state[1] + i * g
        return o * torch.tanh(held), held
    if kind == "gru":
        r, z = torch.sigmoid(gate(0)), torch.sigmoid(gate(1))
        inner, outer = h @ us[2].T, x @ ws[2].T
        inner = inner if cs[2] is None else inner + cs[2]
        outer = outer if bs[2] is None else outer + bs[2]
        n = torch.tanh(outer + r * inner)
        return ((1 - z) * n + z * h,)
    return (torch.tanh(gate(0)) if kind == "rnn_tanh" else torch.relu(gate(0)),)


def one_step(kind: str) -> Callable[..., Any]:
    def form(x: Tensor, state: Any, w: Tensor, u: Tensor, b: Any = None, c: Any = None) -> Any:
        found = cell(kind, x, tuple(state) if kind == "lstm" else (state,), w, u, b, c)
        return found if kind == "lstm" else found[0]

    return form


def recurrent(kind: str) -> Callable[..., Any]:
    """Layers, directions and steps one after the other."""

    def form(
        x: Tensor,
        state: Any,
        weights: Sequence[Tensor],
        biases: bool,
        layers: int,
        dropout: float,
        train: bool,
        two_ways: bool,
        batch_first: bool,
    ) -> Any:
        begun = state if kind == "lstm" else (state,)
        steps = list(x.unbind(1 if batch_first else 0))
        ends = []
        count = 4 if biases else 2
        ways = 2 if two_ways else 1
        for layer in range(layers):
            outs = []
            for way in range(ways):
                n = layer * ways + way
                held, found = tuple(part[n] for part in begun), []
                for step in reversed(steps) if way else steps:
                    held = cell(kind, step, held, *(*weights[count * n : count * (n + 1)], None, None)[:4])
                    found.append(held[0])
                ends.append(held)
                outs.append(found[::-1] if way else found)
            steps = [torch.cat(parts, -1) if ways > 1 else parts[0] for parts in zip(*outs, strict=True)]
        last = [torch.stack([end[n] for end in ends]) for n in range(len(begun))]
        return torch.stack(steps, 1 if batch_first else 0), *last

    return form


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    width: int,
    heads: int,
    weight: Any,
    bias: Any,
    *rest: Any,
    **named: Any,
) -> Any:
    """Of (T, N, E): each projection by itself. What it adds to keys and values is left to torch."""
    names = ("bias_k", "bias_v", "zeros", "dropout", "out_weight", "out_bias")
    given = dict(zip(names, rest, strict=False))
    more = dict(named)
    out_weight, out_bias = given.get("out_weight"), given.get("out_bias")
    out_weight, out_bias = more.pop("out_proj_weight", out_weight), more.pop("out_proj_bias", out_bias)
    if more.get("use_separate_proj_weight"):
        weights = [more[f"{letter}_proj_weight"] for letter in "qkv"]
    else:
        weights = list(weight.chunk(3))
    biases = [None] * 3 if bias is None else list(bias.chunk(3))
    parts = [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]
    if plain := query.ndim == 2:
        parts = [part[:, None] for part in parts]
    q, k, v = (part.reshape(len(part), part.shape[1], heads, -1).permute(1, 2, 0, 3) for part in parts)  # (N, h, T, d)
    scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    mask, padding = more.get("attn_mask"), more.get("key_padding_mask")
    if mask is not None:
        mask = mask if mask.is_floating_point() else torch.zeros_like(mask, dtype=q.dtype).masked_fill(mask, -math.inf)
        scores = scores + (mask if mask.ndim == 2 else mask.view(scores.shape))
    if padding is not None:
        if not padding.is_floating_point():
            padding = torch.zeros_like(padding, dtype=q.dtype).masked_fill(padding, -math.inf)
        scores = scores + padding.view(scores.shape[0], 1, 1, -1)
    shares = torch.softmax(scores, -1)
    mixed = (shares @ v).permute(2, 0, 1, 3).reshape(*parts[0].shape)
    mixed = mixed[:, 0] if plain else mixed
    out = linear(mixed, out_weight, out_bias)
    if not more.get("need_weights", True):
        return out, None
    shares = shares.mean(1) if more.get("average_attn_weights", True) else shares
    return out, shares[0] if plain else shares


def dot_product(q: Tensor, k: Tensor, v: Tensor, mask: Any = None, dropout: float = 0, is_causal: bool = False) -> Any:
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if is_causal:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    if mask is not None:
        scores = scores + mask if mask.is_floating_point() else scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, -1) @ v


FORMS: Mapping[str, Callable[..., Any]] = {
    "linear": linear,
    "addmm": addmm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "batch_norm": batch_norm,
    "multi_head_attention_forward": attention,
    "scaled_dot_product_attention": dot_product,
    **{
        name: convolution(getattr(F, name)) for n in (1, 2, 3) for name in (f"conv{n}d", f"conv_transpose{n}d")
    },
    **{name: recurrent(name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    **{f"{name}_cell": one_step(name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
}
