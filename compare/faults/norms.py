"""Faults of the normalisations."""

from typing import Any

from compare.faults.fault import backward, biased, edit, forward, misbehaviour, otherwise, statistics


def affine(layer: Any) -> bool:
    return layer.weight is not None


# A term of the input gradient, of batch norms and of row norms.
BATCH_MEAN, BATCH_VARIANCE = (
    "dx -= (gain * dbeta / count)[:, None]",
    "dx -= centred * (gain * scale * dgamma / count)[:, None]",
)
ROW_MEAN, ROW_VARIANCE = "dnormal - row_mean(dnormal)", "drows -= normal * row_mean(dnormal, normal)"
NORMALISE, BACK = "scratch.layers.norm:normalise", "scratch.layers.norm:normalise_backward"

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
            "(1 - self.momentum) * running.data + self.momentum * batch",
            "self.momentum * running.data + (1 - self.momentum) * batch",
        ),
    ),
    statistics(
        "batches-not-counted",
        "the number of batches not counted",
        edit("BatchNorm1d.track", "num_batches_tracked.data + 1", "num_batches_tracked.data"),
    ),
    backward(
        "batch-norm-mean-term",
        "the mean's term of a batch norm's gradient dropped",
        edit("BatchNorm1d.backward", BATCH_MEAN, "pass"),
    ),
    backward(
        "batch-norm-variance-term",
        "the variance's term of a batch norm's gradient dropped",
        edit("BatchNorm1d.backward", BATCH_VARIANCE, "pass"),
    ),
    backward(
        "batch-norm-constant",
        "mean and variance taken for constants",
        edit("BatchNorm1d.backward", "if training:", "if False:"),
    ),
    backward(
        "batch-norm-gamma-forgotten",
        "gamma missing in the input gradient",
        edit("BatchNorm1d.backward", "gain = scale * self.weight.data", "pass"),
        where=affine,
    ),
    backward(
        "batch-norm-gamma-of-output",
        "gamma's gradient without the normalised input",
        edit("BatchNorm1d.backward", "self.weight.grad += dgamma", "self.weight.grad += dbeta"),
        where=affine,
    ),
    otherwise(
        "batch-norm-unbiased",
        "normalised by the unbiased variance",
        edit(
            "BatchNorm1d.forward",
            "var = channel_dot(centred, centred) / count",
            "var = channel_dot(centred, centred) / (count - 1)",
            "var * (count / (count - 1))",
            "var",
        ),
        edit("BatchNorm1d.backward", "scale * dgamma / count", "scale * dgamma / (count - 1)"),
    ),
    otherwise(
        "batch-norm-eps-outside",
        "eps outside the root",
        edit("BatchNorm1d.forward", "np.sqrt(var + self.eps)", "(np.sqrt(var) + self.eps)"),
        edit(
            "BatchNorm1d.backward",
            "scale * dgamma / count",
            "scale * dgamma / count / (1 - self.eps * self.cache[1])",
        ),
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
            "var = self.running_var.data\n        self.track(channel_sum(lines) / 2, var)",
        ),
        checks=("modes",),
    ),
    backward(
        "norm-mean-term",
        "the mean's term of a row norm's gradient dropped",
        edit(BACK, ROW_MEAN, "dnormal.copy()"),
    ),
    backward(
        "norm-variance-term",
        "the variance's term of a row norm's gradient dropped",
        edit(BACK, ROW_VARIANCE, "pass"),
    ),
    backward(
        "norm-scale-forgotten",
        "the scale missing in a row norm's gradient",
        edit(BACK, "drows *= scale", "pass"),
    ),
    otherwise(
        "norm-unbiased",
        "rows normalised by the unbiased variance",
        edit(
            NORMALISE,
            "row_mean(centred, centred)",
            "row_mean(centred, centred) * rows.shape[-1] / (rows.shape[-1] - 1)",
        ),
        edit(
            BACK,
            "row_mean(dnormal, normal)",
            "row_mean(dnormal, normal) * normal.shape[-1] / (normal.shape[-1] - 1)",
        ),
    ),
    forward(
        "norm-not-centred",
        "the variance of a row taken without its mean",
        edit(NORMALISE, "row_mean(centred, centred)", "row_mean(rows, rows)"),
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
        edit("LayerNorm.backward", "(ones @ dnormal).reshape", "(ones @ dnormal / len(ones)).reshape"),
        where=biased,
    ),
    backward(
        "group-norm-gamma-forgotten",
        "gamma missing in the input gradient",
        edit("GroupNorm.backward", "dlines = dlines * self.weight.data[:, None]", "pass"),
        where=affine,
    ),
    otherwise(
        "group-norm-interleaved",
        "groups of every so manieth channel instead of neighbours",
        edit(
            "GroupNorm.forward",
            "normalise(x.reshape(len(x), self.num_groups, -1), self.eps)",
            "normalise(x.reshape(len(x), -1, self.num_groups, x[0, 0].size).swapaxes(1, 2)"
            ".reshape(len(x), self.num_groups, -1), self.eps)",
            "lines = normal.reshape(len(x), self.num_channels, -1)",
            "lines = normal.reshape(len(x), self.num_groups, -1, x[0, 0].size).swapaxes(1, 2)"
            ".reshape(len(x), self.num_channels, -1)",
        ),
        edit(
            "GroupNorm.backward",
            "self.weight.grad += channel_dot(dlines, normal.reshape(dlines.shape))",
            "self.weight.grad += channel_dot(dlines, normal.reshape(len(dout), self.num_groups, -1, dlines.shape[2])"
            ".swapaxes(1, 2).reshape(dlines.shape))",
            "normalise_backward(dlines.reshape(normal.shape), normal, scale).reshape(dout.shape)",
            "normalise_backward(dlines.reshape(len(dout), -1, self.num_groups, dlines.shape[2]).swapaxes(1, 2)"
            ".reshape(normal.shape), normal, scale).reshape(len(dout), self.num_groups, -1, dlines.shape[2])"
            ".swapaxes(1, 2).reshape(dout.shape)",
        ),
        where=affine,
    ),
)
