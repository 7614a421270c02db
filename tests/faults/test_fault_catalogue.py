"""Every fault of the catalogue, planted at home, is found by its checks, in its place, with its blame."""

import re
from functools import cache

import pytest

from tests.judge.planting import plant
from tests.places import ROOT
from twofold import scratch
from twofold.compare.faults import FAULTS, SHARED, matrix
from twofold.compare.faults.fault import Edit, Fault
from twofold.compare.faults.matrix import Ground
from twofold.compare.faults.signatures import cases, differs, home_of, signatures
from twofold.compare.faults.summary import summary, survivor
from twofold.compare.pairs import PAIRS

NAMED = FAULTS[::4]  # to run all homes of all that it may be takes long: `twofold faults --quick` asks it of every one
EDITS = {f"{fault.id} {edit.name}": edit for fault in FAULTS for edit in fault.edits}


@cache
def ground(home: str) -> Ground:
    return Ground((cases() | {name: pair.case() for name, pair in PAIRS.items()})[home])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_is_found_at_home(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    signature, seen, examined = signatures()[fault.id], {}, matrix.examined
    monkeypatch.setattr(matrix, "examined", lambda *given: seen.setdefault(given[1].name, examined(*given)))
    home = signature.case
    assert home == home_of(fault)
    cell = ground(home).cell(fault, named=fault in NAMED)
    if (found := seen.get(signature.check)) and found.quantities:  # what raises has none
        assert signature.fits(found.quantities), "python -m twofold.compare.faults.signatures"
    assert cell, f"it does not show in {home}"
    assert cell.detected and cell.located_rightly and cell.blamed_rightly, survivor(cell)
    assert cell.named_rightly or fault not in NAMED, survivor(cell)


AWAY = {  # where a fault shows otherwise than at home
    "one of several modules that are alike": ("relu-stops-nan", "mnist-cnn"),
    "in what is no slope": ("cross-entropy-unshifted", "activity-rnn-truncated-clipped"),
}


@pytest.mark.parametrize("what", AWAY)
def test_a_fault_is_found_away_from_home(what: str) -> None:
    fault, pair = AWAY[what]
    cell = ground(pair).cell(next(one for one in FAULTS if one.id == fault), named=False)
    assert cell and cell.detected and cell.located_rightly and cell.blamed_rightly, cell


def test_what_is_known_by_a_case_that_differs_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake that is there anyhow says nothing of whether another one is found."""
    plant(monkeypatch, scratch.LSTM, "backward_steps", "dc * c[t] * (f", "dc * (f * c[t] + i * g) * (f")
    monkeypatch.setattr(matrix, "differs", differs.__wrapped__)  # neither is kept for other tests
    monkeypatch.setattr(matrix, "seen_with", lambda fault: {})
    fault = next(one for one in FAULTS if one.id == "F1-tanh")
    cell = Ground(PAIRS["catcar-mlp"].case()).cell(fault)
    assert cell and not cell.causes and cell.home == "activity-lstm" and not cell.survives, cell
    assert "1 of them could not be named" in " ".join(summary([], [cell]))


def test_what_cannot_show_is_not_planted() -> None:
    fault = next(one for one in FAULTS if one.id == "flattened-channels-last")
    assert ground("fc-net-sgd").expected(fault) is ground("fc-net").expected(fault) is None


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
        test = (ROOT / path).read_text().partition(f"\ndef {name}(")[2].partition("\n\n\n")[0]
        assert f'"""{id}: ' in test and "plant(" in test and "pytest.raises(AssertionError, match=" in test, place


def test_nothing_stays_planted() -> None:
    before = {name: getattr(edit.owner, edit.name) for name, edit in EDITS.items()}
    for fault in FAULTS:
        with fault.planted():
            pass
    assert {name: getattr(edit.owner, edit.name) for name, edit in EDITS.items()} == before
