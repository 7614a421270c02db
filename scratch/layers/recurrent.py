"""Recurrent layers, unrolled over time by hand."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from twofold.scratch import init
from twofold.scratch.checks import gradient, refuse, shaped, two, whole
from twofold.scratch.layers.activations import sigmoid
from twofold.scratch.module import Array, Module, Parameter, blocks

Pair = tuple[Array, Array]

# Bytes of an RNN's or GRU's states, or of an LSTM's gates, that are gone back over at a time. What some steps need for
# all their gradients is then still in the L2 cache: 0.7 to 0.9 of the time that it takes for all steps at once.
BLOCK_BYTES = 1 << 19


def latest_first(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Views of some time steps of each array, from the last ones to the first."""
    return reversed(list(blocks(*arrays, size=BLOCK_BYTES)))


class Recurrent(Module):
    """One layer over time with torch's names: weight_ih_l0 (G H, I), weight_hh_l0 (G H, H) and their biases.

    `gates` G counts the matrices that are stacked. x is (T, N, I), or (N, T, I) if `batch_first`; one sequence alone
    is (T, I) in either case, its state (1, H), and so is what comes out.
    """

    gates: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        batch_first: bool = False,
        rng: Generator | int | None = None,
    ) -> None:
        rng = init.generator(rng)
        self.input_size = input_size = whole(self, "input_size", input_size, exact=True)
        self.hidden_size = hidden_size = whole(self, "hidden_size", hidden_size, exact=True)
        self.batch_first = batch_first
        stacked = self.gates * hidden_size
        self.weight_ih_l0 = Parameter(init.default((stacked, input_size), hidden_size, rng))
        self.weight_hh_l0 = Parameter(init.default((stacked, hidden_size), hidden_size, rng))
        self.bias_ih_l0 = Parameter(init.default((stacked,), hidden_size, rng)) if bias else None
        self.bias_hh_l0 = Parameter(init.default((stacked,), hidden_size, rng)) if bias else None

    def taken(self, x: Array) -> tuple[Array, bool]:
        """The caller's x as (T, N, I), and whether it is one sequence alone."""
        size = self.input_size
        batch = ("N", "T", size) if self.batch_first else ("T", "N", size)
        x = shaped(self, x, self.weight_ih_l0.data.dtype, batch, ("T", size))
        first, alone = (x[:, None], True) if x.ndim == 2 else (self.time_first(x), False)
        if len(first) == 0:
            refuse(self, "a sequence of one step or more", x)
        return first, alone

    def time_first(self, x: Array) -> Array:
        """Between the caller's layout and (T, N, ...), either way."""
        return x.swapaxes(0, 1) if self.batch_first else x

    def initial(self, state: Array | None, batch: int, dtype: np.dtype, alone: bool) -> Array:
        """(1, N, H), or zeros for None, as (N, H)."""
        if state is None:
            return np.zeros((batch, self.hidden_size), dtype)
        shape = (1, self.hidden_size) if alone else (1, batch, self.hidden_size)
        state = shaped(self, state, dtype, shape, what="a state").reshape(1, batch, self.hidden_size)
        return state[0]

    def sent(self, dout: Array, steps: int, batch: int, dtype: np.dtype, alone: bool) -> Array:
        """The gradient of all states, in the caller's layout, as (T, N, H)."""
        sizes = (batch, steps) if self.batch_first else (steps, batch)
        dout = gradient(self, dout, (*((steps,) if alone else sizes), self.hidden_size), dtype)
        return dout[:, None] if alone else self.time_first(dout)

    def sent_last(self, dh_n: Array | None, batch: int, dtype: np.dtype, alone: bool) -> Array | None:
        """The gradient of the last state, (1, N, H), where one is given."""
        if dh_n is None:
            return None
        shape = (1, self.hidden_size) if alone else (1, batch, self.hidden_size)
        return gradient(self, dh_n, shape, dtype, "a last state's gradient").reshape(1, batch, self.hidden_size)

    def biases(self) -> Array:
        """b_ih and b_hh a gate at a time, zeros where there are none: (2, G, H)."""
        if self.bias_ih_l0 is None or self.bias_hh_l0 is None:
            return np.zeros((2, self.gates, self.hidden_size), self.weight_hh_l0.data.dtype)
        return np.stack([self.bias_ih_l0.data, self.bias_hh_l0.data]).reshape(2, self.gates, -1)


