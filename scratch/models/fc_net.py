"""A fully connected net of any depth, with or without normalisation and dropout: the pair `fc-net`."""

from numpy.random import Generator

from twofold.scratch import (
    BatchNorm1d,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    init,
)

NORMS = {"batch": BatchNorm1d, "layer": LayerNorm}
ACTIVATIONS = {"relu": ReLU, "leaky_relu": LeakyReLU, "sigmoid": Sigmoid, "tanh": Tanh}


class FCNet(Sequential):
    """Records (N, ...) of `inputs` values each -> scores (N, classes).

    For each hidden size linear, norm, activation, dropout, and a linear layer at the end. `norm` is None, "batch" or
    "layer"; the linear layers before it then have no bias. `keep` is the probability that a unit is kept. `activation`
    is a name in ACTIVATIONS, and its modules are called by it.
    """

    def __init__(
        self,
        inputs: int = 3072,
        hidden: tuple[int, ...] = (100,),
        classes: int = 10,
        norm: str | None = None,
        keep: float = 1.0,
        weight_scale: float = 1e-2,
        activation: str = "relu",
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = init.generator(rng)
        sizes = (inputs, *hidden)
        layers: dict[str, Module] = {"flatten": Flatten()}
        for n in range(1, len(sizes)):
            layers[f"fc{n}"] = Linear(sizes[n - 1], sizes[n], bias=norm is None, rng=rng)
            if norm is not None:
                layers[f"norm{n}"] = NORMS[norm](sizes[n])
            layers[f"{activation}{n}"] = ACTIVATIONS[activation]()
            if keep < 1:
                layers[f"dropout{n}"] = Dropout(1 - keep, rng=rng)
        layers[f"fc{len(sizes)}"] = Linear(sizes[-1], classes, rng=rng)
        super().__init__(layers)
        for name, parameter in self.named_parameters():
            if name.startswith("fc") and name.endswith("weight"):
                parameter.data = init.normal(parameter.data.shape, weight_scale, rng)
        init.zero_biases(self)
