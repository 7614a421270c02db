"""Two linear layers on colour images, in three forms of torch: the pair `two-layer-fc`."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from twofold.reference.raw import Raw


class TwoLayerFC(nn.Module):
    """Images (N, ...) of `inputs` values each -> scores (N, classes), as a Module."""

    def __init__(self, inputs: int = 3072, hidden: int = 4000, classes: int = 10, bias: bool = True) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(inputs, hidden, bias)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden, classes, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.relu(self.fc1(self.flatten(x))))


class SequentialTwoLayerFC(nn.Sequential):
    """The same as a Sequential."""

    def __init__(self, inputs: int = 3072, hidden: int = 4000, classes: int = 10, bias: bool = True) -> None:
        fc1, fc2 = nn.Linear(inputs, hidden, bias), nn.Linear(hidden, classes, bias)
        super().__init__(OrderedDict(flatten=nn.Flatten(), fc1=fc1, relu=nn.ReLU(), fc2=fc2))


class RawTwoLayerFC(Raw):
    """The same as raw tensors with autograd, without biases; `clamp` at 0 is the ReLU."""

    def __init__(self, inputs: int = 3072, hidden: int = 4000, classes: int = 10, bias: bool = False) -> None:
        if bias:
            raise ValueError("the raw form has no biases")
        super().__init__({"fc1.weight": torch.zeros(hidden, inputs), "fc2.weight": torch.zeros(classes, hidden)})

    def compute(self, w: dict[str, Tensor], x: Tensor) -> Tensor:
        return self.relu(x.flatten(1) @ w["fc1.weight"].T) @ w["fc2.weight"].T
