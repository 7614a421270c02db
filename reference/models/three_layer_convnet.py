"""One convolution, a pool and two linear layers on colour images: the pair `three-layer-convnet`."""

from collections import OrderedDict

from torch import nn


class ThreeLayerConvNet(nn.Sequential):
    """Images (N, channels, H, W) -> scores (N, classes); the convolution is padded so that the size stays."""

    def __init__(
        self,
        channels: int = 3,
        filters: int = 32,
        kernel: int = 7,
        image: tuple[int, int] = (32, 32),
        hidden: int = 100,
        classes: int = 10,
        norm: str | None = None,
        groups: int = 4,
        weight_scale: float = 1e-3,
    ) -> None:
        height, width = (side // 2 for side in image)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = nn.Conv2d(channels, filters, kernel, padding=(kernel - 1) // 2, bias=norm is None)
        if norm is not None:
            layers["norm1"] = nn.BatchNorm2d(filters) if norm == "batch" else nn.GroupNorm(groups, filters)
        layers["relu1"] = nn.ReLU()
        layers["pool"] = nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        layers["fc1"] = nn.Linear(filters * height * width, hidden)
        layers["relu2"] = nn.ReLU()
        layers["fc2"] = nn.Linear(hidden, classes)
        super().__init__(layers)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=weight_scale)
