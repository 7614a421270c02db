"""Styles 5 to 7 and 16 to 18: cells and loops over time."""

from tests.own.case import Truth, right, wrong


def lstm(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"lstm-columns:{name}", 5, "lstm_columns", {old: new}, *rest, **more)


def char(name: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"char-rnn:{name}", 6, "char_rnn", edits, *rest, call="call_module", **more)


def blog(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"rnn-blog:{name}", 7, "rnn_blog", {old: new}, *rest, **more)


def listed(name: str, old: str, new: str, *rest, **more) -> Truth:
    return wrong(f"lists-of-references:{name}", 16, "lists_of_references", {old: new}, *rest, **more)


def nodes(name: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"nodes-with-diffs:{name}", 17, "nodes_with_diffs", edits, *rest, **more)


def gru(name: str, edits: dict[str, str], *rest, **more) -> Truth:
    return wrong(f"gru-cell:{name}", 18, "gru_cell", edits, *rest, **more)


CARRIED = """        h = np.zeros((n_samples, self.hidden_dim))
        c = np.zeros((n_samples, self.hidden_dim))
"""
CARRY = (
    CARRIED
    + """        if self.last_hidden is not None and len(self.last_hidden[0]) == n_samples:
            h, c = self.last_hidden
"""
)
NO_TANH = {"squashed = np.tanh(self.s)": "squashed = self.s", " * (1 - self.squashed**2)": ""}
RESET_FIRST = {
    "inner = self.Wnh @ h + self.bnh": "inner = r * h",
    "self.bnx + r * inner)": "self.bnx + self.Wnh @ inner + self.bnh)",
    "dr = dn * inner * r * (1 - r)": "dinner = self.Wnh.T @ dn\n        dr = dinner * h * r * (1 - r)",
    "        dinner = dn * r\n": "",
    "self.dWnh += np.outer(dinner, h)": "self.dWnh += np.outer(dn, inner)",
    "self.dbnh += dinner": "self.dbnh += dn",
    "self.Wnh.T @ dinner": "r * dinner",
}
OTHER_SIDE = {
    "return (1 - z) * n + z * h": "return z * n + (1 - z) * h",
    "dn = delta * (1 - z)": "dn = delta * z",
    "delta * (h - n)": "delta * (n - h)",
    "dh = delta * z": "dh = delta * (1 - z)",
}

CARRIED_GLOBAL = {
    "np.copy(hprev)": 'np.copy(globals().get("last", hprev))',
    "    return loss, dWxh": '    globals()["last"] = hs[len(inputs) - 1]\n    return loss, dWxh',
}
EXCHANGED = {
    "(1 - self.i) * self.g": "(1 - self.i) * self.s_prev",
    "(1 - self.f) * self.s_prev": "(1 - self.f) * self.g",
}

TABLE = (
    right("lstm-columns", 5, "lstm_columns"),
    lstm("da-next", "@ dy + da_prev", "@ dy", "backward: later steps forgotten"),
    lstm("exchanged", '("f", dft), ("i", dit)', '("f", dit), ("i", dft)', "backward: gates exchanged", ("f", "i")),
    lstm("cell", "dft = dc * c_prev", "dft = dc * c_next", "backward: the cell of its own step"),
    lstm("tanh", "ot * (1 - tanh_c**2)", "ot", "backward: a derivative forgotten"),
    right("char-rnn", 6, "char_rnn", "call_list"),
    right("char-rnn-module", 6, "char_rnn", "call_module"),
    char("dh-next", {"Why.T @ dy + dhnext": "Why.T @ dy"}, "backward: later steps forgotten"),
    char("state", {"dhraw @ hs[t - 1].T": "dhraw @ hs[t].T"}, "backward: the state of its own step", ("Whh",)),
    char("loss-line", {"targets[t], 0])": "targets[t], 0]) / len(inputs)"}, "loss: only its line"),
    char("carried", CARRIED_GLOBAL, "state: carried from call to call"),
    char("mean", {'reduction="sum"': 'reduction="mean"'}, "convention: sum against mean", side="conventions"),
    right("rnn-blog", 7, "rnn_blog"),
    blog("truncated", "bptt_truncate=9", "bptt_truncate=2", "backward: truncated in time", ("U", "W")),
    blog("loss-line", "o[np.arange(len(y)), y]))", "o[np.arange(len(y)), y])) / len(y)", "loss: only its line"),
    blog(
        "state",
        "delta_t * (1 - s[step - 1] ** 2)",
        "delta_t * (1 - s[step] ** 2)",
        "backward: the state of its own step",
    ),
    blog(
        "bias",
        "nn.Linear(5, 8, bias=False)",
        "nn.Linear(5, 8)",
        "convention: a bias that scratch lacks",
        side="conventions",
    ),
    right("lists-of-references", 16, "lists_of_references"),
    listed("stale", 'p["U_" + gate] for', 'p["U_" + gate].copy() for', "state: a stale list of references"),
    listed("carried", CARRIED, CARRY, "state: carried from call to call"),
    listed("exchanged", "(d_i, d_f, d_o, d_c)", "(d_i, d_f, d_c, d_o)", "backward: gates exchanged"),
    right("nodes-with-diffs", 17, "nodes_with_diffs"),
    nodes("no-tanh", NO_TANH, "convention: no tanh on the cell", side="conventions"),
    nodes("exchanged", EXCHANGED, "backward: gates exchanged"),
    nodes("added", {"    param.reset()\n    nodes": "    nodes"}, "contract: gradients add up"),
    nodes("sign", {"2 * (node.h - y) + diff_h": "2 * (y - node.h) + diff_h"}, "backward: wrong sign"),
    right("gru-cell", 18, "gru_cell"),
    gru("reset-first", RESET_FIRST, "convention: reset gate before the product", side="conventions"),
    gru("other-side", OTHER_SIDE, "convention: the update gate weighs the other side", side="conventions"),
    gru("sign", {"delta * (h - n)": "delta * (n - h)"}, "backward: wrong sign"),
    gru("through", {"dh = delta * z + self": "dh = self"}, "backward: a path of the state forgotten"),
    gru("reset", {"dinner = dn * r\n": "dinner = dn\n"}, "backward: a factor forgotten"),
)
