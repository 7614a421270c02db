"""The fully connected layer."""

import numpy as np
from numpy.random import Generator

from twofold.scratch import init
from twofold.scratch.checks import features, gradient, whole
from twofold.scratch.module import Array, Module, Parameter, blocks

BLOCK_BYTES = 1 << 22  # of the weight gradient that are computed at a time


class Linear(Module):
    """y = x W^T + b on the last axis: (..., in_features) -> (..., out_features). ValueError for another size."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, rng: Generator | int | None = None
    ) -> None:
        rng = init.generator(rng)
        in_features, out_features = whole(self, "in_features", in_features), whole(self, "out_features", out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(init.default((out_features, in_features), in_features, rng))
        self.bias = Parameter(init.default((out_features,), in_features, rng)) if bias else None

    def forward(self, x: Array) -> Array:
        x = features(self, x, self.in_features, self.weight.data.dtype)
        self.cache = x
        out = x @ self.weight.data.T
        if self.bias is not None:
            out += self.bias.data
        return out

    def backward(self, dout: Array) -> Array:
        self.accumulate(dout)
        dout = dout.astype(self.cache.dtype, copy=False)
        return dout @ self.weight.data

    def accumulate(self, dout: Array) -> None:
        x = self.cache
        dout = gradient(self, dout, (*x.shape[:-1], self.out_features), x.dtype)
        if x.ndim != 2:
            x, dout = x.reshape(-1, self.in_features), dout.reshape(-1, self.out_features)  # (..., in) -> (N, in)
        # a product as large as a large weight would be memory new from the system each time: in parts a fifth faster
        for grad, dout_part in blocks(self.weight.grad, dout.T, size=BLOCK_BYTES):
            grad += dout_part @ x
        if self.bias is not None:
            # as a product with ones: BLAS sums in blocks, `sum(axis=0)` one by one and loses digits over long batches
            self.bias.grad += np.ones(len(dout), dout.dtype) @ dout
