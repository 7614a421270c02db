"""Update rules as functions (w, dw, config) -> (w, config), and as a class over a dict of parameters."""

import numpy as np
import torch


def sgd_momentum(w, dw, config=None):
    config = config or {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    next_w = w + v
    config["velocity"] = v
    return next_w, config


def rmsprop(w, dw, config):
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    cache = config.get("cache", np.zeros_like(w))
    cache = config["decay_rate"] * cache + (1 - config["decay_rate"]) * dw**2
    next_w = w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"])
    config["cache"] = cache
    return next_w, config


def adam(w, dw, config):
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    m, v, t = config.get("m", np.zeros_like(w)), config.get("v", np.zeros_like(w)), config.get("t", 0) + 1
    m = config["beta1"] * m + (1 - config["beta1"]) * dw
    v = config["beta2"] * v + (1 - config["beta2"]) * dw * dw
    m_hat = m / (1 - config["beta1"] ** t)
    v_hat = v / (1 - config["beta2"] ** t)
    next_w = w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + 1e-8)
    config |= {"m": m, "v": v, "t": t}
    return next_w, config


class AdamW:
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
        self.params, self.lr, self.betas, self.eps, self.weight_decay = params, lr, betas, eps, weight_decay
        self.m = {k: np.zeros_like(p) for k, p in params.items()}
        self.v = {k: np.zeros_like(p) for k, p in params.items()}
        self.t = 0

    def step(self, grads):
        self.t += 1
        for k, p in self.params.items():
            p *= 1 - self.lr * self.weight_decay
            self.m[k] = self.betas[0] * self.m[k] + (1 - self.betas[0]) * grads[k]
            self.v[k] = self.betas[1] * self.v[k] + (1 - self.betas[1]) * grads[k] ** 2
            m_hat = self.m[k] / (1 - self.betas[0] ** self.t)
            v_hat = self.v[k] / (1 - self.betas[1] ** self.t)
            p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def call_momentum():
    return sgd_momentum, lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9), (), {}


def call_rmsprop():
    rule = lambda w, dw, c: rmsprop(w, dw, c or {"learning_rate": 1e-2})  # noqa: E731
    return rule, lambda p: torch.optim.RMSprop(p, lr=1e-2), (), {}


def call_adam():
    rule = lambda w, dw, c: adam(w, dw, c or {"learning_rate": 1e-3})  # noqa: E731
    return rule, lambda p: torch.optim.Adam(p, lr=1e-3), (), {}


def call_adamw():
    return (
        lambda params: AdamW(params, lr=1e-3),
        lambda p: torch.optim.AdamW(p, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1),
        (),
        {},
    )
