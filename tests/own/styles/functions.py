"""Torch's own Functions with several outputs, arguments that are no tensors, bfloat16; modules with one inside."""

import torch
import torch.nn.functional as F
from torch import nn


class MeanAndDeviation(torch.autograd.Function):
    """Two outputs."""

    @staticmethod
    def forward(ctx, x, eps):
        mean = x.mean(-1)
        std = (x.var(-1, unbiased=False) + eps).sqrt()
        ctx.save_for_backward(x, mean, std)
        return mean, std

    @staticmethod
    def backward(ctx, dmean, dstd):
        x, mean, std = ctx.saved_tensors
        n = x.shape[-1]
        dx = dmean[..., None] / n + dstd[..., None] * (x - mean[..., None]) / (n * std[..., None])
        return dx, None


class Clamped(torch.autograd.Function):
    """A slope and a word as arguments."""

    @staticmethod
    def forward(ctx, x, slope, kind):
        ctx.save_for_backward(x)
        ctx.slope, ctx.kind = slope, kind
        return torch.where(x > 0, x, slope * x) if kind == "leaky" else torch.relu(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        below = ctx.slope if ctx.kind == "leaky" else 0.0
        return grad * torch.where(x > 0, torch.ones_like(x), below * torch.ones_like(x)), None, None


class Root(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        inv = (
            (x.float().pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt().to(x.dtype)
            if x.dtype == torch.bfloat16
            else (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
        )
        ctx.save_for_backward(x, w, inv)
        return x * inv * w

    @staticmethod
    def backward(ctx, grad):
        x, w, inv = ctx.saved_tensors
        hat = x * inv
        d = grad * w
        dx = inv * (d - hat * (d * hat).mean(-1, keepdim=True))
        return dx, (grad * hat).flatten(0, -2).sum(0)


class Cubed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


class Cubic(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.up, self.down, self.inner = nn.Linear(3, 4), nn.Linear(4, 3), inner

    def forward(self, x):
        return self.down(self.inner(self.up(x)))


def root(x, w):
    return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * w


def call_outputs():
    torch.manual_seed(91)

    def plain(x, eps):
        return x.mean(-1), (x.var(-1, unbiased=False) + eps).sqrt()

    return MeanAndDeviation.apply, plain, (torch.randn(4, 6, requires_grad=True), 1e-5), {}


def call_words():
    torch.manual_seed(92)

    def plain(x, slope, kind):
        return F.leaky_relu(x, slope)

    return Clamped.apply, plain, (torch.randn(5, 4, requires_grad=True), 0.2, "leaky"), {}


def call_closed():
    torch.manual_seed(92)
    data = (torch.randn(5, 4, requires_grad=True),)
    return (lambda x: Clamped.apply(x, 0.2, "leaky")), (lambda x: F.leaky_relu(x, 0.2)), data, {}


def call_half():
    torch.manual_seed(93)
    data = torch.randn(3, 8, requires_grad=True), torch.randn(8, requires_grad=True)
    return Root.apply, root, data, {"dtypes": ("float32", "bfloat16")}


def call_module():
    torch.manual_seed(94)
    return Cubic(Cubed.apply), Cubic(lambda x: x**3), (torch.randn(5, 3),), {}


def call_module_arrays():
    torch.manual_seed(94)
    import numpy as np

    x = np.random.default_rng(94).standard_normal((5, 3))
    return Cubic(Cubed.apply), Cubic(lambda x: x**3), (x,), {}
