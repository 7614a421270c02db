"""Scratch and Reference: the same verbs over each. Every array that goes in or comes out is a NumPy copy.

torch is imported only when a Reference is made, so that training from scratch starts without it.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from compare import nest
from compare.errors import BadInput
from compare.judge.trace import Trace, array_of, watch_reference, watch_scratch
from compare.pair import Twin
from scratch.module import Array
from scratch.optim import clip_grad_value_

States = dict[str, dict[str, Array]]


class SideError(BadInput):
    """The side cannot run as asked, in one line: no CUDA device, a torch that does not import."""


def _copy(array: Array) -> Array:
    return np.array(array)


class Scratch:
    """The hand-written side, on the CPU."""

    name = "scratch"

    def __init__(
        self,
        model: Twin,
        loss: Twin | None = None,
        optimizer: Twin | None = None,
        dtype: DTypeLike = "float32",
        *,
        penalty: Twin | None = None,
        clip: float | None = None,
        chunk: int | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.model = model.build("scratch").to(self.dtype)
        self.criterion: Any = loss.build("scratch") if loss else None
        self.optimizer: Any = optimizer.build("scratch", self.model.named_parameters()) if optimizer else None
        self.penalty: Any = penalty.build("scratch", self.model.named_parameters()) if penalty else None
        self.clip, self.chunk = clip, chunk

    def array(self, array: Array) -> Array:
        """Integers stay, floats become the side's dtype."""
        return array.astype(self.dtype, copy=False) if np.issubdtype(array.dtype, np.floating) else array

    def state(self) -> dict[str, Array]:
        """Parameters and buffers by name."""
        return self.model.state_dict()

    def load(self, state: Mapping[str, Array]) -> None:
        self.model.load_state_dict(state)

    def train(self, mode: bool = True) -> None:
        self.model.train(mode)

    def modes(self) -> dict[str, bool]:
        """Which modules are in training mode, by path."""
        return {path: module.training for path, module in self.model.named_modules()}

    def reseed(self, seed: int) -> None:
        """Gives every module that draws, such as dropout, a generator of its own."""
        for n, (_, module) in enumerate(self.model.named_modules()):
            if "rng" in vars(module):
                vars(module)["rng"] = np.random.default_rng([seed, n])

    def forward(self, inputs: tuple[Any, ...]) -> Any:
        self._inputs = nest.apply(lambda array: _copy(self.array(array)), inputs)
        self._out = self.model(*self._inputs)
        return nest.apply(_copy, self._out)

    def loss(self, target: Array) -> Array:
        """The loss of the last forward's output, with the penalty."""
        return np.array(self._objective(self._out, np.array(target)))

    def _objective(self, out: Array, target: Array) -> Any:
        loss = self.criterion(out, target)
        return loss + self.penalty.forward() if self.penalty else loss

    def loss_gradient(self) -> Array:
        """The gradient of the last loss with respect to the output."""
        return np.array(self.criterion.backward(self.dtype.type(1)))

    def backward(self, cotangents: Any = None) -> Any:
        """Gradients of the inputs: of sum(out * cotangents), or of the last loss where none are given."""
        of_loss = cotangents is None
        cotangents = nest.apply(_copy, self.loss_gradient() if of_loss else cotangents)
        sent = cotangents if isinstance(cotangents, tuple) else (cotangents,)
        dinputs = self.model.backward(*sent)
        if of_loss and self.penalty:
            self.penalty.backward()
        dinputs = dinputs if isinstance(dinputs, tuple) else (dinputs,)
        # a loss sends nothing back to its target, an LSTM something to a state that was not given
        dinputs = (*dinputs, *(None for _ in self._inputs))[: len(self._inputs)]
        return nest.apply(_copy, dinputs)

    def gradients(self) -> dict[str, Array]:
        return {name: parameter.grad.copy() for name, parameter in self.model.named_parameters()}

    def set_gradients(self, gradients: Mapping[str, Array]) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.grad = np.array(gradients[name])

    def zero_grad(self) -> None:
        self.model.zero_grad()

    def step(self) -> None:
        """Clips the gradients by value where the recipe does, and updates."""
        if self.clip is not None:
            clip_grad_value_(self.optimizer.parameters.values(), self.clip)
        self.optimizer.step()

    def optimizer_state(self) -> States:
        """For each parameter its optimizer's state, such as {"step": 3, "exp_avg": array}."""
        return self.optimizer.state_dict()

    def load_optimizer_state(self, state: Mapping[str, Mapping[str, Array]]) -> None:
        self.optimizer.load_state_dict(state)

    def watch(self) -> AbstractContextManager[Trace]:
        """Records what every module takes, gives and sends back."""
        return watch_scratch(self.model)

    def train_step(self, x: Array, target: Array) -> tuple[float, Array]:
        """Forward, loss, backward and update with nothing copied; the loss and output before the update."""
        self.optimizer.zero_grad()
        losses, outs = [], []
        for part in self._chunks(len(x)):
            outs.append(self.model(x[part]))
            losses.append(self.criterion(outs[-1], target[part]))
            self.model.accumulate(self.criterion.backward())
        if self.penalty:
            losses.append(self.penalty.forward())
            self.penalty.backward()
        self.step()
        return float(sum(losses)), outs[0] if len(outs) == 1 else np.concatenate(outs)

    def _chunks(self, records: int) -> Iterator[slice]:
        """All records, or where the pair has a chunk so many at a time, whose losses and gradients add up."""
        if self.chunk is None:
            yield slice(None)
        else:
            yield from (slice(start, start + self.chunk) for start in range(0, records, self.chunk))

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        """Loss and output of a batch."""
        out = self.model(x)
        return float(self._objective(out, target)), out


