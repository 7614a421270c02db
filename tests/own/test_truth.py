"""The table itself: names, styles, kinds, and that every case can be built."""

from collections import Counter

import pytest

from tests.own.truth import LAYOUTS, TRUTH, Truth

ALL = *TRUTH, *LAYOUTS

STYLES = range(27)  # the survey's 26, and 0 for those beside them


def test_names_are_unique() -> None:
    assert [name for name, times in Counter(truth.name for truth in ALL).items() if times > 1] == []


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_a_right_and_two_wrong_forms(style: int) -> None:
    outcomes = [truth.outcome for truth in TRUTH if truth.style == style]
    assert outcomes.count("same") >= 1
    assert len(outcomes) - outcomes.count("same") >= 2


def test_mistakes_are_of_many_kinds() -> None:
    assert len({truth.kind for truth in TRUTH if truth.kind}) >= len(STYLES)


@pytest.mark.parametrize("style", STYLES[:-1])
def test_every_style_is_kept_otherwise(style: int) -> None:
    """But style 26, a rule, which has no layout."""
    found = [truth for truth in LAYOUTS if truth.style == style]
    kinds = {truth.kind_of for truth in found}
    assert any(truth.outcome == "same" for truth in found)
    assert "forward" in kinds
    assert "backward" in kinds


def test_a_mistake_in_scratch_has_lines() -> None:
    """Those that are none of a line's are told by their edits: none of the text."""
    for truth in ALL:
        assert bool(truth.lines) == bool(truth.edits), truth.name
        assert not set(truth.lines) & set(truth.users), truth.name


def test_what_is_wrong_is_someones() -> None:
    for truth in ALL:
        assert (truth.outcome == "same") == (truth.side is None) == (not truth.kind), truth.name


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth.name)
def test_every_case_can_be_built(truth: Truth) -> None:
    scratch, reference, *_data = truth.make().arguments
    parts = scratch if isinstance(scratch, tuple) else (getattr(scratch, "forward", scratch),)
    assert all(callable(part) for part in (*parts, reference))
