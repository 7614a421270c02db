"""Two convolutions and a linear layer on colour images, in three forms of torch: the pair `two-conv-net`."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from twofold.reference.raw import Raw


class TwoConvNet(nn.Module):
    """Images (N, channels, H, W) -> scores (N, classes), as a Module."""

    def __init__(
        self,
        channels: int = 3,
        filters: tuple[int, int] = (32, 16),
        image: tuple[int, int] = (32, 32),
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters[0], 5, padding=2)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(filters[0], filters[1], 3, padding=1)
        self.relu2 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(filters[1] * image[0] * image[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        return self.fc(self.flatten(x))


class SequentialTwoConvNet(nn.Sequential):
    """The same as a Sequential."""

    def __init__(
        self,
        channels: int = 3,
        filters: tuple[int, int] = (32, 16),
        image: tuple[int, int] = (32, 32),
        classes: int = 10,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = nn.Conv2d(channels, filters[0], 5, padding=2)
        layers["relu1"] = nn.ReLU()
        layers["conv2"] = nn.Conv2d(filters[0], filters[1], 3, padding=1)
        layers["relu2"] = nn.ReLU()
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(filters[1] * image[0] * image[1], classes)
        super().__init__(layers)


class RawTwoConvNet(Raw):
    """The same as raw tensors with autograd."""

    def __init__(
        self,
        channels: int = 3,
        filters: tuple[int, int] = (32, 16),
        image: tuple[int, int] = (32, 32),
        classes: int = 10,
    ) -> None:
        features = filters[1] * image[0] * image[1]
        super().__init__(
            {
                "conv1.weight": torch.zeros(filters[0], channels, 5, 5),
                "conv1.bias": torch.zeros(filters[0]),
                "conv2.weight": torch.zeros(filters[1], filters[0], 3, 3),
                "conv2.bias": torch.zeros(filters[1]),
                "fc.weight": torch.zeros(classes, features),
                "fc.bias": torch.zeros(classes),
            }
        )

    def compute(self, w: dict[str, Tensor], x: Tensor) -> Tensor:
        x = self.relu1(conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=2))
        x = self.relu2(conv2d(x, w["conv2.weight"], w["conv2.bias"], padding=1))
        return linear(x.flatten(1), w["fc.weight"], w["fc.bias"])