class Reference:
    """The torch side, on `device`. TF32 is off while comparing: it keeps ten bits of each factor."""

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
    ) -> None:
        self.torch = torch = import_torch()
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self.dtype, self.device = np.dtype(dtype), device
        self.model = model.build("reference").to(dtype=getattr(torch, self.dtype.name), device=device)
        self.criterion: Any = loss.build("reference") if loss else None
        self.twin = optimizer
        self.renew_optimizer()
        self.penalty: Any = penalty.build("reference", self.model.named_parameters()) if penalty else None
        self.clip = clip

    def renew_optimizer(self) -> None:
        """One made afresh, for it may keep more than its state."""
        parameters = self.model.named_parameters()
        self.optimizer: Any = self.twin.build("reference", parameters) if self.twin else None

    def tensor(self, array: Array) -> Any:
        """A copy on the device: integers stay, floats become the side's dtype."""
        array = np.array(array, self.dtype if np.issubdtype(np.asarray(array).dtype, np.floating) else None)
        return self.torch.from_numpy(array).to(self.device)

    def state(self) -> dict[str, Array]:
        return {name: array_of(value) for name, value in self.model.state_dict().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        self.model.load_state_dict({name: self.tensor(value) for name, value in state.items()})

    def train(self, mode: bool = True) -> None:
        self.model.train(mode)

    def modes(self) -> dict[str, bool]:
        return {path: module.training for path, module in self.model.named_modules()}

    def forward(self, inputs: tuple[Any, ...], input_gradients: bool = True) -> Any:
        def leaf(array: Array) -> Any:
            tensor = self.tensor(array)
            return tensor.requires_grad_(input_gradients and tensor.is_floating_point())

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
            outs = [out for out in nest.flatten(self._out) if out.requires_grad]
            self.torch.autograd.backward(outs, [self.tensor(c) for c in nest.flatten(cotangents)])
        return nest.apply(lambda tensor: None if tensor.grad is None else array_of(tensor.grad), self._inputs)

    def gradients(self) -> dict[str, Array]:
        """Parameters that the loss does not reach have no gradient in torch and are left out."""
        return {name: array_of(p.grad) for name, p in self.model.named_parameters() if p.grad is not None}

    def set_gradients(self, gradients: Mapping[str, Array]) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.grad = self.tensor(gradients[name])

    def zero_grad(self) -> None:
        self.model.zero_grad()

    def step(self) -> None:
        if self.clip is not None:
            self.torch.nn.utils.clip_grad_value_(self.model.parameters(), self.clip)
        self.optimizer.step()

    def optimizer_state(self) -> States:
        return {
            name: {key: array_of(value) for key, value in self.optimizer.state[p].items() if value is not None}
            for name, p in self.model.named_parameters()
        }

    def load_optimizer_state(self, state: Mapping[str, Mapping[str, Array]]) -> None:
        for name, parameter in self.model.named_parameters():
            # torch counts steps in a float32 on the CPU
            self.optimizer.state[parameter] = {
                key: self.torch.tensor(float(value)) if key == "step" else self.tensor(value)
                for key, value in state[name].items()
            }

    def watch(self) -> AbstractContextManager[Trace]:
        return watch_reference(self.model)

    def train_step(self, x: Array, target: Array) -> tuple[float, Array]:
        x, target = (self.torch.from_numpy(array).to(self.device) for array in (x, target))
        self.optimizer.zero_grad()
        out = self.model(x)
        loss = self._objective(out, target)
        loss.backward()
        self.step()
        return float(loss.detach()), out.detach().cpu().numpy()

    def evaluate(self, x: Array, target: Array) -> tuple[float, Array]:
        with self.torch.no_grad():
            out = self.model(self.tensor(x))
            return float(self._objective(out, self.tensor(target))), array_of(out)


Side = Scratch | Reference


def import_torch() -> Any:
    """torch; raises SideError in one line where it cannot be imported."""
    try:
        import torch
    except (ImportError, OSError) as error:
        raise SideError(
            f"the reference side needs torch, and importing it failed: {str(error).splitlines()[0]}"
        ) from error
    return torch


def devices(wanted: str) -> list[str]:
    """The devices that `--device cpu|cuda|auto` names: auto is every one present. Raises SideError."""
    if wanted == "cpu":
        return ["cpu"]
    present = import_torch().cuda.is_available()
    if wanted == "cuda" and not present:
        raise SideError("--device cuda: expected a CUDA device that torch can use, found none; try --device cpu")
    return (["cpu"] if wanted == "auto" else []) + (["cuda"] if present else [])
