"""Both sides torch: an autograd.Function or a module with its own backward against a plain composition.

It is judged as a pair (forward, backward) whose backward is autograd's: each output is sent random gradients, and what
comes back for every tensor is compared.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.contract import Breach, relative, shown, unequal
from twofold.compare.judge.own.meeting.bout import Bout, Draw
from twofold.compare.judge.own.meeting.images import near
from twofold.compare.sides.foreign.calls import Foreign, Raw, WritesInput, is_function_of_torch
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.reference import UsersReference
from twofold.compare.sides.foreign.trees import Reach, array_in, is_module, is_tensor
from twofold.scratch.module import Array


def is_kernel(scratch: Any, data: tuple[Any, ...]) -> bool:
    """Whether the hand-written side is torch's: by what it is, or by tensors among the data that ask for gradients."""
    return is_function_of_torch(scratch) or any(is_tensor(array) and array.requires_grad for array in data)


def as_pair(call: Call) -> Call:
    """The data as arrays, and no loss: outputs are sent gradients of their own."""
    data = tuple(array_in(array) if is_tensor(array) else array for array in call.data)
    wants = call.reference_data
    if call.loss is not None:
        data, wants = data[:-1], None if wants is None else tuple(wants[:-1])
    wanted = tuple(asked(call)[: len(data)])
    return replace(call, data=data, loss=None, reference_data=wants, kernel=True, asked=wanted)


class Kernel(Foreign):
    """The hand-written side, in torch: the same verbs as over NumPy."""

    def __init__(self, call: Call, asked: Sequence[bool]) -> None:
        self.side = UsersReference(call.scratch, device=call.device)
        self.scratch, self.data, self.is_pair, self.is_torch = call.scratch, call.data, True, True
        self.forward, self.params, self.grads, self.buffers = call.scratch, None, None, None
        self.locked = False
        self.given, self.twice, self.enter, self.owner = False, False, None, None
        self.asked = tuple(asked)
        self.reach, self.root = Reach({"scratch": call.scratch}), {}
        self.dtype = "float64"
        self.kept_buffers = []
        own = self.side.state() if is_module(call.scratch) else {}
        self.leaves = [Leaf(name, [], value.shape, value.dtype, original=value) for name, value in own.items()]
        self.values: Mapping[str, Array] = own

    def read(self) -> dict[str, Array]:
        return {leaf.name: np.asarray(self.values[leaf.name], np.float64) for leaf in self.leaves}

    @contextmanager
    def afresh(
        self, values: Mapping[str, Array] | None = None, dtype: DTypeLike = "float64", seed: int = 0
    ) -> Iterator[None]:
        before = self.values
        if values is not None:
            self.values = {leaf.name: values[leaf.name] for leaf in self.leaves}
        try:
            with super().afresh(None, dtype, seed):
                yield
        finally:
            self.values = before

    def write(self, values: Mapping[str, Array], dtype: DTypeLike) -> None:
        self.values = {**self.values, **{k: v for k, v in values.items() if k in self.values}}

    def call(self, data: Sequence[Any], send: Callable[[int, Array], Array] | None = None) -> Raw:
        """One pass. Raises WritesInput where a tensor that it is given is changed."""
        run = self.side.run(self.values, tuple(data), self.dtype, send, backward=send is not None)
        if run.changed and self.locked:
            raise WritesInput(*next(iter(run.changed.items())))
        raw = Raw(outputs=run.outputs, data=tuple(data), after=self.read(), again=Raw())
        if send is not None:
            inputs = [g if asked else None for g, asked in zip(run.inputs, self.asked, strict=True)]
            raw.gradients = [*inputs, *(run.gradients.get(leaf.name) for leaf in self.leaves)]
        return raw

    def zero_grad(self) -> None:
        """Gradients are not kept from one run to the next."""

    def data_name(self, n: int) -> str:
        """What the function's forward calls its n-th argument behind ctx."""
        owner = getattr(self.scratch, "__self__", None)
        forward: Any = getattr(owner if isinstance(owner, type) else self.scratch, "forward", self.scratch)
        names = list(inspect.signature(forward).parameters)
        names = names[1:] if isinstance(owner, type) else names
        return names[n] if n < len(names) and names[n] not in ("args", "input") else f"data[{n}]"


def asked(call: Call) -> list[bool]:
    """Which data ask for a gradient: those tensors that say so, else all floats."""
    says = [is_tensor(array) and array.requires_grad for array in call.data]
    if any(says):
        return says
    return [
        array.is_floating_point() if is_tensor(array) else np.asarray(array).dtype.kind == "f" for array in call.data
    ]


def strided(bout: Bout, one: Draw) -> Breach | None:
    """Data that are not contiguous, or whose rows share memory, must give what their copies give."""
    kernel = bout.foreign
    assert isinstance(kernel, Kernel)
    begun = bout.of_raw(bout.call(one))
    kernel.side.laid_out = not_contiguous
    try:
        found = bout.of_raw(bout.call(one))
    except Exception as error:
        told = f"it raises {type(error).__name__} for data that are not contiguous: {' '.join(str(error).split())[:80]}"
        return Breach("scratch", "", told, f"with every datum of {len(one.data)} laid out the other way round")
    finally:
        kernel.side.laid_out = None
    if (name := unequal(begun, found)) is not None and not near(found[name], begun[name], 1e-9):
        seen = f"{shown(bout, name)} is off by {relative(begun[name], found[name])} for data that are not contiguous"
        return Breach("scratch", shown(bout, name), "it reads memory as if every tensor were contiguous", seen)
    return None


def not_contiguous(tensor: Any) -> Any:
    """The same numbers, the last axis first in memory."""
    if tensor.ndim < 2:
        return tensor.repeat_interleave(2)[::2] if tensor.ndim else tensor
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)
