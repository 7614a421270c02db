"""Right rules in the forms that strangers' code has, each with torch's optimizer that it is."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from twofold.scratch import optim


def rmsprop(w: Any, dw: Any, config: Any = None) -> Any:
    """A dict of options and state that is handed on."""
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w))
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2
    return w - config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"]), config


def momentum(w: Any, dw: Any, config: Any = None) -> Any:
    config = config or {"learning_rate": 1e-2, "momentum": 0.9}
    v = config["momentum"] * config.get("velocity", np.zeros_like(w)) - config["learning_rate"] * dw
    config["velocity"] = v
    return w + v, config


def adam(w: Any, dw: Any, config: Any = None) -> Any:
    config = {"learning_rate": 1e-3, "m": np.zeros_like(w), "v": np.zeros_like(w), "t": 0} | (config or {})
    config["t"] += 1
    config["m"] = 0.9 * config["m"] + 0.1 * dw
    config["v"] = 0.999 * config["v"] + (1 - 0.999) * dw * dw
    m, v = config["m"] / (1 - 0.9 ** config["t"]), config["v"] / (1 - 0.999 ** config["t"])
    return w - config["learning_rate"] * m / (np.sqrt(v) + 1e-8), config


def plain(w: Any, dw: Any) -> Any:
    return w - 0.01 * dw


def plain_in_place(w: Any, dw: Any) -> None:
    w -= 0.01 * dw


def lists_in_place(params: Any, grads: Any, lr: float) -> None:
    for param, grad in zip(params, grads, strict=True):
        param -= lr * grad


def dicts(parameters: Any, grads: Any, learning_rate: float = 0.1) -> Any:
    """Keys with a d before them, counted layers, what comes back is new."""
    parameters = copy.deepcopy(parameters)
    for layer in range(1, len(parameters) // 2 + 1):
        for letter in "Wb":
            parameters[f"{letter}{layer}"] = parameters[f"{letter}{layer}"] - learning_rate * grads[f"d{letter}{layer}"]
    return parameters


def dicts_with_adam(
    parameters: Any, grads: Any, v: Any, s: Any, t: int, learning_rate: float = 0.01, epsilon: float = 1e-8
) -> Any:
    for key in parameters:
        v["d" + key] = 0.9 * v["d" + key] + (1 - 0.9) * grads["d" + key]
        s["d" + key] = 0.999 * s["d" + key] + (1 - 0.999) * np.square(grads["d" + key])
        corrected = v["d" + key] / (1 - 0.9**t), s["d" + key] / (1 - 0.999**t)
        parameters[key] = parameters[key] - learning_rate * corrected[0] / (np.sqrt(corrected[1]) + epsilon)
    return parameters, v, s


def arrays_with_adam(w: Any, dw: Any, m: Any, v: Any, t: int) -> Any:
    m = 0.9 * m + 0.1 * dw
    v = 0.999 * v + 0.001 * dw * dw
    return w - 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v


def counting_itself(w: Any, dw: Any, m: Any, v: Any, t: int) -> Any:
    t = t + 1
    w, m, v = arrays_with_adam(w, dw, m, v, t)
    return w, m, v, t


def moments_first(grad: Any, theta: Any, m: Any) -> Any:
    m = 0.9 * m + grad
    return m, theta - 0.01 * m


class PerTensor:
    """Its moments are arrays from its first call on."""

    def __init__(self, learning_rate: float = 0.001) -> None:
        self.learning_rate, self.m, self.v = learning_rate, None, None
        self.t = 0

    def update(self, w: Any, grad_wrt_w: Any) -> Any:
        if self.m is None:
            self.m, self.v = np.zeros(np.shape(grad_wrt_w)), np.zeros(np.shape(grad_wrt_w))
        self.t += 1
        self.m = 0.9 * self.m + (1 - 0.9) * grad_wrt_w
        self.v = 0.999 * self.v + (1 - 0.999) * np.power(grad_wrt_w, 2)
        m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
        return w - self.learning_rate * m / (np.sqrt(v) + 1e-8)


class Decaying:
    """Of numbers alone: the rate falls with each of its own calls."""

    def __init__(self, lr: float) -> None:
        self.lr, self.calls = lr, 0

    def update(self, w: Any, dw: Any) -> Any:
        self.calls += 1
        return w - self.lr * self.calls / self.calls * dw


class AdamW:
    """Over a dict of arrays, decoupled decay; step(grads)."""

    def __init__(self, params: Any, lr: float = 1e-3, weight_decay: float = 0.01) -> None:
        self.params, self.lr, self.wd, self.t = params, lr, weight_decay, 0
        self.m = {key: np.zeros_like(value) for key, value in params.items()}
        self.v = {key: np.zeros_like(value) for key, value in params.items()}

    def step(self, grads: Any) -> None:
        self.t += 1
        for key, param in self.params.items():
            self.m[key] = 0.9 * self.m[key] + 0.1 * grads[key]
            self.v[key] = 0.999 * self.v[key] + 0.001 * grads[key] ** 2
            m, v = self.m[key] / (1 - 0.9**self.t), self.v[key] / (1 - 0.999**self.t)
            param *= 1 - self.lr * self.wd
            param -= self.lr * m / (np.sqrt(v) + 1e-8)


class ListAdagrad:
    """update(params, grads) on lists; its sums are made in the first call."""

    def __init__(self, lr: float = 0.01) -> None:
        self.lr, self.h = lr, None

    def update(self, params: Any, grads: Any) -> None:
        if self.h is None:
            self.h = [np.zeros_like(param) for param in params]
        for i in range(len(params)):
            self.h[i] += grads[i] * grads[i]
            params[i] -= self.lr * grads[i] / (np.sqrt(self.h[i]) + 1e-10)


class DictMomentum:
    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        self.lr, self.momentum, self.v = lr, momentum, None

    def update(self, params: Any, grads: Any) -> None:
        if self.v is None:
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]


class GradObjects:
    """step() over objects with .data and .grad."""

    def __init__(self, parameters: Any, lr: float) -> None:
        self.parameters, self.lr = list(parameters), lr
        self.velocity = [0 for _ in self.parameters]

    def step(self) -> None:
        for i, p in enumerate(self.parameters):
            self.velocity[i] = 0.9 * self.velocity[i] + p.grad
            p.data = p.data - self.lr * (p.grad + 0.9 * self.velocity[i])

    def zero_grad(self) -> None:
        for p in self.parameters:
            p.grad = np.zeros_like(p.data)


class Replacing:
    """Of a list it makes its own, whose elements it replaces; lists of gradients given once."""

    def __init__(self, params: Any, grads: Any) -> None:
        self.params, self.grads = list(params), grads

    def step(self) -> None:
        self.params = [param - 0.5 * grad for param, grad in zip(self.params, self.grads, strict=True)]


class LayerAdam:
    """The state stands on the layer; what comes before and after a step is called apart."""

    def __init__(self, learning_rate: float = 0.001, decay: float = 0.0) -> None:
        self.learning_rate = self.current_learning_rate = learning_rate
        self.decay, self.iterations = decay, 0

    def pre_update_params(self) -> None:
        if self.decay:
            self.current_learning_rate = self.learning_rate * (1.0 / (1.0 + self.decay * self.iterations))

    def update_params(self, layer: Any) -> None:
        if not hasattr(layer, "weight_cache"):
            layer.weight_momentums, layer.weight_cache = np.zeros_like(layer.weights), np.zeros_like(layer.weights)
            layer.bias_momentums, layer.bias_cache = np.zeros_like(layer.biases), np.zeros_like(layer.biases)
        layer.weight_momentums = 0.9 * layer.weight_momentums + 0.1 * layer.dweights
        layer.bias_momentums = 0.9 * layer.bias_momentums + 0.1 * layer.dbiases
        layer.weight_cache = 0.999 * layer.weight_cache + 0.001 * layer.dweights**2
        layer.bias_cache = 0.999 * layer.bias_cache + 0.001 * layer.dbiases**2
        first, second = 1 - 0.9 ** (self.iterations + 1), 1 - 0.999 ** (self.iterations + 1)
        rate = self.current_learning_rate
        layer.weights += -rate * (layer.weight_momentums / first) / (np.sqrt(layer.weight_cache / second) + 1e-8)
        layer.biases += -rate * (layer.bias_momentums / first) / (np.sqrt(layer.bias_cache / second) + 1e-8)

    def post_update_params(self) -> None:
        self.iterations += 1


class Named:
    """update(param, grad, name): one object for all, a state by name."""

    def __init__(self) -> None:
        self.cache: dict[str, Any] = {}

    def update(self, param: Any, param_grad: Any, param_name: str, cur_loss: Any = None) -> Any:
        v = 0.9 * self.cache.get(param_name, 0) + param_grad
        self.cache[param_name] = v
        return param - 0.01 * v

    def __call__(self, param: Any, param_grad: Any, param_name: str) -> Any:
        return self.update(param, param_grad, param_name)


def closure() -> Callable[[Any, Any], Any]:
    velocity: Any = 0

    def rule(w: Any, dw: Any) -> Any:
        nonlocal velocity
        velocity = 0.9 * velocity + dw
        return w - 0.01 * velocity

    return rule


def nesterov(w: Any, dw: Any, config: Any = None) -> Any:
    """Written in the looked-ahead weights: torch's, by a change of variables."""
    config = config or {}
    before = config.get("velocity", np.zeros_like(w))
    config["velocity"] = 0.9 * before - 0.01 * dw
    return w - 0.9 * before + (1 + 0.9) * config["velocity"], config


