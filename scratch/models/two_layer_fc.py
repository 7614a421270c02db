"""Two linear layers on colour images: the pair `two-layer-fc`."""

from numpy.random import Generator

from twofold.scratch import Flatten, Linear, ReLU, Sequential, init


class TwoLayerFC(Sequential):
    """Images (N, ...) of `inputs` values each -> scores (N, classes)."""

    def __init__(
        self,
        inputs: int = 3072,
        hidden: int = 4000,
        classes: int = 10,
        bias: bool = True,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        fc1, fc2 = Linear(inputs, hidden, bias, rng=rng), Linear(hidden, classes, bias, rng=rng)
        super().__init__({"flatten": Flatten(), "fc1": fc1, "relu": ReLU(), "fc2": fc2})
        for fc in (fc1, fc2):
            fc.weight.data = init.kaiming_normal(fc.weight.data.shape, rng)
        init.zero_biases(self)
