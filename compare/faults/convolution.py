"""Faults of convolution and pooling."""

from typing import Any

from twofold.compare.faults.fault import LAST_BLOCK_DROPPED, backward, biased, edit, forward, misbehaviour, otherwise


def tall(layer: Any) -> bool:
    return layer.kernel_size[0] > 1


def mixable(layer: Any) -> bool:
    return layer.in_channels > 1 and layer.kernel_size[1] > 1


def padded(layer: Any) -> bool:
    return any(layer.padding)


def strided(layer: Any) -> bool:
    return max(layer.stride) > 1


def wide_stride(layer: Any) -> bool:
    return layer.stride[1] > 1


def overlapping(layer: Any) -> bool:
    return any(stride < kernel for stride, kernel in zip(layer.stride, layer.kernel_size, strict=True))


CROP = "dpadded[:, :, top : h - bottom, left : w - right]"
# The filters and their gradient where the input's gradient is a correlation.
TURNED, TURNED_GRADIENT = "swapaxes(0, 1)[:, :, ::-1, ::-1]", "dweight[:, :, ::-1, ::-1]"
# A batch norm takes its mean away again: these biases have no gradient.
BEFORE_A_NORM = ("bn-convnet",)
# Lets the mistake be made where gradients are folded back, by every layer.
FOLDING = edit("Conv2d.correlates", "return ", "return False and ")
BANK_GRADIENT = "reshape(len(dbank), self.out_channels, self.in_channels, -1).transpose(1, 2, 0, 3)"
SHARES = "shares(dout_part, beats_part)"

