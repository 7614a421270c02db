"""Layouts solved by value: right nets whatever form their arrays are kept in, and mistakes in them never a question."""

import re

import pytest

from tests.own.case import Truth
from tests.own.judged import agree, cases, judged, must_be_true, runs, torchs
from tests.own.truth import LAYOUTS
from twofold import judge

MOST = 5_000  # runs that a search may take

# What is not as it should be, each with what is seen: strict, so that what is mended must be taken out.
FALLS_SHORT = {
    "columns/first-column:minus": "undecided: no layout is found, and one bias is taken off",
}


# What takes seconds and has a sibling that does not: `make layouts` runs all.
SLOW = frozenset(
    [
        "char-rnn/bias-first",
        "char-rnn/one-matrix:outside",
        "char-rnn/shuffled:outside",
        "conv-windows:half-turned",
        "fused-kqv-outside",
        "fused-kqv:exchanged",
        "fused-multi-head",
        "fused-qkv-outside",
        "gru-cell/nzr-transposed",
        "gru-cell/nzr-transposed:kept",
        "gru-cell/one-width",
        "gru-cell/shuffled:reset-first",
        "gru-cell/zrn",
        "gru-gates-zrn:through",
        "gru-gates-zrn:unreset",
        "layers-from-nothing/shuffled:minus",
        "lists-of-references/all-in-one:ungated",
        "lists-of-references/shuffled:exchanged",
        "lists-of-references/shuffled:ungated",
        "lstm-columns/bias-last-column",
        "lstm-columns/ofgi",
        "lstm-columns/ofgi:ungated",
        "lstm-columns/shuffled:ungated",
        "lstm-gates-time-first",
        "nested-checkpoint/shuffled",
        "nested-checkpoint/shuffled:mask",
        "nested-checkpoint/shuffled:residual",
        "nested-checkpoint/shuffled:scale",
        "nested-checkpoint/square-transposed",
        "nhwc-conv/shuffled:bias-per-tap",
        "nnfs-objects/shuffled:double",
        "no-lines-built:minus",
        "no-lines-lstm:ungated",
        "nodes-with-diffs/shuffled:no-tanh",
        "nodes-with-diffs/shuffled:ungated",
        "params-dict/shuffled",
        "turned-homework:minus",
        "turned-scalars:tanh-twice",
        "updated-inside/shuffled",
    ]
)


def known(table: tuple[Truth, ...], short: dict[str, str]) -> list[object]:
    """The cases, those that fall short marked so."""
    found = []
    for truth, case in zip(table, cases(table), strict=True):
        marks = [pytest.mark.xfail(strict=True, reason=short[truth.name])] if truth.name in short else []
        marks += [pytest.mark.slow] if truth.name in SLOW else []
        found.append(pytest.param(truth, id=truth.name, marks=[*case.marks, *marks]))
    return found


def test_what_is_slow_is_known() -> None:
    assert {truth.name for truth in LAYOUTS} >= SLOW


@pytest.mark.parametrize("truth", known(LAYOUTS, FALLS_SHORT))
def test_the_verdict_is_the_truth(truth: Truth) -> None:
    """A mistake is none of the call: no BadCall, nothing undecided."""
    _, verdict = judged(truth)
    must_be_true(truth, verdict)
    assert runs(verdict) <= MOST


SOLVED = tuple(truth for truth in LAYOUTS if truth.outcome == "same")


@pytest.mark.parametrize("truth", known(SOLVED, {}))
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