def adadelta(w: Any, dw: Any, cache: Any, delta: Any) -> Any:
    cache = 0.9 * cache + (1 - 0.9) * dw**2
    change = np.sqrt(delta + 1e-6) / np.sqrt(cache + 1e-6) * dw
    return w - change, cache, 0.9 * delta + (1 - 0.9) * change**2


def amsgrad(w: Any, g: Any, state: Any) -> Any:
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = 0.9 * state.get("m", 0) + (1 - 0.9) * g
    v = state["v"] = 0.999 * state.get("v", 0) + (1 - 0.999) * g**2
    top = state["top"] = np.maximum(state.get("top", 0), v)
    w -= 1e-3 / (1 - 0.9**t) * m / (np.sqrt(top) / np.sqrt(1 - 0.999**t) + 1e-8)


def adamax(w: Any, g: Any, state: Any) -> Any:
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = 0.9 * state.get("m", 0) + (1 - 0.9) * g
    u = state["u"] = np.maximum(0.999 * state.get("u", 0), np.abs(g) + 1e-8)
    return w - 2e-3 / (1 - 0.9**t) * m / u


def nadam(w: Any, g: Any, state: Any) -> Any:
    t = state["t"] = state.get("t", 0) + 1
    mu, ahead = (0.9 * (1 - 0.5 * 0.96 ** (n * 0.004)) for n in (t, t + 1))
    product = state["product"] = state.get("product", 1) * mu
    m = state["m"] = 0.9 * state.get("m", 0) + (1 - 0.9) * g
    v = state["v"] = 0.999 * state.get("v", 0) + (1 - 0.999) * g**2
    root = np.sqrt(v / (1 - 0.999**t)) + 1e-8
    return w - 2e-3 * ((1 - mu) * g / (1 - product) + ahead * m / (1 - product * ahead)) / root


