"""Mistakes that the catalogue does not list: other places, other wordings, two at once, a listed one scaled by 0.999.

Of most nothing can be told but how tensors relate; a fault of the catalogue may be named only where it is one of those
that were planted.
"""

from dataclasses import dataclass

from twofold.compare.faults.fault import Edit, edit


@dataclass(frozen=True)
class Unlisted:
    """`case` is where it is planted, `check` what finds it, `told` what the probable cause has to be."""

    name: str
    case: str
    check: str
    edits: tuple[Edit, ...]
    told: str = ""


def one(name: str, case: str, check: str, *edits: Edit, told: str = "") -> Unlisted:
    return Unlisted(name, case, check, edits, told)


TANH, SIGMOID = "(1 - out * out)", "(out * (1 - out))"
BIAS = "self.bias.grad += np.ones(len(dout), dout.dtype) @ dout"
FILTERS = "self.weight.grad += dbank.reshape(len(dbank), self.out_channels, self.in_channels, -1).transpose(1, 2, 0, 3)"
CLIP = "twofold.compare.sides.scratch:clip_grad_value_"
CUT = "np.clip(parameter.grad, -clip_value, clip_value, out=parameter.grad)"

UNLISTED = (
    # a listed one scaled, or nearly as listed
    one("tanh not squared, scaled", "catcar-mlp", "gradient", edit("Tanh.backward", TANH, "(1 - out) * 0.999")),
    one("tanh nearly not squared", "catcar-mlp", "gradient", edit("Tanh.backward", TANH, "(1 - 1.0005 * out)")),
    one(
        "tanh of the size",
        "catcar-mlp",
        "gradient",
        edit("Tanh.backward", TANH, "(1 - abs(out))"),
        told="what tanh2 sends back: equal to dy (1 - y) or dy (1 - |y|)",
    ),
    one("half slope, scaled", "sparse-autoencoder", "gradient", edit("Sigmoid.backward", SIGMOID, "0.999 * out")),
    one("bias scaled", "catcar-mlp", "gradient", edit("Linear.accumulate", BIAS, f"{BIAS} * 0.999")),
    one(
        "as often as there are records, whatever their number",
        "catcar-mlp",
        "gradient",
        edit("Linear.accumulate", "grad += dout_part", "grad += 6 * dout_part"),
        told="fc2.weight: residual is 5 x the reference, cosine 1.0000",
    ),
    one("leak scaled", "leaky-relu", "gradient", edit("LeakyReLU.backward", "self.neg", "0.999 * self.neg")),
    one(
        "relu scaled",
        "mnist-cnn",
        "gradient",
        edit("ReLU.backward", "~(x <= 0)", "~(x <= 0) * x.dtype.type(1.001)"),
        told="what relu3 sends back: residual is 0.001 x the reference, cosine 1.0000",
    ),
    one(
        "cell of the step, scaled",
        "activity-lstm",
        "gradient",
        edit("LSTM.backward_steps", "dc * c[t] *", "0.999 * dc * (f * c[t] + i * g) *"),
    ),
    one(
        "forget gate scaled", "activity-lstm", "gradient", edit("LSTM.backward_steps", "dc * c[t]", "0.999 * dc * c[t]")
    ),
    one("update gate scaled", "activity-gru", "gradient", edit("GRU.backward_steps", "h - n", "1.001 * (h - n)")),
    one("rate scaled", "trigram-lm", "optimizer", edit("SGD.update", "p -= self.lr * g", "p -= 0.999 * self.lr * g")),
    one(
        "clipped a little less",
        "activity-rnn-truncated-clipped",
        "optimizer",
        edit(CLIP, "-clip_value, clip_value,", "-clip_value / 1.999, clip_value / 1.999,"),
    ),
    # two at once
    one(
        "tanh not squared, and no bias",
        "catcar-mlp",
        "gradient",
        edit("Tanh.backward", TANH, "(1 - out)"),
        edit("Linear.accumulate", BIAS, "pass"),
        told="what tanh2 sends back: equal to dy (1 - y) or dy (1 - |y|)",
    ),
    one(
        "gates swapped, and the slope of the cell missing",
        "activity-lstm",
        "gradient",
        edit(
            "LSTM.backward_steps",
            "da_i, da_f, da_g, da_o =",
            "da_f, da_i, da_g, da_o =",
            "dh * o * (1 - tanh_c[t] * tanh_c[t])",
            "dh * o",
        ),
    ),
    one(
        "no bias correction, and betas exchanged",
        "mnist-cnn",
        "optimizer",
        edit(
            "Adam.update",
            "math.sqrt(1 - beta2**step)",
            "1",
            "self.lr / (1 - beta1**step)",
            "self.lr",
            "beta1, beta2 = self.betas",
            "beta2, beta1 = self.betas",
        ),
    ),
    one(
        "decay decoupled, and eps before the correction",
        "mnist-cnn",
        "optimizer",
        edit(
            "Adam.update",
            "g = g + self.weight_decay * p",
            "p -= self.lr * self.weight_decay * p",
            "denominator = np.sqrt(v, out=np.empty_like(v))",
            "denominator = np.sqrt(v) + self.eps",
            "denominator += self.eps",
            "pass",
        ),
    ),
    # other places and other mistakes
    one(
        "records rolled",
        "catcar-mlp",
        "gradient",
        edit("Linear.accumulate", "@ x", "@ np.roll(x, 1, axis=0)"),
    ),
    one(
        "last record left out",
        "catcar-mlp",
        "gradient",
        edit("Linear.accumulate", "dout_part @ x", "dout_part[:, :-1] @ x[:-1]"),
    ),
    one(
        "weights moved by a little",
        "catcar-mlp",
        "gradient",
        edit("Linear.backward", "self.weight.data", "(self.weight.data + 1e-3)"),
        told="what fc2 sends back: of every index along axis 1 its own multiple: 0.972, 0.991, 0.9667, 1.008 and more",
    ),
    one("of the sizes of x", "catcar-mlp", "gradient", edit("Linear.accumulate", "@ x", "@ abs(x)")),
    one(
        "relu above 0.1",
        "mnist-cnn",
        "gradient",
        edit("ReLU.backward", "~(x <= 0)", "(x > 0.1)"),
        told="what relu3 sends back: differs only at 5 of 11 along axis 1",
    ),
    one(
        "a pixel beside",
        "mnist-cnn",
        "gradient",
        edit("Conv2d.accumulate", FILTERS, f"dbank = np.roll(dbank, 1, axis=0)\n    {FILTERS}"),
        told="conv1.weight: equal after rolling axis 2 by one",
    ),
    one(
        "filters in another order",
        "mnist-cnn",
        "gradient",
        edit("Conv2d.accumulate", FILTERS, f"{FILTERS}[::-1]"),
        told="conv1.weight: equal after reversing axis 0",
    ),
    one(
        "two images too few",
        "mnist-cnn",
        "gradient",
        edit(
            "Conv2d.add_bias_gradient",
            "dlines.sum(axis=2)",
            "np.where(np.arange(len(dlines))[:, None] > 1, dlines.sum(axis=2), 0)",
        ),
    ),
    one(
        "one too many divided by",
        "bn-convnet",
        "gradient",
        edit("BatchNorm1d.backward", "sums[:, None] / count", "sums[:, None] / (count - 1)"),
        told="what norm3 sends back: residual is constant along axes 0 and 2 and 3",
    ),
    one("labels smoothed", "mnist-cnn", "loss", edit("CrossEntropyLoss.backward", "-= 1", "-= 0.999")),
    one(
        "nearly twice",
        "catcar-mlp",
        "loss",
        edit("MSELoss.backward", "2 * self.spread", "1.999 * self.spread"),
        told="gradient of the output: residual is -0.0005 x the reference, cosine -1.0000",
    ),
    one(
        "velocity of an old gradient",
        "trigram-lm",
        "optimizer",
        edit("SGD.update", "v *= self.momentum", "v *= self.momentum * 0.999"),
    ),
    one(
        "decay of the size",
        "trigram-lm",
        "optimizer",
        edit("SGD.update", "self.weight_decay * p", "self.weight_decay * abs(p)"),
    ),
    one(
        "second moment of the size",
        "mnist-cnn",
        "optimizer",
        edit("Adam.update", "(1 - beta2) * (g * g)", "(1 - beta2) * abs(g)"),
    ),
    one(
        "correction a little off",
        "mnist-cnn",
        "optimizer",
        edit("Adam.update", "1 - beta2**step", "1 - beta2**(step + 0.01)"),
    ),
    one(
        "corrected twice",
        "mnist-cnn",
        "optimizer",
        edit("Adam.update", "self.lr / (1 - beta1**step)", "self.lr / (1 - beta1**step) ** 2"),
    ),
    one(
        "a root too few",
        "fc-net-adagrad",
        "optimizer",
        edit("Adagrad.update", "np.sqrt(total)", "total"),
        told="the root is forgotten",
    ),
    one("a third root", "fc-net-rmsprop", "optimizer", edit("RMSprop.update", "np.sqrt(v)", "np.cbrt(v)")),
    # bit for bit, where the error has no size
    one(
        "relu at zero, where it grows",
        "mnist-cnn",
        "exact",
        edit("ReLU.backward", "~(x <= 0)", "((x > 0) | ((x == 0) & (dout > 0)))"),
    ),
    one(
        "relu at zero, halved",
        "mnist-cnn",
        "exact",
        edit("ReLU.backward", "~(x <= 0)", "np.where(x == 0, x.dtype.type(0.5), (x > 0))"),
    ),
    one(
        "relu at zero, in the first record",
        "mnist-cnn",
        "exact",
        edit(
            "ReLU.backward",
            "~(x <= 0)",
            "((x > 0) | ((x == 0) & (np.arange(len(x)) == 0).reshape((-1,) + (1,) * (x.ndim - 1))))",
        ),
    ),
    one(
        "written over, in one row",
        "catcar-mlp",
        "twice",
        edit("Linear.accumulate", BIAS, f"{BIAS}\n        self.weight.grad[0] = dout.T[0] @ x"),
    ),
    one(
        "adds thrice",
        "catcar-mlp",
        "twice",
        edit("Linear.accumulate", BIAS, f"self.bias.grad[:1] += self.bias.grad[:1]; {BIAS}"),
    ),
    one("the input halved", "catcar-mlp", "twice", edit("Linear.accumulate", BIAS, f"{BIAS}; x[0] *= 0.5")),
    # by special values alone, or by how masks are drawn
    one(
        "large gradients cut off",
        "trigram-lm",
        "extremes",
        edit("SGD.update", "p -= self.lr * g", "p -= self.lr * np.clip(g, -100, 100)"),
    ),
    one(
        "a count that ends at 999",
        "mnist-cnn",
        "extremes",
        edit("Adam.update", 'int(state["step"])', 'min(int(state["step"]), 999)'),
    ),
    one(
        "large squares cut off",
        "fc-net-rmsprop",
        "extremes",
        edit("RMSprop.update", "(g * g)", "np.minimum(g * g, 1e4)"),
    ),
    one(
        "a square of NaN left out",
        "fc-net-adagrad",
        "extremes",
        edit("Adagrad.update", "total += g * g", "total += np.nan_to_num(g) ** 2"),
    ),
    one(
        "relu of infinity",
        "relu",
        "extremes",
        edit("ReLU.forward", "np.maximum(np.zeros(x.shape[1:], x.dtype), x)", "np.clip(x, 0, np.finfo(x.dtype).max)"),
    ),
    one(
        "relu that ends at 50",
        "mnist-cnn",
        "extremes",
        edit("ReLU.forward", "np.maximum(np.zeros(x.shape[1:], x.dtype), x)", "np.clip(x, 0, 50)"),
    ),
    one(
        "sigmoid cut off at 30",
        "sigmoid",
        "extremes",
        edit("Sigmoid.forward", "sigmoid(x)", "sigmoid(np.clip(x, -30, 30))"),
    ),
    one(
        "NaN lost in a window's last place",
        "mnist-cnn",
        "extremes",
        edit(
            "MaxPool2d.forward",
            "np.maximum(out_part, tap, out=out_part)",
            "(np.fmax if tap is others[-1] else np.maximum)(out_part, tap, out=out_part)",
        ),
    ),
    one(
        "another share of the last unit",
        "fc-net-dropout",
        "modes",
        edit("Dropout.forward", ">= self.p", ">= self.p * (1 - 0.3 * (np.arange(x.shape[-1]) == x.shape[-1] - 1))"),
    ),
    one(
        "another share of the first record",
        "fc-net-dropout",
        "modes",
        edit("Dropout.forward", ">= self.p", ">= (self.p * (1 - 0.3 * (np.arange(len(x)) == 0)))[:, None]"),
    ),
    one(
        "biases of the first evaluation",
        "catcar-mlp",
        "modes",
        edit(
            "Linear.forward",
            "out += self.bias.data",
            'out += self.bias.data if self.training else vars(self).setdefault("_kept", self.bias.data.copy())',
        ),
    ),
    # what a relation alone tells
    one(
        "a record's gradient missing",
        "catcar-mlp",
        "gradient",
        edit(
            "Linear.backward",
            "return dout @ self.weight.data",
            "dx = dout @ self.weight.data\n    dx[2] = 0\n    return dx",
        ),
        told="what fc2 sends back: differs only at 2 of 6 along axis 0, where it is zero",
    ),
    one(
        "records in another order",
        "mnist-cnn",
        "gradient",
        edit("Linear.backward", "dout @ self.weight.data", "(dout @ self.weight.data)[[1, 0, *range(2, len(dout))]]"),
        told="what fc2 sends back: equal after permuting axis 0: 1, 0, 2, 3 and more",
    ),
    one(
        "a channel's gradient halved",
        "mnist-cnn",
        "gradient",
        edit("Conv2d.accumulate", FILTERS, f"{FILTERS}\n    self.weight.grad[1] /= 2"),
        told="conv1.weight: differs only at 1 of 3 along axis 0, where it is 0.5 x the reference",
    ),
    one(
        "another channel's gradient",
        "mnist-cnn",
        "gradient",
        edit("Conv2d.accumulate", FILTERS, f"{FILTERS}\n    self.weight.grad[1] = self.weight.grad[0]"),
        told="conv1.weight: differs only at 1 of 3 along axis 0, where it is the reference's 0",
    ),
    one(
        "a factor a channel",
        "mnist-cnn",
        "forward",
        edit(
            "Conv2d.forward",
            "out += self.bias.data[:, None]",
            "out += self.bias.data[:, None]; out *= np.arange(1, 1 + out.shape[1])[:, None]",
        ),
        told="conv1: of every index along axis 1 its own multiple: 1, 2, 3",
    ),
    one(
        "a bias left out",
        "catcar-mlp",
        "forward",
        edit("Linear.forward", "out += self.bias.data", "pass"),
        told="fc1: residual is -1 x fc1.bias: left out",
    ),
    one(
        "a bias taken away",
        "catcar-mlp",
        "forward",
        edit("Linear.forward", "out += self.bias.data", "out -= self.bias.data"),
        told="fc1: residual is -2 x fc1.bias",
    ),
    one(
        "an activation that does nothing",
        "catcar-mlp",
        "forward",
        edit("Tanh.forward", "np.tanh(x)", "x.copy()"),
        told="tanh1: equal to what it takes",
    ),
    one(
        "columns in another order",
        "mnist-cnn",
        "forward",
        edit("Flatten.forward", "x.reshape(flat)", "x.swapaxes(2, 3).reshape(flat)"),
        told="flatten: equal after taking its 32 as (4, 2, 4) in the order (0, 2, 1): flattened in another order",
    ),
    one("leak where it is not", "leaky-relu", "gradient", edit("LeakyReLU.backward", "x > 0, dout", "x < 0, dout")),
    one(
        "no slope in tanh",
        "catcar-mlp",
        "gradient",
        edit("Tanh.backward", f"dout * {TANH}", "dout * 1"),
        told="what tanh2 sends back: equal to dy (1)",
    ),
    # and updates
    one(
        "root forgotten",
        "mnist-cnn",
        "optimizer",
        edit(
            "Adam.update",
            "denominator = np.sqrt(v, out=np.empty_like(v))",
            "denominator = v.copy()",
            "math.sqrt(1 - beta2**step)",
            "1 - beta2**step",
        ),
        told="the root is forgotten",
    ),
    one(
        "a sum for a mean",
        "fc-net-rmsprop",
        "optimizer",
        edit("RMSprop.update", "(1 - self.alpha) * (g * g)", "g * g"),
        told="the new square counts in full, not 1 - alpha of it",
    ),
    one(
        "decay that grows",
        "trigram-lm",
        "optimizer",
        edit("SGD.update", "g + self.weight_decay", "g - self.weight_decay"),
        told="the decay has the wrong sign",
    ),
    one(
        "always looks ahead",
        "trigram-lm",
        "optimizer",
        edit("SGD.update", "if self.nesterov else v", "if True else v"),
        told="it always looks ahead, as nesterov",
    ),
    one(
        "momentum of the mean",
        "fc-net-rmsprop",
        "optimizer",
        edit("RMSprop.update", "b += change", "b += (1 - self.momentum) * change"),
        told="momentum is a running mean",
    ),
    one(
        "rate that never decays",
        "fc-net-adagrad",
        "optimizer",
        edit("Adagrad.update", "* self.lr_decay", "* 0"),
        told="the rate's decay is forgotten",
    ),
)
