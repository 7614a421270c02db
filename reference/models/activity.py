"""What a person is doing, from an accelerometer's signal: the pair `activity-lstm`."""

from torch import Tensor, nn


class ActivityLSTM(nn.Module):
    """Signals (N, T, axes) -> logits (N, classes), from the last hidden state alone."""

    def __init__(
        self, axes: int = 3, hidden: int = 128, classifier: tuple[int, int] = (64, 64), classes: int = 6
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(axes, hidden, batch_first=True)
        self.fc1 = nn.Linear(hidden, classifier[0])
        self.tanh1 = nn.Tanh()
        self.fc2 = nn.Linear(classifier[0], classifier[1])
        self.tanh2 = nn.Tanh()
        self.fc3 = nn.Linear(classifier[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x)
        x = self.tanh1(self.fc1(out[:, -1]))
        x = self.tanh2(self.fc2(x))
        return self.fc3(x)
