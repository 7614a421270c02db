"""The table of truth, each case judged as a stranger would: outcome, side, tensor, and how it is said."""

import pytest

from tests.own.case import Truth
from tests.own.judged import cases, judged, must_be_true
from tests.own.truth import TRUTH


@pytest.mark.parametrize("truth", cases(TRUTH))
def test_the_verdict_is_the_truth(truth: Truth) -> None:
    _, verdict = judged(truth)
    must_be_true(truth, verdict)
