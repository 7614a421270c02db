"""Losses that torch.nn lacks."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, multi_margin_loss, one_hot


class HalfMSELoss(nn.MSELoss):
    """Half of MSELoss, so that the gradient is the plain difference: `catcar-mlp`."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input, target) / 2


def log_of_sum(logits: Tensor, of: Tensor) -> Tensor:
    """The logarithm of each row's sum of exponentials, less the row's largest of `of`: (N, C) -> (N, 1).

    It is taken of numbers near 0, for its slope is exp(x - result), and a large result is rounded coarsely.
    """
    largest = logits.amax(dim=1, keepdim=True).detach()
    return (logits - largest).logsumexp(dim=1, keepdim=True) + (largest - of.amax(dim=1, keepdim=True).detach())


class SoftmaxBCELoss(nn.Module):
    """Binary cross-entropy of every class's softmax against the one-hot target, summed over classes: `trigram-lm-bce`.

    BCELoss would cut its logarithms off at -100, and its slope where p (1 - p) is below 1e-12.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        best = input.argmax(dim=1, keepdim=True)
        log_p = log_softmax(input, dim=1)
        log_rest = torch.log1p(-log_p.scatter(1, best, -torch.inf).exp())
        # log(1 - p) of the likeliest class is the logarithm of what the others have, over what all have
        others = input.scatter(1, best, -torch.inf)
        log_rest = log_rest.scatter(1, best, log_of_sum(others, input) - log_of_sum(input, input))
        right = one_hot(target, input.shape[1]).bool()
        losses = -torch.where(right, log_p, log_rest).sum(dim=1)
        if self.reduction == "none":
            return losses
        return losses.mean() if self.reduction == "mean" else losses.sum()


class MultiClassHingeLoss(nn.Module):
    """The sum over wrong classes, where torch's multi_margin_loss takes their mean; then the mean over records."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return (multi_margin_loss(input, target, reduction="none") * input.shape[1]).mean()


class SparseAutoencoderLoss(nn.Module):
    """Half the squared error a record and a penalty on each hidden unit's mean activation: `sparse-autoencoder`."""

    def __init__(self, beta: float = 0.01, rho: float = 0.2) -> None:
        super().__init__()
        self.beta, self.rho = beta, rho

    def forward(self, out: Tensor, target: Tensor) -> Tensor:
        reconstruction, hidden = out.split([target.shape[1], out.shape[1] - target.shape[1]], dim=1)
        error = 0.5 * (reconstruction - target).square().sum(dim=1).mean()
        mean, rho = hidden.mean(dim=0), self.rho
        divergence = rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))
        return error + self.beta * divergence.sum()


class L2Penalty:
    """0.5 reg sum ||W||^2 over weights, not biases nor gammas."""

    def __init__(self, named_parameters: Iterable[tuple[str, nn.Parameter]], reg: float = 0.0) -> None:
        self.weights = [parameter for _, parameter in named_parameters if parameter.ndim > 1]
        self.reg = reg

    def __call__(self) -> Tensor:
        return 0.5 * self.reg * torch.stack([weight.square().sum() for weight in self.weights]).sum()