def returned(array: Array, alone: bool) -> Array:
    """(T, N, ...), (N, T, ...) or (1, N, H), of one sequence alone without the batch's axis."""
    return array.reshape(-1, array.shape[-1]) if alone else array


class RNN(Recurrent):
    """Elman's network: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    forward(x, h0=None) -> (out, h_n) with h0 and h_n (1, N, H); backward(dout, dh_n=None) -> (dx, dh0).
    """

    gates = 1

    def activate(self, a: Array) -> None:
        """In place."""
        np.tanh(a, out=a)

    def slope(self, h: Array) -> Array:
        """The activation's derivative, from its value."""
        return 1 - h * h

    def forward(self, x: Array, h0: Array | None = None) -> tuple[Array, Array]:
        x, alone = self.taken(x)
        steps, batch, _ = x.shape
        w_ih = np.vstack([self.weight_ih_l0.data.T, self.biases().sum(axis=0)])
        inputs, w_hh = with_ones(x), self.weight_hh_l0.data.T.copy()
        h = np.empty((steps + 1, batch, self.hidden_size), x.dtype)
        h[0] = self.initial(h0, batch, x.dtype, alone)
        for t in range(steps):
            a = np.matmul(inputs[t], w_ih, out=h[t + 1])
            a += h[t] @ w_hh
            self.activate(a)
        self.cache = x, h, alone
        return returned(self.time_first(h[1:]).copy(), alone), returned(h[-1:].copy(), alone)

    def backward(self, dout: Array, dh_n: Array | None = None) -> tuple[Array, Array]:
        x, h, alone = self.cache
        batch, dtype = x.shape[1], x.dtype
        dout, dh_n = self.sent(dout, len(x), batch, dtype, alone), self.sent_last(dh_n, batch, dtype, alone)
        dx = np.empty(x.shape, dout.dtype)
        dh = np.zeros_like(h[0]) if dh_n is None else dh_n[0].copy()
        for part in latest_first(h[:-1], h[1:], x, dout, dx):
            self.backward_steps(dh, *part)
        return returned(self.time_first(dx), alone), returned(dh[None], alone)

    def backward_steps(self, dh: Array, before: Array, h: Array, x: Array, dout: Array, dx: Array) -> None:
        """Carries dh back past these steps, in place, and writes their dx."""
        da = self.slope(h)  # all but dh, which the loop multiplies in: no temporaries
        for t in reversed(range(len(x))):
            dh += dout[t]
            da[t] *= dh
            np.matmul(da[t], self.weight_hh_l0.data, out=dh)
        add_gradients(self.weight_ih_l0, self.bias_ih_l0, (da, x))
        add_gradients(self.weight_hh_l0, self.bias_hh_l0, (da, before))
        np.matmul(da, self.weight_ih_l0.data, out=dx)


class SigmoidRNN(RNN):
    """An RNN of sigmoid units: `sine-rnn`. torch has none; reference/recurrent.py writes one from torch operations."""

    def activate(self, a: Array) -> None:
        a[...] = sigmoid(a)

    def slope(self, h: Array) -> Array:
        return h * (1 - h)


def with_ones(x: Array) -> Array:
    """[x | 1], which one product multiplies by a weight and its bias: (T, N, I) -> (T, N, I + 1)."""
    return np.concatenate([x, np.ones((*x.shape[:2], 1), x.dtype)], axis=2)


def add_gradients(weight: Parameter, bias: Parameter | None, *terms: tuple[Array, Array]) -> None:
    """Into a weight and its bias, one product over time steps and samples for each stacked part.

    A term is the gradient (T, N, H) of a part's product and what the part met in it (T, N, I or H).
    """
    for part, (d, met) in enumerate(terms):
        rows, at = d.reshape(-1, d.shape[2]), slice(part * d.shape[2], (part + 1) * d.shape[2])
        weight.grad[at] += rows.T @ met.reshape(-1, met.shape[2])
        if bias is not None:
            bias.grad[at] += np.ones(len(rows), rows.dtype) @ rows


