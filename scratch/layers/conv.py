"""Two-dimensional convolution (cross-correlation, as torch's). loops.py has the same thing as the textbook defines it.

The fast form never builds the full im2col matrix. Only the kernel's columns j are unfolded (kw copies of the image
instead of kh * kw); its rows i are then kh matrix products on views of those copies, shifted by whole image rows.
"""

import numpy as np
from numpy.random import Generator

from twofold.scratch import init
from twofold.scratch.checks import gradient, pair, refuse, shaped, whole
from twofold.scratch.module import Array, Module, Parameter

# Bytes of unfolded images handled at a time, so that they stay in the L2 cache between the kh products that read them.
CHUNK_BYTES = 1 << 19
# Images at a time at most: gradients of more than a thousand, added one by one, would lose digits.
CHUNK_IMAGES = 1000

Size = int | tuple[int, int]


def pad(x: Array, before: tuple[int, int], after: tuple[int, int]) -> Array:
    """(N, C, H, W) with as many zeros above and to the left, below and to the right; x itself without any."""
    (top, left), (bottom, right), (h, w) = before, after, x.shape[2:]
    if not (top or left or bottom or right):
        return x
    padded = np.zeros((*x.shape[:2], top + h + bottom, left + w + right), x.dtype)
    padded[:, :, top : top + h, left : left + w] = x
    return padded


def lines(images: Array) -> Array:
    """(N, C, H, W) -> (N, C, H * W), of no image too."""
    return images.reshape(*images.shape[:2], images.shape[2] * images.shape[3])


def filter_rows(weight: Array) -> Array:
    """The filters a kernel row at a time: (out, in, kh, kw) -> (kh, out, in * kw)."""
    return weight.transpose(2, 0, 1, 3).reshape(weight.shape[2], len(weight), -1)


