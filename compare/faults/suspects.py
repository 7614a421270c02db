"""Which planted faults look like what checks found.

The code as it stands is run at the homes of all faults that can be made where a difference begins, and those are
suspected whose signature it shows there, with every check failing that fails with it. So the pair, the seed and the
wording of the mistake do not matter, and what passes where the mistake would not is no such mistake.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from twofold.compare.faults import FAULTS
from twofold.compare.faults.fault import CLIP, LOSS, OPTIMIZER, PENALTY, parts_of
from twofold.compare.faults.signatures import WITNESSES, Signature, cases, fails, shown, signatures
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Divergence, Finding, Quantity, Verdict

Seen = dict[tuple[str, str], list[Quantity]]  # what checks said of the code as it stands, by case and check


def suspects(trial: Trial, findings: Sequence[Finding], seen: Seen | None = None) -> list[dict[str, str]]:
    """The suspected faults of each finding, id and title. What is `seen` of this code need not be run again."""
    seen = {} if seen is None else seen
    failed = {finding.check for finding in findings if finding.verdict is Verdict.FAIL}
    parts = parts_of(trial.case) if failed else {}

    def of(finding: Finding) -> dict[str, str]:
        where, within = finding.first_divergence, parts
        # one without modules shows no nearer place
        if where and (where.module != trial.case.name or trial.shows_modules):
            within = {name: part for name, part in parts.items() if name in places(where)}
        return dict(alike(finding, failed, within, seen))

    return [of(finding) if finding.check in failed else {} for finding in findings]


def alike(finding: Finding, failed: Set[str], within: Mapping[str, Any], seen: Seen) -> list[tuple[str, str]]:
    """The faults that can be made in these parts, that a failed check shows, and that look like this.

    Of several those that leave passing what passes, if there are such.
    """
    if finding.blame and finding.blame.side == "reference":
        return []
    found = []
    for fault in FAULTS:
        kept = signatures()[fault.id]
        shows = kept.check in failed and (finding.first_divergence or finding.check in fault.checks)
        # what a special check alone finds has passed the others: a mistake that fails those is another
        alone = kept.check not in WITNESSES
        if shows and any(map(fault.made_in, within.values())) and looks_like(kept, seen, alone):
            found.append(fault)
    if len(found) > 1:
        found = [fault for fault in found if looks_like(signatures()[fault.id], seen, alone=True)] or found
    return [(fault.id, fault.title) for fault in found]


def looks_like(kept: Signature, seen: Seen, alone: bool = False) -> bool:
    """Whether the code as it stands fails at a fault's home as the fault does, and all checks that it fails.

    `alone`: and no other.
    """
    trials: list[Trial] = []  # one for all of them, if any has to be run

    def said(check: str) -> list[Quantity]:
        if (kept.case, check) not in seen:
            trials[:] = trials or [Trial(cases()[kept.case], "float64")]
            seen[kept.case, check] = shown(trials[0], check)
        return seen[kept.case, check]

    if not kept.fits(said(kept.check)) or not all(fails(said(other)) for other in kept.fails):
        return False
    return not alone or not any(fails(said(o)) for o in WITNESSES if o not in (kept.check, *kept.fails))


def places(where: Divergence) -> set[str]:
    """The parts of a case that a divergence may point to."""
    if where.stage == "optimizer":
        return {OPTIMIZER, CLIP}
    if where.stage == "update":
        return {where.module, OPTIMIZER, CLIP}
    if where.stage == "loss" or where.module in (LOSS, PENALTY):
        return {LOSS, PENALTY}
    return {where.module}