class LSTM(Recurrent):
    """One layer of long short-term memory (Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000).

    i, f, o = sigmoid and g = tanh of W_ih x_t + b_ih + W_hh h + b_hh, stacked in the order i, f, g, o;
    c_t = f c + i g;  h_t = o tanh(c_t).
    forward(x, (h0, c0)=None) -> (out, (h_n, c_n)) with x (T, N, input_size), or (N, T, input_size) if `batch_first`,
    h0 and c0 (1, N, hidden_size), ValueError for another shape; backward(dout, (dh_n, dc_n)=None) -> (dx, (dh0, dc0)).
    """

    gates = 4

    def forward(self, x: Array, state: Pair | None = None) -> tuple[Array, Pair]:
        x, alone = self.taken(x)
        steps, batch, _ = x.shape
        hidden, dtype = self.hidden_size, x.dtype
        # Batch last, and [h | x | 1] in one buffer: a product a step for each gate, bias included. Four small ones
        # and not one of all gates: BLAS needs no copies for them, a quarter faster in float64
        z = np.zeros((steps + 1, hidden + self.input_size + 1, batch), dtype)
        z[:-1, hidden:-1] = x.transpose(0, 2, 1)
        z[:, -1] = 1
        c = np.empty((steps + 1, hidden, batch), dtype)
        if state is not None:
            state = two(self, state, "a state of two arrays (h0, c0)", whole=True)
        h0, c0 = state or (None, None)
        z[0, :hidden], c[0] = (self.initial(first, batch, dtype, alone).T for first in (h0, c0))
        weight = self.joined()
        gates, tanh_c = np.empty((steps, 4, hidden, batch), dtype), np.empty((steps, hidden, batch), dtype)
        for t in range(steps):
            i, f, g, o = np.matmul(weight, z[t], out=gates[t])
            np.tanh(g, out=g)
            # not as (1 + tanh(a/2)) / 2, which is faster and leaves a gate that is nearly closed no right digit
            for gate in (gates[t, :2], o):
                gate[...] = sigmoid(gate)
            c[t + 1] = f * c[t] + i * g
            np.tanh(c[t + 1], out=tanh_c[t])
            np.multiply(o, tanh_c[t], out=z[t + 1, :hidden])
        self.cache = z, c, gates, tanh_c, weight, alone
        out = z[1:, :hidden].transpose((2, 0, 1) if self.batch_first else (0, 2, 1)).copy()
        h_n, c_n = (z[-1:, :hidden].swapaxes(1, 2).copy(), c[-1:].swapaxes(1, 2).copy())
        return returned(out, alone), (returned(h_n, alone), returned(c_n, alone))

    def backward(self, dout: Array, dstate: tuple[Array | None, Array | None] | None = None) -> tuple[Array, Pair]:
        z, c, gates, tanh_c, weight, alone = self.cache
        steps, hidden, batch = tanh_c.shape
        dout = self.sent(dout, steps, batch, z.dtype, alone).swapaxes(1, 2)  # -> (T, H, N)
        last_states = (None, None) if dstate is None else two(self, dstate, "gradients of two arrays (dh_n, dc_n)")
        dh, dc = (
            np.zeros((hidden, batch), z.dtype) if given is None else given[0].T
            for given in (self.sent_last(last, batch, z.dtype, alone) for last in last_states)
        )
        dx = np.empty((steps, batch, self.input_size), dout.dtype)
        transposed = weight[:, :, :-1].swapaxes(1, 2).copy()
        for part in latest_first(gates, z[:-1], c[:-1], tanh_c, dout, dx):
            dh, dc = self.backward_steps(dh, dc, transposed, *part)
        return returned(self.time_first(dx), alone), (returned(dh.T[None], alone), returned(dc.T[None], alone))

    def backward_steps(
        self,
        dh: Array,
        dc: Array,
        weight: Array,
        gates: Array,
        z: Array,
        c: Array,
        tanh_c: Array,
        dout: Array,
        dx: Array,
    ) -> Pair:
        """dh and dc before these steps, whose dx is written; `weight` is the joined one's transpose for h and x."""
        steps, hidden, batch = tanh_c.shape
        da = np.empty((4, hidden, steps, batch), dout.dtype)
        for t in reversed(range(steps)):
            i, f, g, o = gates[t]
            da_i, da_f, da_g, da_o = da[:, :, t]
            dh = dh + dout[t]
            dc = dc + dh * o * (1 - tanh_c[t] * tanh_c[t])
            da_i[...] = dc * g * (i * (1 - i))
            da_f[...] = dc * c[t] * (f * (1 - f))
            da_g[...] = dc * i * (1 - g * g)
            da_o[...] = dh * tanh_c[t] * (o * (1 - o))
            dz = (weight @ da[:, :, t]).sum(axis=0)
            dh, dc, dx[t] = dz[:hidden], dc * f, dz[hidden:].T
        # one product over these steps and samples: (4H, T N) by (T N, H + I + 1)
        dweight = da.reshape(4 * hidden, -1) @ z.swapaxes(0, 1).reshape(z.shape[1], -1).T
        self.weight_hh_l0.grad += dweight[:, :hidden]
        self.weight_ih_l0.grad += dweight[:, hidden:-1]
        if self.bias_ih_l0 is not None and self.bias_hh_l0 is not None:
            self.bias_ih_l0.grad += dweight[:, -1]
            self.bias_hh_l0.grad += dweight[:, -1]
        return dh, dc

    def joined(self) -> Array:
        """[W_hh | W_ih | b_ih + b_hh], which multiplies [h | x | 1], a gate at a time: (4, H, H + I + 1)."""
        bias = self.biases().sum(axis=0).reshape(-1, 1)
        joined = np.hstack([self.weight_hh_l0.data, self.weight_ih_l0.data, bias])
        return joined.reshape(4, self.hidden_size, -1)


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014) as torch has it: reset gate after the recurrent product; order r, z, n.

    r, z = sigmoid(W_i x + b_i + W_h h + b_h);  n = tanh(W_in x + b_in + r (W_hn h + b_hn));  h' = (1 - z) n + z h.
    forward(x, h0=None) -> (out, h_n) with h0 and h_n (1, N, H); backward(dout, dh_n=None) -> (dx, dh0).
    """

    gates = 3

    def candidate(self, h: Array, r: Array, gate: Array) -> Array:
        """What h adds to the candidate's input; `gate` is W_hn h + b_hn."""
        return r * gate

    def forward(self, x: Array, h0: Array | None = None) -> tuple[Array, Array]:
        (x, alone), size = self.taken(x), self.hidden_size
        steps, batch, _ = x.shape
        b_ih, b_hh = self.biases()
        b_ih[:2] += b_hh[:2]  # all biases but that inside r (W_hn h + b_hn) come with x
        w_ih, w_hh = (w.data.reshape(3, size, -1).swapaxes(1, 2) for w in (self.weight_ih_l0, self.weight_hh_l0))
        inputs, w_ih, w_hh = with_ones(x), np.concatenate([w_ih, b_ih[:, None]], axis=1), w_hh.copy()
        # each gate is contiguous within a step, and forward takes half as long as with gates side by side
        gates = np.empty((3, steps, batch, size), x.dtype)
        h = np.empty((steps + 1, batch, size), x.dtype)
        h[0] = self.initial(h0, batch, x.dtype, alone)
        gate = np.empty((steps, batch, size), x.dtype)  # W_hn h + b_hn
        of_h = np.empty((3, batch, size), x.dtype)
        for t in range(steps):
            r, z, n = np.matmul(inputs[t], w_ih, out=gates[:, t])
            np.matmul(h[t], w_hh, out=of_h)
            np.add(of_h[2], b_hh[2], out=gate[t])
            gates[:2, t] = sigmoid(gates[:2, t] + of_h[:2])
            n += self.candidate(h[t], r, gate[t])
            np.tanh(n, out=n)
            h[t + 1] = n + z * (h[t] - n)  # (1 - z) n + z h with one product less
        self.cache = x, h, gates, gate, alone
        return returned(self.time_first(h[1:]).copy(), alone), returned(h[-1:].copy(), alone)

    def backward(self, dout: Array, dh_n: Array | None = None) -> tuple[Array, Array]:
        x, h, gates, gate, alone = self.cache
        batch, dtype = x.shape[1], x.dtype
        dout, dh_n = self.sent(dout, len(x), batch, dtype, alone), self.sent_last(dh_n, batch, dtype, alone)
        dx = np.empty(x.shape, dout.dtype)
        dh = np.zeros_like(h[0]) if dh_n is None else dh_n[0].copy()
        w_r, w_z, w_n = np.split(self.weight_ih_l0.data, 3)
        for *part, inputs, dinputs in latest_first(h[:-1], *gates, gate, dout, x, dx):
            dr, dz, dn = self.backward_steps(dh, *part)
            add_gradients(self.weight_ih_l0, self.bias_ih_l0, (dr, inputs), (dz, inputs), (dn, inputs))
            dinputs[...] = dr @ w_r + dz @ w_z + dn @ w_n
        return returned(self.time_first(dx), alone), returned(dh[None], alone)

    def backward_steps(
        self, dh: Array, h: Array, r: Array, z: Array, n: Array, gate: Array, dout: Array
    ) -> tuple[Array, Array, Array]:
        """Carries dh back past these steps, in place, and gives the gates' gradients; h is the state before each."""
        w_hh = self.weight_hh_l0.data.reshape(3, -1, self.hidden_size)
        # all but what depends on dh, which the loop multiplies in: a tenth faster than step by step in float32
        dn = (1 - z) * (1 - n * n)
        dhidden = np.empty((3, *h.shape), dout.dtype)
        dr, dz, dgate = dhidden
        np.multiply(gate, r * (1 - r), out=dr)
        np.multiply(h - n, z * (1 - z), out=dz)
        for t in reversed(range(len(h))):
            dh += dout[t]
            dn[t] *= dh
            dz[t] *= dh
            dr[t] *= dn[t]
            np.multiply(dn[t], r[t], out=dgate[t])
            dh *= z[t]
            dh += (dhidden[:, t] @ w_hh).sum(axis=0)
        add_gradients(self.weight_hh_l0, self.bias_hh_l0, (dr, h), (dz, h), (dgate, h))
        return dr, dz, dn


