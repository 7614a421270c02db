"""What each optimizer of scratch takes, as data: how it is built, what it is handed, and what happens between steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from itertools import chain
from typing import Any

import numpy as np
import torch

from twofold import scratch
from twofold.scratch.module import Array

OPTIMIZERS = ("SGD", "Adam", "RMSprop", "Adagrad")
STEPS = 4


class OfScratch:
    """What a contract builds on this side."""

    kinds = scratch

    def parameter(self, array: Array) -> Any:
        return scratch.Parameter(array.copy())

    def array(self, array: Any) -> Any:
        return array

    def net(self, parameters: list[Any]) -> Any:
        net = scratch.Linear(3, 2)
        net.weight, net.bias = parameters
        return net

    def to(self, parameter: Any, dtype: str) -> None:
        parameter.data = parameter.data.astype(dtype)


class OfTorch:
    """The same on torch's side."""

    kinds = torch.optim

    def parameter(self, array: Array) -> Any:
        return torch.nn.Parameter(torch.from_numpy(array.copy()))

    def array(self, array: Any) -> Any:
        return torch.from_numpy(np.array(array)) if isinstance(array, np.ndarray | np.generic) else array

    def net(self, parameters: list[Any]) -> Any:
        net = torch.nn.Linear(3, 2)
        net.weight, net.bias = parameters
        return net

    def to(self, parameter: Any, dtype: str) -> None:
        parameter.data = parameter.data.to(getattr(torch, dtype))


Side = OfScratch | OfTorch


def drawn(step: int, shape: tuple[int, ...], dtype: str) -> Array:
    """The same numbers for the same step, shape and dtype."""
    return np.asarray(np.random.default_rng([step, *shape]).standard_normal(shape)).astype(dtype)


def pairs(side: Side, parameters: list[Any]) -> Any:
    return [(f"p{n}", parameter) for n, parameter in enumerate(parameters)]


def nothing(side: Side, optimizer: Any, parameters: list[Any], step: int) -> None:
    """Happens between two steps."""


@dataclass(frozen=True)
class Contract:
    """An optimizer by its name, what it is built with and handed, and what happens once gradients are there."""

    name: str
    optimizer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    positional: tuple[Any, ...] = ()
    handed: Callable[[Any, list[Any]], Any] = pairs
    happens: Callable[[Any, Any, list[Any], int], None] = nothing
    shapes: tuple[tuple[int, ...], ...] = ((2, 3), (2,))
    dtype: str = "float64"

    def __str__(self) -> str:
        return f"{self.optimizer}: {self.name}"

    def values(self, side: Side) -> dict[str, Array]:
        """Parameters after each step by name; raises what the side raises."""
        parameters = [side.parameter(drawn(0, shape, self.dtype)) for shape in self.shapes]
        optimizer = getattr(side.kinds, self.optimizer)(
            self.handed(side, parameters), *self.positional, **self.arguments
        )
        found = {}
        for step in range(1, STEPS):
            for n, (parameter, shape) in enumerate(zip(parameters, self.shapes, strict=True)):
                parameter.grad = side.array(drawn(10 * step + n, shape, self.dtype))
            self.happens(side, optimizer, parameters, step)
            optimizer.step()
            found |= {f"{n} after {step}": np.asarray(p.data).copy() for n, p in enumerate(parameters)}
        return found


HANDED: dict[str, Callable[[Any, list[Any]], Any]] = {
    "parameters alone": lambda side, p: p,
    "a tuple of parameters": lambda side, p: tuple(p),
    "a generator of parameters": lambda side, p: (each for each in p),
    "a dict's values": lambda side, p: dict(pairs(side, p)).values(),
    "pairs": pairs,
    "a generator of pairs": lambda side, p: (pair for pair in pairs(side, p)),
    "a dict's items": lambda side, p: dict(pairs(side, p)).items(),
    "a net's named parameters": lambda side, p: side.net(p).named_parameters(),
    "a net's parameters": lambda side, p: side.net(p).parameters(),
    "two nets' parameters": lambda side, p: chain(side.net(p).parameters(), side.net(more(side)).parameters()),
    "a net": lambda side, p: side.net(p),
    "a dict": lambda side, p: dict(pairs(side, p)),
    "one parameter": lambda side, p: p[0],
    "one pair": lambda side, p: ("p0", p[0]),
    "nothing": lambda side, p: [],
    "None": lambda side, p: None,
    "a word": lambda side, p: "weight",
    "a number": lambda side, p: 3,
    "arrays": lambda side, p: [side.array(np.ones(2)), "p"],
    "a generator that is used up": lambda side, p: used_up(pairs(side, p)),
    "two nets' named parameters": lambda side, p: chain([("weight", p[0])], [("weight", p[1])]),
    "some with names": lambda side, p: [("p0", p[0]), p[1]],
    "one parameter twice": lambda side, p: [("p0", p[0]), ("p1", p[1]), ("tied", p[0])],
    "one parameter twice, alone": lambda side, p: [*p, p[0]],
    "names that are numbers": lambda side, p: list(enumerate(p)),
    "pairs as lists": lambda side, p: [["p0", p[0]], ["p1", p[1]]],
    "threes": lambda side, p: [("p0", p[0], 1), ("p1", p[1], 2)],
    "groups": lambda side, p: [{"params": [each], "lr": 0.1 * n} for n, each in enumerate(p, 1)],
    "parameters of integers": lambda side, p: [side.parameter(np.arange(3))],
    "complex parameters": lambda side, p: [side.parameter(np.ones(3, complex))],
}


