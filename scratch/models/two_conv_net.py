"""Two convolutions and a linear layer on colour images: the pair `two-conv-net`."""

from numpy.random import Generator

from twofold.scratch import Conv2d, Flatten, Linear, ReLU, Sequential, init


class TwoConvNet(Sequential):
    """Images (N, channels, H, W) -> scores (N, classes); both convolutions are padded so that the size stays."""

    def __init__(
        self,
        channels: int = 3,
        filters: tuple[int, int] = (32, 16),
        image: tuple[int, int] = (32, 32),
        classes: int = 10,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        conv1 = Conv2d(channels, filters[0], 5, padding=2, rng=rng)
        conv2 = Conv2d(filters[0], filters[1], 3, padding=1, rng=rng)
        fc = Linear(filters[1] * image[0] * image[1], classes, rng=rng)
        super().__init__(
            {"conv1": conv1, "relu1": ReLU(), "conv2": conv2, "relu2": ReLU(), "flatten": Flatten(), "fc": fc}
        )
        for layer in (conv1, conv2, fc):
            layer.weight.data = init.kaiming_normal(layer.weight.data.shape, rng)
        init.zero_biases(self)
