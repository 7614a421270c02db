"""Layouts solved by value: right nets whatever form their arrays are kept in, and mistakes in them never a question."""

import re

import pytest

from tests.own.case import Truth
from tests.own.judged import agree, cases, judged, must_be_true, runs, torchs
from tests.own.truth import LAYOUTS
from twofold import judge

MOST = 5_000  # runs that a search may take


@pytest.mark.parametrize("truth", cases(LAYOUTS))
def test_the_verdict_is_the_truth(truth: Truth) -> None:
    """A mistake is none of the call: no BadCall, nothing undecided."""
    _, verdict = judged(truth)
    must_be_true(truth, verdict)
    assert runs(verdict) <= MOST


SOLVED = tuple(truth for truth in LAYOUTS if truth.outcome == "same")


@pytest.mark.parametrize("truth", cases(SOLVED))
def test_the_layout_is_the_true_one(truth: Truth) -> None:
    """Torch's tensors are those that the case knows; frozen, the layout needs no search and is the same again."""
    call, verdict = judged(truth)
    if call.torch:
        found = torchs(verdict.layout, call)
        assert any(agree(found, wanted) for wanted in call.torch), str(verdict)
    if len(call.torch) > 1:  # symmetric
        assert re.search("exchanged|as well", dict(verdict.lines)["layout"]), str(verdict)
    again = judge(*call.arguments, **{**call.keywords, "layout": verdict.layout, "dtypes": ("float64",)})
    assert again.same, str(again)
    assert again.layout == verdict.layout
    assert runs(again) <= 1
