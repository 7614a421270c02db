"""What a mistake probably is: how a wrong tensor relates to the right one, and which known mistakes look the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from twofold.compare.judge.diagnosis.scenes import relations
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Verdict

# For each finding the known mistakes that look like it, id and title. The judge knows none; `faults` does.
Suspects = Callable[[Trial, Sequence[Finding]], Sequence[Mapping[str, str]]]


def nobody(trial: Trial, findings: Sequence[Finding]) -> list[Mapping[str, str]]:
    return [{} for _ in findings]


def with_causes(trial: Trial, findings: Sequence[Finding], suspects: Suspects = nobody) -> list[Finding]:
    """The findings, each failure with its probable cause."""
    pairs = zip(findings, suspects(trial, findings), strict=True)
    return [caused(trial, one, named) if one.verdict is Verdict.FAIL else one for one, named in pairs]


def caused(trial: Trial, finding: Finding, named: Mapping[str, str]) -> Finding:
    where = finding.first_divergence
    seen = where and finding.quantities and finding.check != "device"  # whose numbers are no run of scratch's
    told = [*(relations(trial, where) if where and seen else ())]
    told += [f"as by {fault}: {title}" for fault, title in named.items()]
    return replace(finding, causes=tuple(named), probable_cause="; ".join(told))
