"""The line that is wrong: a verdict's place is the faulty one, or the first that uses what it binds.

`python -m tests.own.table` prints the place of every case. Those placed at a first use are named in FIRST_USES, those
placed elsewhere or nowhere in MISSED, each with its reason; a case that is mended must be taken out, or the test fails.
"""

import pytest

from tests.own.case import PLACES, Truth
from tests.own.judged import cases, judged
from tests.own.truth import LAYOUTS, TRUTH

WITH_A_LINE = tuple(truth for truth in (*TRUTH, *LAYOUTS) if truth.has_line)
FIRST_USES: frozenset[str] = frozenset()
MISSED: dict[str, str] = {}  # a case's name: why its line cannot be named


@pytest.mark.parametrize("truth", cases(WITH_A_LINE))
def test_the_line_is_named(truth: Truth) -> None:
    call, verdict = judged(truth)
    faulty_line, first_use, *missed = PLACES
    expected = missed if truth.name in MISSED else [first_use if truth.name in FIRST_USES else faulty_line]
    told = f"{verdict.place.file}:{verdict.place.line}, faulty are {truth.lines}, their first uses {truth.users}"
    assert truth.placed(call, verdict.place) in expected, f"{told}\n{verdict}"


@pytest.mark.parametrize("truth", cases(tuple(truth for truth in LAYOUTS if not truth.lined)))
def test_no_line_is_named_where_there_is_none(truth: Truth) -> None:
    _, verdict = judged(truth)
    assert (verdict.place.file, verdict.place.line) == (None, None), str(verdict)


def test_most_are_the_faulty_line() -> None:
    names = {truth.name for truth in WITH_A_LINE}
    assert FIRST_USES | set(MISSED) <= names
    assert not FIRST_USES & set(MISSED)
    assert len(FIRST_USES) + len(MISSED) <= 0.2 * len(names)
