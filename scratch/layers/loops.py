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
        (sh, sw), (ph, pw), (kh, kw) = self.stride, self.padding, self.kernel_size
        padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        self.cache = padded
        out = np.zeros((len(x), self.out_channels, *self.output_size(x.shape[2:])), x.dtype)
        for n, o, h, w in np.ndindex(out.shape):
            window = padded[n, :, h * sh : h * sh + kh, w * sw : w * sw + kw]
            out[n, o, h, w] = (window * self.weight.data[o]).sum()
            if self.bias is not None:
                out[n, o, h, w] += self.bias.data[o]
        return out

    def backward(self, dout: Array) -> Array:
        padded = self.cache
        (sh, sw), (ph, pw), (kh, kw) = self.stride, self.padding, self.kernel_size
        dpadded, dweight = np.zeros_like(padded), np.zeros_like(self.weight.data)
        for n, o, h, w in np.ndindex(dout.shape):
            window = np.s_[n, :, h * sh : h * sh + kh, w * sw : w * sw + kw]
            dweight[o] += dout[n, o, h, w] * padded[window]
            dpadded[window] += dout[n, o, h, w] * self.weight.data[o]
        self.weight.grad += dweight
        if self.bias is not None:
            self.bias.grad += dout.sum(axis=(0, 2, 3))
        return dpadded[:, :, ph : padded.shape[2] - ph, pw : padded.shape[3] - pw]


class LoopMaxPool2d(MaxPool2d):
    """MaxPool2d by loops: the first largest entry of each window, or the last NaN, and the gradient goes back to it."""

    def forward(self, x: Array) -> Array:
        self.cache = x
        out = np.empty((*x.shape[:2], *self.output_size(x.shape[2:])), x.dtype)
        for n, c, h, w in np.ndindex(out.shape):
            out[n, c, h, w] = x[self.window(n, c, h, w)].max()
        return out

    def backward(self, dout: Array) -> Array:
        x = self.cache
        dx = np.zeros_like(x)
        for n, c, h, w in np.ndindex(dout.shape):
            window = x[self.window(n, c, h, w)]
            last = np.flatnonzero(np.isnan(window))[-1:]
            winner = np.unravel_index(last[0] if last.size else window.argmax(), window.shape)
            dx[self.window(n, c, h, w)][winner] += dout[n, c, h, w]
        return dx

    def window(self, n: int, c: int, h: int, w: int) -> tuple[int, int, slice, slice]:
        (sh, sw), (kh, kw) = self.stride, self.kernel_size
        return n, c, slice(h * sh, h * sh + kh), slice(w * sw, w * sw + kw)
