"""What a person is doing, from an accelerometer's signal: the pairs `activity-rnn`, `activity-lstm`, `activity-gru`."""

from typing import Any

import numpy as np
from numpy.random import Generator

from twofold.scratch import GRU, LSTM, RNN, Linear, Module, ResetFirstGRU, Sequential, Tanh, init
from twofold.scratch.module import Array

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU, "reset-first-gru": ResetFirstGRU}


class Activity(Module):
    """Signals (N, T, axes) -> logits (N, classes), from the last hidden state alone.

    `classifier` gives the sizes of tanh layers between that state and the logits. With `truncate` the gradient goes
    back through the last so many steps only.
    """

    def __init__(
        self,
        cell: str = "lstm",
        axes: int = 3,
        hidden: int = 128,
        classifier: tuple[int, ...] = (64, 64),
        classes: int = 6,
        truncate: int | None = None,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        self.truncate = truncate
        self.recurrent: Any = CELLS[cell](axes, hidden, batch_first=True, rng=rng)
        sizes = (hidden, *classifier)
        layers: dict[str, Module] = {}
        for n in range(1, len(sizes)):
            layers |= {f"fc{n}": Linear(sizes[n - 1], sizes[n], rng=rng), f"tanh{n}": Tanh()}
        layers[f"fc{len(sizes)}"] = Linear(sizes[-1], classes, rng=rng)
        self.classifier = Sequential(layers)
        for name, parameter in self.named_parameters():
            if "weight" in name:  # each gate is a matrix of its own
                gates = np.split(parameter.data, self.recurrent.gates) if "recurrent" in name else [parameter.data]
                parameter.data = np.concatenate([init.xavier_uniform(gate.shape, rng) for gate in gates])
        init.zero_biases(self)

    def forward(self, x: Array) -> Array:
        before = x.shape[1] - (self.truncate or x.shape[1])
        state: tuple[Any, ...] = ()
        if before > 0:
            state = (self.recurrent(x[:, :before])[1],)
        out, _ = self.recurrent(x[:, max(before, 0) :], *state)
        self.cache = x.shape, out.shape
        return self.classifier(out[:, -1])

    def backward(self, dout: Array) -> Array:
        shape, out_shape = self.cache
        dstates = np.zeros(out_shape, dout.dtype)
        dstates[:, -1] = self.classifier.backward(dout)
        dx = np.zeros(shape, dout.dtype)  # nothing reaches the steps before the truncation
        dx[:, shape[1] - out_shape[1] :] = self.recurrent.backward(dstates)[0]
        return dx

    def accumulate(self, dout: Array) -> None:
        # One zero stands for the gradients of all states, and the last one's comes as that of h_n: no array of zeros
        # has to be made and read, a sixth of a GRU's step in float32
        _, out_shape = self.cache
        dstates = np.broadcast_to(dout.dtype.type(0), out_shape)
        dh_n = self.classifier.backward(dout)[None]
        self.recurrent.backward(dstates, (dh_n, None) if isinstance(self.recurrent, LSTM) else dh_n)
