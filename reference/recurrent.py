"""The two recurrent layers that torch.nn lacks, written from torch operations; autograd gives their gradients."""

import math

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """Names, shapes, initialisation and signature of torch.nn's recurrent layers; `gates` matrices are stacked."""

    gates: int
    weight_ih_l0: nn.Parameter
    weight_hh_l0: nn.Parameter
    bias_ih_l0: nn.Parameter | None
    bias_hh_l0: nn.Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, batch_first: bool = False) -> None:
        super().__init__()
        self.hidden_size, self.batch_first = hidden_size, batch_first
        bound = 1 / math.sqrt(hidden_size)
        for name, columns in (("ih", input_size), ("hh", hidden_size)):
            weight = torch.empty(self.gates * hidden_size, columns).uniform_(-bound, bound)
            self.register_parameter(f"weight_{name}_l0", nn.Parameter(weight))
            offset = nn.Parameter(torch.empty(self.gates * hidden_size).uniform_(-bound, bound)) if bias else None
            self.register_parameter(f"bias_{name}_l0", offset)

    def cell(self, x: Tensor, h: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor, h0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.batch_first:
            x = x.transpose(0, 1)
        h = x.new_zeros(x.shape[1], self.hidden_size) if h0 is None else h0[0]
        outs = []
        for step in x:
            h = self.cell(step, h)
            outs.append(h)
        out = torch.stack(outs)
        return (out.transpose(0, 1) if self.batch_first else out), h[None]


class SigmoidRNN(Recurrent):
    """h' = sigmoid(W_ih x + b_ih + W_hh h + b_hh)."""

    gates = 1

    def cell(self, x: Tensor, h: Tensor) -> Tensor:
        of_input = nn.functional.linear(x, self.weight_ih_l0, self.bias_ih_l0)
        return torch.sigmoid(of_input + nn.functional.linear(h, self.weight_hh_l0, self.bias_hh_l0))


class ResetFirstGRU(Recurrent):
    """A GRU whose reset gate acts before the recurrent product: n = tanh(W_in x + b_in + W_hn (r h) + b_hn)."""

    gates = 3

    def cell(self, x: Tensor, h: Tensor) -> Tensor:
        size = self.hidden_size
        i_r, i_z, i_n = nn.functional.linear(x, self.weight_ih_l0, self.bias_ih_l0).split(size, 1)
        gates = self.weight_hh_l0[: 2 * size], None if self.bias_hh_l0 is None else self.bias_hh_l0[: 2 * size]
        candidate = self.weight_hh_l0[2 * size :], None if self.bias_hh_l0 is None else self.bias_hh_l0[2 * size :]
        h_r, h_z = nn.functional.linear(h, *gates).split(size, 1)
        r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
        n = torch.tanh(i_n + nn.functional.linear(r * h, *candidate))
        return (1 - z) * n + z * h
