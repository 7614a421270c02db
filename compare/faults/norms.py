"""Faults of the normalisations."""

from typing import Any

from twofold.compare.faults.fault import backward, biased, edit, forward, misbehaviour, otherwise, statistics


def affine(layer: Any) -> bool:
    return layer.weight is not None


BATCH_DOT = "dots[:, None] / count"
CENTRE, STATISTICS = "twofold.scratch.layers.norm:centre", "twofold.scratch.layers.norm:subtract_statistics"
WEIGHTED = "gain, sums, dots = (array * self.weight.data for array in ({}, sums, dots))"
# Channels back in their order, of groups of every so manieth.
IN_TURN = (
    "centred.reshape(len({0}), self.num_groups, -1, {0}[0, 0].size).swapaxes(1, 2)"
    ".reshape(len({0}), self.num_channels, -1)"
)

FAULTS = (
    statistics(
        "F18",
        "running variance from the biased estimate",
        edit("BatchNorm1d.forward", "var * (count / (count - 1))", "var"),
        home="three-layer-convnet-batch-norm",
    ),
    misbehaviour(
        "F18-start",
        "running variance that starts at 0",
        edit("BatchNorm1d.__init__", "self.running_var = Buffer(np.ones(", "self.running_var = Buffer(np.zeros("),
        home="three-layer-convnet-batch-norm",
        checks=("names",),
        blame="conventions",
    ),
    forward(
        "F30",
        "group norm's output with an extra leading axis of size 1",
        edit("GroupNorm.forward", "lines.reshape(x.shape)", "lines.reshape(1, *x.shape)"),
        home="three-layer-convnet-group-norm",
    ),
    statistics(
        "momentum-exchanged",
        "running statistics with momentum and 1 - momentum exchanged",
        edit(
            "BatchNorm1d.track",
            "(1 - momentum) * running.data + momentum * batch",
            "momentum * running.data + (1 - momentum) * batch",
        ),
    ),
    statistics(
        "batches-not-counted",
        "the number of batches not counted",
        edit("BatchNorm1d.track", "num_batches_tracked.data + 1", "num_batches_tracked.data"),
    ),
    backward(
        "batch-norm-constant",
        "mean and variance taken for constants",
        edit("BatchNorm1d.backward", "if training:", "if False:"),
    ),
    backward(
        "batch-norm-gamma-forgotten",
        "gamma missing in the input gradient",
        edit("BatchNorm1d.backward", WEIGHTED.format("scale"), "pass"),
        where=affine,
    ),
    backward(
        "batch-norm-gamma-of-output",
        "gamma's gradient without the normalised input",
        edit("BatchNorm1d.backward", "self.weight.grad += dots * scale", "self.weight.grad += sums"),
        where=affine,
    ),
    otherwise(
        "batch-norm-unbiased",
        "normalised by the unbiased variance",
        edit(
            "BatchNorm1d.forward",
            "line_dot(centred, centred)) / count",
            "line_dot(centred, centred)) / (count - 1)",
            "var * (count / (count - 1))",
            "var",
        ),
        edit("BatchNorm1d.backward", BATCH_DOT, "dots[:, None] / (count - 1)"),
    ),
    otherwise(
        "batch-norm-eps-outside",
        "eps outside the root",
        edit("BatchNorm1d.forward", "np.sqrt(var + self.eps)", "(np.sqrt(var) + self.eps)"),
        edit("BatchNorm1d.backward", BATCH_DOT, f"{BATCH_DOT} / (1 - self.eps * scale[:, None])"),
    ),
    forward(
        "batch-norm-eval-by-batch",
        "a batch norm that normalises by the batch in evaluation mode too",
        edit("BatchNorm1d.forward", "if self.training:", "if True:"),
        checks=("modes",),
    ),
    backward(
        "batch-norm-eval-gradient",
        "the gradient of training in evaluation mode",
        edit("BatchNorm1d.backward", "if training:", "if True:"),
        checks=("modes",),
    ),
    misbehaviour(
        "batch-norm-eval-tracks",
        "running statistics updated in evaluation mode",
        edit(
            "BatchNorm1d.forward",
            "var = self.running_var.data",
            "var = self.running_var.data\n        self.track(record_sum(line_sum(lines)) / 2, var)",
        ),
        checks=("modes",),
    ),
    backward(
        "norm-mean-term",
        "the mean's term of a norm's gradient dropped",
        edit(STATISTICS, "dx -= scale * mean", "pass"),
    ),
    backward(
        "norm-variance-term",
        "the variance's term of a norm's gradient dropped",
        edit(STATISTICS, "dx -= centred * (scale**3 * dot)", "pass"),
    ),
    backward(
        "norm-scale-forgotten",
        "the scale missing in a norm's gradient",
        edit(STATISTICS, "(scale**3 * dot)", "(scale**3 * dot)\n    dx /= scale"),
    ),
    otherwise(
        "norm-unbiased",
        "rows normalised by the unbiased variance",
        edit(
            CENTRE,
            "row_mean(centred, centred)",
            "row_mean(centred, centred) * rows.shape[-1] / (rows.shape[-1] - 1)",
        ),
        edit(STATISTICS, "scale**3 * dot", "scale**3 * dot * dx.shape[-1] / (dx.shape[-1] - 1)"),
    ),
    forward(
        "norm-not-centred",
        "the variance of a row taken without its mean",
        edit(CENTRE, "row_mean(centred, centred)", "row_mean(rows, rows)"),
    ),
    backward(
        "layer-norm-gamma-forgotten",
        "gamma missing in the input gradient",
        edit("LayerNorm.backward", "dnormal = dnormal * self.weight.data.reshape(-1)", "pass"),
        where=affine,
    ),
    backward(
        "layer-norm-beta-averaged",
        "beta's gradient averaged over the records",
        edit("LayerNorm.backward", "record_sum(dnormal)", "(record_sum(dnormal) / len(dnormal))"),
        where=biased,
    ),
    backward(
        "group-norm-gamma-forgotten",
        "gamma missing in the input gradient",
        edit("GroupNorm.backward", WEIGHTED.format("gain"), "pass"),
        where=affine,
    ),
    otherwise(
        "group-norm-interleaved",
        "groups of every so manieth channel instead of neighbours",
        edit(
            "GroupNorm.forward",
            "x.reshape(len(x), self.num_groups, size)",
            "x.reshape(len(x), -1, self.num_groups, x[0, 0].size).swapaxes(1, 2).reshape(len(x), self.num_groups, -1)",
            "centred.reshape(len(x), self.num_channels, length)",
            IN_TURN.format("x"),
        ),
        edit(
            "GroupNorm.backward",
            "centred, scale, shape = self.cache",
            f"centred, scale, shape = self.cache\n    centred, count = {IN_TURN.format('dout')}, centred.shape[2]",
            "centred, scale, self.group_sum(sums) / dx.shape[2], self.group_sum(dots) / dx.shape[2]",
            "centred, *(self.by_channel(a)[:, :, None] for a in"
            " (scale, self.group_sum(sums) / count, self.group_sum(dots) / count))",
        ),
        edit("GroupNorm.by_channel", "np.repeat(", "np.tile(", ", axis=1", ""),
        edit(
            "GroupNorm.group_sum",
            "self.num_groups, channels).sum(axis=2, keepdims=True)",
            "channels, self.num_groups).sum(axis=1)[:, :, None]",
        ),
        where=affine,
    ),
    otherwise(
        "group-norm-eps-ignored",
        "eps not what it was told to be",
        edit("GroupNorm.forward", "self.eps", "1e-5"),
        home="group-norm",
        only_at_home=True,
    ),
    forward(
        "batch-norm-by-squares",
        "the variance as E[x^2] - E[x]^2, which has no digits where the mean is far above the spread",
        edit(
            "BatchNorm1d.forward",
            "record_sum(line_dot(centred, centred)) / count",
            "record_sum(line_dot(lines, lines)) / count - mean**2",
        ),
        home="batch-norm-2d",
        checks=("extremes",),
    ),
    forward(
        "norm-by-squares",
        "a row's variance as E[x^2] - E[x]^2, which has no digits where the mean is far above the spread",
        edit(CENTRE, "row_mean(centred, centred)", "(row_mean(rows, rows) - row_mean(rows) ** 2)"),
        home="layer-norm",
        checks=("extremes",),
    ),
    misbehaviour(
        "buffers-keep-their-dtype",
        "buffers left in float32",
        edit("twofold.scratch.module:Module.to", "buffer.data = buffer.data.astype(dtype)", "pass"),
        home="batch-norm-2d",
        only_at_home=True,
        checks=("names",),
    ),
)
