"""How several tensors are handed over together: a dict, a list, objects with their gradient, a layer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.scratch.module import Array

Arrays = dict[str, Array]
NAMES = {"weight": "W1", "bias": "b1"}  # as dicts have them
DATA = ("data", "value", "values", "array", "w", "weight", "param")
GRAD = ("grad", "g", "gradient", "dw", "diff")


class Unfit(Exception):
    """What came back has not the form that was expected."""


class Tensor:
    """An array and its gradient, by any of their usual names."""

    array: Array
    slope: Array

    def __init__(self, data: Array, grad: Array) -> None:
        self.array, self.slope = data, grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


def aliased(attribute: str) -> property:
    return property(lambda self: getattr(self, attribute), lambda self, value: setattr(self, attribute, value))


for alias in (name for name in DATA if name != "array"):
    setattr(Tensor, alias, aliased("array"))
for alias in GRAD:
    setattr(Tensor, alias, aliased("slope"))


class Layer:
    """weights (in, out) and biases (1, out) with their gradients beside them, as neural networks from scratch have."""

    def __init__(self, weights: Arrays) -> None:
        self.weights, self.biases = weights["weight"], flat_row(weights["bias"])
        self._shape = weights["bias"].shape
        self.dweights, self.dbiases = np.zeros_like(self.weights), np.zeros_like(self.biases)


def flat_row(array: Array) -> Array:
    return array.reshape(1, -1) if array.ndim == 1 else array


@dataclass(frozen=True)
class Bag:
    """Arrays by name to what is handed over, and back; `grads` puts gradients beside them."""

    told: str
    pack: Callable[[Arrays], Any]
    unpack: Callable[[Any], list[Any]]
    grads: Callable[[Any, Arrays], None] | None = None
    names: tuple[str, str] = ("weight", "bias")

    def arrays(self, held: Any, shapes: dict[str, tuple[int, ...]]) -> Arrays:
        """Raises Unfit unless `held` is what was packed, with the same shapes."""
        try:
            found = dict(zip(shapes, map(np.asarray, self.unpack(held)), strict=True))
        except Exception as error:
            raise Unfit from error
        if any(found[name].dtype.kind != "f" or found[name].shape != shape for name, shape in shapes.items()):
            raise Unfit
        return found


def keyed(prefix: str) -> Callable[[Arrays], dict[str, Array]]:
    return lambda arrays: {f"{prefix}{NAMES[name]}": array for name, array in arrays.items()}


def from_dict(held: Any) -> list[Any]:
    if not isinstance(held, dict):
        raise Unfit
    return [held[key] for key in NAMES.values()]


def from_list(held: Any) -> list[Any]:
    if not isinstance(held, list | tuple):
        raise Unfit
    return list(held)


def tensors(arrays: Arrays) -> list[Tensor]:
    return [Tensor(array, np.zeros_like(array)) for array in arrays.values()]


def put(held: list[Tensor], gradients: Arrays) -> None:
    for tensor, gradient in zip(held, gradients.values(), strict=True):
        tensor.slope = gradient


def put_in_layer(layer: Layer, gradients: Arrays) -> None:
    layer.dweights, layer.dbiases = gradients["weight"], flat_row(gradients["bias"])


class Pairs(list[tuple[Array, Array]]):
    """Also as a network has them that is asked for its params_and_grads()."""

    def params_and_grads(self) -> Iterator[tuple[Array, Array]]:
        return iter(self)


def put_in_pairs(held: Pairs, gradients: Arrays) -> None:
    for (_, slope), gradient in zip(held, gradients.values(), strict=True):
        write_over(slope, gradient)


def write_over(buffer: Array, gradient: Array) -> None:
    """Into an array that may be read-only outside, and is afterwards as the gradient is."""
    buffer.flags.writeable = True
    buffer[...] = gradient
    buffer.flags.writeable = gradient.flags.writeable


def parameters(arrays: Arrays) -> list[Any]:
    import torch

    return [torch.nn.Parameter(torch.from_numpy(array)) for array in arrays.values()]


def put_tensors(held: list[Any], gradients: Arrays) -> None:
    import torch

    for parameter, gradient in zip(held, gradients.values(), strict=True):
        parameter.grad = torch.from_numpy(gradient.copy())


def array_of(tensor: Any) -> Array:
    return tensor.detach().numpy()


def from_layer(layer: Layer) -> list[Any]:
    return [layer.weights, np.reshape(layer.biases, layer._shape)]


LIST = Bag("lists", lambda arrays: list(arrays.values()), from_list)
DICT = Bag("dicts", keyed(""), from_dict, names=("W1", "b1"))
TENSORS = Bag("a list of objects with .data and .grad", tensors, lambda held: [t.array for t in held], put)
TENSOR_DICT = Bag(
    "a dict of objects with .data and .grad",
    lambda arrays: dict(zip(keyed("")(arrays), tensors(arrays), strict=True)),
    lambda held: [t.array for t in from_dict(held)],
    lambda held, gradients: put(list(held.values()), gradients),
    ("W1", "b1"),
)
NAMED = Bag(
    "pairs of a name and an object with .data and .grad",
    lambda arrays: list(zip(arrays, tensors(arrays), strict=True)),
    lambda held: [t.array for _, t in held],
    lambda held, gradients: put([t for _, t in held], gradients),
)
LAYER = Bag("a layer with weights, biases, dweights, dbiases", Layer, from_layer, put_in_layer, ("weights", "biases"))
LAYERS = Bag(
    "a list of layers with weights, biases, dweights, dbiases",
    lambda arrays: [Layer(arrays)],
    lambda held: from_layer(held[0]),
    lambda held, gradients: put_in_layer(held[0], gradients),
    ("weights", "biases"),
)
PAIRS = Bag(
    "pairs of a parameter and its gradient",
    lambda arrays: Pairs((array, np.zeros_like(array)) for array in arrays.values()),
    lambda held: [array for array, _ in held],
    put_in_pairs,
)
TORCHS = Bag("a list of torch parameters", parameters, lambda held: [array_of(tensor) for tensor in held], put_tensors)
# Gradients handed over beside the parameters, by how the parameters are.
GRADS_OF = {
    LIST.told: [LIST.pack],
    DICT.told: [keyed(""), keyed("d")],
    TENSORS.told: [LIST.pack],
    TENSOR_DICT.told: [keyed("")],
    LAYERS.told: [LIST.pack],
    PAIRS.told: [LIST.pack],
    TORCHS.told: [LIST.pack],
    NAMED.told: [LIST.pack, lambda arrays: dict(arrays)],
}
