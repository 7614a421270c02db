"""Two-dimensional convolution (cross-correlation, as torch's). loops.py has the same thing as the textbook defines it.

The fast form never builds the full im2col matrix. Only the kernel's columns j are unfolded (kw copies of the image
instead of kh * kw); its rows i are then kh matrix products on views of those copies, shifted by whole image rows.
"""

import numpy as np
from numpy.random import Generator

from twofold.scratch import init
from twofold.scratch.module import Array, Module, Parameter

# Bytes of unfolded images handled at a time, so that they stay in the L2 cache between the kh products that read them.
CHUNK_BYTES = 1 << 19
# Images at a time at most: gradients of more than a thousand, added one by one, would lose digits.
CHUNK_IMAGES = 1000

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def pad(x: Array, ph: int, pw: int) -> Array:
    """(N, C, H, W) -> (N, C, H + 2 ph, W + 2 pw) with zeros around; x itself without any."""
    if ph == pw == 0:
        return x
    padded = np.zeros((*x.shape[:2], x.shape[2] + 2 * ph, x.shape[3] + 2 * pw), x.dtype)
    padded[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]] = x
    return padded


def filter_rows(weight: Array) -> Array:
    """The filters a kernel row at a time: (out, in, kh, kw) -> (kh, out, in * kw)."""
    return weight.transpose(2, 0, 1, 3).reshape(weight.shape[2], len(weight), -1)