def centered(w: Any, g: Any, state: Any) -> Any:
    s = state["s"] = 0.99 * state.get("s", 0) + (1 - 0.99) * g**2
    a = state["a"] = 0.99 * state.get("a", 0) + (1 - 0.99) * g
    return w - 0.01 * g / (np.sqrt(s - a**2) + 1e-8)


def single(w: Any, dw: Any) -> Any:
    """Hard-coded float32."""
    return (w - 0.01 * dw).astype(np.float32)


class Layers:
    def __init__(self, layers: Any) -> None:
        self.layers = layers

    def step(self) -> None:
        for layer in self.layers:
            layer.weights -= 0.01 * layer.dweights
            layer.biases -= 0.01 * layer.dbiases


class OfNet:
    """Asks a network for its parameters and gradients."""

    def step(self, net: Any) -> None:
        for param, grad in net.params_and_grads():
            param -= 0.01 * grad


def state_first(state: Any, w: Any, dw: Any) -> Any:
    state["v"] = 0.9 * state.get("v", 0) + dw
    return w - 0.01 * state["v"], state


class OfTorch(torch.optim.Optimizer):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("v", torch.zeros_like(p))
                buffer.mul_(0.9).add_(p.grad)
                p.sub_(buffer, alpha=group["lr"])


def lists_and_state(params: Any, grads: Any, state: Any) -> Any:
    state = [0.9 * v + g for v, g in zip(state, grads, strict=True)]
    return [p - 0.01 * v for p, v in zip(params, state, strict=True)], state


