"""The styles' nets with their arrays renamed, shuffled, transposed, put together or apart, without any layout=."""

from tests.own.case import Truth
from tests.own.tables.convolution import HALF_SUM
from tests.own.tables.keeping import NETS, right, wrong
from tests.own.tables.kept import recurrent
from tests.own.tables.recurrent import NO_TANH, OTHER_SIDE, RESET_FIRST

# The update gate weighs the other side: torch's is 1 - z, all that goes into z with the other sign.
COMPLEMENT = {
    "gru.weight_ih_l0": "concatenate([Wrx, -Wzx, Wnx])",
    "gru.weight_hh_l0": "concatenate([Wrh, -Wzh, Wnh])",
    "gru.bias_ih_l0[:8] + gru.bias_hh_l0[:8]": "concatenate([brx + brh, -bzx - bzh])",
}
SHUFFLED = {net: ways["shuffled"] for table in NETS for net, ways in table.WAYS.items()}

TABLE: tuple[Truth, ...] = (
    *(right(net, name, way) for table in NETS for net, ways in table.WAYS.items() for name, way in ways.items()),
    *(
        right("gru-cell", f"complement-{name}", recurrent.WAYS["gru-cell"][name], OTHER_SIDE, COMPLEMENT)
        for name in ("shuffled", "zrn")
    ),
    *(
        wrong(net, f"shuffled:{name}", SHUFFLED[net], *fault)
        for table in NETS
        for net, faults in table.FAULTS.items()
        for name, fault in faults.items()
    ),
    *(
        wrong(net, f"shuffled:{name}", SHUFFLED[net], edits, f"convention: {what}", "conventions")
        for net, name, edits, what in (
            ("nodes-with-diffs", "no-tanh", NO_TANH, "no tanh on the cell"),
            ("gru-cell", "reset-first", RESET_FIRST, "reset gate before the product"),
            ("nhwc-conv", "half-sum", HALF_SUM, "half the sum against the mean"),
            ("columns", "sum", {"nn.BCELoss()": 'nn.BCELoss(reduction="sum")'}, "sum against mean"),
            ("params-dict", "less", {"nn.Linear(6, 6)": "nn.Linear(6, 6, bias=False)"}, "a bias that torch lacks"),
        )
    ),
)
