"""The styles' nets as something whose arrays can be kept otherwise: where they stand, and what of torch they are."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

Slots = dict[str, tuple[Any, Any]]  # by name the holder and the key or attribute
Read = Callable[[Any], tuple[Any, Any]]  # of what a call gave: the answers, and the gradients by name


@dataclass(frozen=True)
class Parts:
    """What a style's call gives, taken apart."""

    made: ModuleType
    scratch: Any
    data: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def held(self, name: str) -> Any:
        """What scratch closes over."""
        return inspect.getclosurevars(self.scratch).nonlocals[name]

    def cell(self, name: str) -> Any:
        """The place in which scratch closes over it."""
        return self.scratch.__closure__[self.scratch.__code__.co_freevars.index(name)]


@dataclass(frozen=True)
class Owner:
    """A style's net: the names, slots and gradients of its own arrays, and torch's tensors as expressions of those."""

    style: int
    file: str
    call: str
    slots: Callable[[Parts], Slots]
    read: Callable[[Parts], Read]
    torch: Mapping[str, str] = field(default_factory=dict)
    pair: bool = False  # forward and backward apart


def linears(names: Mapping[str, str], form: str = "{}.T") -> dict[str, str]:
    """Torch's linear layers by name, each with the numbers of its W and b."""
    found = {}
    for layer, number in names.items():
        found |= {f"{layer}.weight": form.format(f"W{number}"), f"{layer}.bias": f"b{number}.ravel()"}
    return found


def keyed(holder: Any, names: str) -> Slots:
    return {name: (holder, name) for name in names.split()}


def layered(layers: Any, weight: str, bias: str, inner: str = "") -> Slots:
    """W1, b1, W2, ... of layer objects, or of a dict within each."""
    found: Slots = {}
    for n, layer in enumerate(layers, start=1):
        holder = getattr(layer, inner) if inner else layer
        found |= {f"W{n}": (holder, weight), f"b{n}": (holder, bias)}
    return found


def beside(layers: Any, weight: str, bias: str, inner: str = "") -> dict[str, Any]:
    """The gradients of layered arrays."""
    found = {}
    for n, layer in enumerate(layers, start=1):
        holder = getattr(layer, inner) if inner else vars(layer)
        found |= {f"W{n}": holder[weight], f"b{n}": holder[bias]}
    return found


def returned(answers: int, prefix: str = "") -> Callable[[Parts], Read]:
    """Gradients in a dict that comes last, behind some answers."""

    def read(parts: Parts) -> Read:
        def split(given: Any) -> tuple[Any, Any]:
            grads = {name.removeprefix(prefix): value for name, value in given[-1].items() if name.startswith(prefix)}
            return tuple(given[:answers]), grads

        return split

    return read


def of(answers: int, grads: Callable[[Parts, Any], Any]) -> Callable[[Parts], Read]:
    return lambda parts: lambda given: (tuple(given[:answers]), grads(parts, given))


def only(grads: Callable[[Parts], Any]) -> Callable[[Parts], Read]:
    """Of a pair, or of a call that gives no answers."""
    return lambda parts: lambda given: ((), grads(parts))


def no_gradients(parts: Parts) -> Read:
    return lambda given: (given, None)


def texts(written: str) -> dict[str, str]:
    """ "p0 W2.T; q7 b1" as a dict: what is kept, over the net's own names."""
    return dict(part.strip().split(" ", 1) for part in written.split(";"))


Faults = Mapping[str, tuple[Any, ...]]  # by name the edits, of what kind they are, and who is wrong if not scratch

# W1 to W3 and b1 to b3, whichever way the net has its matrices.
DENSE = {
    "shuffled": "p0 b2; q7 W3.T; r2 W2; s5 b1; t1 W1.T; u9 b3",
    "transposed": "p0 W2.T; q7 W1.T; r2 b3; s5 W3.T; t1 b1; u9 b2",
    "lying": "W1 W3; W2 W1; W3 W2; b1 b2; b2 b1; b3 b3",
    "last-row": "p0 vstack([W2, b2.reshape(1, -1)]); q7 vstack([W3, b3.reshape(1, -1)]); "
    "r2 vstack([W1, b1.reshape(1, -1)])",
    "first-column": "p0 hstack([b3.reshape(-1, 1), W3.T]); q7 hstack([b1.reshape(-1, 1), W1.T]); "
    "r2 hstack([b2.reshape(-1, 1), W2.T])",
    "column-vectors": "p0 b3.reshape(-1, 1); q7 W2; r2 b1.reshape(-1, 1); s5 W1; t1 b2.reshape(-1, 1); u9 W3",
    "row-vectors": "p0 b1.reshape(1, -1); q7 W3; r2 W2.T; s5 b2.reshape(1, -1); t1 b3.reshape(1, -1); u9 W1",
    "one-vector": "theta concatenate([W1.ravel('F'), b1.ravel(), W2.ravel('F'), b2.ravel(), W3.ravel('F'), "
    "b3.ravel()])",
    "two-vectors": "p0 concatenate([b1.ravel(), b2.ravel(), b3.ravel()]); "
    "q7 concatenate([W1.ravel(), W2.ravel(), W3.ravel()])",
}