FAULTS = (
    otherwise(
        "conv-flipped",
        "convolution as mathematics defines it, with the kernel flipped",
        edit("Conv2d.forward", "filter_rows(self.weight.data)", "filter_rows(self.weight.data[:, :, ::-1, ::-1])"),
        edit(
            "Conv2d.scatter_back",
            "filter_rows(self.weight.data)",
            "filter_rows(self.weight.data[:, :, ::-1, ::-1])",
        ),
        edit("Conv2d.accumulate", BANK_GRADIENT, f"{BANK_GRADIENT}[:, :, ::-1, ::-1]"),
        edit("Conv2d.correlate_back", TURNED, "swapaxes(0, 1)", TURNED_GRADIENT, "dweight"),
    ),
    backward(
        "conv-not-flipped",
        "the kernel's rows in the wrong order in the input gradient",
        edit("Conv2d.scatter_back", "np.matmul(bank[i].T", "np.matmul(bank[-1 - i].T"),
        edit("Conv2d.correlate_back", "np.matmul(bank[i], met)", "np.matmul(bank[-1 - i], met)"),
        where=tall,
    ),
    backward(
        "conv-weight-flipped",
        "the kernel's rows in the wrong order in the weight gradient",
        edit("Conv2d.accumulate", "dbank[i] +=", "dbank[-1 - i] +="),
        edit("Conv2d.correlate_back", "dbank[i] +=", "dbank[-1 - i] +="),
        where=tall,
    ),
    backward(
        "conv-channels-mixed",
        "input channels and kernel columns mixed up in the weight gradient",
        edit(
            "Conv2d.accumulate",
            BANK_GRADIENT,
            "reshape(len(dbank), self.out_channels, -1, self.in_channels).transpose(1, 3, 0, 2)",
        ),
        edit(
            "Conv2d.correlate_back",
            TURNED_GRADIENT,
            "dweight[:, :, ::-1, ::-1].transpose(2, 0, 1, 3).reshape(kh, self.out_channels, kw, self.in_channels)"
            ".transpose(1, 3, 0, 2)",
        ),
        where=mixable,
    ),
    backward(
        "conv-bias-forgotten",
        "the bias gradient forgotten",
        edit(
            "Conv2d.add_bias_gradient",
            "self.bias.grad += np.ones(len(dlines), dout.dtype) @ dlines.sum(axis=2)",
            "pass",
        ),
        where=biased,
        harmless=BEFORE_A_NORM,
    ),
    backward(
        "conv-bias-averaged",
        "the bias gradient averaged over the pixels",
        edit("Conv2d.add_bias_gradient", "dlines.sum(axis=2)", "dlines.mean(axis=2)"),
        where=biased,
        harmless=BEFORE_A_NORM,
    ),
    backward(
        "conv-first-image",
        "the weight gradient of the first image alone",
        edit("Conv2d.accumulate", ".sum(axis=0)", "[0]"),
        edit("Conv2d.correlate_back", ".sum(axis=0)", "[0]"),
    ),
    backward(
        "conv-row-overwritten",
        "the input gradients of overlapping windows overwritten instead of added",
        edit("Conv2d.scatter_back", "[...] += dmet", "[...] = dmet"),
        FOLDING,
        where=tall,
    ),
    backward(
        "conv-cropped-wrongly",
        "padding cropped on the wrong side of the input gradient",
        edit("Conv2d.scatter_back", CROP, "dpadded[:, :, : h - top - bottom, : w - left - right]"),
        FOLDING,
        where=padded,
    ),
    otherwise(
        "conv-padded-on-one-side",
        "all padding before the image, none behind it",
        edit(
            "Conv2d.forward",
            "pad(x, self.before, self.after)",
            "np.pad(x, ((0, 0), (0, 0), *((2 * before, 0) for before in self.before)))",
        ),
        edit("Conv2d.scatter_back", CROP, "dpadded[:, :, top + bottom :, left + right :]"),
        FOLDING,
        where=padded,
    ),
    backward(
        "conv-phase-lost",
        "the stride forgotten where input gradients are put back",
        edit("Conv2d.fold", "dpadded[..., j : j + (width - 1) * sw + 1 : sw]", "dpadded[..., j : j + width]"),
        where=wide_stride,
    ),
    otherwise(
        "conv-stride-of-columns",
        "rows taken one by one where they are strided",
        edit("Conv2d.rows", "i : i + (height - 1) * sh + 1 : sh", "i : i + height"),
        where=strided,
    ),
    misbehaviour(
        "conv-chunk-overwritten",
        "only the last chunk's weight gradient kept",
        edit("Conv2d.accumulate", "dbank[i] +=", "dbank[i] ="),
        edit("Conv2d.correlate_back", "dbank[i] +=", "dbank[i] ="),
        checks=("chunks",),
    ),
    misbehaviour(
        "conv-chunk-dropped",
        "the last chunk dropped",
        edit(
            "Conv2d.chunks", "range(0, len(padded), step)]", "range(0, len(padded), step)][: -1 if step == 1 else None]"
        ),
        edit("Conv2d.forward", "out = np.empty(", "out = np.zeros("),
        edit("Conv2d.correlate_back", "dx = np.empty(", "dx = np.zeros("),
        checks=("chunks",),
    ),
    backward(
        "F19",
        "max pooling that sends the gradient to every tied maximum",
        edit(
            "MaxPool2d.forward",
            "self.cache = x.shape, beats",
            "self.cache = x.shape, np.stack([tap == out for tap in self.taps(x)])",
        ),
        edit(
            "MaxPool2d.backward",
            SHARES,
            "[dout_part * beat for beat in beats_part[::-1]]",
        ),
        home="mnist-cnn",
        checks=("exact",),
    ),
    backward(
        "pool-last-tie",
        "max pooling that sends the gradient to the last of equal maxima",
        edit("MaxPool2d.forward", "np.greater(", "np.greater_equal("),
        checks=("exact",),
    ),
    backward(
        "pool-off-by-one",
        "the winner's index off by one",
        edit("MaxPool2d.backward", "self.taps(dx_part)", "(self.taps(dx_part)[1:] + self.taps(dx_part)[:1])"),
    ),
    backward(
        "pool-averaged",
        "max pooling's gradient spread over the window as average pooling's",
        edit("MaxPool2d.backward", SHARES, "[dout_part / (len(beats) + 1)] * (len(beats) + 1)"),
    ),
    backward(
        "pool-overwritten",
        "the gradients of an entry that wins twice overwritten instead of added",
        edit("MaxPool2d.backward", "dtap += share", "dtap += share * (dtap == 0)"),
        where=overlapping,
    ),
    backward(
        "conv-paddings-mixed",
        "the columns' padding taken for the rows'",
        edit("Conv2d.correlate_back", "kw - 1 - left", "kw - 1 - top", "kw - 1 - right", "kw - 1 - bottom"),
        home="conv-padded-oblong",
        only_at_home=True,
    ),
    misbehaviour(
        "conv-last-images-forgotten",
        "the images of a last, smaller chunk forgotten",
        edit("Conv2d.chunks", "range(0, len(padded), step)", "range(0, max(step, len(padded) // step * step), step)"),
        edit("Conv2d.forward", "out = np.empty(", "out = np.zeros("),
        edit("Conv2d.correlate_back", "dx = np.empty(", "dx = np.zeros("),
        home="conv",
        only_at_home=True,
        checks=("chunks",),
    ),
    backward(
        "pool-overlap-of-rows-alone",
        "windows that overlap in columns alone taken for apart",
        edit("MaxPool2d.backward", "any(stride", "next(iter(stride", "strict=True))", "strict=True)))"),
        home="pool-overlapping-columns",
        only_at_home=True,
    ),
    misbehaviour(
        "pool-last-images-forgotten",
        "the images of a last, smaller block forgotten",
        edit("twofold.scratch.layers.pooling:blocks", *LAST_BLOCK_DROPPED),
        edit("MaxPool2d.forward", "out = np.empty(", "out = np.zeros(", "beats = np.empty(", "beats = np.zeros("),
        home="pool",
        only_at_home=True,
        checks=("chunks",),
    ),
    forward(
        "pool-loses-nan",
        "a pool whose NaN loses against numbers",
        edit("MaxPool2d.forward", "np.maximum(out_part, tap", "np.fmax(out_part, tap"),
        home="pool",
        checks=("extremes",),
    ),
    backward(
        "pool-of-nan-to-the-first",
        "a pool that sends the gradient of several NaN to the first",
        edit("MaxPool2d.forward", "beat |= np.isnan(tap)", "pass"),
        home="pool",
        checks=("extremes",),
    ),
    backward(
        "infinity-met-by-padding",
        "the weight's gradient of an infinite input times the zeros around the image",
        edit("Conv2d.backward", " and np.isfinite(padded).all()", ""),
        home="conv",
        checks=("extremes",),
        where=lambda layer: layer.correlates() and layer.kernel_size != (1, 1),
    ),
)
