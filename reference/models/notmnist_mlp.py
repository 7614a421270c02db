"""One hidden layer on images of letters: the pair `notmnist-mlp`."""

from collections import OrderedDict

from torch import nn


class NotMnistMLP(nn.Sequential):
    """Pixels (N, pixels) -> logits (N, classes)."""

    def __init__(self, pixels: int = 784, hidden: int = 1000, classes: int = 10) -> None:
        fc1, fc2 = nn.Linear(pixels, hidden), nn.Linear(hidden, classes)
        super().__init__(OrderedDict(fc1=fc1, relu=nn.ReLU(), fc2=fc2))
