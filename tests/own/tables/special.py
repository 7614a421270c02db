"""Special nets: tied, in one matrix, behind dropout, twins, fused, with other targets, without lines."""

from tests.own.case import Truth
from tests.own.tables.keeping import mistaken, written
from tests.own.tables.written import PLAIN_NAMES, WINDOWS, gru, lstm

TRANSPOSE, SQUARE = "backward: transpose forgotten", "backward: a square forgotten"
MINUS, UNGATED, GATE = "forward: a bias taken off", "forward: a gate forgotten", "backward: a gate forgotten"

TIED = {"emb.weight": "E", "mix.weight": "mix.T", "mix.bias": "shift"}
LAST_ROW = {
    name: text
    for n, matrix in (("0", "C"), ("2", "B"), ("4", "A"))
    for name, text in ((f"{n}.weight", f"{matrix}[:-1].T"), (f"{n}.bias", f"{matrix}[-1]"))
}
FIRST_ROW = {name: text.replace("[:-1]", "[1:]").replace("[-1]", "[0]") for name, text in LAST_ROW.items()}
ONES_FIRST = {
    "np.hstack([x, np.ones((len(x), 1))])": "np.hstack([np.ones((len(x), 1)), x])",
    "self.A[:-1].T": "self.A[1:].T",
    "self.B[:-1].T": "self.B[1:].T",
}
DROPPED = {
    "0.weight": "first",
    "0.bias": "b1",
    "3.weight": "inner.T",
    "3.bias": "b2",
    "5.weight": "last.T",
    "5.bias": "b3",
}
LEFT = {"left.weight": "a.T", "left.bias": "c", "right.weight": "b.T", "right.bias": "d", "top.weight": "top.T"}
RIGHT = {"left.weight": "b.T", "left.bias": "d", "right.weight": "a.T", "right.bias": "c", "top.weight": "top.T"}
TWICE = {
    "out = (one + two) @": "out = (one + 2 * two) @",
    "dtwo = both *": "dtwo = 2 * both *",
    "(one + two).T @ d": "(one + 2 * two).T @ d",
}
LAYERS = {"0.weight": "p0", "0.bias": "r2", "2.weight": "s5.T", "2.bias": "q7"}
BUILT = {"0.weight": "t1", "0.bias": "r2", "2.weight": "q7.T", "2.bias": "u9", "4.weight": "s5.T", "4.bias": "p0"}


def fused(order: str, outside: bool, weight: str = "qkv.weight", out: str = "out") -> dict[str, str]:
    """Torch's rows are queries, keys, values, of each the heads."""
    places = [order.index(block) for block in "qkv"]
    cut, back = (f"2, 3, 3, -1)[:, {places}]", ".transpose(1, 0, 2, 3)") if outside else (f"3, 2, 3, -1)[{places}]", "")
    return {
        weight: f"W_in.T.reshape({cut}{back}.reshape(18, 6)",
        weight.replace("weight", "bias"): f"b_in.reshape({cut}{back}.ravel()",
        f"{out}.weight": "W_out.T",
        f"{out}.bias": "b_out",
    }


def blocks(order: str, outside: bool) -> dict[str, str]:
    edits = {} if order == "kqv" else {'BLOCKS = "kqv"': f'BLOCKS = "{order}"'}
    return edits if outside else {**edits, "OUTSIDE = True": "OUTSIDE = False"}


