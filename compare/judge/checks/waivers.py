"""Failures that a pair declares: each set aside with its reason, and a failure itself once it is not needed."""

from collections.abc import Mapping
from dataclasses import replace

from twofold.compare.judge.evidence.trial import MOST_WAIVED
from twofold.compare.judge.finding import Finding, Quantity, Verdict, gravest


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
