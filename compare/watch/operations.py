"""What torch computes on the way, operation by operation: values, gradients, modules, and the parameters used.

Fused operations are taken apart into those that a text writes (formulas.py), so that what stands between is there to
be compared: the shifted scores of a softmax, the gates of a cell, the deviations of a norm.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twofold.compare.watch.formulas import formulas
from twofold.scratch.module import Array

# What gives the same numbers otherwise arranged: what it is given is still the parameter.
ARRANGING = (
    "t",
    "transpose",
    "permute",
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "squeeze",
    "unsqueeze",
    "chunk",
    "split",
    "unbind",
    "contiguous",
    "expand",
    "__getitem__",
    "__get__",
    "view_as",
    "narrow",
    "select",
    "movedim",
    "swapaxes",
    "detach",
    "clone",
    "to",
)

LEFT = ("grad", "backward", "requires_grad_", "register_hook", "numpy")  # no operations of a forward pass


@dataclass
class Operation:
    """One result of one operation of torch."""

    name: str  # torch's: linear, relu, matmul
    module: str  # the path of the module that it runs in
    value: Array
    uses: tuple[str, ...] = ()  # the parameters that it was given, as they are or otherwise arranged
    gradient: Array | None = None
    inputs: tuple[int, ...] = ()  # the numbers of the operations whose results it was given
    sent: list[Array] = field(default_factory=list)  # what it sends back to each of its inputs
    arranged: bool = False  # it is a parameter, otherwise arranged: its gradient is the part of one use

    @property
    def label(self) -> str:
        """The operation as a reader finds it: relu of fc1."""
        return f"{self.name} of {self.module}" if self.module else self.name


@dataclass
class Operations:
    """All of them in order of execution."""

    found: list[Operation] = field(default_factory=list)
    back: list[Operation] = field(default_factory=list)  # in the order in which their gradients came

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.found)

    def values(self) -> Iterator[tuple[Any, Array]]:
        """Each value and gradient by what it is."""
        for operation in self.found:
            yield ("value", operation.label), operation.value
            if operation.gradient is not None:
                yield ("gradient", operation.label), operation.gradient
            for array in operation.sent:
                yield ("gradient", f"what {operation.label} sends back"), array

    def __len__(self) -> int:
        return len(self.found)


@contextmanager
def explicit(operations: Operations, modules: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[None]:
    """While it lasts every operation of torch's forward passes is kept, and its gradient when a backward gives one.

    `modules` are nn.Modules by path, `parameters` tensors by name.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    known = formulas()
    paths = {
        id(part): f"{prefix}.{path}".strip(".")
        for prefix, module in modules.items()
        for path, part in module.named_modules()
    }
    origins: dict[int, tuple[str, ...]] = {id(tensor): (name,) for name, tensor in parameters.items()}
    made: dict[int, int] = {}
    held: list[Any] = []  # so that no id is given twice
    stack: list[str] = []
    nodes: set[int] = set()
    watching = True

    def tensors_in(values: Any) -> Iterator[Any]:
        if isinstance(values, torch.Tensor):
            yield values
        elif isinstance(values, tuple | list):
            for value in values:
                yield from tensors_in(value)
        elif isinstance(values, dict):
            yield from tensors_in(list(values.values()))

    def keep(name: str, out: Any, given: list[Any]) -> None:
        uses = tuple(dict.fromkeys(use for tensor in given for use in origins.get(id(tensor), ())))
        for part in tensors_in(out):
            held.append(part)
            if not part.is_floating_point():
                continue
            inputs = tuple(made[id(tensor)] for tensor in given if id(tensor) in made)
            arranged = name in ARRANGING and bool(uses)
            if arranged:
                origins[id(part)] = uses
            kept = Operation(name, stack[-1] if stack else "", array_of(part), uses, None, inputs, arranged=arranged)
            made[id(part)] = len(operations.found)
            operations.found.append(kept)
            if part.requires_grad:
                part.register_hook(lambda gradient, kept=kept: gradient_of(kept, gradient))
            node = part.grad_fn
            if node is not None and id(node) not in nodes:
                nodes.add(id(node))
                held.append(node)
                node.register_hook(lambda sent, given, kept=kept: sent_back(kept, sent))

    def gradient_of(kept: Operation, gradient: Any) -> None:
        if watching and gradient is not None:  # as of one of several results that nothing uses
            kept.gradient = array_of(gradient)
            operations.back.append(kept)

    def sent_back(kept: Operation, gradients: Any) -> None:
        if watching:
            kept.sent = [array_of(gradient) for gradient in gradients if gradient is not None]

    class Explicit(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            name = getattr(function, "__name__", str(function))
            given = list(tensors_in([args, kwargs]))
            formula = known.get(function)
            if formula is not None and (taken := as_taken(formula, args, kwargs)) is not None:
                with self:
                    out = formula(*taken.args, **taken.kwargs)
                if out is not NotImplemented:
                    return out
            out = function(*args, **kwargs)
            if name not in LEFT and (name != "__get__" or (given and id(given[0]) in origins)):
                keep(name, out, given)
            return out

    def enter(module: Any, inputs: Any) -> None:
        if id(module) in paths:
            stack.append(paths[id(module)])

    def leave(module: Any, inputs: Any, out: Any) -> None:
        if id(module) in paths and stack:
            stack.pop()

    hooks = [
        torch.nn.modules.module.register_module_forward_pre_hook(enter),
        torch.nn.modules.module.register_module_forward_hook(leave, always_call=True),  # also where it raises
    ]
    try:
        with Explicit():
            yield
    finally:
        watching = False
        for hook in hooks:
            hook.remove()


def as_taken(formula: Any, args: Any, kwargs: Mapping[str, Any]) -> inspect.BoundArguments | None:
    """What a formula is given, whose first argument is torch's input; None for what it has no name for."""
    more = dict(kwargs)
    first = [more.pop("input")] if "input" in more and not args else []
    try:
        return inspect.signature(formula).bind(*first, *args, **more)
    except TypeError:
        return None


def array_of(tensor: Any) -> Array:
    return np.array(tensor.detach().double().cpu().numpy())
