"""The matrix of pairs and checks: of each the gravest verdict and the largest multiple of the floor."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, log10

from twofold.compare.faults.matrix import Row
from twofold.compare.judge.finding import Finding, Verdict, gravest
from twofold.compare.judge.gates import LIMIT
from twofold.compare.report.killing import count
from twofold.compare.report.pair import PairReport

SIGNS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.VACUOUS: "∅",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
}
# Where one shade ends and the next begins, in floors: evenly on a log scale, up to the limit and beyond it.
WITHIN = (LIMIT / 64, LIMIT / 16, LIMIT / 4, LIMIT)
BEYOND = (LIMIT * 1e2, LIMIT * 1e5, inf)


@dataclass(frozen=True)
class Cell:
    """What stands there, its shade, and the same in words."""

    text: str
    shade: str
    told: str


def worst_ratio(finding: Finding) -> float:
    """The check's largest multiple of the floor, 0 where nothing is measured; infinite where it has no bound.

    What fails without a comparison, as where a side raises, has none.
    """
    worst = finding.worst
    if worst is None and finding.verdict is Verdict.FAIL:
        return inf
    return worst.ratio if worst and (worst.floor or worst.ratio) else 0.0


def measured(finding: Finding) -> bool:
    """Against a floor; what has none is equal or not."""
    return any(quantity.floor for quantity in finding.quantities)


def cell(findings: Sequence[Finding]) -> Cell:
    """Of one check, or several, in all trials of a pair."""
    verdict = gravest(finding.verdict for finding in findings) if findings else Verdict.NOT_APPLICABLE
    if verdict is Verdict.NOT_APPLICABLE:
        return Cell(SIGNS[verdict], "none", next((f.reason for f in findings if f.reason), "not applicable"))
    if verdict in (Verdict.VACUOUS, Verdict.INCONCLUSIVE):
        return Cell(SIGNS[verdict], "unsure", str(verdict))
    deciding = [finding for finding in findings if finding.verdict is verdict]
    ratio = max(map(worst_ratio, deciding))
    number = multiple(ratio) if any(map(measured, deciding)) else ""
    told = f"{verdict}, {number} floors" if number else f"{verdict}, without rounding"
    if verdict is Verdict.PASS:
        return Cell(number or SIGNS[verdict], f"within-{shade(ratio, WITHIN)}", told)
    return Cell(f"{SIGNS[verdict]} {number}".strip(), f"beyond-{shade(ratio, BEYOND)}", told)


def shade(ratio: float, ends: Sequence[float]) -> int:
    """The place of the first end that is not passed."""
    return next((n for n, end in enumerate(ends) if ratio <= end), len(ends) - 1)


def multiple(ratio: float) -> str:
    """In at most four characters."""
    if ratio == inf:
        return "∞"
    if ratio >= 1000:
        return f"1e{floor(log10(ratio))}"
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.1f}"


def cells(report: PairReport, checks: Sequence[str]) -> list[Cell]:
    """One a check, then what was found at recipe size, in training, and of the planted mistakes."""
    found = [cell([f for r in report.results for f in r.findings if f.check == check]) for check in checks]
    return [*found, at_recipe_size(report), in_training(report), planted(report)]


def at_recipe_size(report: PairReport) -> Cell:
    if isinstance(report.full_size, str):
        return Cell(SIGNS[Verdict.INCONCLUSIVE], "unsure", report.full_size or "not measured")
    return cell(report.full_size.findings)


def in_training(report: PairReport) -> Cell:
    """Curves are shown and judged by nothing but whether both are there."""
    raised = [f"{side}: {run}" for side, run in report.runs.items() if isinstance(run, str)]
    if report.training is Verdict.PASS and report.runs:
        return Cell(SIGNS[Verdict.NOT_APPLICABLE], "none", "both trained; curves are shown, not judged")
    sign = SIGNS[report.training if raised else Verdict.INCONCLUSIVE]
    return Cell(sign, "beyond-2" if report.training is Verdict.FAIL else "unsure", "; ".join(raised) or "not measured")


def planted(report: PairReport) -> Cell:
    """How many mistakes were found of those that were planted."""
    if not isinstance(report.faults, Row):
        return Cell(SIGNS[Verdict.INCONCLUSIVE], "unsure", report.faults)
    found = count(list(report.faults.cells))
    told = f"{found.killed} of {found.cells} planted mistakes found"
    return Cell(str(found), "none" if found.complete else "beyond-2", told)
