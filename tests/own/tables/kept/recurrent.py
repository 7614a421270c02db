"""Recurrent nets: their arrays, the ways in which these may be kept, and mistakes."""

from tests.own.tables.kept.owner import Faults, Owner, keyed, of, only, returned

LSTM_NAMES = ["wg", "bg", "wi", "bi", "wf", "bf", "wo", "bo"]
GRU_NAMES = [f"{word}{gate}{side}" for word in "Wb" for side in "xh" for gate in "rzn"]

OWNERS: dict[str, Owner] = {
    "lstm-columns": Owner(
        5,
        "lstm_columns",
        "call",
        lambda p: keyed(p.held("p"), "Wf bf Wi bi Wc bc Wo bo Wy by"),
        returned(2, "d"),
        {
            "lstm.weight_ih_l0": "concatenate([Wi, Wf, Wc, Wo])[:, 4:]",
            "lstm.weight_hh_l0": "concatenate([Wi, Wf, Wc, Wo])[:, :4]",
            "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([bi, bf, bc, bo]).ravel()",
            "fc.weight": "Wy",
            "fc.bias": "by.ravel()",
        },
    ),
    "char-rnn": Owner(
        6,
        "char_rnn",
        "call_module",
        lambda p: keyed(vars(p.made), "Wxh Whh Why bh by"),
        of(1, lambda p, given: dict(zip(("Wxh", "Whh", "Why", "bh", "by"), given[1:6], strict=True))),
        {
            "rnn.weight_ih_l0": "Wxh",
            "rnn.weight_hh_l0": "Whh",
            "rnn.bias_ih_l0 + rnn.bias_hh_l0": "bh.ravel()",
            "out.weight": "Why",
            "out.bias": "by.ravel()",
        },
    ),
    "rnn-blog": Owner(
        7,
        "rnn_blog",
        "call",
        lambda p: keyed(p.keywords["params"], "U V W"),
        of(1, lambda p, given: dict(zip("UVW", given[1], strict=True))),
        {"rnn.weight_ih_l0": "U", "rnn.weight_hh_l0": "W", "out.weight": "V"},
    ),
    "lists-of-references": Owner(
        16,
        "lists_of_references",
        "call",
        lambda p: {
            f"{word}_{gate}": (getattr(p.scratch[0].__self__, word), n)
            for word in "WUb"
            for n, gate in enumerate("ifoc")
        },
        only(lambda p: p.scratch[0].__self__._params._grads),
        {
            "lstm.weight_ih_l0": "concatenate([W_i.T, W_f.T, W_c.T, W_o.T])",
            "lstm.weight_hh_l0": "concatenate([U_i.T, U_f.T, U_c.T, U_o.T])",
            "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([b_i, b_f, b_c, b_o])",
        },
        pair=True,
    ),
    "nodes-with-diffs": Owner(
        17,
        "nodes_with_diffs",
        "call",
        lambda p: keyed(p.held("param"), "wg bg wi bi wf bf wo bo"),
        of(
            2,
            lambda p, given: {name: getattr(p.held("param"), f"{name}_diff") for name in LSTM_NAMES},
        ),
        {
            "lstm.weight_ih_l0": "concatenate([wi, wf, wg, wo])[:, :3]",
            "lstm.weight_hh_l0": "concatenate([wi, wf, wg, wo])[:, 3:]",
            "lstm.bias_ih_l0 + lstm.bias_hh_l0": "concatenate([bi, bf, bg, bo])",
        },
    ),
    "gru-cell": Owner(
        18,
        "gru_cell",
        "call",
        lambda p: keyed(p.held("cell"), " ".join(GRU_NAMES)),
        of(2, lambda p, given: {name: getattr(p.held("cell"), f"d{name}") for name in GRU_NAMES}),
        {
            "gru.weight_ih_l0": "concatenate([Wrx, Wzx, Wnx])",
            "gru.weight_hh_l0": "concatenate([Wrh, Wzh, Wnh])",
            "gru.bias_ih_l0[:8] + gru.bias_hh_l0[:8]": "concatenate([brx + brh, bzx + bzh])",
            "gru.bias_ih_l0[8:]": "bnx",
            "gru.bias_hh_l0[8:]": "bnh",
        },
    ),
}

