"""Two-dimensional max pooling. loops.py has the same thing as the textbook defines it."""

from collections.abc import Iterator, Sequence

import numpy as np

from twofold.scratch.checks import finite, gradient, pair, refuse, shaped
from twofold.scratch.layers.conv import Size
from twofold.scratch.module import Array, Module, blocks

# Bytes of images handled at a time, so that they stay in the L2 cache from one position of the window to the next:
# within a training step up to twice as fast as all at once.
BLOCK_BYTES = 1 << 18


def shares(dout: Array, beats: Sequence[Array]) -> Iterator[Array]:
    """What each position inside the windows gets of dout, from the last to the first: what no later one has won."""
    left, plain = dout.copy(), finite(dout)
    for beat in beats[::-1]:
        # an infinity times 0 would be NaN, and less itself too; `where` takes five times as long
        won = left * beat if plain else np.where(beat, left, 0)
        yield won
        if plain:
            left -= won
        else:
            left[beat] = 0
    yield left


class MaxPool2d(Module):
    """The largest entry of each window: (N, C, H, W) -> (N, C, H', W'); of equal ones the first, row by row.

    N may be missing. As in torch a NaN is the largest of all, and of several the last.
    H' = (H - kernel) // stride + 1, likewise W'; `stride` defaults to the kernel. Raises ValueError if it does not fit.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None) -> None:
        self.kernel_size = pair(self, "kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else pair(self, "stride", stride)

    def output_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        height, width = (
            (length - kernel) // stride + 1
            for length, kernel, stride in zip(size, self.kernel_size, self.stride, strict=True)
        )
        if height < 1 or width < 1:
            found = f"a window of {self.kernel_size} that does not fit an input of {size}"
            refuse(self, "an input that the window fits", found)
        return height, width

    def taken(self, x: Array) -> tuple[Array, bool]:
        """Images (N, C, H, W), and whether it was one alone, (C, H, W)."""
        x = shaped(self, x, None, ("N", "C", "H", "W"), ("C", "H", "W"))
        if x.shape[-3] == 0:
            refuse(self, "an input of one channel or more", x)
        return (x, False) if x.ndim == 4 else (x[None], True)

    def sent(self, dout: Array, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """The gradient of what came out, of this shape, as (N, C, H', W')."""
        dout = gradient(self, dout, shape, dtype)
        return dout if dout.ndim == 4 else dout[None]

    def taps(self, x: Array) -> list[Array]:
        """For each position inside the window, the view of x that holds this position of every window."""
        (height, width), (kh, kw), (sh, sw) = self.output_size(x.shape[2:]), self.kernel_size, self.stride
        return [
            x[:, :, i : i + (height - 1) * sh + 1 : sh, j : j + (width - 1) * sw + 1 : sw]
            for i in range(kh)
            for j in range(kw)
        ]

    def forward(self, x: Array) -> Array:
        x, alone = self.taken(x)
        (height, width), (kh, kw) = self.output_size(x.shape[2:]), self.kernel_size
        out = np.empty((*x.shape[:2], height, width), x.dtype)
        # where a later position beats all before it: the last to do so is the winner, and of equals the first
        beats = np.empty((kh * kw - 1, *out.shape), bool)
        for x_part, out_part, *beats_part in blocks(x, out, *beats, size=BLOCK_BYTES):
            first, *others = self.taps(x_part)
            out_part[...] = first
            for tap, beat in zip(others, beats_part, strict=True):
                np.greater(tap, out_part, out=beat)
                np.maximum(out_part, tap, out=out_part)
            if np.isnan(out_part.max(initial=-np.inf)):
                for tap, beat in zip(others, beats_part, strict=True):
                    beat |= np.isnan(tap)
        shape = out.shape[alone:]
        self.cache = x.shape, beats, shape, x.dtype
        return out.reshape(shape)

    def backward(self, dout: Array) -> Array:
        shape, beats, out_shape, dtype = self.cache
        dout = self.sent(dout, out_shape, dtype)
        dx = np.zeros(shape, dtype)
        overlap = any(stride < kernel for stride, kernel in zip(self.stride, self.kernel_size, strict=True))
        for dx_part, dout_part, *beats_part in blocks(dx, dout, *beats, size=BLOCK_BYTES):
            for dtap, share in zip(self.taps(dx_part)[::-1], shares(dout_part, beats_part), strict=True):
                if overlap:
                    dtap += share
                else:
                    dtap[...] = share  # an entry of one window only need not be read: a quarter faster
        return dx if len(out_shape) == 4 else dx[0]
