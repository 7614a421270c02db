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
from twofold.scratch.passes import last_of, next_of

States = dict[str, dict[str, Array]]  # an optimizer's, by parameter and entry

# What is kept of a tensor as soon as it is there: its stage and name are given, and itself, to read and not to hold.
# Stages: forward (what modules give), backward (what they are sent), input (take), grad_input (send back).
Keep = Callable[[str, str, Array], Array]

# Given the loss of a training step before its update, which is not made if this raises.
Check = Callable[[float], object]


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
    asked: dict[str, Array] = field(default_factory=dict)  # whether the reference asks for that, a 0-d bool
    passed: dict[str, Array] = field(default_factory=dict)  # by call, whether the reference's gives a way back
    masks: dict[str, Array] = field(default_factory=dict)  # what scratch's dropout layers kept


# The reference's calls by the names that scratch has for them, None for what scratch has not; others keep theirs.
Names = Mapping[str, str | None]


def view_of(tensor: Any) -> Array:
    """A tensor as a NumPy array, which shares its memory where that lies in the CPU's. Raises TypeError for others."""
    if not hasattr(tensor, "detach"):
        raise TypeError(f"expected tensors, alone or in tuples, lists and dicts, found {type(tensor).__name__}")
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
    calls_made: list[tuple[Any, str, list[str]]] = []  # the module's calls, each with its key and what it gave
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
        calls_made.append((last_of(module), key, list(recorded)))
        if module.training and "mask" in vars(module):
            trace.masks[key] = vars(module)["mask"] != 0  # a layer may keep it scaled
        return out

    def watched_backward(*douts: Any) -> Any:
        taken = next_of(module)
        known = ((key, outputs) for call, key, outputs in reversed(calls_made) if taken is None or call is taken)
        key, outputs = next(known)
        for name, dout in zip(outputs, nest.flatten(douts), strict=False):  # trailing ones may be left out
            if dout is not None:
                trace.grad_outputs[name] = keep("backward", name, np.asarray(dout))
        grad_input = backward(*douts)
        trace.grad_inputs.update(kept("grad_input", key, grad_input))
        return grad_input

    vars(module).update(forward=watched_forward, backward=watched_backward)


def going_back() -> bool:
    """Whether autograd is on its way back: a module that is called then is one recomputed by a checkpoint."""
    import torch

    return torch._C._current_graph_task_id() != -1


@contextmanager
def watch_reference(model: Any, keep: Keep | None = None, names: Names = MappingProxyType({})) -> Iterator[Trace]:
    """By forward hooks, and tensor hooks on the outputs (full backward hooks break on in-place ReLU and integers)."""
    trace, keep = Trace(), keep or Copies()
    watching = True  # tensor hooks outlive the watch, with the graph

    def taken(values: dict[str, Array], stage: str, name: str, tensor: Any) -> None:
        if watching and tensor is not None:  # a gradient of one of several results that nothing uses is none
            values[name] = keep(stage, name, view_of(tensor))

    watched = [_Watched(path, names, trace, taken) for path, _ in model.named_modules() if path]
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


Kept = tuple[str, dict[str, Array]]  # a stage, and what is kept of it


class _Watched:
    """The calls of one module of a torch model, recorded by the names that scratch has for them."""

    def __init__(self, path: str, names: Names, trace: Trace, taken: Callable[..., None]) -> None:
        self.path, self.names, self.trace, self.taken = path, names, trace, taken
        self.open: list[str | None] = []
        self.calls: list[Any] = []  # what tells each call by what it took

    def before(self, module: Any, inputs: tuple[Any, ...]) -> Any:
        key = self.key_of(inputs)
        self.open.append(key)
        # the alias of an input meets what this module sends back, the input itself what all that take it do
        inputs = nest.apply(_alias, inputs)
        if key is not None:
            given = named_inputs(key, inputs)
            self.keep(given, ("input", self.trace.inputs), ("grad_input", self.trace.grad_inputs))
            self.trace.asked.update({name: np.array(leaf.requires_grad) for name, leaf in tensors(given)})
        return inputs

    def after(self, module: Any, inputs: Any, out: Any) -> None:
        key = self.open.pop()
        if key is not None:
            given = nest.numbered(key, out)
            self.trace.passed.update({name: np.array(leaf.requires_grad) for name, leaf in tensors(given)})
            self.keep(given, ("forward", self.trace.outputs), ("backward", self.trace.grad_outputs))

    def key_of(self, inputs: tuple[Any, ...]) -> str | None:
        """Of a call that a checkpoint makes once more on the way back, that of the first time."""
        told = fingerprint(inputs)
        again = self.calls.index(told) if going_back() and told in self.calls else len(self.calls)
        if again == len(self.calls):
            self.calls.append(told)
        own = call_key(self.path, again)
        return self.names.get(own, own)

    def keep(
        self, found: dict[str, Any], way: tuple[str, dict[str, Array]], back: tuple[str, dict[str, Array]]
    ) -> None:
        for name, tensor in tensors(found):
            stage, values = way
            self.taken(values, stage, name, tensor)
            if tensor.requires_grad:
                stage, values = back
                tensor.register_hook(partial(self.taken, values, stage, name))


def fingerprint(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Some numbers of each tensor, which tell the calls of one module apart."""
    leaves = [leaf.detach().reshape(-1) for leaf in nest.flatten(inputs) if hasattr(leaf, "detach")]
    return tuple((leaf.numel(), view_of(leaf[:: max(1, leaf.numel() // 64)]).tobytes()) for leaf in leaves)


def named_inputs(key: str, inputs: tuple[Any, ...]) -> dict[str, Any]:
    return nest.numbered(key, inputs[0] if len(inputs) == 1 else inputs)


def tensors(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those of what a module took or gave that are tensors: it may be told a number too."""
    return [(name, leaf) for name, leaf in found.items() if hasattr(leaf, "requires_grad")]


def _alias(leaf: Any) -> Any:
    return leaf.view_as(leaf) if getattr(leaf, "requires_grad", False) else leaf
