"""How a wrong tensor relates to the right one, in words."""

from typing import Any

import numpy as np

from twofold.compare.judge.diagnosis.relations import Scene, relation
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.record import Compared, Record

GATES = {
    "LSTM": ("i", "f", "g", "o"),
    "LSTMCell": ("i", "f", "g", "o"),
    "GRU": ("r", "z", "n"),
    "GRUCell": ("r", "z", "n"),
}


def cause_of(record: Record, failing: Compared, first: str) -> str:
    """A relation that explains all of the difference to the floor; "" where none does."""
    bout = record.bout
    actual, golden = failing.actual.get(first), failing.golden.get(first)
    if (
        actual is None
        or golden is None
        or actual.shape != golden.shape
        or not np.isfinite(actual).all()
        or not actual.ndim
    ):
        return ""
    quantity = failing.quantities[first]
    entries = np.full(actual.shape, quantity.floor)
    others = {
        shown(bout, name): value
        for name, value in failing.golden.items()
        if name != first and value.shape == golden.shape and name.startswith("d ") == first.startswith("d ")
    }
    terms = {}
    if first.startswith("d ") and not first.startswith("d data "):
        leaf = bout.leaf(first.removeprefix("d "))
        terms[leaf.name] = bout.pairing.layout.in_rows(leaf, failing.one.values[leaf.name])
    scene = Scene(
        actual.astype(float), golden.astype(float), entries, sizes(bout, failing), others, terms, gates_of(bout, first)
    )
    with np.errstate(all="ignore"):
        return relation(scene)


def sizes(bout: Any, failing: Any) -> dict[str, int]:
    from twofold.compare.judge.own.deciding.conventions import counts

    found = counts(bout, failing.one)
    return {"batch size": found["samples"], **{k: n for k, n in found.items() if k != "samples"}} if found else {}


def gates_of(bout: Any, name: str) -> tuple[str, ...]:
    """The gates whose rows a parameter of a recurrent layer stacks."""
    if not name.startswith("d ") or name.startswith("d data "):
        return ()
    leaf = bout.leaf(name.removeprefix("d "))
    if bout.pairing.layout.alone(leaf) is None:
        return ()
    return gates_of_torchs(bout, bout.pairing.layout.torch_names(leaf)[0])


def gates_of_torchs(bout: Any, name: str) -> tuple[str, ...]:
    """The gates whose rows a parameter of torch's stacks."""
    path = name.rpartition(".")[0]
    for prefix, module in bout.reference.modules.items():
        inner = path.removeprefix(prefix).strip(".")
        part = dict(module.named_modules()).get(inner)
        if part is not None:
            return GATES.get(type(part).__name__, ())
    return ()


def gate_of(record: Record, failing: Compared, first: str) -> str | None:
    """The gates whose rows differ, where they are some of a recurrent layer's and not all."""
    gates = gates_of(record.bout, first)
    actual, golden = failing.actual.get(first), failing.golden.get(first)
    if not gates or actual is None or golden is None or actual.shape != golden.shape or len(golden) % len(gates):
        return None
    apart = [
        np.abs(a - b).max() for a, b in zip(np.split(actual, len(gates)), np.split(golden, len(gates)), strict=True)
    ]
    wrong = [gate for gate, size in zip(gates, apart, strict=True) if size > failing.quantities[first].floor * LIMIT]
    return ", ".join(wrong) if 0 < len(wrong) < len(gates) else None
