"""The torch side: the same verbs as Scratch's, with every array that goes in or comes out a NumPy copy."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare import nest
from twofold.compare.pair import Twin
from twofold.compare.sides.devices import import_torch
from twofold.compare.sides.steady import in_full
from twofold.compare.sides.trace import Check, Keep, Names, States, Trace, array_of, copied, view_of, watch_reference
from twofold.scratch.module import Array


class Reference:
    """The torch side, on `device`. Before each run TF32 is off, and on a device indices are within their range.

    `names` are its modules' calls by what scratch calls them, where that is something else. Of the names of a tied
    tensor it goes by the one in `known`, else by the first.
    """

    name = "reference"

    def __init__(
        self,
        model: Twin,
        loss: Twin | None = None,
        optimizer: Twin | None = None,
        dtype: DTypeLike = "float32",
        device: str = "cpu",
        *,
        penalty: Twin | None = None,
        clip: float | None = None,
        names: Names = MappingProxyType({}),
        known: Collection[str] = (),
    ) -> None:
        self.torch = torch = import_torch()
        in_full()
        self.dtype, self.device = np.dtype(dtype), device
        self.model = model.build("reference").to(dtype=getattr(torch, self.dtype.name), device=device)
        self.names, self.tied = names, tied_names(self.model, known)
        self.criterion: Any = loss.build("reference") if loss else None
        self.twin = optimizer
        self.renew_optimizer()
        self.penalty: Any = penalty.build("reference", self.model.named_parameters()) if penalty else None
        self.clip = clip
        self.check: Check | None = None

    def renew_optimizer(self) -> None:
        """One made afresh, for it may keep more than its state."""
        parameters = self.model.named_parameters()
        self.optimizer: Any = self.twin.build("reference", parameters) if self.twin else None

    def tensor(self, array: Array) -> Any:
        """A copy on the device: integers stay, floats become the side's dtype."""
        array = np.array(array, self.dtype if np.issubdtype(np.asarray(array).dtype, np.floating) else None)
        return self.torch.from_numpy(array).to(self.device)

    def state(self) -> dict[str, Array]:
        """Parameters and buffers by name, what is tied once."""
        return {self.tied.get(name, name): array_of(value) for name, value in self.model.state_dict().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        given = {name: self.torch.from_numpy(self._own(value)) for name, value in state.items()}
        again = {name: given[one] for name, one in self.tied.items() if one in given}
        self.model.load_state_dict(given | again)

    def _own(self, array: Array) -> Array:
        """In the side's dtype; what has that already is not copied, for torch does when it loads."""
        floating = np.issubdtype(np.asarray(array).dtype, np.floating)
        return np.require(array, self.dtype if floating else None, "W")

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Each once."""
        for name, parameter in self.model.named_parameters():
            yield self.tied.get(name, name), parameter

    def unregistered(self) -> list[str]:
        """Python lists, tuples and dicts of modules: torch does not see what is in them."""
        return [
            f"{path}.{name}".removeprefix(".")
            for path, module in self.model.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, list | tuple | dict) and not name.startswith("_")
            if any(isinstance(leaf, self.torch.nn.Module) for leaf in nest.flatten(value))
        ]

    def frozen(self) -> set[str]:
        """The parameters that take no gradient."""
        return {name for name, parameter in self.named_parameters() if not parameter.requires_grad}

    def train(self, mode: bool = True) -> None:
        self.model.train(mode)

    def modes(self) -> dict[str, bool]:
        return {path: module.training for path, module in self.model.named_modules()}

    def forward(self, inputs: tuple[Any, ...], input_gradients: bool = True) -> Any:
        def leaf(array: Array) -> Any:
            tensor = self.tensor(array)
            return tensor.requires_grad_(input_gradients and tensor.is_floating_point())

        in_full()
        self._inputs = nest.apply(leaf, inputs)
        self._out = self.model(*self._inputs)
        return nest.apply(array_of, self._out)

    def loss(self, target: Array) -> Array:
        self._loss = self._objective(self._out, self.tensor(target))
        return array_of(self._loss)

    def _objective(self, out: Any, target: Any) -> Any:
        loss = self.criterion(out, target)
        return loss + self.penalty() if self.penalty else loss

    def loss_gradient(self) -> Array:
        return array_of(self.torch.autograd.grad(self._loss, self._out, retain_graph=True)[0])

    def backward(self, cotangents: Any = None) -> Any:
        if cotangents is None:
            self._loss.backward()
        else:
            pairs = zip(nest.flatten(self._out), nest.flatten(cotangents), strict=True)
            asked = [(out, self.tensor(sent)) for out, sent in pairs if out is not None and out.requires_grad]
            self.torch.autograd.backward(*map(list, zip(*asked, strict=True)))
        return nest.apply(lambda tensor: None if tensor.grad is None else array_of(tensor.grad), self._inputs)

    def gradients(self, keep: Keep = copied) -> dict[str, Array]:
        """Parameters that the loss does not reach have no gradient in torch and are left out."""
        gradients = {name: p.grad for name, p in self.named_parameters() if p.grad is not None}
        return {name: keep("gradient", name, view_of(gradient)) for name, gradient in gradients.items()}

    def set_gradients(self, gradients: Mapping[str, Array]) -> None:
        for name, parameter in self.named_parameters():
            parameter.grad = self.tensor(gradients[name])

    def zero_grad(self) -> None:
        self.model.zero_grad()

    def step(self) -> None:
        self.clip_gradients()
        self.optimizer.step()

    def clip_gradients(self) -> None:
        """As the pair's recipe does before a step, in place."""
        if self.clip is not None:
            self.torch.nn.utils.clip_grad_value_(self.model.parameters(), self.clip)

    def optimizer_state(self) -> States:
        return {name: kept_of(self.optimizer, parameter) for name, parameter in self.named_parameters()}

    def load_optimizer_state(self, state: Mapping[str, Mapping[str, Array]]) -> None:
        for name, parameter in self.named_parameters():
            self.optimizer.state[parameter] = as_torch_keeps(state[name], self.tensor)

    def watch(self, keep: Keep | None = None) -> AbstractContextManager[Trace]:
        return watch_reference(self.model, keep, self.names)

    def train_step(self, x: Array, target: Array) -> tuple[float, Array]:
        if self.device != "cpu":  # what a model may have turned on
            in_full()
        x, target = (self.torch.from_numpy(array).to(self.device) for array in (x, target))
        self.optimizer.zero_grad()
        out = self.model(x)
        loss = self._objective(out, target)
        loss.backward()
        found = float(loss.detach())
        if self.check is not None:
            self.check(found)
        self.step()
        return found, out.detach().cpu().numpy()

    def squares(self) -> float:
        """The squares of all gradients added up: finite only if each of them is."""
        flat = [parameter.grad.reshape(-1) for parameter in self.model.parameters() if parameter.grad is not None]
        parts = [self.torch.dot(one, one) for one in flat]
        return float(self.torch.stack(parts).sum()) if parts else 0.0

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        in_full()
        with self.torch.no_grad():
            out = self.model(self.tensor(x))
            return float(self._objective(out, self.tensor(target))), array_of(out)


def kept_of(optimizer: Any, parameter: Any) -> dict[str, Array]:
    """What a torch optimizer keeps for one parameter."""
    return {key: array_of(value) for key, value in optimizer.state[parameter].items() if value is not None}


def as_torch_keeps(entries: Mapping[str, Array], tensor: Callable[[Array], Any]) -> dict[str, Any]:
    """The same as tensors; torch counts steps in a float32 on the CPU."""
    torch = import_torch()
    return {key: torch.tensor(float(value)) if key == "step" else tensor(value) for key, value in entries.items()}


def tied_names(model: Any, known: Collection[str]) -> dict[str, str]:
    """By every name of a tensor that a model holds more than once the one that it goes by."""
    names: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    shared = (alike for alike in names.values() if len(alike) > 1)
    return {name: next((one for one in alike if one in known), alike[0]) for alike in shared for name in alike}
