"""The table itself: names, styles, kinds, and that every case can be built."""

from collections import Counter

import pytest

from tests.own.truth import TRUTH, Truth

STYLES = range(27)  # the survey's 26, and 0 for those beside them


def test_names_are_unique() -> None:
    assert [name for name, times in Counter(truth.name for truth in TRUTH).items() if times > 1] == []


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_a_right_and_two_wrong_forms(style: int) -> None:
    outcomes = [truth.outcome for truth in TRUTH if truth.style == style]
    assert outcomes.count("same") >= 1
    assert len(outcomes) - outcomes.count("same") >= 2


def test_mistakes_are_of_many_kinds() -> None:
    assert len({truth.kind for truth in TRUTH if truth.kind}) >= len(STYLES)


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth.name)
def test_every_case_can_be_built(truth: Truth) -> None:
    assert (truth.outcome == "same") == (truth.side is None) == (not truth.kind)
    scratch, reference, *_data = truth.make().arguments
    parts = scratch if isinstance(scratch, tuple) else (getattr(scratch, "forward", scratch),)
    assert all(callable(part) for part in (*parts, reference))
