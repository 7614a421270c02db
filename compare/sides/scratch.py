"""The hand-written side: NumPy on the CPU, and no torch. Every array that goes in or comes out is a copy."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare import nest
from twofold.compare.pair import Twin
from twofold.compare.sides.trace import Check, Keep, States, Trace, copied, watch_scratch
from twofold.scratch.module import Array
from twofold.scratch.optim import clip_grad_value_


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
        self.check: Check | None = None

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
        return np.array(self._objective(self._out, _copy(self.array(target))))

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
        if isinstance(self._out, tuple | list | Mapping):  # the reference's may be a list where this one's is a tuple
            cotangents = nest.fill(self._out, iter(nest.flatten(cotangents)))
        grad_output = cotangents if isinstance(cotangents, tuple) else (cotangents,)
        dinputs = self.model.backward(*grad_output)
        if of_loss and self.penalty:
            self.penalty.backward()
        dinputs = dinputs if isinstance(dinputs, tuple) else (dinputs,)
        # a loss sends nothing back to its target, an LSTM something to a state that was not given
        dinputs = (*dinputs, *(None for _ in self._inputs))[: len(self._inputs)]
        return nest.apply(_copy, dinputs)

    def gradients(self, keep: Keep = copied) -> dict[str, Array]:
        """Copies, or what `keep` keeps of each."""
        return {name: keep("gradient", name, parameter.grad) for name, parameter in self.model.named_parameters()}

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

    def watch(self, keep: Keep | None = None) -> AbstractContextManager[Trace]:
        """Records what every module takes, gives and sends back: copies, or what `keep` keeps of them."""
        return watch_scratch(self.model, keep)

    def train_step(self, x: Array, target: Array) -> tuple[float, Array]:
        """Forward, loss, backward and update with nothing copied; the loss and output before the update.

        `check`, where there is one, is given the loss before the update, which is not made if it raises.
        """
        self.optimizer.zero_grad()
        losses, outs = [], []
        for part in self._chunks(len(x)):
            outs.append(self.model(x[part]))
            losses.append(self.criterion(outs[-1], target[part]))
            self.model.accumulate(self.criterion.backward())
        if self.penalty:
            losses.append(self.penalty.forward())
            self.penalty.backward()
        loss = float(sum(losses))
        if self.check is not None:
            self.check(loss)
        self.step()
        return loss, outs[0] if len(outs) == 1 else np.concatenate(outs)

    def squares(self) -> float:
        """The squares of all gradients added up: finite only if each of them is."""
        with np.errstate(over="ignore", invalid="ignore"):
            parts = (parameter.grad.reshape(-1) for parameter in self.optimizer.parameters.values())
            return float(sum(np.dot(part, part) for part in parts))

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
