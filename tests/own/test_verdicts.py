"""The table of truth, each case judged as a stranger would: outcome, side, tensor, and how it is said."""

import json
import re

import pytest

from tests.own.case import Truth
from tests.own.truth import TRUTH
from twofold import Verdict, judge


def judged(truth: Truth) -> Verdict:
    """The right ones in both precisions; a mistake shows in one."""
    call = truth.make()
    how = call.keywords if truth.outcome == "same" else {"dtypes": ("float64",), **call.keywords}
    return judge(*call.arguments, **how)


def must_read_well(verdict: Verdict) -> None:
    """At most twelve lines, the verdict first, a number or a place in each that follows."""
    first, *rest = str(verdict).splitlines()
    assert first.startswith(("same: ", "not the same: ", "undecided")), first
    assert len(rest) < 12
    for line in rest:
        assert re.search(r"\d|:|=", line), line
    assert "Traceback" not in str(verdict)
    told = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert (told["outcome"], told["side"], told["tensor"]) == (verdict.outcome, verdict.side, verdict.tensor)
    assert verdict.report().startswith(first)


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth.name)
def test_the_verdict_is_the_truth(truth: Truth) -> None:
    verdict = judged(truth)
    assert (verdict.outcome, verdict.side) == (truth.outcome, truth.side), str(verdict)
    assert not truth.tensors or any(name in str(verdict.tensor) for name in truth.tensors), str(verdict)
    must_read_well(verdict)
