"""Faults of element-wise functions and of dropout."""

from twofold.compare.faults.fault import backward, edit, forward, misbehaviour, otherwise

FAULTS = (
    backward(
        "F1",
        "sigmoid's derivative fed the activated value",
        edit("Sigmoid.backward", "(out * (1 - out))", "(sigmoid(out) * (1 - sigmoid(out)))"),
        home="sparse-autoencoder",
    ),
    backward(
        "F1-tanh",
        "tanh's derivative fed the activated value",
        edit("Tanh.backward", "(1 - out * out)", "(1 - np.tanh(out) ** 2)"),
        home="activity-lstm",
        harmless=("tanh-small",),  # tanh x is x to the last digit
    ),
    otherwise(
        "F20",
        "dropout without the scale",
        edit("Dropout.forward", "x * self.mask / (1 - self.p)", "x * self.mask"),
        edit("Dropout.backward", "dout * mask / (1 - self.p)", "dout * mask"),
        home="fc-net-dropout",
    ),
    forward(
        "F23",
        "tanh in a form that is poor near zero",
        edit("Tanh.forward", "np.tanh(x)", "2 / (1 + np.exp(-2 * x)) - 1"),
        home="tanh-small",
        only_at_home=True,
    ),
    forward(
        "F23-sigmoid",
        "sigmoid in a form that is NaN for large inputs",
        edit("Sigmoid.forward", "sigmoid(x)", "np.exp(x) / (1 + np.exp(x))"),
        home="sigmoid-large",
        only_at_home=True,
    ),
    backward(
        "F23-slope",
        "sigmoid's derivative in a form that is NaN for large inputs",
        edit("Sigmoid.forward", "self.cache = out", "self.cache = x"),
        edit("Sigmoid.backward", "(out * (1 - out))", "(np.exp(-out) / (1 + np.exp(-out)) ** 2)"),
        home="sigmoid-large",
        only_at_home=True,
    ),
    backward("relu-passes-all", "ReLU's gradient everywhere", edit("ReLU.backward", "dout * (x > 0)", "dout.copy()")),
    backward(
        "relu-at-zero",
        "relu'(0) = 1",
        edit("ReLU.backward", "x > 0", "x >= 0"),
        home="mnist-cnn",
        only_at_home=True,  # elsewhere no sum may happen to be 0
        checks=("exact",),
    ),
    otherwise(
        "relu-shifted",
        "a ReLU whose kink is not at zero",
        edit(
            "ReLU.forward",
            "return np.maximum(x, np.zeros(x.shape[1:], x.dtype))",
            "return np.where(x > -0.5, x, -0.5)",
        ),
        edit("ReLU.backward", "x > 0", "x > -0.5"),
    ),
    backward(
        "leak-forgotten",
        "the negative slope missing in the gradient",
        edit("LeakyReLU.backward", "self.negative_slope * dout", "0 * dout"),
    ),
    backward("tanh-not-squared", "tanh' as 1 - tanh", edit("Tanh.backward", "out * out", "out")),
    backward("sigmoid-half-slope", "sigmoid' as sigmoid", edit("Sigmoid.backward", "(out * (1 - out))", "out")),
    forward(
        "tanh-in-single",
        "a float32 result where float64 was given",
        edit("Tanh.forward", "np.tanh(x)", "np.tanh(x.astype(np.float32)).astype(x.dtype)"),
    ),
    backward(
        "mask-redrawn",
        "dropout's mask drawn again in the backward pass",
        edit("Dropout.backward", "dout * mask", "dout * (self.rng.random(mask.shape) >= self.p)"),
    ),
    backward(
        "mask-not-applied",
        "dropout's gradient also through what was dropped",
        edit("Dropout.backward", "dout * mask / (1 - self.p)", "dout / (1 - self.p)"),
    ),
    backward(
        "scale-forward-only",
        "dropout's scale missing in its gradient",
        edit("Dropout.backward", "dout * mask / (1 - self.p)", "dout * mask"),
    ),
    otherwise(
        "p-is-kept",
        "dropout's probability taken for that of keeping",
        edit("Dropout.forward", ">= self.p", "< self.p", "x * self.mask / (1 - self.p)", "x * self.mask / self.p"),
        edit("Dropout.backward", "dout * mask / (1 - self.p)", "dout * mask / self.p"),
    ),
    forward(
        "dropout-evaluating",
        "dropout active in evaluation mode",
        edit("Dropout.forward", "if not self.training:", "if False:"),
        checks=("modes",),
    ),
    backward(
        "leaky-relu-at-zero",
        "slope 1 at 0",
        edit("LeakyReLU.backward", "x > 0", "x >= 0"),
        home="leaky-relu",
        only_at_home=True,
        checks=("exact",),
    ),
    forward(
        "tanh-overflows",
        "tanh in a form that is NaN for large inputs",
        edit("Tanh.forward", "np.tanh(x)", "(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))"),
        home="tanh-large",
        only_at_home=True,
    ),
    misbehaviour(
        "dropout-in-pairs",
        "one draw for two neighbouring units",
        edit(
            "Dropout.forward",
            "self.rng.random(x.shape)",
            "self.rng.random((*x.shape[:-1], x.shape[-1] // 2 + 1)).repeat(2, axis=-1)[..., : x.shape[-1]]",
        ),
        home="fc-net-dropout",
        checks=("modes",),
    ),
    backward(
        "tanh-slope-of-the-input",
        "tanh' as 1 - x^2 of what goes in",
        edit("Tanh.forward", "self.cache = out", "self.cache = x"),
        home="catcar-mlp",
    ),
    backward(
        "sigmoid-slope-of-the-input",
        "sigmoid' as x (1 - x) of what goes in",
        edit("Sigmoid.forward", "self.cache = out", "self.cache = x"),
        home="sparse-autoencoder",
    ),
)
