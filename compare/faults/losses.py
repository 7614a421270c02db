"""Faults of losses and of the penalty."""

from typing import Any

from twofold.compare.faults.fault import backward, edit, forward, misbehaviour, otherwise


def averaged(loss: Any) -> bool:
    return loss.reduction == "mean"


SPARSE = "SparseAutoencoderLoss"
KL = "rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))"
SUBTRACTED = "dx[np.arange(len(dx)), target] -= 1"
BCE = "SoftmaxBCELoss"
JACOBIAN = "slopes - probabilities * slopes.sum(axis=1, keepdims=True)"
LIKELIEST = "np.where(best == target, 0, probabilities[rows, best])"
DIAGONAL = (JACOBIAN, "slopes * (1 - probabilities)", "dx -= shares * likeliest[:, None]", "pass")

LOG_OF_SOFTMAX = "np.log(total[:, 0]) - shifted[np.arange(len(x)), target]"

FAULTS = (
    backward(
        "F3",
        "the L2 gradient divided by the batch size, the loss term not",
        edit("L2Penalty.backward", "self.reg * weight.data", "self.reg * weight.data / 16"),
        home="sparse-autoencoder",
    ),
    forward(
        "F4",
        "KL sparsity on each record's activation, its gradient divided by N twice",
        edit(
            f"{SPARSE}.forward",
            f"divergence = {KL}",
            f"mean = out[:, pixels:]\n    divergence = ({KL}) / len(out)",
        ),
        edit(f"{SPARSE}.backward", "= difference, dmean", "= difference, dmean / records"),
        home="sparse-autoencoder-b",
    ),
    backward(
        "F9",
        "the softmax Jacobian replaced by its diagonal",
        edit(
            "CrossEntropyLoss.backward",
            SUBTRACTED,
            f"{SUBTRACTED}\n    dx *= np.arange(dx.shape[1]) == target[:, None]",
        ),
        home="trigram-lm",
    ),
    backward(
        "F9-bce",
        "the softmax Jacobian of an element-wise cross-entropy replaced by its diagonal, which gives p - y",
        edit(f"{BCE}.backward", *DIAGONAL),
        home="trigram-lm-bce",
    ),
    backward(
        "F17",
        "the gradient divided by the number of cached arrays instead of samples",
        edit("CrossEntropyLoss.backward", "len(dx)), (-1, 1)", "len(self.cache)), (-1, 1)"),
        home="activity-rnn",
        where=averaged,
    ),
    forward(
        "F23-softmax",
        "softmax without the shift by the maximum, NaN for large inputs",
        edit("CrossEntropyLoss.forward", "x - x.max(axis=1, keepdims=True)", "x.copy()"),
        home="cross-entropy-large",
        only_at_home=True,
    ),
    forward(
        "F26",
        "cross-entropy averaged over N x C, its gradient over N",
        edit("CrossEntropyLoss.forward", "return self.reduce(", "return 1 / x.shape[1] * self.reduce("),
        home="activity-lstm",
    ),
    backward(
        "cross-entropy-not-averaged",
        "1/N missing in the gradient",
        edit("CrossEntropyLoss.backward", "self.spread(dloss, len(dx))", "dloss"),
        where=averaged,
    ),
    backward(
        "cross-entropy-averaged-twice",
        "1/N twice in the gradient",
        edit("CrossEntropyLoss.backward", "self.spread(dloss, len(dx))", "self.spread(dloss, len(dx)) / len(dx)"),
    ),
    backward(
        "cross-entropy-target-kept",
        "the target not subtracted from the probabilities",
        edit("CrossEntropyLoss.backward", SUBTRACTED, "pass"),
    ),
    otherwise(
        "cross-entropy-smoothed",
        "a tenth of the target's weight spread over all classes",
        edit(
            "CrossEntropyLoss.forward",
            "np.log(total[:, 0]) - shifted[np.arange(len(x)), target]",
            "np.log(total[:, 0]) - 0.9 * shifted[np.arange(len(x)), target] - 0.1 * shifted.mean(axis=1)",
        ),
        edit("CrossEntropyLoss.backward", SUBTRACTED, f"{SUBTRACTED[:-1]}0.9\n    dx -= 0.1 / dx.shape[1]"),
    ),
    forward(
        "cross-entropy-in-single",
        "a float32 sum where float64 was given",
        edit(
            "CrossEntropyLoss.forward",
            "exp.sum(axis=1, keepdims=True)",
            "exp.sum(axis=1, keepdims=True, dtype=np.float32)",
        ),
    ),
    forward(
        "softmax-bce-over-entries",
        "binary cross-entropy averaged over N x C, its gradient over N",
        edit(f"{BCE}.forward", "log_rest.sum(axis=1)", "log_rest.mean(axis=1)"),
    ),
    forward(
        "softmax-bce-of-a-difference",
        "1 - p as a difference, which is 0 where p is nearly 1",
        edit(
            f"{BCE}.forward",
            "(second - first + np.log(total) - log_total)[:, 0]",
            "np.log(1 - np.exp(log_p[rows, best]))",
        ),
        home="softmax-bce-large",
        only_at_home=True,
    ),
    otherwise(
        "softmax-bce-others-forgotten",
        "the other classes left out: plain cross-entropy",
        edit(f"{BCE}.forward", "-log_rest.sum(axis=1)", "-log_p[rows, target]"),
        edit(f"{BCE}.backward", *DIAGONAL),
    ),
    otherwise(
        "softmax-bce-target-twice",
        "the target's own class counted among the others too",
        edit(f"{BCE}.forward", "log_rest[rows, target] =", "log_rest[rows, target] +="),
        edit(
            f"{BCE}.backward",
            "slopes[rows, target] =",
            "slopes[rows, target] +=",
            LIKELIEST,
            "probabilities[rows, best]",
        ),
    ),
    backward(
        "softmax-bce-not-averaged",
        "1/N missing in the gradient",
        edit(f"{BCE}.backward", "self.spread(dloss, len(dx))", "dloss"),
        where=averaged,
    ),
    backward(
        "softmax-bce-sign",
        "the other classes' slopes with the wrong sign",
        edit(f"{BCE}.backward", "odds.copy()", "-odds", LIKELIEST, f"-{LIKELIEST}"),
    ),
    backward(
        "softmax-bce-rest-forgotten",
        "1 / (1 - p) missing in the other classes' slopes",
        edit(f"{BCE}.backward", "odds.copy()", "probabilities.copy()", LIKELIEST, "np.zeros(len(rows), dx.dtype)"),
    ),
    backward(
        "softmax-bce-likeliest-forgotten",
        "the slope of the likeliest class missing where it is not the target",
        edit(f"{BCE}.backward", LIKELIEST, "np.zeros(len(rows), dx.dtype)"),
    ),
    backward(
        "mse-over-records",
        "the gradient averaged over the records instead of all entries",
        edit("MSELoss.backward", "difference.size", "len(difference)"),
        where=averaged,
    ),
    backward("mse-two-forgotten", "the factor 2 forgotten", edit("MSELoss.backward", "2 * self.spread", "self.spread")),
    backward(
        "mse-not-scaled",
        "the gradient from above not taken in",
        edit("MSELoss.backward", "self.spread(dloss", "self.spread(1.0"),
    ),
    backward(
        "half-forgotten",
        "half a squared error with a whole one's gradient",
        edit("HalfMSELoss.backward", "super().backward(dloss) / 2", "super(HalfMSELoss, self).backward(dloss)"),
    ),
    backward(
        "hinge-once",
        "the right class's gradient counted once instead of once for each violated margin",
        edit("MultiClassHingeLoss.backward", "-dx.sum(axis=1)", "-dx.max(axis=1)"),
    ),
    forward(
        "hinge-right-class",
        "the right class's own margin counted",
        edit("MultiClassHingeLoss.forward", "margins[rows, target] = 0", "pass"),
    ),
    otherwise(
        "hinge-margin",
        "a margin of a half",
        edit("MultiClassHingeLoss.forward", "+ 1\n", "+ 0.5\n"),
    ),
    otherwise(
        "sparse-not-halved",
        "the reconstruction error not halved",
        edit(f"{SPARSE}.forward", "(2 * len(out))", "len(out)"),
        edit(f"{SPARSE}.backward", "= difference, dmean", "= 2 * difference, dmean"),
    ),
    backward(
        "sparse-sign",
        "the sparsity's gradient with the wrong sign",
        edit(f"{SPARSE}.backward", "dmean = self.beta", "dmean = -self.beta"),
    ),
    backward(
        "sparse-averaged-once-more",
        "the sparsity's gradient divided by N twice",
        edit(f"{SPARSE}.backward", "= difference, dmean", "= difference, dmean / records"),
    ),
    forward(
        "penalty-not-halved",
        "the penalty not halved, its gradient as if it were",
        edit("L2Penalty.forward", "0.5 * self.reg", "self.reg"),
    ),
    backward(
        "penalty-doubled",
        "the penalty's gradient doubled",
        edit("L2Penalty.backward", "self.reg * weight.data", "2 * self.reg * weight.data"),
    ),
    otherwise(
        "penalty-on-biases",
        "biases penalised too",
        edit("L2Penalty.__init__", " if parameter.data.ndim > 1", ""),
    ),
    forward(
        "cross-entropy-unshifted",
        "softmax without the shift by the maximum, in a case of ordinary logits",
        edit("CrossEntropyLoss.forward", "x - x.max(axis=1, keepdims=True)", "x.copy()"),
        home="fc-net",
        checks=("extremes",),
    ),
    forward(
        "cross-entropy-log-of-softmax",
        "log(softmax), which is log(0) for what is improbable",
        edit("CrossEntropyLoss.forward", LOG_OF_SOFTMAX, "-np.log((exp / total)[np.arange(len(x)), target])"),
        home="cross-entropy-none",
        checks=("extremes",),
    ),
    forward(
        "hinge-nan-counted",
        "a margin of NaN counted",
        edit("MultiClassHingeLoss.forward", "np.fmax(margins, 0)", "np.maximum(margins, 0)"),
        home="hinge",
        checks=("extremes",),
        blame="inconclusive",
    ),
    backward(
        "cross-entropy-last-classes",
        "the target of the last two classes not subtracted from the probabilities",
        edit("CrossEntropyLoss.backward", SUBTRACTED, "dx[np.arange(len(dx)), target] -= target < dx.shape[1] - 2"),
        home="two-conv-net",
        only_at_home=True,
        checks=("sizes",),
    ),
    misbehaviour(
        "cross-entropy-first-batch",
        "divided by the size of the first batch for ever",
        edit("CrossEntropyLoss.backward", "dloss, len(dx)", 'dloss, vars(self).setdefault("_size", len(dx))'),
        home="fc-net",
        only_at_home=True,
        checks=("modes",),
    ),
    misbehaviour(
        "loss-ends-the-chain",
        "the gradient that the loss is given taken for 1",
        edit("SparseAutoencoderLoss.backward", "dloss / records", "1 / records"),
        checks=("twice",),
    ),
)
