"""The styles' nets with their arrays renamed, shuffled, transposed, put together or apart, without any layout=."""

from typing import Any

from tests.own.case import Truth
from tests.own.tables.convolution import HALF_SUM
from tests.own.tables.keeping import NETS, right, wrong
from tests.own.tables.kept import recurrent
from tests.own.tables.recurrent import CARRIED, CARRY, NO_TANH, OTHER_SIDE, RESET_FIRST

# The update gate weighs the other side: torch's is 1 - z, all that goes into z with the other sign.
COMPLEMENT = {
    "gru.weight_ih_l0": "concatenate([Wrx, -Wzx, Wnx])",
    "gru.weight_hh_l0": "concatenate([Wrh, -Wzh, Wnh])",
    "gru.bias_ih_l0[:8] + gru.bias_hh_l0[:8]": "concatenate([brx + brh, -bzx - bzh])",
}
# All sizes are one: nothing is told by shapes.
ONE_WIDTH = {
    "modules": (
        "p0 W3.T; q7 W2; r2 W1.T; s5 b2; t1 b3; u9 b1",
        {
            "self.fc1 = Linear(4, 5, rng)": "self.fc1 = Linear(5, 5, rng)",
            "self.fc3 = Linear(5, 3, rng)": "self.fc3 = Linear(5, 5, rng)",
            "nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)": "(nn.Linear(5, 5) for _ in range(3))",
            "rng.standard_normal((6, 4))": "rng.standard_normal((5, 5))",
        },
    ),
    "gru-cell": (
        recurrent.WAYS["gru-cell"]["shuffled"],
        {
            "GRUCell(3, 4, rng)": "GRUCell(4, 4, rng)",
            "nn.GRU(3, 4)": "nn.GRU(4, 4)",
            "rng.standard_normal((6, 3))": "rng.standard_normal((6, 4))",
        },
    ),
    "lists-of-references": (
        recurrent.WAYS["lists-of-references"]["shuffled"],
        {
            "LSTM(4, 3, rng)": "LSTM(4, 4, rng)",
            "nn.LSTM(3, 4, batch": "nn.LSTM(4, 4, batch",
            "rng.standard_normal((5, 6, 3))": "rng.standard_normal((4, 6, 4))",
        },
    ),
    "attention-layer": (
        "p0 V.T; q7 O.T; r2 Q; s5 K",
        {
            "SelfAttention(6, 4, rng)": "SelfAttention(6, 6, rng)",
            "(nn.Linear(6, 4, bias=False) for": "(nn.Linear(6, 6, bias=False) for",
            "nn.Linear(4, 6, bias=False)": "nn.Linear(6, 6, bias=False)",
        },
    ),
}
PUT_TOGETHER = {
    "params-dict": "last-row",
    "columns": "first-column",
    "lists-biases-first": "one-vector",
    "nhwc-conv": "im2col",
    "attention-layer": "fused-vkq",
    "lstm-columns": "ofgi",
    "char-rnn": "one-matrix",
    "lists-of-references": "all-in-one",
    "nodes-with-diffs": "oifg",
    "gru-cell": "nzr-transposed",
}
# With a number in its log a loss is another, by 3.5e-12 of it in float64, however the arrays are kept (OTHERS).
PLAIN = {"layers-from-nothing": {" + 1e-12": ""}}
SHUFFLED = {net: ways["shuffled"] for table in NETS for net, ways in table.WAYS.items()}

CONVENTION, REFERENCE, DETACH = "conventions", "reference", "reference: a stray detach"
# Of kinds beside forward and backward; who is wrong if not scratch.
OTHERS: tuple[tuple[Any, ...], ...] = (
    ("nodes-with-diffs", "no-tanh", NO_TANH, "convention: no tanh on the cell", CONVENTION),
    ("gru-cell", "reset-first", RESET_FIRST, "convention: reset gate before the product", CONVENTION),
    ("nhwc-conv", "half-sum", HALF_SUM, "convention: half the sum against the mean", CONVENTION),
    ("layers-from-nothing", "in-log", {}, "convention: a small number within the log", CONVENTION),
    ("columns", "sum", {"nn.BCELoss()": 'nn.BCELoss(reduction="sum")'}, "convention: sum against mean", CONVENTION),
    ("params-dict", "less", {"nn.Linear(6, 6)": "nn.Linear(6, 6, bias=False)"}, "convention: a bias more", CONVENTION),
    ("params-dict", "loss-line", {"[np.arange(N), y].mean()": "[np.arange(N), y].sum()"}, "loss: only its line"),
    ("nodes-with-diffs", "added", {"    param.reset()\n    nodes": "    nodes"}, "contract: gradients add up"),
    ("lists-of-references", "carried", {CARRIED: CARRY}, "state: carried from call to call"),
    ("pixels", "wraps", {'X.astype(p["W1"].dtype) - 128': "X - 128"}, "integer: uint8 wraps"),
    ("updated-inside", "twice", {"self.W = self.W - self": "self.W = self.W - 2 * self"}, "update: one tensor twice"),
    ("modules", "detach", {"torch.tanh(self.fc1(x))": "torch.tanh(self.fc1(x)).detach()"}, DETACH, REFERENCE),
    ("attention-layer", "detach", {"self.K(x), self.V(x))": "self.K(x).detach(), self.V(x))"}, DETACH, REFERENCE),
)

TABLE: tuple[Truth, ...] = (
    *(
        right(net, name, way, PLAIN.get(net))
        for table in NETS
        for net, ways in table.WAYS.items()
        for name, way in ways.items()
    ),
    *(
        right("gru-cell", f"complement-{name}", recurrent.WAYS["gru-cell"][name], OTHER_SIDE, COMPLEMENT)
        for name in ("shuffled", "zrn")
    ),
    *(right(net, "one-width", way, sizes) for net, (way, sizes) in ONE_WIDTH.items()),
    *(
        wrong(net, f"{way}:{name}", table.WAYS[net][way], *fault)
        for table in NETS
        for net, way in PUT_TOGETHER.items()
        if net in table.FAULTS
        for name, fault in table.FAULTS[net].items()
    ),
    *(
        wrong(net, f"shuffled:{name}", SHUFFLED[net], *fault)
        for table in NETS
        for net, faults in table.FAULTS.items()
        for name, fault in faults.items()
    ),
    *(wrong(net, f"shuffled:{name}", SHUFFLED[net], edits, *rest) for net, name, edits, *rest in OTHERS),
)
