"""What a layer does wrong beyond the sizes of pairs: more channels, words and steps, or as many records as features."""

from typing import Any

import pytest

from tests.judge.planting import plant
from tests.judge.verdicts import only
from twofold import scratch
from twofold.compare.layers import LAYERS

CASES = {case.name: case for case in LAYERS}

# owner, function, right, wrong, case
PLANTED = [
    (
        scratch.Conv2d,
        "backward",
        "(padded, shape), images",
        "dout = dout * (np.arange(dout.shape[1]) < 8)[:, None, None]\n    (padded, shape), images",
        "conv-wide",
    ),
    (
        scratch.LayerNorm,
        "backward",
        "record_sum(dnormal)",
        "record_sum(dnormal if len(dnormal) != dnormal.shape[1] else dnormal.T)",
        "layer-norm-rows-equal",
    ),
    (scratch.LSTM, "backward_steps", "dc * f, dz", "dc * f * (t != steps - 12), dz", "lstm-long"),
    (
        scratch.Embedding,
        "forward",
        "self.cache = tokens",
        "self.cache = np.maximum(tokens.astype(np.int8), 0)",
        "embedding-long",
    ),
]


@pytest.mark.parametrize("row", PLANTED, ids=lambda row: row[4])
def test_what_small_sizes_hide_is_found(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, right, wrong, case = row
    plant(monkeypatch, owner, name, right, wrong)
    assert only(CASES[case], "float64", "gradient").blame.side == "scratch"
