"""Updates that a source got wrong and printed its figures with, for the torch side. Nothing else uses them."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class RestartedAdam(torch.optim.Optimizer):
    """`mnist-cnn` as published: fresh moments every batch, no bias correction, eps inside the root (F13, F14, F15)."""

    def __init__(self, named_parameters: Iterable[tuple[str, nn.Parameter]]) -> None:
        super().__init__(list(named_parameters), {"lr": 0.01, "betas": (0.95, 0.99), "eps": 1e-7})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                m, v = p.grad * (1 - group["betas"][0]), p.grad.square() * (1 - group["betas"][1])
                p.sub_(group["lr"] * m / (v + group["eps"]).sqrt())


@torch.no_grad()
def broadcast_step(model: Any, x: Tensor, y: Tensor, lr: float, limit: float) -> None:
    """One record's update of `sine-rnn` as published (F5, F34): x (1, T), y (1, 1).

    Running vectors u += n_t U[:, t] x_t and w += n_t W s_{t-1} with n_t = min(t, 5), where outer products belong, are
    added to every column of dU and dW, and (y^ - y) s_t to dV, at every t; then the three are clipped. Equal columns
    are kept as one.
    """
    U, W, V = model.rnn.weight_ih_l0, model.rnn.weight_hh_l0, model.output.weight
    states, _ = model.rnn(x.diag_embed())  # (1, T, H)
    error = (model.output(states[:, -1]) - y)[0, 0]
    before = nn.functional.pad(states[0, :-1], (0, 0, 1, 0))
    n = torch.arange(x.shape[1], dtype=x.dtype).clamp(max=5)[:, None]
    u = (n * (U * x[0]).T).cumsum(0)  # (T, H)
    w = (n * (before @ W.T)).cumsum(0)
    gradients = torch.zeros_like(states[0, :3])
    for step in torch.stack([u, w, error * states[0]], dim=1):  # (3, H)
        gradients = (gradients + step).clamp(-limit, limit)
    dU, dW, dV = gradients
    U -= lr * dU[:, None]
    W -= lr * dW[:, None]
    V -= lr * dV


class BiasedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm as published: running variance from the biased estimate and from 0 (F18)."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.running_var: Tensor
        self.running_var.zero_()

    def forward(self, input: Tensor) -> Tensor:
        before = self.running_var.clone()
        out = super().forward(input)
        if self.training:
            momentum = self.momentum or 0.0
            self.running_var.copy_(
                (1 - momentum) * before + momentum * input.detach().var(dim=(0, 2, 3), unbiased=False)
            )
        return out
