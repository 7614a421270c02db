"""What a person is doing, from an accelerometer's signal: the pairs `activity-rnn`, `activity-lstm`, `activity-gru`."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from twofold.reference.recurrent import ResetFirstGRU

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU, "reset-first-gru": ResetFirstGRU}


class Activity(nn.Module):
    """Signals (N, T, axes) -> logits (N, classes), from the last hidden state alone.

    With `truncate` the gradient goes back through the last so many steps only.
    """

    def __init__(
        self,
        cell: str = "lstm",
        axes: int = 3,
        hidden: int = 128,
        classifier: tuple[int, ...] = (64, 64),
        classes: int = 6,
        truncate: int | None = None,
    ) -> None:
        super().__init__()
        self.truncate = truncate
        self.recurrent = CELLS[cell](axes, hidden, batch_first=True)
        sizes = (hidden, *classifier)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for n in range(1, len(sizes)):
            layers[f"fc{n}"] = nn.Linear(sizes[n - 1], sizes[n])
            layers[f"tanh{n}"] = nn.Tanh()
        layers[f"fc{len(sizes)}"] = nn.Linear(sizes[-1], classes)
        self.classifier = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        if self.truncate and self.truncate < x.shape[1]:
            with torch.no_grad():
                _, state = self.recurrent(x[:, : -self.truncate])
            x = x[:, -self.truncate :]
        out, _ = self.recurrent(x, state)
        return self.classifier(out[:, -1])
