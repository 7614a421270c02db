"""One convolution, a pool and two linear layers on colour images: the pair `three-layer-convnet`."""

from numpy.random import Generator

from twofold.scratch import BatchNorm2d, Conv2d, Flatten, GroupNorm, Linear, MaxPool2d, Module, ReLU, Sequential, init


class ThreeLayerConvNet(Sequential):
    """Images (N, channels, H, W) -> scores (N, classes); the convolution is padded so that the size stays.

    `norm` is None, "batch" or "group"; the convolution before it then has no bias.
    """

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
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        height, width = (side // 2 for side in image)
        layers: dict[str, Module] = {
            "conv1": Conv2d(channels, filters, kernel, padding=(kernel - 1) // 2, bias=norm is None, rng=rng)
        }
        if norm is not None:
            layers["norm1"] = BatchNorm2d(filters) if norm == "batch" else GroupNorm(groups, filters)
        layers |= {
            "relu1": ReLU(),
            "pool": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": Linear(filters * height * width, hidden, rng=rng),
            "relu2": ReLU(),
            "fc2": Linear(hidden, classes, rng=rng),
        }
        super().__init__(layers)
        for _, parameter in self.named_parameters():
            if parameter.data.ndim > 1:
                parameter.data = init.normal(parameter.data.shape, weight_scale, rng)
        init.zero_biases(self)
