"""A tanh network that tells cats from cars by the sign of its output: the pair `catcar-mlp`."""

from numpy.random import Generator

from twofold.scratch import Linear, Module, Sequential, Tanh, init


class CatCarMLP(Sequential):
    """Pixels (N, pixels) -> (N, 1) in (-1, 1); tanh after every linear layer."""

    def __init__(self, pixels: int = 1024, hidden: tuple[int, ...] = (20,), *, rng: Generator | None = None) -> None:
        rng = init.generator(rng)
        sizes = (pixels, *hidden, 1)
        layers: dict[str, Module] = {}
        for n in range(1, len(sizes)):
            layers[f"fc{n}"] = Linear(sizes[n - 1], sizes[n], rng=rng)
            layers[f"tanh{n}"] = Tanh()
        super().__init__(layers)
        for _, parameter in self.named_parameters():
            parameter.data = init.normal(parameter.data.shape, 0.02, rng)
