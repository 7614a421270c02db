"""A tanh network that tells cats from cars by the sign of its output: the pair `catcar-mlp`."""

from collections import OrderedDict

from torch import nn


class CatCarMLP(nn.Sequential):
    """Pixels (N, pixels) -> (N, 1) in (-1, 1); tanh after every linear layer."""

    def __init__(self, pixels: int = 1024, hidden: tuple[int, ...] = (20,)) -> None:
        sizes = (pixels, *hidden, 1)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for n in range(1, len(sizes)):
            layers[f"fc{n}"] = nn.Linear(sizes[n - 1], sizes[n])
            layers[f"tanh{n}"] = nn.Tanh()
        super().__init__(layers)
