"""What all optimizers are: parameters by name, a state of each, and what is refused of either."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

from twofold.scratch.checks import checked, refuse
from twofold.scratch.module import Array, Parameter

ARRAYS = (np.ndarray, np.memmap)  # no matrices, whose product is another, nor masked arrays
State = dict[str, dict[str, Any]]
Parameters = Iterable[Parameter] | Iterable[tuple[str, Parameter]]


class Optimizer:
    """Holds parameters by name and, for each, a state such as {"step": 3, "exp_avg": array}, empty before its first.

    Takes pairs of a name and a Parameter, as `net.named_parameters()` gives them, or Parameters alone, which go by "0",
    "1" and so on. Raises TypeError for anything else and for an argument that the class has not, ValueError for none at
    all, for a name or a parameter that comes twice, and for data that are no floats.
    """

    kept: tuple[str, ...] = ()  # the entries of a state after a step, where a class says so
    begins_empty = True

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, params: Parameters) -> None:
        self.parameters = by_name(type(self).__name__, params)
        self.state: State = {name: {} for name in self.parameters}
        self.fitting: dict[str, Array] = {}  # the arrays that were found to fit their states

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves every parameter by its own gradient, but none whose `grad` is None; returns what the closure does.

        Raises ValueError, and moves nothing, for a gradient or a state of another shape or dtype than its parameter.
        """
        loss = None if closure is None else closure()
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                self.must_fit(name, parameter)
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                self.update(parameter.data, parameter.grad, self.state[name])
        return loss

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Sets every gradient to zeros, one that is None too, so that `backward` can add to it: ValueError for None."""
        if set_to_none:
            refuse(self, "set_to_none=False in zero_grad", f"{set_to_none}")
        for parameter in self.parameters.values():
            if isinstance(parameter.grad, np.ndarray):
                parameter.grad.fill(0)
            else:
                parameter.grad = np.zeros_like(parameter.data)

    def state_dict(self) -> State:
        """Copies of the state of every parameter, by the parameter's name."""
        return {name: {key: np.copy(value) for key, value in state.items()} for name, state in self.state.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Copies `state` in, floats in the dtype of their parameter.

        Raises ValueError, and changes nothing, unless it speaks of exactly these parameters, and holds of each what an
        optimizer of this class keeps, in the parameter's shape.
        """
        expected = f"{type(self).__name__} expected the state of {list(self.parameters)}"
        if not isinstance(state, Mapping):
            raise TypeError(f"{expected}, found {told(state)}")
        if self.parameters.keys() != state.keys():
            raise ValueError(f"{expected}, found {list(state)}")
        for name, entry in state.items():
            self.must_be_own(name, entry)
        self.state = {
            name: {key: self.copied(name, key, value) for key, value in entry.items()} for name, entry in state.items()
        }

    def copied(self, name: str, key: str, value: Any) -> Array:
        """An entry of a state as it is kept: steps in integers that do not wrap, the rest like the parameter."""
        array = np.asarray(value)
        if key == "step":
            return array.astype(np.int64)
        like = self.kept or np.issubdtype(array.dtype, np.floating)
        return array.astype(self.parameters[name].data.dtype if like else array.dtype)

    def numbers(self, low: float = 0.0, below: float = math.inf, /, **given: Any) -> Iterator[float]:
        """Each as a float. Raises TypeError for no real number, ValueError unless it is finite and in [low, below)."""
        bracket = "(" if low == -math.inf else "["
        for name, value in given.items():
            expected = f"{type(self).__name__} expected {name} as a number in {bracket}{low:g}, {below:g})"
            if not isinstance(value, Real) or isinstance(value, bool):
                raise TypeError(f"{expected}, found {told(value)}")
            try:
                number = float(value)
            except OverflowError:  # of an integer
                number = math.inf
            if not (low <= number < below and math.isfinite(number)):
                raise ValueError(f"{expected}, found {value}")
            yield number

    def needed(self) -> tuple[str, ...]:
        """The entries of a state without which the next step cannot be made."""
        return self.kept

    def must_be_own(self, name: str, entry: Any) -> None:
        """Raises ValueError for a state that an optimizer of this class would not keep of the parameter."""
        kind, shape = type(self).__name__, self.parameters[name].data.shape
        if not isinstance(entry, Mapping):
            refuse(kind, f"the state of {name} as a mapping", told(entry))
        needed = () if self.begins_empty and not entry else self.needed()
        if self.kept and not set(needed) <= entry.keys() <= set(self.kept):
            refuse(kind, f"the state of {name} to hold {list(self.kept)}", f"{list(entry)}")
        for key, value in entry.items() if self.kept else ():
            if np.asarray(value).dtype.kind not in "iuf":
                refuse(kind, f"{key} of {name} as numbers", told(value))
            if key == "step":
                if np.shape(value) or not float(value).is_integer() or value < 0:
                    refuse(kind, f"a whole number of steps of {name}", f"{value}")
            elif np.shape(value) != shape:
                refuse(kind, f"{key} of {name} of shape {shape}", f"{np.shape(value)}")

    def must_fit(self, name: str, parameter: Parameter) -> None:
        """Raises ValueError unless data, gradient and state are of one shape and dtype."""
        data, grad, known = parameter.data, parameter.grad, self.fitting.get(name)
        if type(grad) is np.ndarray and data is known and data.shape == grad.shape and data.dtype is grad.dtype:
            return
        kind = type(self).__name__
        if type(data) not in ARRAYS:
            refuse(kind, f"{name} as an array", told(data))
        plain = type(grad) in ARRAYS or isinstance(grad, np.generic)
        if not plain or grad.shape != data.shape or grad.dtype != data.dtype:
            refuse(kind, f"the gradient of {name} as {told(data)}", told(grad))
        for key, value in self.state[name].items() if self.kept else ():
            if key != "step" and (value.shape != data.shape or value.dtype != data.dtype):
                refuse(kind, f"{key} of {name} as {told(data)}", told(value))
        self.fitting[name] = data


def told(value: Any) -> str:
    """An array by its dtype and shape, anything else by its type."""
    if type(value) in ARRAYS or isinstance(value, np.generic):
        return f"{value.dtype} {value.shape}"
    return f"a {type(value).__name__}"


def by_name(kind: str, given: Any) -> dict[str, Parameter]:
    """Parameters by the names that come with them, else by their numbers."""
    expected = f"{kind} expected parameters of scratch, or pairs of a name and one such as net.named_parameters()"
    if not isinstance(given, Iterable):
        raise TypeError(f"{expected}, found {told(given)}")
    entries = list(given)
    pairs = [entry for entry in entries if isinstance(entry, tuple)]
    if not entries:
        raise ValueError(f"{expected}, found none: a generator gives them only once")
    if pairs and len(pairs) != len(entries):
        raise ValueError(f"{expected}, found {len(pairs)} pairs among {len(entries)}")
    found: dict[str, Parameter] = {}
    for n, entry in enumerate(entries):
        name, parameter = entry if isinstance(entry, tuple) and len(entry) == 2 else (str(n), entry)
        if not isinstance(name, str):
            raise TypeError(f"{expected}, found {told(name)} for a name")
        must_be_parameter(expected, parameter)
        if name in found:
            refuse(kind, "another name for each parameter", f"{name} twice")
        if any(parameter is other for other in found.values()):
            refuse(kind, "each parameter once", f"{name} twice")
        data = parameter.data
        if not np.issubdtype(data.dtype, np.floating) or not data.flags.writeable:
            refuse(kind, f"{name} as floats that can be written to", told(data))
        found[name] = parameter
    return found


def must_be_parameter(expected: str, parameter: Any) -> None:
    """Raises TypeError, which says what was expected, unless it has an array as `data`, and a `grad`."""
    if not hasattr(parameter, "data") or not hasattr(parameter, "grad"):
        raise TypeError(f"{expected}, found {told(parameter)}")
    if type(parameter.data) not in ARRAYS:
        raise TypeError(f"{expected}, found {told(parameter)} that holds {told(parameter.data)}")
