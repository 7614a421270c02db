"""Every failure of a trial, check by check, for the page."""

from collections.abc import Iterator

from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.report.telling.verdicts import BLAMED, describe, place, trial_of, verdict_of, worst_first

MOST = 10  # tensors a check


def verdict_line(result: Result) -> str:
    """A trial that does not pass in one sentence: who is wrong, where and since when it begins."""
    return "" if result.passed else f"{result.pair} in {trial_of(result)}: {verdict_of(result)}"


def explanations(result: Result) -> Iterator[str]:
    """The verdict first, then each check, evidence told once."""
    if line := verdict_line(result):
        yield line
    told = {""}
    for finding in result.findings:
        if finding.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE):
            continue
        yield from explain(finding)
        blamed = f"{BLAMED[finding.blame.side]}: {finding.blame.reason}" if finding.blame else ""
        probable = f"probable cause: {finding.probable_cause}" if finding.probable_cause else ""
        for line in (blamed, probable):
            if line not in told:
                told.add(line)
                yield f"    {line}"


def explain(finding: Finding) -> list[str]:
    """Why a check did not pass: where it starts, then its worst quantities."""
    head = f"{finding.check}: {finding.verdict}"
    if finding.first_divergence:
        head += f"; the first that differs: {place(finding.first_divergence)}"
    lines = [f"{head}. {finding.reason}" if finding.reason else head]
    bad = worst_first(finding)
    lines += [f"    {quantity.name}: {describe(quantity)}" for quantity in bad[:MOST]]
    if len(bad) > MOST:
        lines.append(f"    and {len(bad) - MOST} more")
    return lines
