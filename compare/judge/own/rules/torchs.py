"""torch's optimizer on given weights and gradients: the definition, its re-runs, and others that a rule may be."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.own.rules.calling.bags import Arrays
from twofold.compare.sides.hooks import hooks
from twofold.scratch.module import Array

Make = Callable[[list[Any]], Any]  # parameters to an optimizer


def maker(reference: Any) -> Make:
    """What makes the reference: a class or function as it is; an object, as another of its class and options."""
    import torch

    if isinstance(reference, torch.optim.Optimizer):
        return partial(of_class, type(reference), options_of(reference))
    return reference


def of_class(kind: type, options: Mapping[str, Any], parameters: list[Any]) -> Any:
    """An optimizer of a class; what that does not take is left out."""
    known = inspect.signature(kind).parameters
    return kind(parameters, **{key: value for key, value in options.items() if key in known})


def options_of(optimizer: Any) -> dict[str, Any]:
    """Of the first group, which is the only one that most have."""
    return {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}


def torch_class(kind: type) -> type | None:
    """The nearest class that is torch's own, None where there is none."""
    import torch

    return next(
        (one for one in kind.__mro__ if one.__module__.startswith("torch.") and one is not torch.optim.Optimizer), None
    )


@dataclass(frozen=True)
class Facts:
    """What a reference is: `plain` is torch's own class, to which nobody has done anything."""

    make: Make
    kind: type
    options: dict[str, Any]
    groups: int
    tampered: tuple[str, ...]

    @property
    def plain(self) -> type | None:
        return torch_class(self.kind)

    @property
    def witness(self) -> Make | None:
        """Afresh, of the class that its name says; None where that is nobody's but the user's."""
        return partial(of_class, self.plain, self.options) if self.plain and self.groups == 1 else None

    @property
    def own(self) -> bool:
        """Whether it may do something else than its class says."""
        return bool(self.tampered) or self.plain is not self.kind

    def __str__(self) -> str:
        return named(self.kind, self.options) + (f" in {self.groups} groups" if self.groups > 1 else "")


def named(kind: type, options: Mapping[str, Any]) -> str:
    """As one would write it: a class with the options away from its defaults, and always the learning rate."""
    known = inspect.signature(kind).parameters
    told = {
        key: value
        for key in known
        for value in [options.get(key)]
        if key in options and (key == "lr" or value != known[key].default) and value is not None
    }
    where = "torch.optim" if kind.__module__.startswith("torch.optim") else kind.__module__
    given = (f"{key}={value:.10g}" if isinstance(value, float) else f"{key}={value!r}" for key, value in told.items())
    return f"{where}.{kind.__qualname__}({', '.join(given)})"


def facts_of(make: Make, shapes: Mapping[str, tuple[int, ...]]) -> Facts:
    optimizer = make(parameters({name: np.zeros(shape) for name, shape in shapes.items()}, "float64"))
    groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    different = len({str(group) for group in groups})
    told = tuple(hooks(optimizer, "the optimizer"))
    return Facts(make, type(optimizer), options_of(optimizer), different, told)


def parameters(weights: Mapping[str, Array], dtype: str) -> list[Any]:
    import torch

    return [torch.nn.Parameter(torch.from_numpy(np.array(array, dtype))) for array in weights.values()]


@contextmanager
def scalars_in(dtype: str) -> Iterator[None]:
    """Counts and products that torch keeps in the default type are kept in this one."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def replay(
    make: Make,
    before: Sequence[Arrays],
    gradients: Sequence[Arrays],
    dtype: str = "float64",
    seed: int | None = None,
    states: list[dict[str, dict[str, Array]]] | None = None,
) -> list[Arrays]:
    """What each step makes of the weights that are before it; a seed moves all that is given by one ulp.

    What is kept after each step goes into `states`, of every tensor by name.
    """
    import torch

    left = []
    with scalars_in(dtype), torch.no_grad():
        held = parameters(before[0], dtype)
        optimizer = make(held)
        for given, slopes in zip(before, gradients, strict=True):
            moved = perturbed({name: array.astype(dtype) for name, array in given.items()}, seed)
            sent = perturbed({name: array.astype(dtype) for name, array in slopes.items()}, seed)
            for parameter, name in zip(held, given, strict=True):
                parameter.copy_(torch.from_numpy(moved[name]))
                parameter.grad = torch.from_numpy(np.array(sent[name]))
            optimizer.step()
            left.append({name: array_of(parameter) for name, parameter in zip(given, held, strict=True)})
            if states is not None:
                states.append(
                    {name: kept(optimizer.state[parameter]) for name, parameter in zip(given, held, strict=True)}
                )
    return left


def array_of(tensor: Any) -> Array:
    return np.array(tensor.detach().numpy(), np.float64)


def kept(entries: Mapping[str, Any]) -> dict[str, Array]:
    import torch

    return {key: array_of(value) for key, value in entries.items() if isinstance(value, torch.Tensor) and value.dim()}
