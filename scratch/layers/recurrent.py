"""Recurrent layers, unrolled over time by hand."""

import numpy as np
from numpy.random import Generator

from scratch import init
from scratch.layers.activations import sigmoid
from scratch.module import Array, Module, Parameter

Pair = tuple[Array, Array]


class LSTM(Module):
    """One layer of long short-term memory (Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000).

    i, f, o = sigmoid and g = tanh of W_ih x_t + b_ih + W_hh h + b_hh, stacked in the order i, f, g, o;
    c_t = f c + i g;  h_t = o tanh(c_t).
    forward(x, (h0, c0)=None) -> (out, (h_n, c_n)) with x (T, N, input_size), or (N, T, input_size) if `batch_first`,
    h0 and c0 (1, N, hidden_size), ValueError for another shape; backward(dout, (dh_n, dc_n)=None) -> (dx, (dh0, dc0)).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        batch_first: bool = False,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = rng or np.random.default_rng()
        self.input_size, self.hidden_size, self.batch_first = input_size, hidden_size, batch_first
        gates = 4 * hidden_size
        self.weight_ih_l0 = Parameter(init.default((gates, input_size), hidden_size, rng))
        self.weight_hh_l0 = Parameter(init.default((gates, hidden_size), hidden_size, rng))
        self.bias_ih_l0 = Parameter(init.default((gates,), hidden_size, rng)) if bias else None
        self.bias_hh_l0 = Parameter(init.default((gates,), hidden_size, rng)) if bias else None

    def forward(self, x: Array, state: Pair | None = None) -> tuple[Array, Pair]:
        if self.batch_first:
            x = x.swapaxes(0, 1)
        steps, batch, _ = x.shape
        hidden, dtype = self.hidden_size, x.dtype
        # Batch last, and [h | x | 1] in one buffer: one product a step gives all gates, bias included.
        z = np.zeros((steps + 1, hidden + self.input_size + 1, batch), dtype)
        z[:-1, hidden:-1] = x.transpose(0, 2, 1)
        z[:, -1] = 1
        c = np.empty((steps + 1, hidden, batch), dtype)
        for first, given in zip((z[0, :hidden], c[0]), state or (None, None), strict=True):
            if given is not None and given.shape != (1, batch, hidden):
                raise ValueError(f"expected a state of shape {(1, batch, hidden)}, found {given.shape}")
            first[...] = 0 if given is None else given[0].T
        weight = self.joined()
        gates, tanh_c = np.empty((steps, 4 * hidden, batch), dtype), np.empty((steps, hidden, batch), dtype)
        for t in range(steps):
            i, f, g, o = np.matmul(weight, z[t], out=gates[t]).reshape(4, hidden, batch)
            np.tanh(g, out=g)
            # not as (1 + tanh(a/2)) / 2, which is faster and leaves a gate that is nearly closed no right digit
            for gate in (gates[t, : 2 * hidden], o):
                gate[...] = sigmoid(gate)
            c[t + 1] = f * c[t] + i * g
            np.tanh(c[t + 1], out=tanh_c[t])
            np.multiply(o, tanh_c[t], out=z[t + 1, :hidden])
        self.cache = z, c, gates, tanh_c, weight
        out = z[1:, :hidden].transpose((2, 0, 1) if self.batch_first else (0, 2, 1)).copy()
        return out, (z[-1:, :hidden].swapaxes(1, 2).copy(), c[-1:].swapaxes(1, 2).copy())

    def backward(self, dout: Array, dstate: tuple[Array | None, Array | None] | None = None) -> tuple[Array, Pair]:
        z, c, gates, tanh_c, weight = self.cache
        steps, hidden, batch = tanh_c.shape
        dout = dout.transpose(1, 2, 0) if self.batch_first else dout.swapaxes(1, 2)  # -> (T, H, N)
        dh, dc = (
            np.zeros((hidden, batch), dout.dtype) if given is None else given[0].T.copy()
            for given in (dstate or (None, None))
        )
        da = np.empty_like(gates)
        dx = np.empty((steps, batch, self.input_size), dout.dtype)
        transposed = weight[:, :-1].T.copy()
        for t in reversed(range(steps)):
            i, f, g, o = gates[t].reshape(4, hidden, batch)
            da_i, da_f, da_g, da_o = da[t].reshape(4, hidden, batch)
            dh = dh + dout[t]
            dc = dc + dh * o * (1 - tanh_c[t] * tanh_c[t])
            da_i[...] = dc * g * (i * (1 - i))
            da_f[...] = dc * c[t] * (f * (1 - f))
            da_g[...] = dc * i * (1 - g * g)
            da_o[...] = dh * tanh_c[t] * (o * (1 - o))
            dz = transposed @ da[t]
            dh, dc, dx[t] = dz[:hidden], dc * f, dz[hidden:].T
        # one product over all time steps and samples: (4H, T N) by (T N, H + I + 1)
        dweight = da.swapaxes(0, 1).reshape(4 * hidden, -1) @ z[:-1].swapaxes(0, 1).reshape(z.shape[1], -1).T
        self.weight_hh_l0.grad += dweight[:, :hidden]
        self.weight_ih_l0.grad += dweight[:, hidden:-1]
        if self.bias_ih_l0 is not None and self.bias_hh_l0 is not None:
            self.bias_ih_l0.grad += dweight[:, -1]
            self.bias_hh_l0.grad += dweight[:, -1]
        return dx.swapaxes(0, 1) if self.batch_first else dx, (dh.T[None], dc.T[None])

    def joined(self) -> Array:
        """[W_hh | W_ih | b_ih + b_hh], which multiplies [h | x | 1]: (4H, H + I + 1)."""
        if self.bias_ih_l0 is None or self.bias_hh_l0 is None:
            bias = np.zeros(4 * self.hidden_size, self.weight_hh_l0.data.dtype)
        else:
            bias = self.bias_ih_l0.data + self.bias_hh_l0.data
        return np.hstack([self.weight_hh_l0.data, self.weight_ih_l0.data, bias[:, None]])
