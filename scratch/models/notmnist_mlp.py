"""One hidden layer on images of letters: the pair `notmnist-mlp`."""

from numpy.random import Generator

from twofold.scratch import Linear, ReLU, Sequential, init


class NotMnistMLP(Sequential):
    """Pixels (N, pixels) -> logits (N, classes)."""

    def __init__(
        self, pixels: int = 784, hidden: int = 1000, classes: int = 10, *, rng: Generator | None = None
    ) -> None:
        rng = init.generator(rng)
        fc1, fc2 = Linear(pixels, hidden, rng=rng), Linear(hidden, classes, rng=rng)
        super().__init__({"fc1": fc1, "relu": ReLU(), "fc2": fc2})
        for fc in (fc1, fc2):
            std = (2 / sum(fc.weight.data.shape)) ** 0.5
            for _, parameter in fc.named_parameters():
                parameter.data = init.normal(parameter.data.shape, std, rng)
