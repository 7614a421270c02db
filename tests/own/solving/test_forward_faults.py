"""Without names and without `layout=`: right nets are solved, and no mistake ends as a question about layouts."""

import pytest

from tests.own.truth import LAYOUTS, TRUTH, Truth
from twofold import Verdict, judge
from twofold.compare.judge.own.meeting import candidates, pairing, trying
from twofold.compare.judge.own.meeting.solving import solve, sources

# A forward fault looks like a layout that is not found.
FORWARD = [truth for truth in TRUTH if truth.kind.startswith("forward")]
GIVEN = [truth for truth in TRUTH if truth.outcome == "same" and "layout" in truth.make().keywords]


def judged(truth: Truth, patch: pytest.MonkeyPatch) -> Verdict:
    """As if the arrays had other names than torch's, whatever they are called."""
    for module in (candidates, pairing, trying, solve, sources):
        patch.setattr(module, "same_name", lambda name, leaf: False)
    call = truth.make()
    how = {name: value for name, value in call.keywords.items() if name != "layout"}
    return judge(*call.arguments, **{"dtypes": ("float64",), **how})


# Siblings of mutant-nested-checkpoint:little, seconds each: `make layouts`.
SLOW = ("nested-checkpoint:residual", "nested-checkpoint:scale", "nested-checkpoint:mask")


def asked(truth: Truth) -> object:
    return pytest.param(truth, id=truth.name, marks=[pytest.mark.slow] if truth.name in SLOW else [])


@pytest.mark.parametrize("truth", [asked(truth) for truth in FORWARD])
def test_a_forward_fault_stays_a_fault(truth: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged(truth, monkeypatch)  # BadCall would be the question
    assert verdict.outcome == "different", str(verdict)


@pytest.mark.parametrize("truth", GIVEN, ids=lambda truth: truth.name)
def test_a_layout_that_was_given_is_found(truth: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged(truth, monkeypatch)
    assert verdict.outcome == "same", str(verdict)


# Where the two sides part, of how the tensors stand there: no guess is told as found; or the edit that confirms it.
PARTED = {
    "lstm-gates-gifo:ungated": "with `* i` put to `g` in line 33",
    "lstm-columns/ofgi:ungated": "",
    "conv-windows:half-turned": "",
}


@pytest.mark.parametrize("truth", [truth for truth in LAYOUTS if truth.name in PARTED], ids=lambda truth: truth.name)
def test_what_a_fault_leaves_open_is_no_finding(truth: Truth) -> None:
    call, edit = truth.make(), PARTED[truth.name]
    verdict = judge(*call.arguments, **{"dtypes": ("float64",), **call.keywords})
    told, layout = dict(verdict.lines), dict(verdict.lines).get("layout", "")
    assert verdict.place.module in ("lstm", "conv")
    assert (f"{verdict.place.module}." in layout) == bool(edit), str(verdict)
    assert ("undecided" in told) != bool(edit)
    assert told.get("edit", "").startswith(edit)
