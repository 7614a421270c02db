"""Without names and without `layout=`: right nets are solved, and no mistake ends as a question about layouts."""

import pytest

from tests.own.truth import TRUTH, Truth
from twofold import Verdict, judge
from twofold.compare.judge.own.meeting import candidates, trying
from twofold.compare.judge.own.meeting.solving import solve, sources

# A forward fault looks like a layout that is not found.
FORWARD = [truth for truth in TRUTH if truth.kind.startswith("forward")]
GIVEN = [truth for truth in TRUTH if truth.outcome == "same" and "layout" in truth.make().keywords]


def judged(truth: Truth, patch: pytest.MonkeyPatch) -> Verdict:
    """As if the arrays had other names than torch's, whatever they are called."""
    for module in (candidates, trying, solve, sources):
        patch.setattr(module, "same_name", lambda name, leaf: False)
    call = truth.make()
    how = {name: value for name, value in call.keywords.items() if name != "layout"}
    return judge(*call.arguments, **{"dtypes": ("float64",), **how})


SLOW = ("nested-checkpoint:residual", "nested-checkpoint:scale")  # siblings of a third, seconds each: `make layouts`


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
