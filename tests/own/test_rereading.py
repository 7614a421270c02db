"""A difference that one edit mends under another layout is told under that one, and no guess at a layout as found."""

from functools import cache

import numpy as np
import pytest
from torch import nn

from tests.own.judged import must_read_well
from tests.own.truth import LAYOUTS, TRUTH
from twofold import Verdict, judge

pytestmark = pytest.mark.xdist_group("rereading")  # each is judged once

NAMED = {truth.name: truth for truth in (*LAYOUTS, *TRUTH)}
# What one edit mends, and the layout under which it does.
MENDED = {
    "attention-layer/fused-vkq:unscaled": ("`/ self.scale` put to", "Q.weight = W[:, 8:12].T"),
    "params-dict/shuffled:forward-transpose": ("`W2` for `W2.T` in line 26", "2.weight = r2.T"),
    "params-dict/last-row:forward-transpose": ("`W2` for `W2.T` in line 26", "2.weight = p0[0:6].T"),
}
# What none of those tried mends: what of the layout is a guess.
OPEN = {
    "fused-qkv:width": "qkv.weight = ",
}
# What a guess begins with: of orders alike up to a factor the one under which torch's scores are scratch's.
LINED = {
    "fused-qkv:width": "qkv.weight = concatenate([W_in[:, np.r_[0:3, 9:12]].T, W_in[:, np.r_[3:6, 12:15]].T",
}


@cache
def verdict_on(name: str) -> Verdict:
    call = NAMED[name].make()
    verdict = judge(*call.arguments, **{"dtypes": ("float64",), **call.keywords})
    must_read_well(verdict)
    return verdict


@pytest.mark.parametrize("name", MENDED)
def test_the_edit_says_which_layout_is_meant(name: str) -> None:
    verdict = verdict_on(name)
    edit, layout = MENDED[name]
    told = dict(verdict.lines)
    assert edit in told["edit"] and "comparisons agree" in told["edit"], str(verdict)
    assert layout in told["layout"] and "otherwise none" in told["layout"], str(verdict)
    assert "undecided" not in told and verdict.side == "scratch"


@pytest.mark.parametrize("name", OPEN)
def test_what_nothing_decides_is_called_a_guess(name: str) -> None:
    verdict = verdict_on(name)
    told = dict(verdict.lines)
    assert "edit" not in told and OPEN[name] in told["undecided"], str(verdict)
    assert OPEN[name] not in told.get("layout", "")


@pytest.mark.parametrize("name", LINED)
def test_the_likeliest_guess_has_the_line(name: str) -> None:
    verdict = verdict_on(name)
    assert dict(verdict.lines)["undecided"].startswith(LINED[name]), str(verdict)
    assert verdict.place.line in NAMED[name].lines


def test_what_nothing_stands_for_is_told() -> None:
    """A net without its last bias, and with a mistake in its forward pass."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    params = {"first": rng.standard_normal((4, 5)), "second": rng.standard_normal((5, 3))}

    def loss(x: np.ndarray, y: np.ndarray) -> tuple:
        h = np.tanh(x @ params["first"])
        out = 1.5 * h @ params["second"]
        dout = 2 * (out - y) / out.size
        dh = 1.5 * dout @ params["second"].T * (1 - h * h)
        return ((out - y) ** 2).mean(), {"first": x.T @ dh, "second": 1.5 * h.T @ dout}

    net = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Tanh(), nn.Linear(5, 3))
    verdict = judge(loss, net, x, y, loss=nn.functional.mse_loss, params=params)
    assert not verdict.same and "2.bias = 0" in dict(verdict.lines)["layout"], str(verdict)
