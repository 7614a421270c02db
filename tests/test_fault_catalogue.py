"""Every fault of the catalogue, planted where it is at home, is found by its checks, in its place, with its blame."""

import re
from pathlib import Path
from typing import Any

import pytest

from compare.faults import FAULTS, SHARED
from compare.faults.fault import Edit, Fault, parts_of
from compare.judge import battery
from compare.judge.checks import CHECKS_BY_NAME
from compare.judge.floor import Verdict
from compare.pair import Case
from compare.pairs import PAIRS
from compare.pairs.layers import LAYERS

CASES: dict[str, Case] = {case.name: case for case in (*(pair.case() for pair in PAIRS.values()), *LAYERS)}
PARTS: dict[str, dict[str, Any]] = {name: parts_of(case) for name, case in CASES.items()}
EDITS = {f"{fault.id} {edit.name}": edit for fault in FAULTS for edit in fault.edits}


def home_of(fault: Fault) -> str:
    return fault.home or next(name for name, parts in PARTS.items() if fault.hits(parts))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_is_found_in_its_place(fault: Fault) -> None:
    home = home_of(fault)
    expected = fault.expected(PARTS[home])
    assert expected, f"it does not show in {home}"
    with fault.planted():
        result = battery.run(CASES[home], "float64", checks=[CHECKS_BY_NAME[name] for name in expected.checks])
    for finding in result.findings:
        assert finding.verdict is Verdict.FAIL, finding.reason
        where = finding.first_divergence
        if expected.stage:
            assert where and where.stage == expected.stage, where
            assert where.module in (expected.modules or (where.module,)), where
        assert finding.blame and finding.blame.side == expected.blame, finding


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_what_is_replaced_is_there_once(edit: Edit) -> None:
    edit.planted()


def test_every_published_fault_is_planted_or_held_by_a_test() -> None:
    planted = {match[0] for fault in FAULTS if (match := re.match(r"F\d+", fault.id))}
    assert planted | SHARED.keys() == {f"F{n}" for n in range(1, 36)}
    assert not planted & SHARED.keys()
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 35 + 40
    for id, place in SHARED.items():
        path, _, name = place.partition("::")
        test = (Path(__file__).parents[1] / path).read_text().partition(f"\ndef {name}(")[2].partition("\n\n\n")[0]
        assert f'"""{id}: ' in test and "plant(" in test and "pytest.raises(AssertionError, match=" in test, place


def test_nothing_stays_planted() -> None:
    before = {name: getattr(edit.owner, edit.name) for name, edit in EDITS.items()}
    for fault in FAULTS:
        with fault.planted():
            pass
    assert {name: getattr(edit.owner, edit.name) for name, edit in EDITS.items()} == before
