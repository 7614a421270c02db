"""A convolution proper, its kernel turned round, over images NHWC; a dense layer over them as they lie."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

KERNEL = 3, 2


def windows(x):
    """(N, H, W, C) -> (N, H - 2, W - 1, C, 3, 2)."""
    return np.lib.stride_tricks.sliding_window_view(x, KERNEL, axis=(1, 2))


class Net:
    def __init__(self, rng):
        self.p = {
            "dense": 0.3 * rng.standard_normal((60, 4)),
            "offset": 0.3 * rng.standard_normal((1, 4)),
            "kernel": 0.5 * rng.standard_normal((*KERNEL, 2, 5)),
            "shift": 0.3 * rng.standard_normal(5),
        }

    def loss(self, images, labels):
        p, n = self.p, np.arange(len(images))
        turned = p["kernel"][::-1, ::-1]
        z = np.einsum("nhwcab,abco->nhwo", windows(images), turned) + p["shift"]
        a = np.maximum(z, 0)
        flat = a.reshape(len(a), -1)
        scores = flat @ p["dense"] + p["offset"]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(probs[n, labels]).mean()

        d = probs.copy()
        d[n, labels] -= 1
        d /= len(n)
        grads = {"dense": flat.T @ d, "offset": d.sum(axis=0, keepdims=True)}
        dz = (d @ p["dense"].T).reshape(a.shape) * (z > 0)
        grads["shift"] = dz.sum(axis=(0, 1, 2))
        grads["kernel"] = np.einsum("nhwcab,nhwo->abco", windows(images), dz)[::-1, ::-1]
        return loss, scores, grads


class Images(nn.Module):
    """As torch has images: NCHW, flattened so."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(306)
        self.conv = nn.Conv2d(2, 5, KERNEL)
        self.fc = nn.Linear(60, 4)

    def forward(self, images):
        return self.fc(F.relu(self.conv(images)).flatten(1))


def data(rng):
    return rng.standard_normal((6, 6, 4, 2)), np.array([0, 3, 1, 2, 2, 0])


def call():
    rng = np.random.default_rng(307)
    net = Net(rng)
    return net.loss, Images(), data(rng), {"params": net.p, "loss": F.cross_entropy}


def call_given():
    """With the images as torch takes them beside."""
    rng = np.random.default_rng(307)
    net = Net(rng)
    images, labels = data(rng)
    keywords = {"params": net.p, "loss": F.cross_entropy, "reference_data": (images.transpose(0, 3, 1, 2), labels)}
    return net.loss, Images(), (images, labels), keywords
