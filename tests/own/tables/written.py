"""Nets that are really written in other forms: gates in other orders, kernels turned round, matrices the other way."""

from collections.abc import Sequence

from tests.own.case import Truth
from tests.own.tables.keeping import mistaken, stacked, written

LSTM_ORDERS = "fgio", "ofig", "ifog", "gifo", "fogi", "ifgo"
PLAIN_NAMES = {'NAMES = "Wx", "Wh", "b"': 'NAMES = "p0", "q7", "r2"'}
LYING_NAMES = {'NAMES = "Wx", "Wh", "b"': 'NAMES = "Wh", "Wx", "b"'}
USUAL_GRU = {
    "h = z * n + (1 - z) * h": "h = (1 - z) * n + z * h",
    "dz = dh * (n - h)": "dz = dh * (h - n)",
    "dn = dh * z *": "dn = dh * (1 - z) *",
    "carried = dh * (1 - z) +": "carried = dh * z +",
}


def ordered(order: str, before: str) -> dict[str, str]:
    return {} if order == before else {f'ORDER = "{before}"': f'ORDER = "{order}"'}


def lstm(order: str, names: Sequence[str] = ("Wx", "Wh", "b")) -> dict[str, str]:
    wx, wh, b = names
    return {
        "lstm.weight_ih_l0": stacked(f"{wx}.T", order, "ifgo"),
        "lstm.weight_hh_l0": stacked(f"{wh}.T", order, "ifgo"),
        "lstm.bias_ih_l0 + lstm.bias_hh_l0": stacked(b, order, "ifgo"),
    }


def gru(order: str, sign: str) -> dict[str, str]:
    """Torch's, where z goes in with a sign."""
    blocks = {gate: f"[{4 * order.index(gate)}:{4 * order.index(gate) + 4}]" for gate in order}

    def rows(array: str) -> str:
        return f"concatenate([{array}{blocks['r']}, {sign}{array}{blocks['z']}, {array}{blocks['n']}])"

    return {
        "gru.weight_ih_l0": rows("kernel.T"),
        "gru.weight_hh_l0": rows("recurrent_kernel.T"),
        "gru.bias_ih_l0[:8] + gru.bias_hh_l0[:8]": f"({rows('(bias[0] + bias[1])')})[:8]",
        "gru.bias_ih_l0[8:]": f"bias[0]{blocks['n']}",
        "gru.bias_hh_l0[8:]": f"bias[1]{blocks['n']}",
    }


ONE_LINEAR = {
    "gates.weight": f"hstack([{stacked('Wx.T', 'fgio', 'ifgo')}, {stacked('Wh.T', 'fgio', 'ifgo')}])",
    "gates.bias": stacked("b", "fgio", "ifgo"),
}
ONE_WIDTH = {
    "LSTM(3, 4, rng)": "LSTM(4, 4, rng)",
    "nn.LSTM(3, 4, batch_first=True)": "nn.LSTM(4, 4, batch_first=True)",
    "(5, 6, 3)": "(4, 4, 4)",
}
APART = {
    "lstm.weight_ih_l0": "concatenate([Wi, Wf, Wg, Wo])",
    "lstm.weight_hh_l0": "concatenate([Ui, Uf, Ug, Uo])",
    "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([ai + bi, af + bf, ag + bg, ao + bo])",
}
WINDOWS = {
    "conv.weight": "kernel[::-1, ::-1].transpose(3, 2, 0, 1)",
    "conv.bias": "shift",
    "fc.weight": "dense.reshape(4, 3, 5, 4).transpose(3, 2, 0, 1).reshape(4, 60)",
    "fc.bias": "offset[0]",
}
TURNED_SCALARS = {"net.0.weight": "q7.T", "net.0.bias": "r2", "net.2.weight": "s5[None]", "net.2.bias": "p0"}
TURNED_TENSORS = {"lin1.weight": "q7", "lin1.bias": "s5", "lin2.weight": "r2", "lin2.bias": "p0"}
# Style 20 with matrices (out, in), in a list from the last to the first; style 25 with one (in, out); style 2 renamed.
HOMEWORK = {
    "(sizes[k - 1], sizes[k]))": "(sizes[k], sizes[k - 1]))",
    'x @ net[k]["w"] + net': 'x @ net[k]["w"].T + net',
    "grad_w = below.T @ delta": "grad_w = delta.T @ below",
    'delta @ net[k]["w"].T': 'delta @ net[k]["w"]',
    "for k in net for part": "for k in [3, 2, 1] for part",
    '(net[k]["w"], net[k]["b"])]': '(net[k]["b"], net[k]["w"])]',
}
KERNEL = {
    "(x * gate) @ weight.t()": "(x * gate) @ weight",
    "grad_output @ weight\n": "grad_output @ weight.t()\n",
    "grad_output.t() @ (x * gate)": "(x * gate).t() @ grad_output",
    "self.weight = nn": "self.kernel = nn",
    "(x, self.weight)": "(x, self.kernel)",
}
NORM = {
    'keywords = {"params": {"gamma": bn.gamma, "beta": bn.beta}, "buffers"': 'keywords = {"params": {"p0": bn.beta, '
    '"q7": bn.gamma}, "grads": lambda: {"p0": bn.dbeta, "q7": bn.dgamma}, "buffers"'
}


