"""Two-dimensional max pooling. loops.py has the same thing as the textbook defines it."""

import numpy as np

from scratch.layers.conv import Size, pair
from scratch.module import Array, Module


class MaxPool2d(Module):
    """The largest entry of each window: (N, C, H, W) -> (N, C, H', W'); of equal ones the first, row by row.

    H' = (H - kernel) // stride + 1, likewise W'; `stride` defaults to the kernel. Raises ValueError if it does not fit.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None) -> None:
        self.kernel_size = pair(kernel_size)
        self.stride = self.kernel_size if stride is None else pair(stride)

    def output_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        height, width = (
            (length - kernel) // stride + 1
            for length, kernel, stride in zip(size, self.kernel_size, self.stride, strict=True)
        )
        if height < 1 or width < 1:
            raise ValueError(f"a window of {self.kernel_size} does not fit an input of {size}")
        return height, width

    def taps(self, x: Array) -> list[Array]:
        """For each position inside the window, the view of x that holds this position of every window."""
        (height, width), (kh, kw), (sh, sw) = self.output_size(x.shape[2:]), self.kernel_size, self.stride
        return [
            x[:, :, i : i + (height - 1) * sh + 1 : sh, j : j + (width - 1) * sw + 1 : sw]
            for i in range(kh)
            for j in range(kw)
        ]

    def forward(self, x: Array) -> Array:
        first, *others = self.taps(x)
        out = first.copy()
        for tap in others:
            np.maximum(out, tap, out=out)
        self.cache = x, out
        return out

    def backward(self, dout: Array) -> Array:
        x, largest = self.cache
        dx = np.zeros(x.shape, dout.dtype)
        free = np.ones(largest.shape, bool)  # windows whose winner has not been met yet
        for tap, dtap in zip(self.taps(x), self.taps(dx), strict=True):
            wins = free & (tap == largest)
            dtap += dout * wins
            free &= ~wins
        return dx
