"""What each fault looks like at its home: the errors that its check reports, kept in signatures.json.

Where only equality is judged it is also which entries differ; and of the other checks, which fail with it.

`python -m twofold.compare.faults.signatures` writes the file anew.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from twofold.compare.judge.finding import Quantity, Verdict, error_of
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case
from twofold.compare.pairs import PAIRS
from twofold.compare.threads import one_thread

FILE = Path(__file__).with_suffix(".json")
DIGITS = 8
ALIKE = 1e-6  # of an error: what two wordings of one mistake may differ by, beside rounding
RAISES = "raises"
# The checks that a suspect must fail too where the fault does: quick ones.
WITNESSES = ("exact", "forward", "loss", "gradient", "grad_output", "twice", "numerical", "optimizer")


@dataclass(frozen=True)
class Signature:
    """By name the `errors` of the quantities that fail in one check of one case; infinite where none is measured.

    `entries` are by name those that differ, where none may. `fails` are the checks that fail besides.
    """

    case: str
    check: str
    errors: Mapping[str, float]
    entries: Mapping[str, str] = field(default_factory=dict)
    fails: tuple[str, ...] = ()

    def fits(self, found: Sequence[Quantity]) -> bool:
        """Whether the same quantities fail by the same errors, as far as rounding lets one say."""
        quantities = {quantity.name: quantity for quantity in found}
        return self.errors.keys() <= quantities.keys() and all(
            self.shows(quantity) if name in self.errors else quantity.verdict is not Verdict.FAIL
            for name, quantity in quantities.items()
        )

    def shows(self, quantity: Quantity) -> bool:
        kept, error = self.errors[quantity.name], error_of(quantity)
        within = quantity.limit * quantity.floor
        close = kept == error or isclose(kept, error, rel_tol=ALIKE, abs_tol=within)
        return close and self.entries.get(quantity.name, "") == quantity.entries


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
            entry["case"],
            entry["check"],
            {k: inf if e is None else e for k, e in entry["errors"].items()},
            entry.get("entries", {}),
            tuple(entry.get("fails", ())),
        )
        for fault, entry in kept().items()
    }


@cache
def cases() -> dict[str, Case]:
    return {case.name: case for case in (*(pair.case() for pair in PAIRS.values()), *LAYERS)}


def shown(trial: Trial, check: str) -> list[Quantity]:
    """What a check says of scratch as it stands, but for what is waived; raising is a failure like others."""
    try:
        with few_steps(), np.errstate(all="ignore"):
            if CHECKS_BY_NAME[check].lacking(trial):
                return []
            found = CHECKS_BY_NAME[check].run(trial)
            return [quantity for quantity in found if quantity.name.partition(" ")[0] not in trial.waived]
    except Exception as error:
        said = " ".join(str(error).split())
        return [Quantity(f"{RAISES} {type(error).__name__}", inf, 0.0, inf, Verdict.FAIL, entries=said)]


def fails(quantities: Sequence[Quantity]) -> bool:
    return any(quantity.verdict is Verdict.FAIL for quantity in quantities)


@cache
def differs(home: str) -> bool:
    """Whether scratch as it stands fails at a home: then no fault looks there as it did."""
    trial = Trial(cases()[home], "float64")
    return any(fails(shown(trial, check)) for check in WITNESSES)


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
    check, *others = dict.fromkeys((expected.checks[0], *WITNESSES))
    with fault.planted():
        trial = Trial(cases()[home], "float64")
        failed = [quantity for quantity in shown(trial, check) if quantity.verdict is Verdict.FAIL]
        besides = tuple(other for other in others if fails(shown(trial, other)))
    entries = {q.name: q.entries for q in failed if q.entries}
    return Signature(home, check, {q.name: error_of(q) for q in failed}, entries, besides)


def as_json(found: Signature) -> dict[str, object]:
    """JSON has no infinity: null."""
    errors = {k: None if error == inf else float(f"{error:.{DIGITS}g}") for k, error in found.errors.items()}
    more = {"entries": dict(found.entries), "fails": list(found.fails)}
    return {"case": found.case, "check": found.check, "errors": errors, **{k: v for k, v in more.items() if v}}


def learn() -> None:
    """Writes the file, a line a fault."""
    with one_thread():
        measured = {fault.id: as_json(signature_of(fault)) for fault in track(FAULTS, "planting the faults at home")}
    lines = [f"{json.dumps(fault)}: {json.dumps(found)}" for fault, found in measured.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    learn()