TABLE: tuple[Truth, ...] = (
    *(
        written(f"lstm-gates-{order}", 5, "lstm_gates", lstm(order), base=ordered(order, "fgio"))
        for order in LSTM_ORDERS
    ),
    written("lstm-gates-renamed", 5, "lstm_gates", lstm("fgio", ("p0", "q7", "r2")), base=PLAIN_NAMES),
    written("lstm-gates-time-first", 5, "lstm_gates", lstm("fgio"), "call_time_first"),
    written("lstm-gates-one-linear", 5, "lstm_gates", ONE_LINEAR, "call_one_linear"),
    written("lstm-gates-one-width", 5, "lstm_gates", lstm("fgio", ("Wh", "Wx", "b")), base=LYING_NAMES | ONE_WIDTH),
    written("lstm-gates-lying", 5, "lstm_gates", lstm("fgio", ("Wh", "Wx", "b")), base=LYING_NAMES),
    *(
        mistaken(f"lstm-gates-{order}:{name}", 5, "lstm_gates", edits, kind, base=PLAIN_NAMES | ordered(order, "fgio"))
        for order, name, edits, kind in (
            (
                "fgio",
                "cell",
                {"dc * c * f * (1 - f)": "dc * squashed * f * (1 - f)"},
                "backward: the cell of its own step",
            ),
            ("fgio", "forget", {"dh, dc = dz @ Wh.T, dc * f": "dh, dc = dz @ Wh.T, dc"}, "backward: a gate forgotten"),
            (
                "ofig",
                "exchanged",
                {"[d[gate] for gate in ORDER]": '[d[gate] for gate in "fgio"]'},
                "backward: gates exchanged",
            ),
            ("gifo", "ungated", {"c_next = f * c + i * g": "c_next = f * c + g"}, "forward: a gate forgotten"),
            ("ifog", "output", {"h, c = o * squashed, c_next": "h, c = squashed, c_next"}, "forward: a gate forgotten"),
        )
    ),
    written("lstm-apart", 16, "lstm_apart", APART),
    mistaken(
        "lstm-apart:other",
        16,
        "lstm_apart",
        {'dh = dh + p["U" + name].T @ d': 'dh = dh + p["U" + name] @ d'},
        "backward: transpose forgotten",
    ),
    mistaken(
        "lstm-apart:biases",
        16,
        "lstm_apart",
        {'p["U" + name] @ h + p["a" + name]': 'p["U" + name] @ h - p["a" + name]'},
        "forward: a bias taken off",
    ),
    *(
        written(f"gru-gates-{order}", 18, "gru_gates", gru(order, "-"), base=ordered(order, "zrn"))
        for order in ("zrn", "rzn", "nzr")
    ),
    *(
        written(f"gru-gates-usual-{order}", 18, "gru_gates", gru(order, ""), base=USUAL_GRU | ordered(order, "zrn"))
        for order in ("zrn", "nrz")
    ),
    *(
        mistaken(f"gru-gates-zrn:{name}", 18, "gru_gates", edits, kind)
        for name, edits, kind in (
            ("sign", {"dz = dh * (n - h)": "dz = dh * (h - n)"}, "backward: wrong sign"),
            (
                "through",
                {"carried = dh * (1 - z) + for_h": "carried = for_h"},
                "backward: a path of the state forgotten",
            ),
            (
                "unreset",
                {'n = np.tanh(of_x["n"] + r * of_h["n"])': 'n = np.tanh(of_x["n"] + of_h["n"])'},
                "forward: no reset",
            ),
        )
    ),
    written("conv-windows", 4, "conv_windows", WINDOWS),
    written("conv-windows-given", 4, "conv_windows", WINDOWS, "call_given"),
    *(
        mistaken(f"conv-windows:{name}", 4, "conv_windows", edits, kind)
        for name, edits, kind in (
            ("turned", {"images), dz)[::-1, ::-1]": "images), dz)"}, "backward: kernel not turned"),
            ("mask", {"* (z > 0)": '* (z > p["shift"])'}, "backward: ReLU mask of another value"),
            ("half-turned", {'p["kernel"][::-1, ::-1]': 'p["kernel"][::-1]'}, "forward: kernel turned along one axis"),
        )
    ),
    written("turned-affine", 2, "turned_functions", call="call_affine"),
    written("turned-norm", 24, "turned_functions", call="call_norm"),
    written("turned-batch-norm", 2, "batch_norm", {"weight": "q7", "bias": "p0"}, base=NORM),
    *(
        mistaken(f"turned-{call}:{name}", style, "turned_functions", edits, kind, call=f"call_{call}")
        for style, call, name, edits, kind in (
            (2, "affine", "transpose", {"dx = dout @ v\n": "dx = dout @ v.T\n"}, "backward: transpose forgotten"),
            (2, "affine", "weight", {"dv = dout.T @ x": "dv = x.T @ dout"}, "backward: transposed"),
            (2, "affine", "twice", {"x @ v.T + u[:, 0]": "x @ v.T + 2 * u[:, 0]"}, "forward: a bias twice"),
            (24, "norm", "exchanged", {"d = dout * bias": "d = dout * xhat"}, "backward: another factor"),
            (
                24,
                "norm",
                "gradients",
                {"(dout * xhat).sum(axis=(0, 1))": "dout.sum(axis=(0, 1))"},
                "backward: a factor forgotten",
            ),
            (24, "norm", "no-root", {"1 / np.sqrt(x.var(": "1 / (x.var("}, "forward: a root forgotten"),
        )
    ),
    mistaken(
        "turned-batch-norm:gamma",
        2,
        "batch_norm",
        {"dout * self.gamma": "dout + 0"},
        "backward: a factor forgotten",
        base=NORM,
    ),
    mistaken(
        "turned-batch-norm:beta",
        2,
        "batch_norm",
        {"self.gamma * self.xhat + self.beta": "self.gamma * self.xhat - self.beta"},
        "forward: a bias taken off",
        base=NORM,
    ),
    written("turned-tensors", 10, "tensors_with_g", TURNED_TENSORS, "call_turned"),
    mistaken(
        "turned-tensors:factor",
        10,
        "tensors_with_g",
        {"2.0 * (inp": "(inp"},
        "backward: factor of the square forgotten",
        call="call_turned",
    ),
    mistaken(
        "turned-tensors:shift",
        10,
        "tensors_with_g",
        {"l1 = inp @ w1 + b1": "l1 = inp @ w1 - b1"},
        "forward: a bias taken off",
        call="call_turned",
    ),
    written("turned-homework", 20, "homework", base=HOMEWORK),
    mistaken(
        "turned-homework:twice-mean",
        20,
        "homework",
        {"(1 - out**2) / y.size": "(1 - out**2) / y.size / N"},
        "backward: divided by the batch twice",
        base=HOMEWORK,
    ),
    mistaken(
        "turned-homework:minus",
        20,
        "homework",
        {'.T + net[k]["b"])': '.T - net[k]["b"])'},
        "forward: a bias taken off",
        base=HOMEWORK,
    ),
    written("turned-scalars", 21, "scalars", TURNED_SCALARS, "call_turned"),
    mistaken(
        "turned-scalars:tanh",
        21,
        "scalars",
        {"1 - out.data**2": "1 - out.data"},
        "backward: a square forgotten",
        call="call_turned",
    ),
    mistaken(
        "turned-scalars:tanh-twice",
        21,
        "scalars",
        {"math.tanh(self.data), (self,)": "math.tanh(2 * self.data), (self,)"},
        "forward: a factor in the tanh",
        call="call_turned",
    ),
    written("turned-kernel", 25, "kernels", call="call_module", base=KERNEL),
    mistaken(
        "turned-kernel:swish",
        25,
        "kernels",
        {"gate * (1 + x * (1 - gate))": "gate * (1 - gate)"},
        "backward: half of a derivative",
        call="call_module",
        base=KERNEL,
    ),
    mistaken(
        "turned-kernel:gate",
        25,
        "kernels",
        {"gate = torch.sigmoid(x)": "gate = torch.sigmoid(2 * x)"},
        "forward: a factor in the gate",
        call="call_module",
        base=KERNEL,
    ),
)
