"""Three convolutions with batch normalisation on colour images: the pair `bn-convnet`."""

from numpy.random import Generator

from twofold.scratch import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, init


class BNConvNet(Sequential):
    """Images (N, channels, H, W) -> scores (N, classes): (convolution, batch norm, ReLU, pool) x 3, linear.

    The convolutions keep their bias although the norm cancels it, as the source has it.
    """

    def __init__(
        self,
        channels: int = 3,
        filters: tuple[int, int, int] = (16, 32, 64),
        image: tuple[int, int] = (32, 32),
        classes: int = 10,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        layers: dict[str, Module] = {}
        for n, (entering, leaving, kernel) in enumerate(zip((channels, *filters), filters, (5, 3, 3), strict=False), 1):
            layers[f"conv{n}"] = Conv2d(entering, leaving, kernel, padding=kernel // 2, rng=rng)
            layers[f"norm{n}"] = BatchNorm2d(leaving)
            layers[f"relu{n}"] = ReLU()
            layers[f"pool{n}"] = MaxPool2d(2)
        layers["flatten"] = Flatten()
        layers["fc"] = Linear(filters[2] * (image[0] // 8) * (image[1] // 8), classes, rng=rng)
        super().__init__(layers)