TABLE: tuple[Truth, ...] = (
    written("tied-shared", 0, "tied_decoder", TIED | {"out.bias": "c"}, "call_shared"),
    written("tied-outside", 0, "tied_decoder", TIED | {"c": "c"}, "call_outside"),
    *(
        mistaken(f"tied-{call}:{name}", 0, "tied_decoder", edits, kind, call=f"call_{call}")
        for call in ("shared", "outside")
        for name, edits, kind in (
            ("one-use", {"dE = d.T @ h": "dE = np.zeros_like(E)"}, "backward: one use of a tied matrix"),
            (
                "other-use",
                {"        np.add.at(dE, ids, dmean[:, None] / T)\n": ""},
                "backward: one use of a tied matrix",
            ),
            ("mean", {"E[ids].mean(axis=1)": "E[ids].sum(axis=1)"}, "forward: sum for mean"),
        )
    ),
    written("one-matrix-last-row", 0, "one_matrix", LAST_ROW),
    written("one-matrix-first-row", 0, "one_matrix", FIRST_ROW, base=ONES_FIRST),
    *(
        mistaken(f"one-matrix-{where}:{name}", 0, "one_matrix", edits, kind, base=base)
        for where, base in (("last-row", {}), ("first-row", ONES_FIRST))
        for name, edits, kind in (
            ("square", {"(1 - h**2)": "(1 - h)"}, "backward: a square forgotten"),
            ("mean", {"d = 2 * e / e.size": "d = 2 * e / len(e)"}, "backward: not divided by the width"),
            ("path", {"k = np.tanh(second @ self.B)": "k = np.tanh(second @ self.B) + 0.5"}, "forward: a shift"),
        )
    ),
    *(
        written(f"behind-dropout-{call}", 0, "behind_dropout", DROPPED, f"call_{call}")
        for call in ("modes", "training", "seeded")
    ),
    *(
        mistaken(f"behind-dropout-{call}:{name}", 0, "behind_dropout", edits, kind, call=f"call_{call}")
        for call in ("modes", "seeded")
        for name, edits, kind in (
            ("mask", {'q["inner"].T * mask * (1': 'q["inner"].T * (1'}, "backward: a mask forgotten"),
            ("transpose", {'dk @ q["inner"].T': 'dk @ q["inner"]'}, "backward: transpose forgotten"),
            ("shift", {'@ q["inner"] + q["b2"]': '@ q["inner"] - q["b2"]'}, "forward: a bias taken off"),
        )
    ),
    written("twin-branches", 0, "twin_branches", (LEFT, RIGHT)),
    written("twin-branches-unlike", 0, "twin_branches", LEFT, "call_unlike", TWICE),
    *(
        mistaken(f"twin-branches:{name}", 0, "twin_branches", edits, kind)
        for name, edits, kind in (
            ("of-what", {"dtwo = both * (1 - two**2)": "dtwo = both * (1 - one**2)"}, "backward: derivative elsewhere"),
            ("half", {"out = (one + two) @": "out = (one + 0.5 * two) @"}, "forward: a factor"),
        )
    ),
    *(
        written(
            f"fused-{order}-{'outside' if outside else 'inside'}",
            23,
            "fused_qkv",
            fused(order, outside),
            base=blocks(order, outside),
        )
        for order in ("qkv", "kqv", "vkq")
        for outside in (True, False)
    ),
    written(
        "fused-multi-head",
        23,
        "fused_qkv",
        fused("vkq", True, "attn.in_proj_weight", "attn.out_proj"),
        "call_multi_head",
        blocks("vkq", True),
    ),
    *(
        mistaken(f"fused-{order}:{name}", 23, "fused_qkv", edits, kind, base=blocks(order, outside))
        for order, outside, name, edits, kind in (
            (
                "kqv",
                True,
                "exchanged",
                {'join({"q": dq, "k": dk, "v": dv})': 'join({"q": dk, "k": dq, "v": dv})'},
                "backward: exchanged",
            ),
            (
                "vkq",
                False,
                "scale",
                {"keepdims=True)) / np.sqrt(SIZE)": "keepdims=True))"},
                "backward: a factor forgotten",
            ),
            (
                "qkv",
                True,
                "width",
                {"(0, 1, 3, 2) / np.sqrt(SIZE)": "(0, 1, 3, 2) / np.sqrt(WIDTH)"},
                "forward: scaled by the width",
            ),
        )
    ),
    *(
        written(f"labels-{kind}", 0, "labels", LAYERS, f"call_{kind}")
        for kind in ("from_one", "one_hot", "columns", "signs")
    ),
    *(
        mistaken(
            f"labels-{call}:tanh",
            0,
            "labels",
            {'dz = d @ self.p["s5"].T * (1 - h**2)': 'dz = d @ self.p["s5"].T * (1 - h)'},
            "backward: a square forgotten",
            call=f"call_{call}",
        )
        for call in ("from_one", "one_hot", "columns", "signs")
    ),
    mistaken(
        "labels-from_one:shift",
        0,
        "labels",
        {"np.eye(3)[labels - 1]": "np.eye(3)[labels - 2]"},
        "forward: labels shifted",
        "conventions",
        call="call_from_one",
    ),
    mistaken(
        "labels-signs:sign", 0, "labels", {"d = -y / (1": "d = y / (1"}, "backward: wrong sign", call="call_signs"
    ),
    mistaken(
        "labels-columns:minus",
        0,
        "labels",
        {'@ self.p["s5"] + self.p["q7"]': '@ self.p["s5"] - self.p["q7"]'},
        "forward: a bias taken off",
        call="call_columns",
    ),
    written("no-lines-built", 0, "no_lines", BUILT, "call_built", lined=False),
    written("no-lines-numpy", 0, "no_lines", {"0.weight": "q7.T", "1.weight": "p0"}, "call_numpy", lined=False),
    written("no-lines-lstm", 5, "lstm_gates", lstm("fgio", ("p0", "q7", "r2")), base=PLAIN_NAMES, lined=False),
    written("no-lines-gru", 18, "gru_gates", gru("zrn", "-"), lined=False),
    written("no-lines-windows", 4, "conv_windows", WINDOWS, lined=False),
    written("no-lines-one-matrix", 0, "one_matrix", LAST_ROW, lined=False),
    *(
        mistaken(f"no-lines-{name}", style, file, edits, kind, side, call, lined=False)
        for style, file, call, name, edits, kind, side in (
            (0, "no_lines", "call_built", "built:transpose", {'dk @ p["q7"].T': 'dk @ p["q7"]'}, TRANSPOSE, "scratch"),
            (0, "no_lines", "call_built", "built:square", {"(1 - k**2)": "(1 - k)"}, SQUARE, "scratch"),
            (0, "no_lines", "call_built", "built:minus", {'["q7"] + p["u9"]': '["q7"] - p["u9"]'}, MINUS, "scratch"),
            (0, "no_lines", "call_numpy", "numpy:sum", {"kj,ij,ni->nk": "kj,ij,nl->nk"}, "forward: a sum", "open"),
            (5, "lstm_gates", "call", "lstm:ungated", {"f * c + i * g": "f * c + g"}, UNGATED, "scratch"),
            (5, "lstm_gates", "call", "lstm:forget", {"dz @ Wh.T, dc * f": "dz @ Wh.T, dc"}, GATE, "scratch"),
            (
                4,
                "conv_windows",
                "call",
                "windows:turned",
                {"dz)[::-1, ::-1]": "dz)"},
                "backward: not turned",
                "scratch",
            ),
        )
    ),
)