WAYS: dict[str, dict[str, dict[str, str]]] = {
    "lstm-columns": {
        "shuffled": "p0 Wc; q7 by; r2 bo; s5 Wf; t1 Wy.T; u9 bi; v3 Wo; w4 bf; x6 Wi; y8 bc",
        "lying": "Wf Wo; bf bo; Wi Wc; bi bc; Wc Wf; bc bf; Wo Wi; bo bi; Wy Wy; by by",
        "x-first": "p0 hstack([Wc[:, 4:], Wc[:, :4]]); q7 hstack([Wf[:, 4:], Wf[:, :4]]); "
        "r2 hstack([Wo[:, 4:], Wo[:, :4]]); s5 hstack([Wi[:, 4:], Wi[:, :4]]); t1 bi; u9 bf; v3 bo; w4 bc; "
        "x6 by; y8 Wy",
        "eight-matrices": "p0 Wc[:, 4:]; q7 Wf[:, 4:]; r2 Wo[:, 4:]; s5 Wi[:, 4:]; t1 bi; u9 bf; v3 bo; w4 bc; x6 by; "
        "y8 Wy; z0 Wi[:, :4]; a5 Wf[:, :4]; c7 Wo[:, :4]; d9 Wc[:, :4]",
        "ofgi": "W concatenate([Wo, Wf, Wc, Wi]); b concatenate([bo, bf, bc, bi]); V Wy; c by",
        "two-matrices-fgio": "p0 concatenate([Wf, Wc, Wi, Wo])[:, 4:].T; q7 concatenate([Wf, Wc, Wi, Wo])[:, :4].T; "
        "r2 concatenate([bf, bc, bi, bo]).ravel(); s5 Wy.T; t1 by.ravel()",
        "bias-last-column": "W hstack([concatenate([Wf, Wi, Wo, Wc]), concatenate([bf, bi, bo, bc])]); V Wy; c by",
    },
    "char-rnn": {
        "shuffled": "p0 Why; q7 by; r2 Whh; s5 bh; t1 Wxh",
        "transposed": "p0 Why.T; q7 Whh.T; r2 by.ravel(); s5 Wxh.T; t1 bh.ravel()",
        "one-matrix": "W hstack([Whh, Wxh]); V Why; b bh; c by",
        "bias-first": "W hstack([bh, Wxh, Whh]); V hstack([by, Why])",
    },
    "rnn-blog": {
        "shuffled": "p0 W; q7 V; r2 U",
        "transposed": "p0 V.T; q7 W.T; r2 U.T",
        "lying": "U V.T; V U.T; W W",
        "one-matrix": "p0 vstack([W.T, U.T]); q7 V",
    },
    "lists-of-references": {
        "shuffled": "p0 b_o; q7 U_f; r2 W_c; s5 U_i; t1 b_i; u9 W_o; v3 U_o; w4 W_f; x6 b_c; y8 U_c; z0 W_i; a5 b_f",
        "ifoc": "W hstack([W_i, W_f, W_o, W_c]); U hstack([U_i, U_f, U_o, U_c]); b concatenate([b_i, b_f, b_o, b_c])",
        "h-x": "W vstack([hstack([U_o, U_f, U_i, U_c]), hstack([W_o, W_f, W_i, W_c])]); "
        "b concatenate([b_o, b_f, b_i, b_c])",
        "all-in-one": "W vstack([hstack([W_c, W_i, W_f, W_o]), hstack([U_c, U_i, U_f, U_o]), "
        "concatenate([b_c, b_i, b_f, b_o])[None]])",
        "square-transposed": "p0 b_o; q7 U_f.T; r2 W_c; s5 U_i.T; t1 b_i; u9 W_o; v3 U_o.T; w4 W_f; x6 b_c; y8 U_c.T; "
        "z0 W_i; a5 b_f",
    },
    "nodes-with-diffs": {
        "shuffled": "p0 bo; q7 wi; r2 bg; s5 wo; t1 bf; u9 wg; v3 bi; w4 wf",
        "lying": "wg wo; wi wf; wf wi; wo wg; bg bo; bi bf; bf bi; bo bg",
        "h-first": "p0 bo; q7 hstack([wi[:, 3:], wi[:, :3]]); r2 bg; s5 hstack([wo[:, 3:], wo[:, :3]]); t1 bf; "
        "u9 hstack([wg[:, 3:], wg[:, :3]]); v3 bi; w4 hstack([wf[:, 3:], wf[:, :3]])",
        "gifo": "W concatenate([wg, wi, wf, wo]); b concatenate([bg, bi, bf, bo])",
        "oifg": "W concatenate([wo, wi, wf, wg]).T; b concatenate([bo, bi, bf, bg])",
    },
    "gru-cell": {
        "shuffled": "p0 Wzh; q7 brx; r2 Wnx; s5 bzh; t1 Wrx; u9 bnh; v3 Wnh; w4 bzx; x6 Wzx; y8 bnx; z0 Wrh; a5 brh",
        "lying": "Wrx Wzx; Wzx Wnx; Wnx Wrx; Wrh Wzh; Wzh Wnh; Wnh Wrh; brx bzx; bzx bnx; "
        "bnx brx; brh bzh; bzh bnh; bnh brh",
        "zrn": "Wx concatenate([Wzx, Wrx, Wnx]); Wh concatenate([Wzh, Wrh, Wnh]); "
        "bx concatenate([bzx, brx, bnx]); bh concatenate([bzh, brh, bnh])",
        "nzr-transposed": "p0 concatenate([Wnh, Wzh, Wrh]).T; q7 concatenate([Wnx, Wzx, Wrx]).T; "
        "r2 concatenate([bnx, bzx, brx]); s5 concatenate([bnh, bzh, brh])",
    },
}

