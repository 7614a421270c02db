"""The next value of a wave from the fifty before it: the pair `sine-rnn`."""

import numpy as np
from numpy.random import Generator

from twofold.scratch import Linear, Module, SigmoidRNN, init
from twofold.scratch.module import Array


class SineRNN(Module):
    """Values (N, steps) -> the next one (N, 1). At time t the network sees a vector of zeros but for entry t.

    With `truncate` the gradient goes back through the last so many steps only. Weights are U(0, 1) as published, or
    with `by_fan_in` U(-1/sqrt(fan in), 1/sqrt(fan in)).
    """

    def __init__(
        self,
        steps: int = 50,
        hidden: int = 100,
        truncate: int | None = None,
        by_fan_in: bool = False,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        self.truncate = truncate
        self.rnn = SigmoidRNN(steps, hidden, bias=False, batch_first=True, rng=rng)
        self.output = Linear(hidden, 1, bias=False, rng=rng)
        for _, parameter in self.named_parameters():
            shape = parameter.data.shape
            if by_fan_in:
                parameter.data = init.default(shape, init.fan_in(shape), rng)
            else:
                parameter.data = rng.uniform(0, 1, shape).astype(np.float32)

    def forward(self, x: Array) -> Array:
        inputs = x[:, :, None] * np.eye(x.shape[1], dtype=x.dtype)
        before = max(x.shape[1] - (self.truncate or x.shape[1]), 0)  # steps that no gradient reaches
        state: tuple[Array, ...] = ()
        if before:
            state = (self.rnn(inputs[:, :before])[1],)
        out, _ = self.rnn(inputs[:, before:], *state)
        self.cache = x.shape, out.shape
        return self.output(out[:, -1])

    def backward(self, dout: Array) -> Array:
        shape, out_shape = self.cache
        dstates = np.zeros(out_shape, dout.dtype)
        dstates[:, -1] = self.output.backward(dout)
        dinputs, _ = self.rnn.backward(dstates)
        dx = np.zeros(shape, dout.dtype)
        steps = np.arange(shape[1])[-out_shape[1] :]
        dx[:, steps] = dinputs[:, np.arange(len(steps)), steps]
        return dx