class Conv2d(Module):
    """Slides out_channels filters over the padded input: (N, in, H, W) -> (N, out, H', W').

    H' = (H + 2 padding - kernel) // stride + 1, likewise W'. Raises ValueError if the kernel does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        *,
        bias: bool = True,
        rng: Generator | int | None = None,
    ) -> None:
        rng = init.generator(rng)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = pair(kernel_size), pair(stride), pair(padding)
        shape = (out_channels, in_channels, *self.kernel_size)
        self.weight = Parameter(init.default(shape, init.fan_in(shape), rng))
        self.bias = Parameter(init.default((out_channels,), init.fan_in(shape), rng)) if bias else None

    def output_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        height, width = (
            (length + 2 * pad - kernel) // stride + 1
            for length, pad, kernel, stride in zip(size, self.padding, self.kernel_size, self.stride, strict=True)
        )
        if height < 1 or width < 1:
            raise ValueError(f"a kernel of {self.kernel_size} does not fit an input of {size} padded by {self.padding}")
        return height, width

    def forward(self, x: Array) -> Array:
        height, width = self.output_size(x.shape[2:])
        padded = pad(x, *self.padding)
        self.cache = padded
        bank = filter_rows(self.weight.data)
        out = np.empty((len(x), self.out_channels, height * width), x.dtype)
        for images in self.chunks(padded, width):
            columns = self.unfold(padded[images], width)
            total = out[images]
            np.matmul(bank[0], self.met_by(columns, 0, height), out=total)
            for i in range(1, len(bank)):
                total += bank[i] @ self.met_by(columns, i, height)
        if self.bias is not None:
            out += self.bias.data[:, None]
        return out.reshape(len(x), self.out_channels, height, width)

    def backward(self, dout: Array) -> Array:
        padded = self.cache
        # the padding's zeros would meet an infinity that no filter met
        if self.correlates() and np.isfinite(padded).all():
            self.add_bias_gradient(dout)
            return self.correlate_back(dout)
        self.accumulate(dout)
        return self.scatter_back(dout)

    def accumulate(self, dout: Array) -> None:
        self.add_bias_gradient(dout)
        padded = self.cache
        height, width = dout.shape[2:]
        dbank = np.zeros_like(filter_rows(self.weight.data))
        dlines = dout.reshape(len(dout), self.out_channels, -1)
        for images in self.chunks(padded, width):
            columns = self.unfold(padded[images], width)
            for i in range(len(dbank)):
                met = self.met_by(columns, i, height)
                dbank[i] += np.matmul(dlines[images], met.transpose(0, 2, 1)).sum(axis=0)
        self.weight.grad += dbank.reshape(len(dbank), self.out_channels, self.in_channels, -1).transpose(1, 2, 0, 3)

    def add_bias_gradient(self, dout: Array) -> None:
        if self.bias is not None:
            dlines = dout.reshape(len(dout), self.out_channels, -1)
            self.bias.grad += np.ones(len(dlines), dout.dtype) @ dlines.sum(axis=2)  # in blocks, as in Linear

    def scatter_back(self, dout: Array) -> Array:
        """The input's gradient: each entry of dout gives its share to all that it met."""
        padded = self.cache
        height, width = dout.shape[2:]
        bank = filter_rows(self.weight.data)
        dpadded = np.zeros_like(padded)
        dlines = dout.reshape(len(dout), self.out_channels, -1)
        for images in self.chunks(padded, width):
            dcolumns = np.zeros((len(dlines[images]), bank.shape[2], padded.shape[2], width), dout.dtype)
            for i in range(len(bank)):
                dmet = np.matmul(bank[i].T, dlines[images])
                self.rows(dcolumns, i, height)[...] += dmet.reshape(*dmet.shape[:2], height, width)
            self.fold(dcolumns, dpadded[images])
        (ph, pw), (h, w) = self.padding, padded.shape[2:]
        return dpadded[:, :, ph : h - ph, pw : w - pw]

    def correlate_back(self, dout: Array) -> Array:
        """The input's gradient: each entry of x takes its share from all of dout that it met, by turned filters.

        One unfolding, of dout, serves the weight's gradient too, which is added, and nothing is folded: up to twice
        as fast with few filters.
        """
        (kh, kw), (ph, pw), padded = self.kernel_size, self.padding, self.cache
        height, width = padded.shape[2] - 2 * ph, padded.shape[3] - 2 * pw
        x = padded[:, :, ph : ph + height, pw : pw + width]
        around = pad(dout, kh - 1 - ph, kw - 1 - pw)
        bank = filter_rows(self.weight.data.swapaxes(0, 1)[:, :, ::-1, ::-1])  # (kh, in, out * kw)
        dbank = np.zeros_like(bank.swapaxes(1, 2))
        dx = np.empty((len(x), self.in_channels, height * width), dout.dtype)
        for images in self.chunks(around, width):
            columns = self.unfold(around[images], width)
            lines, total = x[images].reshape(dx[images].shape), dx[images]
            total[...] = 0
            for i in range(kh):
                met = self.met_by(columns, i, height)
                dbank[i] += np.matmul(met, lines.transpose(0, 2, 1)).sum(axis=0)
                total += np.matmul(bank[i], met)
        dweight = dbank.reshape(kh, self.out_channels, kw, self.in_channels).transpose(1, 3, 0, 2)
        self.weight.grad += dweight[:, :, ::-1, ::-1]
        return dx.reshape(x.shape)

    def correlates(self) -> bool:
        """Whether correlate_back can do it, and is the faster: without a stride, and with few filters to unfold."""
        fits = all(p < k for p, k in zip(self.padding, self.kernel_size, strict=True))
        return self.stride == (1, 1) and fits and self.out_channels <= 2 * self.in_channels

    def unfold(self, padded: Array, width: int) -> Array:
        """What each kernel column meets along every image row: (n, in, H, W) -> (n, in * kw, H, W')."""
        kw, sw = self.kernel_size[1], self.stride[1]
        columns = np.stack([padded[..., j : j + (width - 1) * sw + 1 : sw] for j in range(kw)], axis=2)
        return columns.reshape(len(padded), -1, *columns.shape[3:])

    def fold(self, dcolumns: Array, dpadded: Array) -> None:
        """The transpose of unfold: adds each column's gradients to the entries it met."""
        kw, sw, width = self.kernel_size[1], self.stride[1], dcolumns.shape[-1]
        taps = dcolumns.reshape(len(dcolumns), self.in_channels, kw, *dcolumns.shape[2:])
        for j in range(kw):
            dpadded[..., j : j + (width - 1) * sw + 1 : sw] += taps[:, :, j]

    def rows(self, columns: Array, i: int, height: int) -> Array:
        """The view of the image rows that kernel row i meets: (n, in * kw, H, W') -> (n, in * kw, H', W')."""
        sh = self.stride[0]
        return columns[:, :, i : i + (height - 1) * sh + 1 : sh]

    def met_by(self, columns: Array, i: int, height: int) -> Array:
        """The same rows as lines, without a copy for stride 1: -> (n, in * kw, H' * W')."""
        return self.rows(columns, i, height).reshape(*columns.shape[:2], -1)

    def chunks(self, padded: Array, width: int) -> list[slice]:
        """Slices of the batch whose unfolded images fit CHUNK_BYTES, at least one image each."""
        image = padded.shape[1] * self.kernel_size[1] * padded.shape[2] * width * padded.itemsize
        step = min(max(1, CHUNK_BYTES // image), CHUNK_IMAGES)
        return [slice(start, start + step) for start in range(0, len(padded), step)]