def more(side: Side) -> list[Any]:
    """Parameters that get no gradient, of a net beside the one that is looked at."""
    return [side.parameter(np.zeros((2, 3))), side.parameter(np.zeros(2))]


def used_up(given: Any) -> Any:
    generator = iter(given)
    list(generator)
    return generator


def gradient(change: Callable[[Any, Any], Any]) -> Callable[[Any, Any, list[Any], int], None]:
    """Another gradient for the first parameter, in the second step."""

    def happens(side: Side, optimizer: Any, parameters: list[Any], step: int) -> None:
        if step == 2:
            parameters[0].grad = side.array(change(np.asarray(parameters[0].grad), side))

    return happens


def all_gradients(change: Callable[[Any], Any]) -> Callable[[Any, Any, list[Any], int], None]:
    def happens(side: Side, optimizer: Any, parameters: list[Any], step: int) -> None:
        for parameter in parameters:
            parameter.grad = side.array(change(np.asarray(parameter.grad)))

    return happens


def to_single(side: Side, optimizer: Any, parameters: list[Any], step: int) -> None:
    """Of parameters and gradients, as `net.to(dtype)` does it, after a first step."""
    if step == 2:
        for parameter in parameters:
            grad, parameter.grad = parameter.grad, None
            side.to(parameter, "float32")
            parameter.grad = side.array(np.asarray(grad).astype("float32"))


def by_closure(side: Side, optimizer: Any, parameters: list[Any], step: int) -> None:
    assert optimizer.step(lambda: 7) == 7


HAPPENS: dict[str, Callable[[Any, Any, list[Any], int], None]] = {
    "nothing": nothing,
    "a step with a closure": by_closure,
    "no gradient once": gradient(lambda grad, side: None),
    "no gradient at all": all_gradients(lambda grad: None),
    "a gradient of zeros": gradient(lambda grad, side: 0 * grad),
    "a gradient of NaN": gradient(lambda grad, side: np.nan * grad),
    "a gradient with an axis more": gradient(lambda grad, side: grad[None]),
    "a gradient for one row": gradient(lambda grad, side: grad[:1]),
    "a gradient for all": gradient(lambda grad, side: grad[:1, :1]),
    "a gradient without axes": gradient(lambda grad, side: np.array(grad.sum())),
    "a gradient turned round": gradient(lambda grad, side: grad.T),
    "a gradient in another order": gradient(lambda grad, side: np.asfortranarray(grad)),
    "a gradient in float32": gradient(lambda grad, side: grad.astype(np.float32)),
    "a gradient of integers": gradient(lambda grad, side: np.ones(grad.shape, int)),
    "a complex gradient": gradient(lambda grad, side: grad.astype(complex)),
    "a gradient as a list": gradient(lambda grad, side: grad.tolist()),
    "a gradient as a number": gradient(lambda grad, side: 1.0),
    "a gradient that is a NumPy scalar": all_gradients(lambda grad: grad * np.float64(2)),
    "gradients that are zeroed": lambda side, optimizer, parameters, step: optimizer.zero_grad(),
    "gradients that are set to zeros": lambda side, optimizer, parameters, step: optimizer.zero_grad(set_to_none=False),
    "gradients that are set to None": lambda side, optimizer, parameters, step: optimizer.zero_grad(set_to_none=True),
    "another dtype after a step": to_single,
}


def state_of(other: str) -> Callable[[Any, Any, list[Any], int], None]:
    """The state of an optimizer of that class, over parameters like these, that has taken a step."""

    def happens(side: Side, optimizer: Any, parameters: list[Any], step: int) -> None:
        if step == 2:
            arguments = {"momentum": 0.9} if other == "SGD" else {}
            made = getattr(side.kinds, other)(pairs(side, parameters), **arguments)
            made.step()
            optimizer.load_state_dict(made.state_dict())

    return happens


