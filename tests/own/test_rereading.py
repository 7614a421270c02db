"""A difference that one edit mends under another layout is told under that one, and no guess at a layout as found."""

from functools import cache

import pytest

from tests.own.judged import must_read_well
from tests.own.truth import LAYOUTS, TRUTH
from twofold import Verdict, judge

pytestmark = pytest.mark.xdist_group("rereading")  # each is judged once

NAMED = {truth.name: truth for truth in (*LAYOUTS, *TRUTH)}
# What one edit mends, and the layout under which it does.
MENDED = {
    "attention-layer/fused-vkq:unscaled": ("`/ self.scale` put to", "Q.weight = W[:, 8:12].T"),
    "params-dict/shuffled:forward-transpose": ("`W2` for `W2.T` in line 26", "2.weight = r2.T"),
}
# What none of those tried mends: what of the layout is a guess.
OPEN = {
    "params-dict/last-row:forward-transpose": "2.weight = ",
    "fused-qkv:width": "qkv.weight = ",
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


def test_what_nothing_stands_for_is_told() -> None:
    verdict = verdict_on("params-dict/last-row:forward-transpose")
    assert "2.bias = 0" in dict(verdict.lines)["layout"], str(verdict)