SGD, ADAM, MOMENTUM = torch.optim.SGD, torch.optim.Adam, {"lr": 0.01, "momentum": 0.9}
RIGHT: dict[str, tuple[Any, Any]] = {
    "config": (rmsprop, torch.optim.RMSprop),
    "config by a lambda": (lambda w, dw, c: adam(w, dw, c or {"learning_rate": 1e-3}), ADAM),
    "config with a velocity": (momentum, lambda p: SGD(p, **MOMENTUM)),
    "two arrays": (plain, lambda p: SGD(p, lr=0.01)),
    "two arrays in place": (plain_in_place, lambda p: SGD(p, lr=0.01)),
    "lists in place": (lists_in_place, lambda p: SGD(p, lr=0.03)),
    "dicts with d": (dicts, lambda p: SGD(p, lr=0.1)),
    "dicts with two states": (dicts_with_adam, lambda p: ADAM(p, lr=0.01)),
    "arrays and a count": (arrays_with_adam, ADAM),
    "arrays and its own count": (counting_itself, ADAM),
    "gradient first, weights last": (moments_first, lambda p: SGD(p, **MOMENTUM)),
    "an object a tensor": (lambda: PerTensor(0.001), ADAM),
    "an instance a tensor": (PerTensor(), ADAM),
    "its bound method": (PerTensor().update, ADAM),
    "a class with a rate": (Decaying, lambda p: SGD(p, lr=0.2)),
    "a class over a dict": (AdamW, torch.optim.AdamW),
    "a factory over a dict": (lambda params: AdamW(params, lr=1e-2), lambda p: torch.optim.AdamW(p, lr=1e-2)),
    "lists of an object": (lambda: ListAdagrad(0.01), torch.optim.Adagrad),
    "dicts of an instance": (DictMomentum(), lambda p: SGD(p, **MOMENTUM)),
    "objects with grad": (lambda ps: GradObjects(ps, 0.1), lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    "lists given once": (lambda params, grads: Replacing(params, grads), lambda p: SGD(p, lr=0.5)),
    "a layer": (lambda: LayerAdam(), ADAM),
    "a layer's class": (LayerAdam, ADAM),
    "a name": (Named(), lambda p: SGD(p, **MOMENTUM)),
    "a closure": (closure(), lambda p: SGD(p, **MOMENTUM)),
    "a maker of closures": (closure, lambda p: SGD(p, **MOMENTUM)),
    "our own Adam": (lambda named: optim.Adam(named, lr=1e-2), lambda p: ADAM(p, lr=1e-2)),
    "our own RMSprop": (lambda named: optim.RMSprop(named), torch.optim.RMSprop),
    "our own Adagrad": (optim.Adagrad, torch.optim.Adagrad),
    "nesterov in other variables": (nesterov, lambda p: SGD(p, nesterov=True, **MOMENTUM)),
    "adadelta": (adadelta, torch.optim.Adadelta),
    "amsgrad in place": (amsgrad, lambda p: ADAM(p, amsgrad=True)),
    "adamax": (adamax, torch.optim.Adamax),
    "nadam": (nadam, torch.optim.NAdam),
    "centered": (centered, lambda p: torch.optim.RMSprop(p, centered=True)),
    "layers": (Layers, lambda p: SGD(p, lr=0.01)),
    "a net": (OfNet(), lambda p: SGD(p, lr=0.01)),
    "of torch's tensors": (OfTorch, lambda p: SGD(p, **MOMENTUM)),
    "lists and a state": (lists_and_state, lambda p: SGD(p, **MOMENTUM)),
    "a partial": (partial(momentum, config=None), lambda p: SGD(p, **MOMENTUM)),
    "state first": (state_first, lambda p: SGD(p, **MOMENTUM)),
    "single": (single, lambda p: SGD(p, lr=0.01)),
}