class ResetFirstGRU(GRU):
    """The GRU of the original paper: its reset gate before the product, n = tanh(W_in x + b_in + W_hn (r h) + b_hn).

    torch has none; reference/recurrent.py writes one from torch operations.
    """

    def candidate(self, h: Array, r: Array, gate: Array) -> Array:
        out = (r * h) @ self.weight_hh_l0.data[2 * self.hidden_size :].T
        return out if self.bias_hh_l0 is None else out + self.bias_hh_l0.data[2 * self.hidden_size :]

    def backward_steps(
        self, dh: Array, h: Array, r: Array, z: Array, n: Array, gate: Array, dout: Array
    ) -> tuple[Array, Array, Array]:
        w_r, w_z, w_n = np.split(self.weight_hh_l0.data, 3)
        dr, dz, dn = np.empty((3, *h.shape), dout.dtype)
        for t in reversed(range(len(h))):
            dh += dout[t]
            dn[t] = dh * (1 - z[t]) * (1 - n[t] * n[t])
            dz[t] = dh * (h[t] - n[t]) * (z[t] * (1 - z[t]))
            dreset = dn[t] @ w_n  # the gradient of r h
            dr[t] = dreset * h[t] * (r[t] * (1 - r[t]))
            dh[...] = dh * z[t] + dreset * r[t] + dr[t] @ w_r + dz[t] @ w_z
        add_gradients(self.weight_hh_l0, self.bias_hh_l0, (dr, h), (dz, h), (dn, r * h))
        return dr, dz, dn
