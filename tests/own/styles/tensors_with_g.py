"""Bare torch tensors without autograd; a gradient hangs on its tensor as .g, the input's too."""

import torch
import torch.nn.functional as F
from torch import nn


def relu(x):
    return x.clamp_min(0.0) - 0.5


def relu_grad(inp, out):
    inp.g = (inp > 0).to(out.g.dtype) * out.g


def lin_grad(inp, out, w, b):
    inp.g = out.g @ w.t()
    w.g = inp.t() @ out.g
    b.g = out.g.sum(0)


def mse(output, targ):
    return (output.squeeze(-1) - targ).pow(2).mean()


def mse_grad(inp, targ):
    inp.g = 2.0 * (inp.squeeze(-1) - targ).unsqueeze(-1) / inp.shape[0]


def forward_and_backward(inp, targ, w1, b1, w2, b2):
    l1 = inp @ w1 + b1
    l2 = relu(l1)
    out = l2 @ w2 + b2
    loss = mse(out, targ)
    mse_grad(out, targ)
    lin_grad(l2, out, w2, b2)
    relu_grad(l1, l2)
    lin_grad(inp, l1, w1, b1)
    return loss


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(100)
        self.lin1 = nn.Linear(4, 6)
        self.lin2 = nn.Linear(6, 1)

    def forward(self, x):
        return self.lin2(F.relu(self.lin1(x)) - 0.5).squeeze(-1)


def call():
    generator = torch.Generator().manual_seed(101)
    shapes = (4, 6), (6,), (6, 1), (1,)
    params = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    x, y = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((7, 4), (7,)))
    keywords = {"params": params, "grads": lambda: [p.g for p in params], "loss": F.mse_loss}
    return lambda x, y: forward_and_backward(x, y, *params), Shifted(), (x, y), keywords


def call_turned():
    """Matrices as (out, in), by names that say nothing."""
    generator = torch.Generator().manual_seed(102)
    shapes = {"p0": (1,), "q7": (6, 4), "r2": (1, 6), "s5": (6,)}
    kept = {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}
    x, y = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((7, 4), (7,)))

    def once(x, y):
        w1, w2 = kept["q7"].t(), kept["r2"].t()
        loss = forward_and_backward(x, y, w1, kept["s5"], w2, kept["p0"])
        kept["q7"].g, kept["r2"].g = w1.g.t(), w2.g.t()
        return loss

    keywords = {"params": kept, "grads": lambda: {name: value.g for name, value in kept.items()}, "loss": F.mse_loss}
    return once, Shifted(), (x, y), keywords