FAULTS: dict[str, Faults] = {
    "lstm-columns": {
        "da-next": ({"@ dy + da_prev": "@ dy"}, "backward: later steps forgotten"),
        "exchanged": ({'("f", dft), ("i", dit)': '("f", dit), ("i", dft)'}, "backward: gates exchanged"),
        "ungated": ({"ft * c_prev + it * cct": "ft * c_prev + cct"}, "forward: a gate forgotten"),
    },
    "char-rnn": {
        "state": ({"dhraw @ hs[t - 1].T": "dhraw @ hs[t].T"}, "backward: the state of its own step"),
        "outside": ({"Whh @ hs[t - 1] + bh)": "Whh @ hs[t - 1]) + bh"}, "forward: bias behind the tanh"),
    },
    "rnn-blog": {
        "truncated": ({"bptt_truncate=9": "bptt_truncate=2"}, "backward: truncated in time"),
        "two-back": ({"self.W @ s[t - 1]": "self.W @ s[t - 2]"}, "forward: the state of two steps before"),
    },
    "lists-of-references": {
        "exchanged": ({"(d_i, d_f, d_o, d_c)": "(d_i, d_f, d_c, d_o)"}, "backward: gates exchanged"),
        "ungated": ({"c = f * c + i * g": "c = f * c + g"}, "forward: a gate forgotten"),
    },
    "nodes-with-diffs": {
        "exchanged": (
            {
                "(1 - self.i) * self.g": "(1 - self.i) * self.s_prev",
                "(1 - self.f) * self.s_prev": "(1 - self.f) * self.g",
            },
            "backward: gates exchanged",
        ),
        "ungated": (
            {"self.g * self.i + s_prev * self.f": "self.g * self.i + s_prev"},
            "forward: a gate forgotten",
        ),
    },
    "gru-cell": {
        "reset": ({"dinner = dn * r\n": "dinner = dn\n"}, "backward: a factor forgotten"),
        "kept": ({"(1 - z) * n + z * h": "(1 - z) * n + h"}, "forward: a gate forgotten"),
    },
}
