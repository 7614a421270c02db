"""What a check yields: its quantities, and one verdict over them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from twofold.compare.judge.evidence.floor import Quantity, Verdict
from twofold.compare.judge.evidence.trial import MOST_WAIVED, Divergence
from twofold.compare.judge.gates import GateMap

# From the one that decides most to the one that decides least.
GRAVITY = (Verdict.FAIL, Verdict.VACUOUS, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.NOT_APPLICABLE)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides; nothing at all proves nothing: vacuous."""
    return min(verdicts, key=GRAVITY.index, default=Verdict.VACUOUS)


def worst(quantities: Iterable[Quantity]) -> Quantity | None:
    """The quantity of the gravest verdict with the largest ratio."""
    return min(quantities, key=lambda q: (GRAVITY.index(q.verdict), -q.ratio), default=None)


def worst_by_name(rounds: Iterable[tuple[str, Sequence[Quantity]]]) -> list[Quantity]:
    """Of every name the worst quantity over labelled rounds; a failure says in which round."""
    kept: dict[str, Quantity] = {}
    for label, quantities in rounds:
        for quantity in quantities:
            if quantity.verdict is Verdict.FAIL:
                quantity = replace(quantity, reason=f"{label}: {quantity.reason}")
            rivals = [q for q in (kept.get(quantity.name), quantity) if q is not None]
            kept[quantity.name] = worst(_proof_first(rivals)) or quantity
    return list(kept.values())


def _proof_first(rivals: list[Quantity]) -> list[Quantity]:
    """One round that proves a tensor is enough: a vacuous one beside a pass does not count."""
    proven = [q for q in rivals if q.verdict is not Verdict.VACUOUS]
    return proven or rivals


@dataclass(frozen=True)
class Blame:
    """scratch, reference, conventions or inconclusive, and the evidence in one sentence."""

    side: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """One check's result."""

    check: str
    verdict: Verdict
    quantities: tuple[Quantity, ...] = ()
    reason: str = ""
    first_divergence: Divergence | None = None
    blame: Blame | None = None
    gates: GateMap | None = None  # of the recurrent layer that differs first
    probable_cause: str = ""
    causes: tuple[str, ...] = ()  # planted faults that look the same, by id

    @property
    def worst(self) -> Quantity | None:
        return worst(self.quantities)


def waived(finding: Finding, waivers: Mapping[str, str]) -> Finding:
    """The finding with each failure that `waivers` names ("check" or "check: tensor") set aside, its reason shown.

    A waiver for a tensor sets aside all that is said of it. One that nothing needs any more is itself a failure.
    """
    keys = {key: reason for key, reason in waivers.items() if key.partition(":")[0] == finding.check}
    if not keys:
        return finding
    needed = set()
    quantities = []
    for quantity in finding.quantities:
        tensor = quantity.name.partition(" ")[0]  # a waiver for a tensor is one for its gradient and moments too
        key = next((k for k in (f"{finding.check}: {tensor}", finding.check) if k in keys), None)
        magnified = finding.check == "resync" and not quantity.name.endswith(" gradient")
        if key and ":" in key and not magnified and quantity.ratio > MOST_WAIVED:
            key = None
        if key and quantity.verdict in (Verdict.FAIL, Verdict.VACUOUS):
            needed.add(key)
        if key and (quantity.verdict is not Verdict.PASS or ":" in key):
            quantity = replace(quantity, verdict=Verdict.NOT_APPLICABLE, reason=f"waived: {keys[key]}")
        quantities.append(quantity)
    for key in keys.keys() - needed:
        quantities.append(Quantity(key, 0.0, 0.0, 0.0, Verdict.FAIL, reason="this waiver is no longer needed"))
    return replace(finding, quantities=tuple(quantities), verdict=gravest(q.verdict for q in quantities))
