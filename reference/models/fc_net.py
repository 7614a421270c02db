"""A fully connected net of any depth, with or without normalisation and dropout: the pair `fc-net`."""

from collections import OrderedDict

from torch import nn

NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class FCNet(nn.Sequential):
    """Records (N, ...) of `inputs` values each -> scores (N, classes).

    For each hidden size linear, norm, activation, dropout, and a linear layer at the end.
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
    ) -> None:
        sizes = (inputs, *hidden)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for n in range(1, len(sizes)):
            layers[f"fc{n}"] = nn.Linear(sizes[n - 1], sizes[n], bias=norm is None)
            if norm is not None:
                layers[f"norm{n}"] = NORMS[norm](sizes[n])
            layers[f"{activation}{n}"] = ACTIVATIONS[activation]()
            if keep < 1:
                layers[f"dropout{n}"] = nn.Dropout(1 - keep)
        layers[f"fc{len(sizes)}"] = nn.Linear(sizes[-1], classes)
        super().__init__(layers)
        for name, parameter in self.named_parameters():
            if name.startswith("fc"):
                nn.init.normal_(parameter, std=weight_scale) if parameter.ndim > 1 else nn.init.zeros_(parameter)
