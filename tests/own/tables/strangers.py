"""Beside the survey's styles: other containers, data, references, modes, steps and Functions."""

from tests.own.case import Truth, right, wrong


def all_right(file: str, *calls: str) -> tuple[Truth, ...]:
    return tuple(right(f"{file}-{call}", 0, file, f"call_{call}") for call in calls)


def all_wrong(file: str, calls: str, name: str, old: str, new: str, *rest, **more) -> tuple[Truth, ...]:
    return tuple(
        wrong(f"{file}-{call}:{name}", 0, file, {old: new}, *rest, call=f"call_{call}", **more)
        for call in calls.split()
    )


CONTAINERS = (
    "dataclass namedtuple slots nested list_of_dicts globals classmethod staticmethod closures partial callable "
    "property namespace read_only stale"
)
FORMS = (
    "from_one list_from_one signs integer_signs one_hot one_hot_integers flat_target column_target row_target "
    "batch_of_one binary_integers binary_list float32 hard_float32 float32_only margins columns single words "
    "reference_data"
)
PAIRS = "outputs two_data two_data_list dict object methods stack stack_object time_major lambda_linear"
REFERENCES = "last loss_itself tuple function function_loss attention layout"
TRAINED = "momentum adam plain clip schedule"
MODES = "dropout batch_norm statistics carried"
FUNCTIONS = "outputs words closed half module module_arrays"
BROADCAST = {
    "y.reshape(-1, 1)\n": "y.reshape(1, -1)\n",
    "2 * e / e.size)\n": "(2 * e / e.size).sum(axis=1, keepdims=True))\n",
}
SUM, MEAN = "dz.sum(axis=0), h.T", "dz.mean(axis=0), h.T"
B1 = ("b1", "offset", "bh", "u", "hidden", "layer1", "first", "[0]", "[1]", "flat")

