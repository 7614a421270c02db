"""Optimizers: torch's class names, arguments, defaults and state names. Each updates its parameters in place."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from twofold.scratch.module import Array, Parameter, blocks

# Of each array, updated at a time: intermediate results stay in the cache, two to four times faster on large weights.
BLOCK_BYTES = 1 << 19
State = dict[str, dict[str, Any]]


class Optimizer:
    """Holds named parameters and, for each, a state such as {"step": 3, "exp_avg": array}, empty before its first."""

    def __init__(self, named_parameters: Iterable[tuple[str, Parameter]]) -> None:
        self.parameters = dict(named_parameters)
        self.state: State = {name: {} for name in self.parameters}

    def step(self) -> None:
        """Moves every parameter by its own gradient."""
        for name, parameter in self.parameters.items():
            self.update(parameter.data, parameter.grad, self.state[name])

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def zero_grad(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad[...] = 0

    def state_dict(self) -> State:
        """Copies of the state of every parameter, by the parameter's name."""
        return {name: {key: np.copy(value) for key, value in state.items()} for name, state in self.state.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Copies `state` in; raises ValueError unless it speaks of exactly these parameters."""
        if self.parameters.keys() != state.keys():
            raise ValueError(f"expected the state of {sorted(self.parameters)}, found {sorted(state)}")
        self.state = {name: {key: np.copy(value) for key, value in entry.items()} for name, entry in state.items()}


class SGD(Optimizer):
    """Stochastic gradient descent, p -= lr v with v = momentum v + g; the first v is g itself, as in torch.

    Nesterov's form steps along g + momentum v. `weight_decay` w adds w p to the gradient.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum and no dampening")
        super().__init__(named_parameters)
        self.lr, self.momentum, self.dampening = lr, momentum, dampening
        self.weight_decay, self.nesterov = weight_decay, nesterov

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        first = "momentum_buffer" not in state
        if first and self.momentum:
            state["momentum_buffer"] = np.empty_like(data)
        for p, g, v in blocks(data, grad, state.get("momentum_buffer", data), size=BLOCK_BYTES):
            if self.weight_decay:
                g = g + self.weight_decay * p
            if self.momentum:
                if first:
                    v[...] = g
                else:
                    v *= self.momentum
                    v += (1 - self.dampening) * g
                g = g + self.momentum * v if self.nesterov else v
            p -= self.lr * g


class Adam(Optimizer):
    """Kingma and Ba 2015, algorithm 1, with torch's eps: outside the root, after the bias correction.

    `weight_decay` w adds w p to the gradient.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(named_parameters)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        if not state:
            state.update(step=np.zeros((), np.int64), exp_avg=np.zeros_like(data), exp_avg_sq=np.zeros_like(data))
        beta1, beta2 = self.betas
        state["step"] += 1
        step = int(state["step"])
        for p, g, m, v in blocks(data, grad, state["exp_avg"], state["exp_avg_sq"], size=BLOCK_BYTES):
            if self.weight_decay:
                g = g + self.weight_decay * p
            m *= beta1
            m += (1 - beta1) * g
            v *= beta2
            v += (1 - beta2) * (g * g)
            denominator = np.sqrt(v)
            denominator /= math.sqrt(1 - beta2**step)
            denominator += self.eps
            np.divide(m, denominator, out=denominator)
            denominator *= self.lr / (1 - beta1**step)
            p -= denominator


class RMSprop(Optimizer):
    """p -= lr g / (sqrt(v) + eps) with v the running mean of g^2 (Hinton's lecture 6e); eps outside the root, as torch.

    With a momentum the step is buffered: b = momentum b + g / (sqrt(v) + eps).
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(named_parameters)
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.weight_decay, self.momentum = weight_decay, momentum

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        if not state:
            state.update(step=np.zeros((), np.int64), square_avg=np.zeros_like(data))
            if self.momentum:
                state["momentum_buffer"] = np.zeros_like(data)
        state["step"] += 1
        for p, g, v, b in blocks(data, grad, state["square_avg"], state.get("momentum_buffer", data), size=BLOCK_BYTES):
            if self.weight_decay:
                g = g + self.weight_decay * p
            v *= self.alpha
            v += (1 - self.alpha) * (g * g)
            change = g / (np.sqrt(v) + self.eps)
            if self.momentum:
                b *= self.momentum
                b += change
                change = b
            p -= self.lr * change


class Adagrad(Optimizer):
    """p -= lr g / (sqrt(sum of g^2) + eps), Duchi, Hazan and Singer 2011, with lr / (1 + (step - 1) lr_decay)."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(named_parameters)
        self.lr, self.lr_decay, self.weight_decay, self.eps = lr, lr_decay, weight_decay, eps
        for name, parameter in self.parameters.items():
            total = np.full_like(parameter.data, initial_accumulator_value)
            self.state[name] = {"step": np.zeros((), np.int64), "sum": total}

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        state["step"] += 1
        lr = self.lr / (1 + (int(state["step"]) - 1) * self.lr_decay)
        for p, g, total in blocks(data, grad, state["sum"], size=BLOCK_BYTES):
            if self.weight_decay:
                g = g + self.weight_decay * p
            total += g * g
            p -= lr * g / (np.sqrt(total) + self.eps)


def clip_grad_value_(parameters: Iterable[Parameter], clip_value: float) -> None:
    """Cuts every gradient entry to [-clip_value, clip_value], in place."""
    for parameter in parameters:
        np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)
