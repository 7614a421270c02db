"""Torch's fused operations as the watcher writes them out; cells gate by gate, each part of a parameter by itself."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from twofold.compare.watch.formulas import convolution, formulas, linear, recurrent, scaled

Form = Callable[..., Any]


@lru_cache(maxsize=1)
def forms() -> Mapping[Any, Form]:
    """By the function of torch that is called. NotImplemented is answered where torch's own has to run."""
    import torch
    import torch.nn.functional as F

    relu, tanh = of_plain_cell(torch.relu), of_plain_cell(torch.tanh)
    return {
        **formulas(),
        F.conv3d: convolution(F.conv3d),
        F.group_norm: group_norm,
        torch.addmm: addmm,
        torch.lstm: recurrent(lstm, 4, True),
        torch.gru: recurrent(gru, 3),
        torch.rnn_tanh: recurrent(tanh, 1),
        torch.rnn_relu: recurrent(relu, 1),
        torch.lstm_cell: lstm,
        torch.gru_cell: single(gru),
        torch.rnn_tanh_cell: single(tanh),
        torch.rnn_relu_cell: single(relu),
    }


def addmm(input: Any, one: Any, other: Any, **factors: Any) -> Any:
    return NotImplemented if factors else linear(one, other.t(), input)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    import torch.nn.functional as F

    if weight is None and bias is None:
        return NotImplemented
    shape = [-1, *[1] * (x.ndim - 2)]
    weight, bias = (None if p is None else p.view(shape) for p in (weight, bias))
    return scaled(F.group_norm(x, num_groups, None, None, eps), weight, bias)


def gate(x: Any, h: Any, w: Any, u: Any, b: Any, c: Any) -> Any:
    """The two biases are added to one another first: that is all that can be told of them."""
    out = x @ w.t() + h @ u.t()
    return out if b is None else out + (b + c)


def chunked(n: int, *parameters: Any) -> list[tuple[Any, ...]]:
    """Gate by gate the part of each."""
    return list(zip(*((None,) * n if p is None else p.chunk(n) for p in parameters), strict=True))


def lstm(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
    hidden, cell = state
    of_i, of_f, of_g, of_o = chunked(4, w, u, b, c)
    i, f = gate(x, hidden, *of_i).sigmoid(), gate(x, hidden, *of_f).sigmoid()
    g, o = gate(x, hidden, *of_g).tanh(), gate(x, hidden, *of_o).sigmoid()
    cell = f * cell + i * g
    return o * cell.tanh(), cell


def gru(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
    (hidden,) = state
    of_r, of_z, (w_n, u_n, b_n, c_n) = chunked(3, w, u, b, c)
    r, z = gate(x, hidden, *of_r).sigmoid(), gate(x, hidden, *of_z).sigmoid()
    kept = 1 - z
    n = (linear(x, w_n, b_n) + r * linear(hidden, u_n, c_n)).tanh()
    return (kept * n + z * hidden,)


def of_plain_cell(activation: Form) -> Form:
    def step(x: Any, state: Any, w: Any, u: Any, b: Any = None, c: Any = None) -> Any:
        return (activation(gate(x, state[0], w, u, b, c)),)

    return step


def single(step: Form) -> Form:
    def cell(x: Any, state: Any, *parameters: Any) -> Any:
        return step(x, (state,), *parameters)[0]

    return cell
