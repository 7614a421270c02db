"""Two convolutions, a pool and two linear layers for images of digits: the pair `mnist-cnn`."""

import numpy as np
from numpy.random import Generator

from scratch import Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, init
from scratch.module import Array


class MnistCNN(Module):
    """Images (N, 1, H, W) -> logits (N, classes)."""

    def __init__(
        self,
        filters: tuple[int, int] = (8, 8),
        image: tuple[int, int] = (28, 28),
        hidden: int = 128,
        classes: int = 10,
        *,
        rng: Generator | None = None,
    ) -> None:
        rng = rng or np.random.default_rng()
        height, width = ((side - 8) // 2 for side in image)  # two 5x5 convolutions take 8 off, the pool halves
        self.conv1 = Conv2d(1, filters[0], 5, rng=rng)
        self.relu1 = ReLU()
        self.conv2 = Conv2d(filters[0], filters[1], 5, rng=rng)
        self.relu2 = ReLU()
        self.pool = MaxPool2d(2)
        self.flatten = Flatten()
        self.fc1 = Linear(filters[1] * height * width, hidden, rng=rng)
        self.relu3 = ReLU()
        self.fc2 = Linear(hidden, classes, rng=rng)
        for conv in (self.conv1, self.conv2):
            conv.weight.data = init.scaled_normal(conv.weight.data.shape, rng)
        for fc in (self.fc1, self.fc2):
            fc.weight.data = init.normal(fc.weight.data.shape, 0.01, rng)
        init.zero_biases(self)

    def forward(self, x: Array) -> Array:
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        x = self.flatten(self.pool(x))
        x = self.relu3(self.fc1(x))
        return self.fc2(x)

    def backward(self, dout: Array) -> Array:
        d = self.fc2.backward(dout)
        d = self.fc1.backward(self.relu3.backward(d))
        d = self.pool.backward(self.flatten.backward(d))
        d = self.conv2.backward(self.relu2.backward(d))
        return self.conv1.backward(self.relu1.backward(d))
