"""Two convolutions, a pool and two linear layers for images of digits: the pair `mnist-cnn`."""

from numpy.random import Generator

from twofold.scratch import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, init


class MnistCNN(Sequential):
    """Images (N, 1, H, W) -> logits (N, classes).

    `kernel` and `stride` are those of both convolutions, `pool` the side of the pool's windows.
    """

    def __init__(
        self,
        filters: tuple[int, int] = (8, 8),
        image: tuple[int, int] = (28, 28),
        hidden: int = 128,
        classes: int = 10,
        kernel: int = 5,
        stride: int = 1,
        pool: int = 2,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        conv1 = Conv2d(1, filters[0], kernel, stride, rng=rng)
        conv2 = Conv2d(filters[0], filters[1], kernel, stride, rng=rng)
        height, width = (side // pool for side in conv2.output_size(conv1.output_size(image)))
        fc1 = Linear(filters[1] * height * width, hidden, rng=rng)
        fc2 = Linear(hidden, classes, rng=rng)
        super().__init__(
            {
                "conv1": conv1,
                "relu1": ReLU(),
                "conv2": conv2,
                "relu2": ReLU(),
                "pool": MaxPool2d(pool),
                "flatten": Flatten(),
                "fc1": fc1,
                "relu3": ReLU(),
                "fc2": fc2,
            }
        )
        for conv in (conv1, conv2):
            conv.weight.data = init.scaled_normal(conv.weight.data.shape, rng)
        for fc in (fc1, fc2):
            fc.weight.data = init.normal(fc.weight.data.shape, 0.01, rng)
        init.zero_biases(self)
