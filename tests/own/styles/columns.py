"""Samples in columns, weights (out, in), biases (n, 1), a dict of gradients with more than one asks for."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def model_forward(X, parameters):
    L = len(parameters) // 2
    caches, A = [], X
    for layer in range(1, L + 1):
        W, b = parameters[f"W{layer}"], parameters[f"b{layer}"]
        Z = W @ A + b
        caches.append((A, W, Z))
        A = np.maximum(0, Z) if layer < L else sigmoid(Z)
    return A, caches


def compute_cost(AL, Y):
    m = Y.shape[1]
    return -np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL)) / m


def linear_backward(dZ, A_prev, W):
    m = A_prev.shape[1]
    dW = dZ @ A_prev.T / m
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = W.T @ dZ
    return dA_prev, dW, db


def model_backward(AL, Y, caches):
    grads = {}
    L = len(caches)
    dA = -(Y / AL) + (1 - Y) / (1 - AL)
    for layer in range(L, 0, -1):
        A_prev, W, Z = caches[layer - 1]
        dZ = dA * AL * (1 - AL) if layer == L else dA * (Z > 0)
        dA, grads[f"dW{layer}"], grads[f"db{layer}"] = linear_backward(dZ, A_prev, W)
        grads[f"dA{layer - 1}"] = dA
    return grads


def initialize(rng, sizes):
    parameters = {}
    for layer, (before, after) in enumerate(pairwise(sizes), start=1):
        parameters[f"W{layer}"] = 0.7 * rng.standard_normal((after, before))
        parameters[f"b{layer}"] = 0.3 * rng.standard_normal((after, 1))
    return parameters


def call():
    rng = np.random.default_rng(30)
    torch.manual_seed(30)
    parameters = initialize(rng, (4, 5, 5, 1))
    X = rng.standard_normal((4, 7))
    Y = np.array([[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0]])
    layers = nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 1), nn.Sigmoid()

    def once(X, Y):
        AL, caches = model_forward(X, parameters)
        return compute_cost(AL, Y), model_backward(AL, Y, caches)

    return once, nn.Sequential(*layers), (X, Y), {"loss": nn.BCELoss()}
