"""Updates that a source got wrong and printed its figures with, for the scratch side. Nothing else uses them."""

from typing import Any

import numpy as np

from twofold.scratch import BatchNorm2d
from twofold.scratch.module import Array
from twofold.scratch.optim import Optimizer


class RestartedAdam(Optimizer):
    """`mnist-cnn` as published: fresh moments every batch, no bias correction, eps inside the root (F13, F14, F15)."""

    lr, betas, eps = 0.01, (0.95, 0.99), 1e-7

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        m = (1 - self.betas[0]) * g
        v = (1 - self.betas[1]) * (g * g)
        p -= self.lr * m / np.sqrt(v + self.eps)


def broadcast_step(model: Any, x: Array, y: Array, lr: float, limit: float) -> None:
    """One record's update of `sine-rnn` as published (F5, F34): x (1, T), y (1, 1).

    Running vectors u += n_t U[:, t] x_t and w += n_t W s_{t-1} with n_t = min(t, 5), where outer products belong, are
    added to every column of dU and dW, and (y^ - y) s_t to dV, at every t; then the three are clipped. Equal columns
    are kept as one.
    """
    U, W, V = model.rnn.weight_ih_l0.data, model.rnn.weight_hh_l0.data, model.output.weight.data
    states, _ = model.rnn(x[:, :, None] * np.eye(x.shape[1]))  # (1, T, H)
    error = (model.output(states[:, -1]) - y)[0, 0]
    before = np.vstack([np.zeros_like(states[0, :1]), states[0, :-1]])
    n = np.minimum(np.arange(x.shape[1]), 5.0)[:, None]
    u = np.cumsum(n * (U * x[0]).T, axis=0)  # (T, H)
    w = np.cumsum(n * (before @ W.T), axis=0)
    added = np.stack([u, w, error * states[0]], axis=1)  # (T, 3, H)
    gradients = np.zeros_like(added[0])
    for step in added:
        gradients = np.clip(gradients + step, -limit, limit)
    dU, dW, dV = gradients
    U -= lr * dU[:, None]
    W -= lr * dW[:, None]
    V -= lr * dV


class BiasedBatchNorm2d(BatchNorm2d):
    """Batch norm as published: running variance from the biased estimate and from 0 (F18)."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.running_var.data[...] = 0

    def forward(self, x: Array) -> Array:
        before = self.running_var.data
        out = super().forward(x)
        if self.training and self.momentum is not None:
            self.running_var.data = (1 - self.momentum) * before + self.momentum * x.var(axis=(0, 2, 3))
        return out
