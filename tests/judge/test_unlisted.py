"""Mistakes that are on no list: none gets a cause that it has not, and what can be told of tensors and updates is."""

import pytest

from tests.judge.unlisted import UNLISTED, Unlisted
from twofold.compare.faults.fault import Fault
from twofold.compare.faults.signatures import cases
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.finding import Verdict


@pytest.mark.parametrize("mistake", UNLISTED, ids=lambda mistake: mistake.name)
def test_no_wrong_cause(mistake: Unlisted) -> None:
    planted = Fault(mistake.name, mistake.name, mistake.edits, None).planted()
    with planted:
        result = battery.run(
            cases()[mistake.case], "float64", checks=[CHECKS_BY_NAME[mistake.check]], suspects=suspects
        )
    (finding,) = result.findings
    assert finding.verdict is Verdict.FAIL
    assert finding.causes == ()
    assert finding.probable_cause == mistake.told


def test_there_are_many_and_each_is_one_of_its_own() -> None:
    assert len({mistake.name for mistake in UNLISTED}) == len({mistake.edits for mistake in UNLISTED}) >= 50
