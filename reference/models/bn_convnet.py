"""Three convolutions with batch normalisation on colour images: the pair `bn-convnet`."""

from collections import OrderedDict

from torch import nn


class BNConvNet(nn.Sequential):
    """Images (N, channels, H, W) -> scores (N, classes): (convolution, batch norm, ReLU, pool) x 3, linear."""

    def __init__(
        self,
        channels: int = 3,
        filters: tuple[int, int, int] = (16, 32, 64),
        image: tuple[int, int] = (32, 32),
        classes: int = 10,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for n, (entering, leaving, kernel) in enumerate(zip((channels, *filters), filters, (5, 3, 3), strict=False), 1):
            layers[f"conv{n}"] = nn.Conv2d(entering, leaving, kernel, padding=kernel // 2)
            layers[f"norm{n}"] = nn.BatchNorm2d(leaving)
            layers[f"relu{n}"] = nn.ReLU()
            layers[f"pool{n}"] = nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(filters[2] * (image[0] // 8) * (image[1] // 8), classes)
        super().__init__(layers)
