"""The next value of a wave from the fifty before it: the pair `sine-rnn`."""

from torch import Tensor, nn

from twofold.reference.recurrent import SigmoidRNN


class SineRNN(nn.Module):
    """Values (N, steps) -> the next one (N, 1). At time t the network sees a vector of zeros but for entry t."""

    def __init__(self, steps: int = 50, hidden: int = 100) -> None:
        super().__init__()
        self.rnn = SigmoidRNN(steps, hidden, bias=False, batch_first=True)
        self.output = nn.Linear(hidden, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.rnn(x.diag_embed())
        return self.output(out[:, -1])
