"""The torch side: the same verbs as Scratch's, with every array that goes in or comes out a NumPy copy."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare import nest
from twofold.compare.pair import Twin
from twofold.compare.sides.devices import import_torch
from twofold.compare.sides.trace import Keep, States, Trace, array_of, copied, view_of, watch_reference
from twofold.scratch.module import Array


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
        self.model.load_state_dict({name: self.torch.from_numpy(self._own(value)) for name, value in state.items()})

    def _own(self, array: Array) -> Array:
        """In the side's dtype; what has that already is not copied, for torch does when it loads."""
        floating = np.issubdtype(np.asarray(array).dtype, np.floating)
        return np.require(array, self.dtype if floating else None, "W")

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

    def gradients(self, keep: Keep = copied) -> dict[str, Array]:
        """Parameters that the loss does not reach have no gradient in torch and are left out."""
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        return {name: keep("gradient", name, view_of(gradient)) for name, gradient in gradients.items()}

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

    def watch(self, keep: Keep | None = None) -> AbstractContextManager[Trace]:
        return watch_reference(self.model, keep)

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
