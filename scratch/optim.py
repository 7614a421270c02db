"""Optimizers: torch's class names, arguments, defaults and state names. Each updates its parameters in place.

All raise ValueError for numbers out of torch's range, TypeError for what is no number; the rest is in optimizer.py.
"""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from twofold.scratch.checks import refuse
from twofold.scratch.module import Array, Parameter, blocks
from twofold.scratch.optimizer import ARRAYS, Optimizer, Parameters, must_be_parameter, told

# Of each array, updated at a time: intermediate results stay in the cache, two to four times faster on large weights.
BLOCK_BYTES = 1 << 19


class SGD(Optimizer):
    """Stochastic gradient descent, p -= lr v with v = momentum v + g; the first v is g itself, as in torch.

    Nesterov's form (Sutskever et al. 2013) steps along g + momentum v. `weight_decay` w adds w p to the gradient.
    """

    kept = ("momentum_buffer",)

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params)
        self.lr, self.momentum, self.weight_decay = self.numbers(lr=lr, momentum=momentum, weight_decay=weight_decay)
        (self.dampening,) = self.numbers(-math.inf, dampening=dampening)
        self.nesterov = nesterov
        if nesterov and (momentum == 0 or dampening != 0):
            found = f"momentum {momentum} and dampening {dampening}"
            refuse(self, "a momentum and no dampening with nesterov", found)

    def needed(self) -> tuple[str, ...]:
        return ()

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

    kept = ("step", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params)
        self.lr, self.eps, self.weight_decay = self.numbers(lr=lr, eps=eps, weight_decay=weight_decay)
        if not isinstance(betas, tuple | list) or [isinstance(beta, float) for beta in betas] != [True, True]:
            found = told(betas) if not isinstance(betas, tuple | list) else list(map(told, betas))
            refuse(self, "betas as two floats", found, TypeError)
        self.betas = tuple(self.numbers(0, 1, beta1=betas[0], beta2=betas[1]))

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
            denominator = np.sqrt(v, out=np.empty_like(v))  # an array, of 0-d too
            denominator /= math.sqrt(1 - beta2**step)
            denominator += self.eps
            np.divide(m, denominator, out=denominator)
            denominator *= self.lr / (1 - beta1**step)
            p -= denominator


class RMSprop(Optimizer):
    """p -= lr g / (sqrt(v) + eps) with v the running mean of g^2 (Hinton's lecture 6e); eps outside the root, as torch.

    With a momentum the step is buffered: b = momentum b + g / (sqrt(v) + eps).
    """

    kept = ("step", "square_avg", "momentum_buffer")

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(params)
        self.lr, self.eps, self.weight_decay = self.numbers(lr=lr, eps=eps, weight_decay=weight_decay)
        (self.momentum,), (self.alpha,) = self.numbers(momentum=momentum), self.numbers(0, 1, alpha=alpha)

    def needed(self) -> tuple[str, ...]:
        return self.kept if self.momentum else self.kept[:2]

    def update(self, data: Array, grad: Array, state: dict[str, Any]) -> None:
        if not state:
            state.update(step=np.zeros((), np.int64), square_avg=np.zeros_like(data))
        if self.momentum and "momentum_buffer" not in state:
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

    kept = ("step", "sum")
    begins_empty = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params)
        self.lr, self.lr_decay, self.eps = self.numbers(lr=lr, lr_decay=lr_decay, eps=eps)
        self.weight_decay, initial_accumulator_value = self.numbers(
            weight_decay=weight_decay, initial_accumulator_value=initial_accumulator_value
        )
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


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Cuts every gradient entry to [-clip_value, clip_value], in place; a `grad` that is None is left out.

    Raises TypeError for anything but parameters and a real number, ValueError for one below 0.
    """
    parameters = with_gradients(parameters)
    if not isinstance(clip_value, Real):
        refuse("clip_grad_value_", "a real number to clip at", told(clip_value), TypeError)
    if not clip_value >= 0:
        refuse("clip_grad_value_", "at least 0 to clip at", f"{clip_value}")
    clip_value = float(clip_value)
    for parameter in parameters:
        np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)


def with_gradients(parameters: Any) -> list[Parameter]:
    """Those that have a gradient, of one parameter or of several. Raises TypeError for anything else."""
    expected = "clip_grad_value_ expected parameters of scratch"
    several = list(parameters) if isinstance(parameters, Iterable) else [parameters]
    for parameter in several:
        must_be_parameter(expected, parameter)
        if parameter.grad is not None and type(parameter.grad) not in ARRAYS:
            refuse("clip_grad_value_", "a gradient as an array", told(parameter.grad), TypeError)
    return [parameter for parameter in several if parameter.grad is not None]
