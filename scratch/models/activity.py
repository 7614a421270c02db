"""What a person is doing, from an accelerometer's signal: the pair `activity-lstm`."""

import numpy as np
from numpy.random import Generator

from scratch import LSTM, Linear, Module, Tanh, init
from scratch.module import Array


class ActivityLSTM(Module):
    """Signals (N, T, axes) -> logits (N, classes), from the last hidden state alone."""

    def __init__(
        self,
        axes: int = 3,
        hidden: int = 128,
        classifier: tuple[int, int] = (64, 64),
        classes: int = 6,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = rng or np.random.default_rng()
        self.lstm = LSTM(axes, hidden, batch_first=True, rng=rng)
        self.fc1 = Linear(hidden, classifier[0], rng=rng)
        self.tanh1 = Tanh()
        self.fc2 = Linear(classifier[0], classifier[1], rng=rng)
        self.tanh2 = Tanh()
        self.fc3 = Linear(classifier[1], classes, rng=rng)
        for weight in (self.lstm.weight_ih_l0, self.lstm.weight_hh_l0):  # every gate is a matrix of its own
            weight.data = np.concatenate([init.xavier_uniform(gate.shape, rng) for gate in np.split(weight.data, 4)])
        for fc in (self.fc1, self.fc2, self.fc3):
            fc.weight.data = init.xavier_uniform(fc.weight.data.shape, rng)
        init.zero_biases(self)

    def forward(self, x: Array) -> Array:
        out, _ = self.lstm(x)
        self.cache = out.shape
        x = self.tanh1(self.fc1(out[:, -1]))
        x = self.tanh2(self.fc2(x))
        return self.fc3(x)

    def backward(self, dout: Array) -> Array:
        shape = self.cache
        d = self.tanh2.backward(self.fc3.backward(dout))
        d = self.tanh1.backward(self.fc2.backward(d))
        dlast = self.fc1.backward(d)
        dout = np.zeros(shape, dlast.dtype)
        dout[:, -1] = dlast
        dx, _ = self.lstm.backward(dout)
        return dx
