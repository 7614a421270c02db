"""What each fault looks like: the errors that its check reports at the fault's home, kept in signatures.json.

`python -m twofold.compare.faults.signatures` writes the file anew.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, isclose
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from twofold.compare.errors import BadInput
from twofold.compare.faults import FAULTS
from twofold.compare.faults.fault import Fault, parts_of
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.threads import one_thread

FILE = Path(__file__).with_suffix(".json")
DIGITS = 5
ALIKE = 1e-3  # of an error: what two mistakes that look alike may differ by, beside rounding
RAISES = "raises"


@dataclass(frozen=True)
class Signature:
    """By name the `errors` of the quantities that fail in one check of one case; infinite where none is measured."""

    case: str
    check: str
    errors: Mapping[str, float]

    def fits(self, found: Sequence[Quantity]) -> bool:
        """Whether the same quantities fail by the same errors, as far as rounding lets one say."""
        quantities = {quantity.name: quantity for quantity in found}
        return self.errors.keys() <= quantities.keys() and all(
            close(self.errors[name], quantity) if name in self.errors else quantity.verdict is not Verdict.FAIL
            for name, quantity in quantities.items()
        )


def close(kept: float, quantity: Quantity) -> bool:
    error = error_of(quantity)
    return kept == error or isclose(kept, error, rel_tol=ALIKE, abs_tol=quantity.limit * quantity.floor)


def error_of(quantity: Quantity) -> float:
    """The largest anywhere: which row is the worst in floors hangs on the floors."""
    return quantity.error if quantity.largest is None else quantity.largest


@cache
def kept() -> dict[str, dict[str, Any]]:
    """The file, as JSON has it."""
    return dict(json.loads(FILE.read_text()))


@cache
def signatures() -> dict[str, Signature]:
    """By fault; raises BadInput where one has none yet."""
    if missing := [fault.id for fault in FAULTS if fault.id not in kept()]:
        raise BadInput(
            f"{FILE.name}: no signature of {', '.join(missing)}; `python -m {__package__}.signatures` learns it"
        )
    return {
        fault: Signature(
            entry["case"], entry["check"], {k: inf if e is None else e for k, e in entry["errors"].items()}
        )
        for fault, entry in kept().items()
    }


@cache
def cases() -> dict[str, Case]:
    return {case.name: case for case in (*(pair.case() for pair in PAIRS.values()), *LAYERS)}


def shown(case: str, check: str) -> list[Quantity]:
    """What a check says of scratch as it stands, but for what is waived; raising is a failure like others."""
    trial = Trial(cases()[case], "float64")
    try:
        with few_steps(), np.errstate(all="ignore"):
            found = CHECKS_BY_NAME[check].run(trial)
            return [quantity for quantity in found if quantity.name.partition(" ")[0] not in trial.waived]
    except Exception as error:
        return [Quantity(f"{RAISES} {type(error).__name__}", inf, 0.0, inf, Verdict.FAIL)]


def home_of(fault: Fault) -> str:
    """The case to look at first: its own, the one that is kept, or the first that it can be made in.

    What is kept comes first, so that a new pair, which may stand anywhere in the table, moves no fault.
    """
    home = fault.home or kept().get(fault.id, {}).get("case", "")
    return home if home in cases() else next(name for name in cases() if fault.hits(parts(name)))


@cache
def parts(case: str) -> dict[str, object]:
    return parts_of(cases()[case])


def signature_of(fault: Fault) -> Signature:
    """Measured with the fault planted at home."""
    home = home_of(fault)
    expected = fault.expected(parts(home))
    assert expected, f"{fault.id} does not show in {home}"
    with fault.planted():
        quantities = shown(home, expected.checks[0])
    failed = {q.name: error_of(q) for q in quantities if q.verdict is Verdict.FAIL}
    return Signature(home, expected.checks[0], failed)


def as_json(found: Signature) -> dict[str, object]:
    """JSON has no infinity: null."""
    errors = {k: None if error == inf else float(f"{error:.{DIGITS}g}") for k, error in found.errors.items()}
    return {"case": found.case, "check": found.check, "errors": errors}


def learn() -> None:
    """Writes the file, a line a fault."""
    with one_thread():
        measured = {fault.id: as_json(signature_of(fault)) for fault in track(FAULTS, "planting the faults at home")}
    lines = [f"{json.dumps(fault)}: {json.dumps(found)}" for fault, found in measured.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    learn()
