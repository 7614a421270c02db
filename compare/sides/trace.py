"""What every module took, gave, was sent and sent back, recorded by (path, call) without changing the run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.scratch.module import Array, Module

States = dict[str, dict[str, Array]]  # an optimizer's, by parameter and entry


@dataclass
class Trace:
    """Arrays by "path", "path#call" from the second call on, and "path[n]" where a module gives several."""

    inputs: dict[str, Array] = field(default_factory=dict)
    outputs: dict[str, Array] = field(default_factory=dict)  # in order of execution
    grad_outputs: dict[str, Array] = field(default_factory=dict)  # with respect to the outputs
    grad_inputs: dict[str, Array] = field(default_factory=dict)  # with respect to the inputs
    asked: dict[str, Array] = field(default_factory=dict)  # whether the reference asks for that, a 0-d bool
    masks: dict[str, Array] = field(default_factory=dict)  # what scratch's dropout layers kept


# The reference's calls by the names that scratch has for them, None for what scratch has not; others keep theirs.
Names = Mapping[str, str | None]


def array_of(tensor: Any) -> Array:
    """A NumPy copy of a tensor: `.numpy()` alone would share its memory. Raises TypeError for what is none."""
    if not hasattr(tensor, "detach"):
        raise TypeError(f"expected tensors, alone or in tuples, lists and dicts, found {type(tensor).__name__}")
    return np.array(tensor.detach().cpu().numpy())


def call_key(path: str, call: int) -> str:
    return path if call == 0 else f"{path}#{call}"


def call_of(key: str) -> str:
    """The call that one of several arrays belongs to."""
    return key.partition("[")[0]


def path_of(key: str) -> str:
    """The module that a key belongs to, whichever its call and array."""
    return call_of(key).partition("#")[0]


@contextmanager
def watch_scratch(model: Module) -> Iterator[Trace]:
    """Shadows forward and backward of every module below `model` on the instance, and takes the shadows off again."""
    trace = Trace()
    watched = [(path, module) for path, module in model.named_modules() if path]
    own = {path: {k: v for k, v in vars(module).items() if k in ("forward", "backward")} for path, module in watched}
    for path, module in watched:
        _shadow(module, path, trace)
    try:
        yield trace
    finally:
        for _, module in watched:
            for name in ("forward", "backward"):
                del vars(module)[name]
            vars(module).update(own[path])


def _shadow(module: Module, path: str, trace: Trace) -> None:
    forward, backward = module.forward, module.backward
    open_calls: list[tuple[str, list[str]]] = []  # the backward passes of several calls come in reverse order
    calls = 0

    def watched_forward(*inputs: Any) -> Any:
        nonlocal calls
        key = call_key(path, calls)
        calls += 1
        trace.inputs.update(nest.numbered(key, nest.apply(np.array, inputs[0] if len(inputs) == 1 else inputs)))
        out = forward(*inputs)
        recorded = nest.numbered(key, nest.apply(np.array, out))
        trace.outputs.update(recorded)
        open_calls.append((key, list(recorded)))
        if module.training and "mask" in vars(module):
            trace.masks[key] = vars(module)["mask"] != 0  # a layer may keep it scaled
        return out

    def watched_backward(*douts: Any) -> Any:
        key, outputs = open_calls.pop()
        for name, dout in zip(outputs, nest.flatten(douts), strict=False):  # trailing ones may be left out
            if dout is not None:
                trace.grad_outputs[name] = np.array(dout)
        grad_input = backward(*douts)
        trace.grad_inputs.update(nest.numbered(key, nest.apply(np.array, grad_input)))
        return grad_input

    vars(module).update(forward=watched_forward, backward=watched_backward)


def going_back() -> bool:
    """Whether autograd is on its way back: a module that is called then is one recomputed by a checkpoint."""
    import torch

    return torch._C._current_graph_task_id() != -1


@contextmanager
def watch_reference(model: Any, names: Names = MappingProxyType({})) -> Iterator[Trace]:
    """By forward hooks, and tensor hooks on the outputs (full backward hooks break on in-place ReLU and integers)."""
    trace = Trace()
    watching = True  # tensor hooks outlive the watch, with the graph

    def arrived(kept: dict[str, Array], name: str, gradient: Any) -> None:
        if watching:
            kept[name] = array_of(gradient)

    watched = [_Watched(path, names, trace, arrived) for path, _ in model.named_modules() if path]
    modules = [module for path, module in model.named_modules() if path]
    handles = []
    for module, calls in zip(modules, watched, strict=True):
        handles += [module.register_forward_pre_hook(calls.before), module.register_forward_hook(calls.after)]
    try:
        yield trace
    finally:
        watching = False
        for handle in handles:
            handle.remove()


class _Watched:
    """The calls of one module of a torch model, recorded by the names that scratch has for them."""

    def __init__(self, path: str, names: Names, trace: Trace, arrived: Callable[..., None]) -> None:
        self.path, self.names, self.trace, self.arrived = path, names, trace, arrived
        self.open: list[str | None] = []
        self.calls = 0

    def before(self, module: Any, inputs: tuple[Any, ...]) -> Any:
        key = self.again(inputs) if going_back() else self.first()
        self.open.append(key)
        # the alias of an input meets what this module sends back, the input itself what all that take it do
        inputs = nest.apply(_alias, inputs)
        if key is not None:
            given = named_inputs(key, inputs)
            self.keep(given, self.trace.inputs, self.trace.grad_inputs)
            self.trace.asked.update({name: np.array(leaf.requires_grad) for name, leaf in tensors(given)})
        return inputs

    def after(self, module: Any, inputs: Any, out: Any) -> None:
        key = self.open.pop()
        if key is not None:
            self.keep(nest.numbered(key, out), self.trace.outputs, self.trace.grad_outputs)

    def first(self) -> str | None:
        own = call_key(self.path, self.calls)
        self.calls += 1
        return self.names.get(own, own)

    def again(self, inputs: tuple[Any, ...]) -> str | None:
        """The call that took the same, which a checkpoint makes once more on the way back."""
        keys = [key for call in range(self.calls) if (key := self.names.get(own := call_key(self.path, call), own))]
        given = {key: {name: array_of(x) for name, x in tensors(named_inputs(key, inputs))} for key in keys}
        same = [key for key in keys if all(np.array_equal(x, self.trace.inputs[n]) for n, x in given[key].items())]
        return same[0] if same else None

    def keep(self, found: dict[str, Any], values: dict[str, Array], gradients: dict[str, Array]) -> None:
        for name, tensor in tensors(found):
            values[name] = array_of(tensor)
            if tensor.requires_grad:
                tensor.register_hook(partial(self.arrived, gradients, name))


def named_inputs(key: str, inputs: tuple[Any, ...]) -> dict[str, Any]:
    return nest.numbered(key, inputs[0] if len(inputs) == 1 else inputs)


def tensors(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those of what a module took or gave that are tensors: it may be told a number too."""
    return [(name, leaf) for name, leaf in found.items() if hasattr(leaf, "requires_grad")]


def _alias(leaf: Any) -> Any:
    return leaf.view_as(leaf) if getattr(leaf, "requires_grad", False) else leaf
