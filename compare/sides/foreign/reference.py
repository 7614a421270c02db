"""A stranger's reference: an nn.Module, or a function of tensors, run in any precision and left as it was."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.sides.devices import import_torch, seed_torch
from twofold.compare.sides.foreign.data import is_word
from twofold.compare.sides.foreign.trees import Reach, is_module, is_tensor
from twofold.compare.sides.steady import in_full
from twofold.scratch.module import Array


@dataclass
class Run:
    """What the reference made of one batch."""

    outputs: list[Array] = field(default_factory=list)
    loss: Array | None = None
    gradients: dict[str, Array] = field(default_factory=dict)  # of parameters
    inputs: list[Array | None] = field(default_factory=list)  # of the data
    buffers: dict[str, Array] = field(default_factory=dict)
    changed: dict[int, Array] = field(default_factory=dict)  # of the data what was written to, as it is now


class UsersReference:
    """Runs a module or a function of tensors; `loss` is torch's, of an output and the last of the data."""

    def __init__(
        self, reference: Any, loss: Any = None, params: Mapping[str, Array] | None = None, device: str = "cpu"
    ) -> None:
        self.torch = import_torch()
        reference, loss = (placed(one, device) if is_module(one) else one for one in (reference, loss))
        self.reference, self.criterion = reference, loss
        reach = Reach({"": reference})
        modules = {name.lstrip("."): module for name, module in reach.modules.items()}
        self.modules = {"": reference} if is_module(reference) else modules
        if len(self.modules) == 1:
            self.modules = {"": next(iter(self.modules.values()))}
        self.all_modules = {**self.modules, **({"loss": loss} if is_module(loss) else {})}  # a loss may hold weights
        self.free = {
            slot.name: slot.get()
            for slot in reach.slots
            if is_tensor(slot.get()) and slot.get().requires_grad and not is_module(reference)
        }
        self.arguments = params or {}  # tensors that the function takes behind the data
        self.strict, self.device = True, device
        self.on_the_cpu: UsersReference | None = None  # the same there, if this is on a device and can run there
        self.laid_out: Callable[[Any], Any] | None = None  # what lays tensors out in memory otherwise

    @property
    def near(self) -> "UsersReference":
        """Itself where all that it computes is seen: a device's kernels show less of it than the CPU's."""
        return self.on_the_cpu or self

    @property
    def parameters(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        seen: set[int] = set()
        for prefix, module in self.modules.items():
            for name, parameter in module.named_parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    found[f"{prefix}.{name}" if prefix else name] = parameter
        return {**found, **self.free}

    @property
    def tensors(self) -> dict[str, Any]:
        """Parameters and floating buffers."""
        found = dict(self.parameters)
        for prefix, module in self.all_modules.items():
            for name, buffer in module.named_buffers():
                if buffer.is_floating_point():
                    found[f"{prefix}.{name}" if prefix else name] = buffer
        return found

    @property
    def counters(self) -> list[Any]:
        """Buffers of integers."""
        buffers = (buffer for module in self.all_modules.values() for buffer in module.buffers())
        return [buffer for buffer in buffers if not buffer.is_floating_point()]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all parameters by name; of a function that takes them as arguments theirs."""
        own = {name: tuple(parameter.shape) for name, parameter in self.parameters.items()}
        return {**own, **{name: array.shape for name, array in self.arguments.items()}}

    def state(self) -> dict[str, Array]:
        own = {name: array_of(parameter) for name, parameter in self.parameters.items()}
        return {**own, **{name: np.array(array) for name, array in self.arguments.items()}}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Afterwards every tensor, gradient and mode is what it was."""
        tensors = [
            (tensor, tensor.data, tensor.data.clone(), tensor.grad, tensor.requires_grad)
            for tensor in self.tensors.values()
        ]
        counters = [(buffer, buffer.data, buffer.clone()) for buffer in self.counters]
        modes = [(part, part.training) for module in self.all_modules.values() for part in module.modules()]
        buffers = [(part, dict(part._buffers)) for module in self.all_modules.values() for part in module.modules()]
        seed, module = self.torch.get_rng_state(), None
        if self.device != "cpu":
            module = self.torch.get_device_module(self.torch.device(self.device))
            own = module.get_rng_state()
        try:
            yield
        finally:
            for part, bound in buffers:
                part._buffers.update(bound)  # a forward may have bound others
            for tensor, data, values, grad, requires_grad in tensors:
                put(tensor, data)
                tensor.data.copy_(values)
                tensor.grad = grad
                if tensor.is_leaf:
                    tensor.requires_grad_(requires_grad)
            for buffer, data, values in counters:
                put(buffer, data)
                buffer.data.copy_(values)
            for part, training in modes:
                part.training = training
            self.torch.set_rng_state(seed)
            if module is not None:
                module.set_rng_state(own)

    def tensor(self, value: Any, dtype: str) -> Any:
        """Data as torch takes it: floats in the dtype, lists as tensors, integers as int64; plain numbers stay."""
        if is_word(value) or isinstance(value, int | float):
            return value
        if is_tensor(value):
            value = value.detach().cpu().numpy() if value.dtype.itemsize > 2 or not value.is_floating_point() else value
        if is_tensor(value):
            return value.to(self.device, getattr(self.torch, dtype))
        array = np.asarray(value)
        if array.dtype.kind == "f":
            return self.torch.from_numpy(np.array(array, np.float64)).to(self.device, getattr(self.torch, dtype))
        if array.dtype.kind in "iu":
            return self.torch.from_numpy(np.array(array, np.int64)).to(self.device)
        return self.torch.from_numpy(np.array(array)).to(self.device)

    def load(self, state: Mapping[str, Array], dtype: str, gradients: bool = False) -> None:
        """The state in the dtype; gradients that are there stay only if asked for."""
        kind = getattr(self.torch, dtype)
        for name, tensor in self.tensors.items():
            put(
                tensor,
                self.torch.from_numpy(np.array(state[name], np.float64)).to(self.device, kind)
                if name in state
                else tensor.data.to(self.device, kind),
            )
            if not gradients:
                tensor.grad = None
        for counter in self.counters:
            put(counter, counter.data.to(self.device))

    def run(
        self,
        state: Mapping[str, Array],
        data: Sequence[Any],
        dtype: str,
        send: Callable[[int, Array], Array] | None = None,
        moving: Callable[[], Any] | None = None,
        backward: bool = True,
        training: bool | None = None,
    ) -> Run:
        """One pass; `send` draws what the outputs are sent where there is no loss. All of it in `moving`, if given."""
        with self.kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.load(state, dtype)
            if training is not None:
                for module in self.modules.values():
                    module.train(training)
            seed_torch(0, self.device)
            in_full()
            tensors = [self.tensor(array, dtype) for array in data]
            if self.laid_out:
                tensors = [self.laid_out(tensor).detach() if is_tensor(tensor) else tensor for tensor in tensors]
            with moving() if moving else nullcontext():
                return self._pass(state, tensors, dtype, send, backward)

    def _pass(self, state: Any, tensors: list[Any], dtype: str, send: Any, backward: bool) -> Run:
        begun = {n: tensor.detach().clone() for n, tensor in enumerate(tensors) if is_tensor(tensor)}
        leaves = [tensor for tensor in tensors if is_tensor(tensor) and tensor.is_floating_point()]
        for leaf in leaves:
            leaf.requires_grad_(backward)
        arguments = {name: self.tensor(state[name], dtype).requires_grad_(backward) for name in self.arguments}
        inputs = tensors[:-1] if self.criterion else tensors
        with self.torch.enable_grad() if backward else self.torch.no_grad():
            out = self.reference(*inputs, *arguments.values())
            outputs, loss = self.parted(out, tensors[-1] if tensors else None)
            sent = None
            if loss is None and send is not None:
                sent = [self.tensor(send(n, array_of(part)), dtype) for n, part in enumerate(outputs)]
            if backward:
                self._backward(outputs, loss, sent)
        run = Run([array_of(part) for part in outputs], None if loss is None else array_of(loss))
        run.changed = {n: array_of(tensors[n]) for n, tensor in begun.items() if not alike(tensor, tensors[n])}
        parameters = self.parameters
        named = {**parameters, **arguments}
        run.gradients = {name: array_of(p.grad) for name, p in named.items() if p.grad is not None}
        grads = [tensor.grad if is_tensor(tensor) else None for tensor in tensors]
        run.inputs = [None if grad is None else array_of(grad) for grad in grads]
        run.buffers = {name: array_of(tensor) for name, tensor in self.tensors.items() if name not in parameters}
        return run

    def _backward(self, outputs: list[Any], loss: Any, sent: list[Any] | None) -> None:
        if loss is not None:
            if loss.requires_grad:
                loss.backward()
            return
        asked = [(out, s) for out, s in zip(outputs, sent or [], strict=False) if out.requires_grad]
        if asked:
            self.torch.autograd.backward(*map(list, zip(*asked, strict=True)))

    def parted(self, out: Any, target: Any) -> tuple[list[Any], Any]:
        """Outputs and loss of what the reference gave; what is one number is the loss."""
        flat = [part for part in nest.flatten(out) if is_tensor(part) and part.is_floating_point()]
        if self.criterion is None:
            numbers = [part for part in flat if part.ndim == 0]
            if numbers:
                return [part for part in flat if part.ndim], numbers[0]
            return flat, None
        with warnings.catch_warnings():
            if self.strict:  # what torch would broadcast silently is not what was meant
                warnings.filterwarnings("error", message="Using a target size")
            whole = out if not isinstance(out, tuple | list) else out[0]
            try:
                loss = self.criterion(out, target)
            except (TypeError, AttributeError):
                loss = self.criterion(whole, target)
        return flat, loss.sum() if loss.ndim and loss.numel() == 1 else loss

    def takes(self, data: Sequence[Any], dtype: str = "float64") -> str:
        """Why it does not take these data; "" where it does."""
        try:
            self.run(self.state(), data, dtype, backward=False)
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
        return ""


def placed(module: Any, device: str) -> Any:
    """The module itself, whose tensors a run moves and puts back; where a device's are of another kind a copy there."""
    torch = import_torch()
    if torch._has_compatible_shallow_copy_type(torch.empty(0), torch.empty(0, device=device)):
        return module
    return deepcopy(module).to(device)


def put(tensor: Any, data: Any) -> None:
    """Gives a tensor other data, also on a device whose tensors are of another kind than the CPU's."""
    torch = import_torch()
    if torch._has_compatible_shallow_copy_type(tensor, data):
        tensor.data = data
        return
    other = torch.nn.Parameter(data, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else data.clone()
    torch.utils.swap_tensors(tensor, other)


def alike(one: Any, other: Any) -> bool:
    """Bit for bit, NaN included."""
    return bool(((one == other) | ((one != one) & (other != other))).all())


def array_of(tensor: Any) -> Array:
    """A copy; NumPy has no bfloat16, and of a half it is as well a float."""
    tensor = tensor.detach().cpu()
    return np.array(tensor.float() if tensor.is_floating_point() and tensor.dtype.itemsize == 2 else tensor)


def arity(function: Any) -> int | None:
    """How many arguments a function takes at the most; None for any number, or where it does not say."""
    try:
        taken = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_POSITIONAL for one in taken):
        return None
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in taken)