class Conv2d(Module):
    """Slides out_channels filters over the padded input: (N, in, H, W) -> (N, out, H', W'), or one image without N.

    H' = (H + 2 padding - kernel) // stride + 1, likewise W'. As in torch `padding` may be "valid", none, or "same", by
    which H' = H, of an odd number of zeros the larger half after. Raises ValueError if the kernel does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        *,
        bias: bool = True,
        rng: Generator | int | None = None,
    ) -> None:
        rng = init.generator(rng)
        self.in_channels = in_channels = whole(self, "in_channels", in_channels)
        self.out_channels = out_channels = whole(self, "out_channels", out_channels)
        self.kernel_size = pair(self, "kernel_size", kernel_size, lengths=(2,))
        self.stride = pair(self, "stride", stride)
        self.padding = padding if isinstance(padding, str) else pair(self, "padding", padding, least=0)
        self.before, self.after = self.zeros()
        shape = (out_channels, in_channels, *self.kernel_size)
        self.weight = Parameter(init.default(shape, init.fan_in(shape), rng))
        self.bias = Parameter(init.default((out_channels,), init.fan_in(shape), rng)) if bias else None

    def zeros(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many are put before each image's rows and columns, and after them."""
        if not isinstance(self.padding, str):
            return self.padding, self.padding
        if self.padding not in ("same", "valid") or (self.padding == "same" and self.stride != (1, 1)):
            refuse(self, 'padding "valid", or "same" without a stride', f"{self.padding!r} and stride {self.stride}")
        height, width = (kernel - 1 if self.padding == "same" else 0 for kernel in self.kernel_size)
        before = height // 2, width // 2
        return before, (height - before[0], width - before[1])

    def output_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        height, width = (
            (length + before + after - kernel) // stride + 1
            for length, before, after, kernel, stride in zip(
                size, self.before, self.after, self.kernel_size, self.stride, strict=True
            )
        )
        if height < 1 or width < 1:
            refuse(
                self,
                "an input that the kernel fits",
                f"a kernel of {self.kernel_size} that does not fit an input of {size} padded by {self.padding}",
            )
        return height, width

    def taken(self, x: Array) -> tuple[Array, bool]:
        """Images (N, in, H, W), and whether it was one alone, (in, H, W)."""
        sizes = (self.in_channels, "H", "W")
        x = shaped(self, x, self.weight.data.dtype, ("N", *sizes), sizes)
        return (x, False) if x.ndim == 4 else (x[None], True)

    def sent(self, dout: Array) -> Array:
        """The gradient of what came out, as (N, out, H', W')."""
        padded, shape = self.cache
        return gradient(self, dout, shape, padded.dtype).reshape(len(padded), *shape[-3:])

    def forward(self, x: Array) -> Array:
        x, alone = self.taken(x)
        height, width = self.output_size(x.shape[2:])
        shape = (len(x), self.out_channels, height, width)[alone:]
        padded = pad(x, self.before, self.after)
        self.cache = padded, shape
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
        return out.reshape(shape)

    def backward(self, dout: Array) -> Array:
        (padded, shape), images = self.cache, self.sent(dout)
        # the padding's zeros would meet an infinity that no filter met
        if self.correlates() and np.isfinite(padded).all():
            self.add_bias_gradient(images)
            dx = self.correlate_back(images)
        else:
            self.accumulate(dout)
            dx = self.scatter_back(images)
        return dx if len(shape) == 4 else dx[0]

    def accumulate(self, dout: Array) -> None:
        dout = self.sent(dout)
        self.add_bias_gradient(dout)
        padded, _ = self.cache
        height, width = dout.shape[2:]
        dbank = np.zeros_like(filter_rows(self.weight.data))
        dlines = lines(dout)
        for images in self.chunks(padded, width):
            columns = self.unfold(padded[images], width)
            for i in range(len(dbank)):
                met = self.met_by(columns, i, height)
                dbank[i] += np.matmul(dlines[images], met.transpose(0, 2, 1)).sum(axis=0)
        self.weight.grad += dbank.reshape(len(dbank), self.out_channels, self.in_channels, -1).transpose(1, 2, 0, 3)

    def add_bias_gradient(self, dout: Array) -> None:
        if self.bias is not None:
            dlines = lines(dout)
            self.bias.grad += np.ones(len(dlines), dout.dtype) @ dlines.sum(axis=2)  # in blocks, as in Linear

    def scatter_back(self, dout: Array) -> Array:
        """The input's gradient: each entry of dout gives its share to all that it met."""
        padded, _ = self.cache
        height, width = dout.shape[2:]
        bank = filter_rows(self.weight.data)
        dpadded = np.zeros_like(padded)
        dlines = lines(dout)
        for images in self.chunks(padded, width):
            dcolumns = np.zeros((len(dlines[images]), bank.shape[2], padded.shape[2], width), dout.dtype)
            for i in range(len(bank)):
                dmet = np.matmul(bank[i].T, dlines[images])
                self.rows(dcolumns, i, height)[...] += dmet.reshape(*dmet.shape[:2], height, width)
            self.fold(dcolumns, dpadded[images])
        (top, left), (bottom, right), (h, w) = self.before, self.after, padded.shape[2:]
        return dpadded[:, :, top : h - bottom, left : w - right]

    def correlate_back(self, dout: Array) -> Array:
        """The input's gradient: each entry of x takes its share from all of dout that it met, by turned filters.

        One unfolding, of dout, serves the weight's gradient too, which is added, and nothing is folded: up to twice
        as fast with few filters.
        """
        (kh, kw), (top, left), (bottom, right) = self.kernel_size, self.before, self.after
        padded, _ = self.cache
        height, width = padded.shape[2] - top - bottom, padded.shape[3] - left - right
        x = padded[:, :, top : top + height, left : left + width]
        around = pad(dout, (kh - 1 - top, kw - 1 - left), (kh - 1 - bottom, kw - 1 - right))
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
        fits = all(p < k for p, k in zip(self.after, self.kernel_size, strict=True))
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
