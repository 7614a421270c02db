"""The next value of a wave from the fifty before it: the pair `sine-rnn`."""

import numpy as np
from numpy.random import Generator

from twofold.scratch import Linear, Module, SigmoidRNN
from twofold.scratch.module import Array


class SineRNN(Module):
    """Values (N, steps) -> the next one (N, 1). At time t the network sees a vector of zeros but for entry t."""

    def __init__(self, steps: int = 50, hidden: int = 100, *, rng: Generator | None = None) -> None:
        rng = rng or np.random.default_rng()
        self.rnn = SigmoidRNN(steps, hidden, bias=False, batch_first=True, rng=rng)
        self.output = Linear(hidden, 1, bias=False, rng=rng)
        for _, parameter in self.named_parameters():
            parameter.data = rng.uniform(0, 1, parameter.data.shape).astype(np.float32)

    def forward(self, x: Array) -> Array:
        self.cache = x.shape
        out, _ = self.rnn(x[:, :, None] * np.eye(x.shape[1], dtype=x.dtype))
        return self.output(out[:, -1])

    def backward(self, dout: Array) -> Array:
        batch, steps = self.cache
        dlast = self.output.backward(dout)
        dstates = np.zeros((batch, steps, dlast.shape[1]), dlast.dtype)
        dstates[:, -1] = dlast
        dx, _ = self.rnn.backward(dstates)
        return dx[:, np.arange(steps), np.arange(steps)]