TABLE = (
    *all_right("containers", *CONTAINERS.split()),
    *all_wrong("containers", CONTAINERS, "bias-mean", SUM, MEAN, "backward: mean of a bias gradient"),
    *all_wrong("containers", CONTAINERS, "no-mean", "    d /= len(x)\n", "", "backward: not divided by the batch size"),
    *all_wrong("containers", CONTAINERS, "tanh", "(1 - h * h)", "(1 - h)", "backward: a square forgotten"),
    *all_right("forms", *FORMS.split()),
    *all_wrong(
        "forms",
        "from_one list_from_one signs integer_signs one_hot one_hot_integers flat_target "
        "column_target row_target binary_integers binary_list float32 margins reference_data",
        "bias-mean",
        '"bias": d.sum(axis=0, keepdims=True)}\n\n    def from',
        '"bias": d.mean(axis=0, keepdims=True)}\n\n    def from',
        "backward: mean of a bias gradient",
        ("bias",),
    ),
    *all_wrong(
        "forms",
        "hard_float32 float32_only",
        "weight",
        'return float((e**2).mean()), {"weight": x.T @ d',
        'return float((e**2).mean()), {"weight": x.T @ d * 1.001',
        "backward: a factor",
        ("weight",),
    ),
    *all_wrong(
        "forms",
        "from_one list_from_one reference_data",
        "shift",
        "np.eye(p.shape[1])[np.asarray(labels) - 1]",
        "np.eye(p.shape[1])[np.asarray(labels) - 2]",
        "backward: labels shifted",
    ),
    *all_wrong("forms", "signs integer_signs", "sign", "d = -y / (1", "d = y / (1", "backward: wrong sign"),
    *all_wrong(
        "forms",
        "one_hot one_hot_integers float32 batch_of_one",
        "factor",
        "(p - t) / len(x)",
        "(p - t) / len(x) * 2",
        "backward: twice",
    ),
    *(
        wrong(
            f"forms-{call}:broadcast",
            0,
            "forms",
            BROADCAST,
            "convention: (N, 1) less (N,)",
            (),
            "conventions",
            f"call_{call}",
        )
        for call in ("flat_target", "column_target", "row_target")
    ),
    *(
        wrong(
            f"forms-{call}:shape",
            0,
            "forms",
            {"y.reshape(-1, 1)\n": "y.reshape(1, -1)\n"},
            "backward: a gradient of another shape",
            ("weight", "bias"),
            call=f"call_{call}",
        )
        for call in ("flat_target", "column_target")
    ),
    *all_wrong("forms", "margins", "gap", "+ 1)\n", "+ 2)\n", "convention: margin", side="conventions"),
    *all_wrong("forms", "columns", "mean", "keepdims=True) / m\n", "keepdims=True)\n", "backward: no mean", ("b",)),
    *all_wrong("forms", "single", "tanh", "(1 - a * a)", "(1 - a)", "backward: a square forgotten"),
    *all_wrong("forms", "words", "repeated", "dE[i] += W", "dE[i] = W", "backward: repeated indices lost", ("E",)),
    *all_right("pairs", *PAIRS.split()),
    *all_wrong("pairs", "outputs", "half", "0.3 * dright", "dright", "backward: factor"),
    *all_wrong("pairs", "outputs", "left", "dleft * (1", "2 * dleft * (1", "backward: factor"),
    *all_wrong("pairs", "two_data two_data_list", "other", "(a @ M)\n", "(2 * a @ M)\n", "backward: factor", ("c",)),
    *all_wrong("pairs", "dict", "path", "dout * g + dg", "dg", "backward: half of a path", ("x",)),
    *all_wrong("pairs", "dict", "weight", "x.T @ dg", "(x.T @ dg).T", "backward: transposed", ("Wg",)),
    *all_wrong(
        "pairs", "object", "gain", '"gain": (dout * x).sum', '"gain": (dout * x).mean', "backward: mean", ("gain",)
    ),
    *all_wrong(
        "pairs", "object", "input", "return dout * params.gain,", "return dout + params.gain,", "backward: plus", ("x",)
    ),
    *all_wrong(
        "pairs",
        "methods stack stack_object",
        "bias",
        "self.grad_b = delta.sum(axis=0)",
        "self.grad_b = delta.mean(axis=0)",
        "backward: mean of a bias gradient",
        ("b",),
    ),
    *all_wrong(
        "pairs",
        "methods stack stack_object",
        "input",
        "return delta @ self.w.T",
        "return delta @ self.w.T * 2",
        "backward: twice",
    ),
    *all_wrong("pairs", "time_major", "carried", "dh = dz @ Wh.T", "dh = dz @ Wh", "backward: transpose forgotten"),
    *all_wrong(
        "pairs", "lambda_linear", "bias", "dout.T @ x, dout.sum", "dout.T @ x, dout.mean", "backward: mean", ("b",)
    ),
    *all_right("references", *REFERENCES.split()),
    *all_wrong(
        "references", "last layout", "time", "dh = dz @ self.Wh.T", "dh = dz @ self.Wh", "backward: transpose forgotten"
    ),
    *all_wrong("references", "loss_itself", "tied", " + d.T @ h", "", "backward: one use of a tied weight", ("W",)),
    *all_wrong(
        "references", "tuple", "forward", "hs.append(h)", "hs.append(h + 0.01)", "forward: wrong states", side="open"
    ),
    *all_wrong(
        "references",
        "function function_loss",
        "square",
        "(x**2).T @ d",
        "x.T @ d",
        "backward: square forgotten",
        ("a",),
    ),
    *all_wrong(
        "references",
        "attention",
        "scale",
        "keepdims=True)) / np.sqrt(q.shape[1])",
        "keepdims=True))",
        "backward: scale forgotten",
    ),
    *all_right("trained", *TRAINED.split()),
    *all_wrong("trained", TRAINED, "bias", '"b1": dz.sum(axis=0)', '"b1": dz.mean(axis=0)', "backward: mean", ("b1",)),
    *all_wrong(
        "trained",
        "momentum",
        "nesterov",
        "+ self.velocity[k])",
        "+ self.velocity[k] - lr * g)",
        "update: velocity and gradient",
    ),
    *all_wrong("trained", "adam", "correction", "(1 - 0.9**self.t)", "(1 - 0.9)", "update: bias correction"),
    *all_wrong("trained", "clip", "norm", "0.1 / (norm", "0.2 / (norm", "update: clipped elsewhere"),
    *all_wrong("trained", "schedule", "late", "(self.t - 1) // 4", "self.t // 4", "update: schedule one step early"),
    *all_right("two_modes", *MODES.split()),
    *all_wrong("two_modes", "dropout", "tanh", "(1 - h**2)", "(1 - h)", "backward: square"),
    *all_wrong("two_modes", "batch_norm statistics", "mean", "d - d.mean(axis=0) - ", "d - ", "backward: mean's path"),
    *all_wrong(
        "two_modes",
        "batch_norm statistics",
        "eval",
        'if self.mode == "train":\n            d =',
        "if True:\n            d =",
        "backward: training's in evaluation",
    ),
    *all_wrong(
        "two_modes",
        "carried",
        "state",
        'self.state["h"] = hs[-1]',
        'self.state["h"] = hs[-2]',
        "state: one step early",
        ("h",),
    ),
    *all_wrong(
        "two_modes", "carried", "time", 'dh = dz @ p["Wh"].T', 'dh = dz @ p["Wh"]', "backward: transpose forgotten"
    ),
    *all_right("functions", *FUNCTIONS.split()),
    *all_wrong("functions", "outputs", "std", "/ (n * std", "/ (std", "backward: factor"),
    *all_wrong(
        "functions", "words closed", "slope", 'ctx.slope if ctx.kind == "leaky" else 0.0', "0.0", "backward: slope"
    ),
    *all_wrong(
        "functions", "half", "path", " - hat * (d * hat).mean(-1, keepdim=True)", "", "backward: half of a path"
    ),
    *all_wrong("functions", "module module_arrays", "cube", "3 * x**2 * grad", "2 * x**2 * grad", "backward: factor"),
)
