"""A recurrent layer of both sides with what it takes and what its outputs are sent, and the map of its gates."""

from typing import Any

import numpy as np
from torch import nn

import twofold.reference.recurrent as reference_recurrent
from twofold import scratch
from twofold.compare import nest
from twofold.compare.judge.diagnosis import recurrence
from twofold.compare.judge.diagnosis.recurrence import gate_map
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.judge.gates import GateMap
from twofold.compare.layers import LAYERS
from twofold.compare.pairs import PAIRS

STEPS, BATCH, INPUTS, HIDDEN = 7, 5, 3, 4
CELLS = ("RNN", "SigmoidRNN", "LSTM", "GRU", "ResetFirstGRU")
CASES = {case.name: case for case in (*LAYERS, *(pair.case() for pair in PAIRS.values()))}


def torch_class(cell: str) -> Any:
    return getattr(reference_recurrent, cell, None) or getattr(nn, cell)


def drawn(
    cell: str, dtype: str = "float64", state: bool = False, batch_first: bool = False, bias: bool = True, seed: int = 0
) -> tuple[Any, Any, tuple[Any, ...], tuple[Any, ...]]:
    """A layer of both sides, what they take and what their outputs are sent."""
    rng = np.random.default_rng(seed)
    arguments = {"bias": bias, "batch_first": batch_first}
    layer = getattr(scratch, cell)(INPUTS, HIDDEN, **arguments).to(dtype)
    layer.load_state_dict(redrawn(layer.state_dict(), rng))
    x = rng.standard_normal((STEPS, BATCH, INPUTS)).swapaxes(0, 1 if batch_first else 0)
    states = tuple(rng.standard_normal((1, BATCH, HIDDEN)) for _ in range(2 if cell == "LSTM" else 1))
    inputs = nest.apply(lambda a: a.astype(dtype), recurrence.nested((x, *states) if state else (x,)))
    grad_outputs = nest.apply(lambda a: rng.standard_normal(a.shape).astype(dtype), layer(*inputs))
    return layer, torch_class(cell)(INPUTS, HIDDEN, **arguments), inputs, grad_outputs


def mapped(cell: str, **options: Any) -> GateMap:
    found = gate_map(*drawn(cell, **options))
    assert found is not None
    return found
