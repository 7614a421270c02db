"""All parameters in one flat vector; cost_function gives the cost and one flat gradient."""

import numpy as np
import torch
from torch import nn


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cost_function(theta, X, y):
    Theta1, b1 = theta[:20].reshape(4, 5), theta[20:24]
    Theta2, b2 = theta[24:36].reshape(3, 4), theta[36:39]
    m = X.shape[0]
    a2 = sigmoid(X @ Theta1.T + b1)
    h = sigmoid(a2 @ Theta2.T + b2)
    Y = np.eye(3)[y]
    J = -np.sum(Y * np.log(h) + (1 - Y) * np.log(1 - h)) / m

    d3 = (h - Y) / m
    d2 = d3 @ Theta2 * a2 * (1 - a2)
    grad = np.concatenate([(d2.T @ X).ravel(), d2.sum(axis=0), (d3.T @ a2).ravel(), d3.sum(axis=0)])
    return J, grad


class LogisticNet(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(260)
        self.net = nn.Sequential(nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3))

    def forward(self, x, y):
        scores = self.net(x)
        wanted = nn.functional.one_hot(y, 3).to(scores.dtype)
        return nn.functional.binary_cross_entropy_with_logits(scores, wanted, reduction="sum") / len(x)


def call():
    rng = np.random.default_rng(261)
    theta = rng.standard_normal(39)
    layout = {
        "net.0.weight": "theta[:20].reshape(4, 5)",
        "net.0.bias": "theta[20:24]",
        "net.2.weight": "theta[24:36].reshape(3, 4)",
        "net.2.bias": "theta[36:39]",
    }
    data = rng.standard_normal((7, 5)), np.array([0, 2, 1, 1, 0, 2, 1])
    keywords = {"params": {"theta": theta}, "layout": layout}
    return lambda X, y: cost_function(theta, X, y), LogisticNet(), data, keywords