NO_AXES = ("no gradient once", "a gradient that is a NumPy scalar", "a gradient as a number")
SHAPES = (((),), ((), (1,)), ((0,), (2,)), ((0, 3), (1, 1)), ((2, 1, 3),), ((7,), (7,)))
DTYPES = ("float16", "float32", "float64")
NAN, INF = float("nan"), float("inf")
# For every number among the arguments.
ANY = (0, 1, 0.0, 0.3, 1.0, -0.1, -1, NAN, INF, -INF, True, None, "0.1", 1j, [0.1], (0.1, 0.2))
ANY += (np.float64(0.3), np.int64(0), np.array(0.25), np.array([0.25, 0.5]))
BETAS = ((0.0, 0.0), (0.5, 0.9), [0.5, 0.9], (0.9, 1.0), (1.0, 0.9), (-0.1, 0.9), (0.9, NAN), (0, 0.9), (0.9,))
BETAS += ((0.9, 0.9, 0.9), 0.9, "ab", ("a", 0.9), np.array([0.5, 0.9]), (np.float32(0.5), np.float32(0.5)), ())
BETAS += ((np.float64(0.5), 0.9), None, {0.5: 1, 0.9: 2})
NUMBERS: dict[str, dict[str, tuple[Any, ...]]] = {
    "SGD": {"lr": (), "momentum": (1.5, 10), "dampening": (2.0, 0.5), "weight_decay": (7.0,)},
    "Adam": {"lr": (), "betas": BETAS, "eps": (), "weight_decay": (7.0,)},
    "RMSprop": {"lr": (), "alpha": (1.5,), "eps": (), "weight_decay": (7.0,), "momentum": (1.5, 10)},
    "Adagrad": {"lr": (), "lr_decay": (7.0,), "weight_decay": (), "initial_accumulator_value": (7.0,), "eps": ()},
}
TOGETHER: dict[str, tuple[dict[str, Any], ...]] = {
    "SGD": (
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True, "dampening": 0.5},
        {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.3},
        {"nesterov": True},
        {"nesterov": False, "dampening": 0.5},
    ),
    "Adam": ({"lr": 0.1, "betas": (0.5, 0.7), "eps": 0.1, "weight_decay": 0.3},),
    "RMSprop": ({"lr": 0.1, "alpha": 0.5, "eps": 0.1, "weight_decay": 0.3, "momentum": 0.9},),
    "Adagrad": ({"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.3, "initial_accumulator_value": 0.2, "eps": 0.1},),
}
# torch's arguments in torch's order, none as it is by default.
ORDER: dict[str, tuple[Any, ...]] = {
    "SGD": (0.1, 0.9, 0.0, 0.2, True),
    "Adam": (0.1, (0.5, 0.7), 0.01, 0.2, True),
    "RMSprop": (0.1, 0.5, 0.01, 0.2, 0.9, True, False),
    "Adagrad": (0.1, 0.5, 0.2, 0.3, 0.01, False),
}


def contracts() -> Iterator[Contract]:
    for kind in OPTIMIZERS:
        theirs = signature(getattr(torch.optim, kind)).parameters
        yield from (Contract(name, kind, handed=handed) for name, handed in HANDED.items())
        yield from (Contract(name, kind, happens=happens) for name, happens in HAPPENS.items())
        yield from (Contract(f"{name}, without axes", kind, happens=HAPPENS[name], shapes=((),)) for name in NO_AXES)
        yield from (Contract(f"parameters {shapes}", kind, shapes=shapes) for shapes in SHAPES)
        yield from (Contract(f"parameters in {dtype}", kind, dtype=dtype) for dtype in DTYPES)
        yield from (Contract(f"{arguments}", kind, arguments) for arguments in TOGETHER[kind])
        orders = [ORDER[kind][:n] for n in range(len(ORDER[kind]) + 1)]
        yield from (Contract(f"{order}", kind, positional=order) for order in orders)
        momentum = {"momentum": 0.9} if kind == "SGD" else {}
        yield from (Contract(f"state of {other}", kind, momentum, happens=state_of(other)) for other in OPTIMIZERS)
        for argument, values in NUMBERS[kind].items():
            more = {"momentum": 0.9} if argument == "dampening" else {}
            yield from (Contract(f"{argument}={value!r}", kind, {argument: value, **more}) for value in (*ANY, *values))
            single = {argument: (np.float64(0.1), 0.9) if argument == "betas" else np.float32(0.1)}
            yield Contract(f"{argument} as a NumPy scalar", kind, single, dtype="float32")
        for name, parameter in theirs.items():
            if name not in (*NUMBERS[kind], "params", "nesterov"):
                yield from (Contract(f"{name}={value}", kind, {name: value}) for value in (parameter.default, True))
