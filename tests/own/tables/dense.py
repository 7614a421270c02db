"""Styles 1 to 3: a dict of parameters, layers as functions, samples in columns; and batch norm with its two modes."""

from tests.own.case import Truth, right, wrong


def params_dict(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"params-dict:{name}", 1, "params_dict", {old: new}, *rest, **more)


def pixels(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"pixels:{name}", 1, "pixels", {old: new}, *rest, **more)


def layer(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"layer-functions:{name}", 2, "layer_functions", {old: new}, *rest, **more)


def batch_norm(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"batch-norm:{name}", 2, "batch_norm", {old: new}, *rest, **more)


def columns(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"columns:{name}", 3, "columns", {old: new}, *rest, **more)


INPUT = ("x", "input")
REGULARISED = {"call": "call_regularised"}
FIRST_OF_TIES = """        a, b = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * size + a, j * size + b] += dout[n, c, i, j]
"""
ALL_OF_TIES = """        ties = window == window.max()
        dx[n, c, i * size : i * size + size, j * size : j * size + size] += ties * dout[n, c, i, j]
"""

TABLE = (
    right("params-dict", 1, "params_dict"),
    right("params-dict-scores", 1, "params_dict", "call_scores"),
    right("params-dict-regularised", 1, "params_dict", "call_regularised"),
    right("params-dict-large", 1, "params_dict", "call_large"),
    params_dict("bias-mean", "dh1.sum(axis=0)", "dh1.mean(axis=0)", "backward: mean of a bias gradient", ("b1",)),
    params_dict("transpose", "dh2 @ W2.T", "dh2 @ W2", "backward: transpose forgotten", ("W1", "b1")),
    params_dict("no-mean", "        dscores /= N\n", "", "backward: not divided by the batch size"),
    params_dict("twice-mean", "dscores /= N", "dscores /= N * N", "backward: divided by the batch twice"),
    params_dict("sign", 'grads["b2"] = dh2', 'grads["b2"] = -dh2', "backward: wrong sign", ("b2",)),
    params_dict("mask", "dh1[h1 <= 0]", "dh1[h2 <= 0]", "backward: ReLU mask of another layer", ("W1", "b1")),
    params_dict(
        "axis", "np.exp(shifted).sum(axis=1", "np.exp(shifted).sum(axis=0", "forward: softmax along a wrong axis"
    ),
    params_dict("loss-line", "logs[np.arange(N), y].mean()", "logs[np.arange(N), y].sum()", "loss: only its line"),
    params_dict(
        "overflow",
        "shifted = scores - scores.max(axis=1, keepdims=True)",
        "shifted = scores",
        "nan: softmax without its maximum",
        call="call_large",
    ),
    params_dict(
        "no-regularisation", " + self.reg * W2", "", "backward: regularisation forgotten", ("W2",), **REGULARISED
    ),
    params_dict("square-twice", "+ self.reg * W1", "+ 2 * self.reg * W1", "backward: L2 twice", ("W1",), **REGULARISED),
    params_dict(
        "reference-detach",
        "(w**2).sum() for w",
        "(w.detach() ** 2).sum() for w",
        "reference: a stray detach",
        ("W",),
        "reference",
        **REGULARISED,
    ),
    params_dict(
        "less-regularised", "reg=0.1)", "reg=0.05)", "convention: half the L2", side="conventions", **REGULARISED
    ),
    params_dict(
        "reference-bias",
        "nn.Linear(6, 6)",
        "nn.Linear(6, 6, bias=False)",
        "convention: a bias that the reference lacks",
        side="conventions",
    ),
    right("pixels", 1, "pixels"),
    right("pixels-floats", 1, "pixels", "call_floats"),
    pixels("uint8", 'X.astype(p["W1"].dtype) - 128', "X - 128", "integer: uint8 wraps"),
    pixels(
        "in-place",
        'x = X.astype(p["W1"].dtype) - 128',
        "X -= 128\n        x = X",
        "contract: input changed in place",
        call="call_floats",
    ),
    right("layer-functions", 2, "layer_functions", "call_affine"),
    right("layer-functions-square", 2, "layer_functions", "call_square"),
    right("layer-functions-relu", 2, "layer_functions", "call_relu"),
    right("layer-functions-softmax", 2, "layer_functions", "call_softmax"),
    right("layer-functions-pool", 2, "layer_functions", "call_pool"),
    right("layer-functions-ties", 2, "layer_functions", "call_pool_ties"),
    layer("transpose", "dout @ w.T", "dout @ w", "backward: transpose forgotten", INPUT, call="call_square"),
    layer(
        "bias-mean", "dout.sum(axis=0)", "dout.mean(axis=0)", "backward: mean of a bias gradient", call="call_affine"
    ),
    layer("dout", "np.array(dout)", "dout", "contract: what comes in is overwritten", call="call_relu"),
    layer("axis", "dx.sum(axis=1", "dx.sum(axis=0", "backward: softmax along a wrong axis", INPUT, call="call_softmax"),
    layer(
        "diagonal",
        "dx = y * dout\n",
        "return y * (1 - y) * dout\n",
        "backward: diagonal of a Jacobian",
        INPUT,
        call="call_softmax",
    ),
    layer(
        "cache",
        "dx = dx - y * dx.sum(axis=1, keepdims=True)",
        "y *= dout - dx.sum(axis=1, keepdims=True)\n    dx = y",
        "contract: cache overwritten",
        call="call_softmax",
    ),
    layer("stride", "i * size + a, j * size + b", "i + a, j + b", "backward: stride ignored", INPUT, call="call_pool"),
    layer("ties", FIRST_OF_TIES, ALL_OF_TIES, "backward: ties counted twice", INPUT, call="call_pool_ties"),
    right("batch-norm", 2, "batch_norm"),
    batch_norm("mean", "d - d.mean(axis=0) - ", "d - ", "backward: the mean's gradient forgotten", INPUT),
    batch_norm("gamma", "dout * self.gamma", "dout + 0", "backward: a factor forgotten", INPUT),
    batch_norm(
        "modes",
        "if self.training:\n            d =",
        "if True:\n            d =",
        "backward: training's in evaluation",
        INPUT,
    ),
    batch_norm("running", "new * var * N / (N - 1)", "new * var", "state: biased running variance", ("var",)),
    batch_norm(
        "deviation",
        "new * var * N / (N - 1)",
        "new * np.sqrt(var * N / (N - 1))",
        "state: deviation for variance",
        ("var",),
    ),
    batch_norm("eps", "eps=1e-5", "eps=1e-3", "convention: eps of a norm", side="conventions"),
    right("columns", 3, "columns"),
    columns("twice-mean", "* (1 - AL) if", "* (1 - AL) / AL.shape[1] if", "backward: divided by the batch twice"),
    columns("sigmoid", "dA * AL * (1 - AL)", "dA * AL", "backward: half of a derivative"),
    columns("mask", "dA * (Z > 0)", "dA * (dA > 0)", "backward: ReLU mask of the gradient", ("1", "2")),
    columns("no-mean", "keepdims=True) / m\n", "keepdims=True)\n", "backward: bias not divided by the batch", ("b",)),
    columns("sign", "-(Y / AL) + (1", "(Y / AL) - (1", "backward: wrong sign"),
    columns(
        "sum",
        '"loss": nn.BCELoss()',
        '"loss": nn.BCELoss(reduction="sum")',
        "convention: sum against mean",
        side="conventions",
    ),
)
