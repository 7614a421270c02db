"""torch's fused operations written out in small ones, so that each number on the way can be seen.

Of each the formula is that of torch's documentation. What one does not write out, such as a dropout between layers or
a packed sequence, it answers with NotImplemented: then torch's own runs, and only its result is seen.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Formula = Callable[..., Any]


@lru_cache(maxsize=1)
def formulas() -> Mapping[Any, Formula]:
    """By the function of torch that is called."""
    import torch
    import torch.nn.functional as F

    return {
        F.linear: linear,
        F.conv1d: convolution(F.conv1d),
        F.conv2d: convolution(F.conv2d),
        F.silu: silu,
        F.gelu: gelu,
        F.mish: mish,
        F.softmax: softmax,
        torch.softmax: of_method(softmax),
        torch.Tensor.softmax: of_method(softmax),
        F.log_softmax: log_softmax,
        torch.log_softmax: of_method(log_softmax),
        torch.Tensor.log_softmax: of_method(log_softmax),
        F.cross_entropy: cross_entropy,
        F.nll_loss: nll_loss,
        F.mse_loss: mse_loss,
        F.binary_cross_entropy: binary_cross_entropy,
        F.layer_norm: layer_norm,
        F.batch_norm: batch_norm,
        F.scaled_dot_product_attention: attention,
        F.multi_head_attention_forward: multi_head,
        torch.lstm: recurrent(lstm_step, 4, True),
        torch.gru: recurrent(gru_step, 3),
        torch.rnn_tanh: recurrent(rnn_step("tanh"), 1),
        torch.rnn_relu: recurrent(rnn_step("relu"), 1),
        torch.lstm_cell: lstm_cell,
        torch.gru_cell: gru_cell,
        torch.rnn_tanh_cell: rnn_cell("tanh"),
        torch.rnn_relu_cell: rnn_cell("relu"),
    }


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    product = x @ weight.t() if weight.ndim == 2 else x @ weight
    return product if bias is None else product + bias.view_as(bias)  # a view: what this one use adds to its gradient


def convolution(function: Any) -> Formula:
    def written_out(x: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any) -> Any:
        if bias is None:
            return NotImplemented
        return function(x, weight, None, *args, **kwargs) + bias.view(-1, *[1] * (weight.ndim - 2))

    return written_out


def of_method(function: Formula) -> Formula:
    """torch.softmax and Tensor.softmax have no _stacklevel."""

    def called(x: Any, dim: Any = None, dtype: Any = None) -> Any:
        return function(x, dim) if isinstance(dim, int) and dtype is None else NotImplemented

    return called


def silu(x: Any, inplace: bool = False) -> Any:
    return NotImplemented if inplace else x * x.sigmoid()


def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "none":
        return x * (0.5 * (1 + (x / math.sqrt(2)).erf()))
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + inner.tanh())


def mish(x: Any, inplace: bool = False) -> Any:
    return NotImplemented if inplace else x * x.logaddexp(x.new_zeros(())).tanh()


def softmax(x: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    if dim is None or dtype is not None:
        return NotImplemented
    e = (x - x.detach().amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


def log_softmax(x: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    if dim is None or dtype is not None:
        return NotImplemented
    shifted = x - x.detach().amax(dim, keepdim=True)
    e = shifted.exp()
    total = e.sum(dim, keepdim=True)
    _ = e.detach() / total.detach()  # the probabilities, which most people compute beside it
    return shifted - total.log()


def cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    plain = weight is None and size_average is None and reduce is None and not label_smoothing
    if not plain or x.ndim not in (1, 2):
        return NotImplemented
    logs = log_softmax(x, x.ndim - 1)
    if target.is_floating_point():
        terms = -(target * logs).sum(-1)
    elif (target == ignore_index).any():
        return NotImplemented
    else:
        terms = -logs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    return reduced(terms, reduction)


def nll_loss(
    x: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    if weight is not None or size_average is not None or reduce is not None or x.ndim != 2:
        return NotImplemented
    if (target == ignore_index).any():
        return NotImplemented
    return reduced(-x.gather(-1, target.unsqueeze(-1)).squeeze(-1), reduction)


def reduced(terms: Any, reduction: str) -> Any:
    return terms if reduction == "none" else terms.mean() if reduction == "mean" else terms.sum()


def mse_loss(
    x: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Any:
    plain = weight is None and size_average is None and reduce is None and x.shape == target.shape
    if not plain:
        return NotImplemented
    return reduced((x - target) ** 2, reduction)


def binary_cross_entropy(
    x: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    inner = bool((x > 1e-40).all() and (x < 1).all())  # where no logarithm is held at -100
    plain = weight is None and size_average is None and reduce is None and x.shape == target.shape
    if not plain or not inner:
        return NotImplemented
    return reduced(-(target * x.log() + (1 - target) * (1 - x).log()), reduction)


def layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    return scaled(normalised(x, tuple(range(x.ndim - len(normalized_shape), x.ndim)), eps), weight, bias)


def normalised(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    centred = x - x.mean(axes, keepdim=True)
    variance = (centred**2).mean(axes, keepdim=True)
    return centred * (1 / (variance + eps).sqrt())


def scaled(x: Any, weight: Any, bias: Any) -> Any:
    out = x if weight is None else x * weight
    return out if bias is None else out + bias


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Any:
    import torch
    import torch.nn.functional as F

    shape = [1, -1, *[1] * (x.ndim - 2)]
    weight, bias = (None if p is None else p.view(shape) for p in (weight, bias))
    if not training:
        deviation = (running_var.view(shape) + eps).sqrt()
        return scaled((x - running_mean.view(shape)) / deviation, weight, bias)
    if x.numel() == x.shape[1]:
        return NotImplemented  # as torch says, of one value there is no variance
    if running_mean is not None:
        with torch._C.DisableTorchFunction(), torch.no_grad():  # the running statistics, once
            F.batch_norm(x, running_mean, running_var, None, None, True, momentum, eps)
    return scaled(normalised(x, (0, *range(2, x.ndim)), eps), weight, bias)


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Any:
    if dropout_p or enable_gqa:
        return NotImplemented
    scores = (query @ key.transpose(-2, -1)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        mask = scores.new_ones(scores.shape[-2:]).tril().bool()
        scores = scores.masked_fill(~mask, -math.inf)
    if attn_mask is not None:
        boolean = not attn_mask.is_floating_point()
        scores = scores.masked_fill(~attn_mask, -math.inf) if boolean else scores + attn_mask
        if (scores == -math.inf).all(-1).any():
            return NotImplemented  # torch gives zeros for a row of which all is masked
    return softmax(scores, -1) @ value


def multi_head(
    query: Any,
    key: Any,
    value: Any,
    embed_dim: int,
    heads: int,
    weight: Any,
    bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero: bool,
    dropout: float,
    out_weight: Any,
    out_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    unusual = (bias_k, bias_v, key_padding_mask, static_k, static_v)
    if any(one is not None for one in unusual) or add_zero or (dropout and training) or query.ndim != 3:
        return NotImplemented
    if attn_mask is not None and attn_mask.ndim != 2:
        return NotImplemented
    three = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else weight.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)

    def apart(x: Any, w: Any, b: Any) -> Any:
        """(L, N, E) as (N, heads, L, E / heads)."""
        y = linear(x, w, b)
        return y.reshape(y.shape[0], y.shape[1], heads, -1).permute(1, 2, 0, 3)

    q, k, v = (apart(x, w, b) for x, w, b in zip((query, key, value), three, biases, strict=True))
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if attn_mask is not None:
        boolean = not attn_mask.is_floating_point()
        scores = scores.masked_fill(attn_mask, -math.inf) if boolean else scores + attn_mask
    if not need_weights and (scores == -math.inf).all(-1).any():
        return NotImplemented  # zeros, as in attention
    weights = softmax(scores, -1)
    mixed = (weights @ v).permute(2, 0, 1, 3)
    out = linear(mixed.reshape(mixed.shape[0], mixed.shape[1], -1), out_weight, out_bias)
    shown = weights.mean(1) if average_attn_weights else weights
    return out, shown if need_weights else None


Step = Callable[..., Any]


def recurrent(step: Step, gates: int, cell: bool = False) -> Formula:
    """nn.LSTM, GRU and RNN over (L, N, H_in) or (N, L, H_in), step by step, layers and directions in turn."""

    def run(x: Any, state: Any, weights: Any, *more: Any) -> Any:
        if not isinstance(weights, list | tuple) or len(more) != 6 or x.ndim not in (2, 3):
            return NotImplemented  # a packed sequence
        bias, layers, dropout, training, both, batch_first = more
        per = 4 if bias else 2
        if (dropout and training and layers > 1) or len(weights) != per * layers * (2 if both else 1):
            return NotImplemented
        if x.ndim == 2:
            return NotImplemented
        import torch

        steps = list(x.unbind(1 if batch_first else 0))
        states = tuple(state) if cell else (state,)
        last: list[tuple[Any, ...]] = []
        for layer in range(layers):
            ways = []
            for way in range(2 if both else 1):
                n = layer * (2 if both else 1) + way
                own = [*weights[per * n : per * (n + 1)], *[None] * (4 - per)]
                at = tuple(part[n] for part in states)
                outs = []
                for one in reversed(steps) if way else steps:
                    at = step(one, at, *own)
                    outs.append(at[0])
                last.append(at)
                ways.append(outs[::-1] if way else outs)
            steps = [torch.cat(parts, -1) if both else parts[0] for parts in zip(*ways, strict=True)]
        out = torch.stack(steps, 1 if batch_first else 0)
        return (out, *(torch.stack(parts) for parts in zip(*last, strict=True)))

    return run


def lstm_step(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
    hidden, cell = state
    i, f, g, o = (linear(x, w, b) + linear(hidden, u, c)).chunk(4, -1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cell = f * cell + i * g
    return o * cell.tanh(), cell


def gru_step(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
    (hidden,) = state
    xr, xz, xn = linear(x, w, b).chunk(3, -1)
    hr, hz, hn = linear(hidden, u, c).chunk(3, -1)
    r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
    n = (xn + r * hn).tanh()
    return ((1 - z) * n + z * hidden,)


def rnn_step(kind: str) -> Step:
    def step(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
        (hidden,) = state
        return (getattr(linear(x, w, b) + linear(hidden, u, c), kind)(),)

    return step


def lstm_cell(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
    return lstm_step(x, state, w, u, b, c)


def gru_cell(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
    return gru_step(x, (state,), w, u, b, c)[0]


def rnn_cell(kind: str) -> Formula:
    step = rnn_step(kind)

    def cell(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
        return step(x, (state,), w, u, b, c)[0]

    return cell
