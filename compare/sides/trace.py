"""What every module took, gave, was sent and sent back, recorded by (path, call) without changing the run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.scratch.module import Array, Module

States = dict[str, dict[str, Array]]  # an optimizer's, by parameter and entry

# What is kept of a tensor as soon as it is there: its stage and name are given, and itself, to read and not to hold.
# Stages: forward (what modules give), backward (what they are sent), input (take), grad_input (send back).
Keep = Callable[[str, str, Array], Array]


def copied(stage: str, name: str, array: Array) -> Array:
    """Keeps a copy."""
    return np.array(array)


class Copies:
    """Keeps copies; what a module takes is mostly the very output of the one before it, and is held once."""

    def __init__(self) -> None:
        self._last = np.empty(0)

    def __call__(self, stage: str, name: str, array: Array) -> Array:
        if not same_bits(array, self._last):
            self._last = np.array(array)
        return self._last


def same_bits(first: Array, second: Array) -> bool:
    """Equal in shape, type and every bit, and so NaN too."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.itemsize > 8:
        return first.tobytes() == second.tobytes()
    bits = np.dtype(f"u{first.itemsize}")
    return bool((first.view(bits) == second.view(bits)).all())


@dataclass
class Trace:
    """Arrays by "path", "path#call" from the second call on, and "path[n]" where a module gives several."""

    inputs: dict[str, Array] = field(default_factory=dict)
    outputs: dict[str, Array] = field(default_factory=dict)  # in order of execution
    grad_outputs: dict[str, Array] = field(default_factory=dict)  # with respect to the outputs
    grad_inputs: dict[str, Array] = field(default_factory=dict)  # with respect to the inputs
    masks: dict[str, Array] = field(default_factory=dict)  # what scratch's dropout layers kept


def view_of(tensor: Any) -> Array:
    """A tensor as a NumPy array, which shares its memory where that lies in the CPU's."""
    return tensor.detach().cpu().numpy()


def array_of(tensor: Any) -> Array:
    """A NumPy copy of a tensor."""
    return np.array(view_of(tensor))


def call_key(path: str, call: int) -> str:
    return path if call == 0 else f"{path}#{call}"


def call_of(key: str) -> str:
    """The call that one of several arrays belongs to."""
    return key.partition("[")[0]


def path_of(key: str) -> str:
    """The module that a key belongs to, whichever its call and array."""
    return call_of(key).partition("#")[0]


@contextmanager
def watch_scratch(model: Module, keep: Keep | None = None) -> Iterator[Trace]:
    """Shadows forward and backward of every module below `model` on the instance, and takes the shadows off again."""
    trace, keep = Trace(), keep or Copies()
    watched = [(path, module) for path, module in model.named_modules() if path]
    own = {path: {k: v for k, v in vars(module).items() if k in ("forward", "backward")} for path, module in watched}
    for path, module in watched:
        _shadow(module, path, trace, keep)
    try:
        yield trace
    finally:
        for _, module in watched:
            for name in ("forward", "backward"):
                del vars(module)[name]
            vars(module).update(own[path])


def _shadow(module: Module, path: str, trace: Trace, keep: Keep) -> None:
    forward, backward = module.forward, module.backward
    open_calls: list[tuple[str, list[str]]] = []  # the backward passes of several calls come in reverse order
    calls = 0

    def kept(stage: str, key: str, nested: Any) -> dict[str, Array]:
        return {name: keep(stage, name, np.asarray(array)) for name, array in nest.numbered(key, nested).items()}

    def watched_forward(*inputs: Any) -> Any:
        nonlocal calls
        key = call_key(path, calls)
        calls += 1
        trace.inputs.update(kept("input", key, inputs[0] if len(inputs) == 1 else inputs))
        out = forward(*inputs)
        recorded = kept("forward", key, out)
        trace.outputs.update(recorded)
        open_calls.append((key, list(recorded)))
        if module.training and "mask" in vars(module):
            trace.masks[key] = vars(module)["mask"] != 0  # a layer may keep it scaled
        return out

    def watched_backward(*douts: Any) -> Any:
        key, outputs = open_calls.pop()
        for name, dout in zip(outputs, nest.flatten(douts), strict=False):  # trailing ones may be left out
            if dout is not None:
                trace.grad_outputs[name] = keep("backward", name, np.asarray(dout))
        grad_input = backward(*douts)
        trace.grad_inputs.update(kept("grad_input", key, grad_input))
        return grad_input

    vars(module).update(forward=watched_forward, backward=watched_backward)


@contextmanager
def watch_reference(model: Any, keep: Keep | None = None) -> Iterator[Trace]:
    """By forward hooks, and tensor hooks on the outputs (full backward hooks break on in-place ReLU and integers)."""
    trace, keep = Trace(), keep or Copies()
    handles = []
    watching = True  # tensor hooks outlive the watch, with the graph

    def record(path: str) -> tuple[Any, Any]:
        open_calls: list[str] = []
        calls = 0

        def before(module: Any, inputs: tuple[Any, ...]) -> Any:
            nonlocal calls
            key = call_key(path, calls)
            calls += 1
            open_calls.append(key)
            # the alias of an input meets what this module sends back, the input itself what all that take it do
            inputs = nest.apply(lambda leaf: leaf.view_as(leaf) if leaf.requires_grad else leaf, inputs)
            given = nest.numbered(key, inputs[0] if len(inputs) == 1 else inputs)
            record_all(given, trace.inputs, trace.grad_inputs, ("input", "grad_input"))
            return inputs

        def after(module: Any, inputs: Any, out: Any) -> None:
            given = nest.numbered(open_calls.pop(), out)
            record_all(given, trace.outputs, trace.grad_outputs, ("forward", "backward"))

        return before, after

    def record_all(
        tensors: dict[str, Any], values: dict[str, Array], gradients: dict[str, Array], stages: tuple[str, str]
    ) -> None:
        way, back = stages
        for name, tensor in tensors.items():
            values[name] = keep(way, name, view_of(tensor))
            if tensor.requires_grad:
                tensor.register_hook(lambda grad, name=name: arrived(gradients, back, name, grad))

    def arrived(kept: dict[str, Array], stage: str, name: str, gradient: Any) -> None:
        if watching:
            kept[name] = keep(stage, name, view_of(gradient))

    for path, module in model.named_modules():
        if path:
            before, after = record(path)
            handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        yield trace
    finally:
        watching = False
        for handle in handles:
            handle.remove()
