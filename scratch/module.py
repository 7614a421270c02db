"""Parameter, Buffer and Module: what a layer holds, how it is named, and its two modes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from twofold.scratch.calls import Call, Calls, Mark, Watched
from twofold.scratch.checks import FLOAT_NAMES, FLOATS, checked, refuse
from twofold.scratch.passes import begins, takes
from twofold.scratch.tree import NOTHING

Array = NDArray[Any]


class Parameter:
    """A trained array `data` and its gradient `grad` of the same shape; `backward` adds into `grad`."""

    def __init__(self, data: Array) -> None:
        self.data = data
        self.grad = np.zeros(data.shape, data.dtype)


class Buffer:
    """An array `data` that belongs to a module's state but is not trained."""

    def __init__(self, data: Array) -> None:
        self.data = data


def blocks(*arrays: Array, size: int) -> Iterable[tuple[Array, ...]]:
    """Views of equally long arrays, some rows of each at a time: as many as take `size` bytes of the first, or one."""
    if not arrays[0].ndim or arrays[0].nbytes <= size:
        return (arrays,)
    rows = max(1, size // arrays[0][:1].nbytes)
    starts = range(0, len(arrays[0]), rows)
    return (tuple(array[start : start + rows] for array in arrays) for start in starts)


PLAIN = frozenset(
    (bool, int, float, str, type(None), np.ndarray, Mark, Call, Watched, Calls)
)  # most attributes, and never a part


def held(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a module has by name; of a list, tuple or dict every entry, as in a ModuleList: "layers.0"."""
    for name, value in attributes.items():
        if type(value) in PLAIN or name == "cache":
            continue
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", part) for key, part in value.items())
        elif isinstance(value, list | tuple):
            yield from ((f"{name}.{n}", part) for n, part in enumerate(value))
        else:
            yield name, value


METHODS = {"__init__": checked, "forward": begins, "backward": takes, "accumulate": takes}


class Module:
    """Base of all layers and models: `forward(*inputs) -> out`, then `backward(dout) -> dinput`.

    `forward` leaves behind `self.cache` and nothing else; `backward` reads it, adds every parameter's gradient into
    `.grad` and returns the gradient of the input. Neither the cache nor `dout` is written to. Training asks
    `accumulate`, which may leave the input's gradient out.

    A module may be called several times before its backward passes, in a net, by hand or with the net (calls.py): each
    backward pass takes back the last call that waits, in training mode none that was made in evaluation. A single call
    may be taken back again, and the same gradients are added again; after several a backward pass too many raises
    RuntimeError, as does one before any call. A new call lets go what was taken back before it in its mode, and what
    nobody takes back is kept up to a limit; `zero_grad` forgets no call, as in torch.

    What is in a cache or a weight may not be changed in place between a forward pass and its backward pass. As torch's
    version counters do, a module's first three calls in training mode raise RuntimeError there, by samples of arrays of
    more than 4,096 entries; later ones do not look, for in every step it would cost a small net more than its layers.
    """

    training = True
    cache: Any = NOTHING
    _within: Any = None  # the call in which it ran last

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name, watch in METHODS.items():
            if name in vars(cls):
                setattr(cls, name, watch(vars(cls)[name]))

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, dout: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def accumulate(self, dout: Any) -> None:
        """`backward` without the input's gradient, for which nobody asks where the input is data."""
        self.backward(dout)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if len(inputs) == 1 and not named:
            return self.forward(inputs[0])  # faster
        return self.forward(*inputs, **named)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module, then every module below it by its attribute path, in order of assignment, each once."""
        return self._walk(prefix, set())

    def _walk(self, path: str, seen: set[int]) -> Iterator[tuple[str, "Module"]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield path, self
        for name, value in held(vars(self)):
            if isinstance(value, Module):
                yield from value._walk(f"{path}.{name}" if path else name, seen)

    def _named(self, kind: type) -> Iterator[tuple[str, Any]]:
        """A tied array goes by its first name only, as in torch."""
        seen = set()
        for path, module in self.named_modules():
            for name, value in held(vars(module)):
                if isinstance(value, kind) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return self._named(Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Without their names, as an optimizer of several modules takes them."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        return self._named(Buffer)

    def named_state(self) -> Iterator[tuple[str, Parameter | Buffer]]:
        """All parameters, then all buffers."""
        yield from self.named_parameters()
        yield from self.named_buffers()

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by name."""
        return {name: holder.data.copy() for name, holder in self.named_state()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copies `state` in; raises ValueError unless names and shapes are exactly this module's."""
        holders = dict(self.named_state())
        if holders.keys() != state.keys():
            raise ValueError(
                f"names differ: missing {sorted(holders.keys() - state.keys())}, "
                f"unexpected {sorted(state.keys() - holders.keys())}"
            )
        for name, holder in holders.items():
            if holder.data.shape != state[name].shape:
                raise ValueError(f"{name}: expected shape {holder.data.shape}, found {state[name].shape}")
        for name, holder in holders.items():
            holder.data[...] = state[name]

    def to(self, dtype: DTypeLike) -> "Module":
        """Turns all floating-point parameters, gradients and buffers into `dtype`, in place; TypeError for no float."""
        if np.dtype(dtype) not in FLOATS:
            refuse(self, f"a dtype of {FLOAT_NAMES}", dtype, TypeError)
        for _, parameter in self.named_parameters():
            parameter.data = parameter.data.astype(dtype)
            parameter.grad = parameter.grad.astype(dtype)
        for _, buffer in self.named_buffers():
            if np.issubdtype(buffer.data.dtype, np.floating):
                buffer.data = buffer.data.astype(dtype)
        return self

    def train(self, mode: bool = True) -> "Module":
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        return self.train(False)

    def zero_grad(self) -> None:
        for _, parameter in self.named_parameters():
            parameter.grad[...] = 0


def has_parameters(module: Module) -> bool:
    """Of its own, which a layer's are, or of modules below it."""
    for value in vars(module).values():
        if type(value) is Parameter:
            return True
    return any(module.named_parameters())


class Sequential(Module):
    """Modules by name, or one after the other as "0", "1", ..., each fed with what the one before it gives.

    Raises ValueError for a name with a dot or of something else that a module has, TypeError for what is no module.
    """

    def __init__(self, *layers: Module | Mapping[str, Module] | Iterable[Module]) -> None:
        given: Any = layers[0] if len(layers) == 1 and not isinstance(layers[0], Module) else layers
        named = given if isinstance(given, Mapping) else {str(n): layer for n, layer in enumerate(given)}
        kind = type(self).__name__
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise TypeError(f"{kind} expected modules, found a {type(layer).__name__} for {name!r}")
            if not isinstance(name, str) or not name or "." in name or hasattr(self, name):
                raise ValueError(f"{kind} expected names that say nothing else of a module, found {name!r}")
        vars(self).update(named)

    def layers(self) -> list[Module]:
        return [value for value in vars(self).values() if isinstance(value, Module)]

    def forward(self, x: Any) -> Any:
        for layer in self.layers():
            x = layer.forward(x)
        return x

    def backward(self, dout: Any) -> Any:
        for layer in reversed(self.layers()):
            dout = layer.backward(dout)
        return dout

    def accumulate(self, dout: Any) -> None:
        # a third of the products of a net whose first layer is its largest
        layers, first = self.layers(), 0
        while first < len(layers) and not has_parameters(layers[first]):
            first += 1
        for layer in layers[:first:-1]:
            dout = layer.backward(dout)
        if first < len(layers):
            layers[first].accumulate(dout)
