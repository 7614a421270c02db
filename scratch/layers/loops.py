"""Convolution and pooling written the way the textbook defines them, one output entry at a time.

Some thousand times slower than the fast forms in conv.py and pooling.py, and the place to learn what those compute.
"""

import numpy as np

from twofold.scratch.layers.conv import Conv2d
from twofold.scratch.layers.pooling import MaxPool2d
from twofold.scratch.module import Array


class LoopConv2d(Conv2d):
    """Conv2d by loops: every output entry is the sum of a window of the padded input times a filter."""

    def forward(self, x: Array) -> Array:
        x, alone = self.taken(x)
        (sh, sw), (kh, kw) = self.stride, self.kernel_size
        padded = np.pad(x, ((0, 0), (0, 0), *zip(self.before, self.after, strict=True)))
        out = np.zeros((len(x), self.out_channels, *self.output_size(x.shape[2:])), x.dtype)
        self.cache = padded, out.shape[alone:]
        for n, o, h, w in np.ndindex(out.shape):
            window = padded[n, :, h * sh : h * sh + kh, w * sw : w * sw + kw]
            out[n, o, h, w] = (window * self.weight.data[o]).sum()
            if self.bias is not None:
                out[n, o, h, w] += self.bias.data[o]
        return out[0] if alone else out

    def backward(self, dout: Array) -> Array:
        (padded, shape), dout = self.cache, self.sent(dout)
        (sh, sw), (kh, kw) = self.stride, self.kernel_size
        dpadded, dweight = np.zeros_like(padded), np.zeros_like(self.weight.data)
        for n, o, h, w in np.ndindex(dout.shape):
            window = np.s_[n, :, h * sh : h * sh + kh, w * sw : w * sw + kw]
            dweight[o] += dout[n, o, h, w] * padded[window]
            dpadded[window] += dout[n, o, h, w] * self.weight.data[o]
        self.weight.grad += dweight
        if self.bias is not None:
            self.bias.grad += dout.sum(axis=(0, 2, 3))
        (top, left), (bottom, right), (h, w) = self.before, self.after, padded.shape[2:]
        dx = dpadded[:, :, top : h - bottom, left : w - right]
        return dx if len(shape) == 4 else dx[0]


class LoopMaxPool2d(MaxPool2d):
    """MaxPool2d by loops: the first largest entry of each window, or the last NaN, and the gradient goes back to it."""

    def forward(self, x: Array) -> Array:
        x, alone = self.taken(x)
        out = np.empty((*x.shape[:2], *self.output_size(x.shape[2:])), x.dtype)
        for n, c, h, w in np.ndindex(out.shape):
            out[n, c, h, w] = x[self.window(n, c, h, w)].max()
        self.cache = x, out.shape[alone:]
        return out[0] if alone else out

    def backward(self, dout: Array) -> Array:
        x, shape = self.cache
        dout = self.sent(dout, shape, x.dtype)
        dx = np.zeros_like(x)
        for n, c, h, w in np.ndindex(dout.shape):
            window = x[self.window(n, c, h, w)]
            last = np.flatnonzero(np.isnan(window))[-1:]
            winner = np.unravel_index(last[0] if last.size else window.argmax(), window.shape)
            dx[self.window(n, c, h, w)][winner] += dout[n, c, h, w]
        return dx if len(shape) == 4 else dx[0]

    def window(self, n: int, c: int, h: int, w: int) -> tuple[int, int, slice, slice]:
        (sh, sw), (kh, kw) = self.stride, self.kernel_size
        return n, c, slice(h * sh, h * sh + kh), slice(w * sw, w * sw + kw)
