"""The next value of a wave from the fifty before it: the pair `sine-rnn`."""

import math

import torch
from torch import Tensor, nn

from twofold.reference.recurrent import SigmoidRNN


class SineRNN(nn.Module):
    """Values (N, steps) -> the next one (N, 1). At time t the network sees a vector of zeros but for entry t.

    With `truncate` the gradient goes back through the last so many steps only. Weights are U(0, 1), or by fan in.
    """

    def __init__(
        self, steps: int = 50, hidden: int = 100, truncate: int | None = None, by_fan_in: bool = False
    ) -> None:
        super().__init__()
        self.truncate = truncate
        self.rnn = SigmoidRNN(steps, hidden, bias=False, batch_first=True)
        self.output = nn.Linear(hidden, 1, bias=False)
        for weight in self.parameters():
            bound = 1 / math.sqrt(weight.shape[1])
            nn.init.uniform_(weight, *((-bound, bound) if by_fan_in else (0, 1)))

    def forward(self, x: Tensor) -> Tensor:
        inputs, state = x.diag_embed(), None
        if self.truncate and self.truncate < x.shape[1]:
            with torch.no_grad():
                _, state = self.rnn(inputs[:, : -self.truncate])
            inputs = inputs[:, -self.truncate :]
        out, _ = self.rnn(inputs, state)
        return self.output(out[:, -1])
