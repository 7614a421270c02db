"""A fused operation as an autograd.Function, and a module with a backward of its own, against plain compositions."""

import torch
import torch.nn.functional as F
from torch import nn


class FusedNorm(torch.autograd.Function):
    """x / rms(x) * w over the last axis."""

    @staticmethod
    def forward(ctx, x, w, eps=1e-6):
        rstd = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, w, rstd)
        return x * rstd * w

    @staticmethod
    def backward(ctx, grad):
        x, w, rstd = ctx.saved_tensors
        xhat = x * rstd
        dxhat = grad * w
        dx = rstd * (dxhat - xhat * (dxhat * xhat).mean(-1, keepdim=True))
        dw = (grad * xhat).flatten(0, -2).sum(0)
        return dx, dw, None


def plain_norm(x, w):
    rstd = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
    return x * rstd * w


class SwishFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        gate = torch.sigmoid(x)
        ctx.save_for_backward(x, gate, weight)
        return (x * gate) @ weight.t()

    @staticmethod
    def backward(ctx, grad_output):
        x, gate, weight = ctx.saved_tensors
        grad_hidden = grad_output @ weight
        grad_x = grad_hidden * gate * (1 + x * (1 - gate))
        grad_weight = grad_output.t() @ (x * gate)
        return grad_x, grad_weight


class SwishLinear(nn.Module):
    def __init__(self, features, out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, features, dtype=torch.float64))

    def forward(self, x):
        return SwishFunction.apply(x, self.weight)


class Doubled(torch.autograd.Function):
    """Twice its input, as someone's reference has it."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


def with_doubled(x, w):
    rstd = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
    return Doubled.apply(x * rstd * w) / 2


def tensors():
    generator = torch.Generator().manual_seed(250)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 5, 6), (6,))]


def call():
    return FusedNorm.apply, plain_norm, tensors(), {}


def call_doubled():
    return FusedNorm.apply, with_doubled, tensors(), {}


def call_module():
    torch.manual_seed(251)
    x = torch.randn(5, 4, dtype=torch.float64)
    return SwishLinear(4, 4), nn.Sequential(nn.SiLU(), nn.Linear(4, 4, bias=False)), (x,), {}


def call_square():
    """The same against functional torch, both weights as data."""
    torch.manual_seed(252)
    x, weight = torch.randn(5, 4, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    return SwishFunction.apply, lambda x, weight: F.silu(x) @ weight.t(), (x, weight), {}
