"""A net made of twofold.scratch's own modules."""

import numpy as np
import torch
from torch import nn

from twofold.scratch import Linear, Module, ReLU


class Net(Module):
    def __init__(self, rng):
        self.fc1 = Linear(4, 6, rng=rng)
        self.relu = ReLU()
        self.fc2 = Linear(6, 3, rng=rng)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))

    def backward(self, dout):
        return self.fc1.backward(self.relu.backward(self.fc2.backward(dout)))


class Reference(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(280)
        self.fc1, self.relu, self.fc2 = nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


def call():
    rng = np.random.default_rng(281)
    return Net(rng), Reference(), (rng.standard_normal((7, 4)),), {}
