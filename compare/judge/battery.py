"""The battery run over cases: each check judges, and what fails is diagnosed."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from twofold.compare.errors import BadInput
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, Check, battery_on
from twofold.compare.judge.diagnosis.causes import Suspects, nobody, with_causes
from twofold.compare.judge.diagnosis.diagnose import diagnosed
from twofold.compare.judge.diagnosis.lines import with_lines
from twofold.compare.judge.diagnosis.raising import refuses, wrong_pair
from twofold.compare.judge.evidence.branches import Flip
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Blame, Finding, Verdict, gravest, raised
from twofold.compare.pair import Case
from twofold.compare.processes import in_order, spread
from twofold.compare.sides.steady import repeatable
from twofold.compare.threads import one_thread

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Result:
    """One case in one dtype on one device."""

    pair: str
    dtype: str
    device: str
    seconds: float
    findings: tuple[Finding, ...]
    flips: tuple[Flip, ...] = ()  # branches that the reference by itself would have taken otherwise

    @property
    def verdict(self) -> Verdict:
        return gravest(finding.verdict for finding in self.findings)

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASS

    @property
    def pair_is_wrong(self) -> bool:
        """Whether the pair, and neither of its sides, is what must be mended."""
        return any(finding.blame and finding.blame.side == "pair" for finding in self.findings)

    @property
    def cause(self) -> Finding | None:
        """The first failure that says where it begins, else the first.

        One that convicts a side by itself, by a NaN or by memory that it shares, comes before every opinion.
        """
        failed = [finding for finding in self.findings if finding.verdict is Verdict.FAIL]
        placed = next((finding for finding in failed if finding.first_divergence), failed[0] if failed else None)
        convicting = next((finding for finding in failed if finding.convicted), None)
        if placed is None or convicting is None or placed.convicted:
            return placed
        where = convicting.first_divergence or placed.first_divergence
        return replace(convicting, first_divergence=where, gates=convicting.gates or placed.gates)


def silent(check: str) -> None:
    """Tells nobody which check begins."""


def run(
    case: Case,
    dtype: str,
    device: str = "cpu",
    seed: int = 0,
    checks: Iterable[Check] | None = None,
    begins: Callable[[str], object] = silent,
    suspects: Suspects = nobody,
) -> Result:
    """Runs `checks`, by default all for the device, on one trial; `begins` is told each check's name before it starts.

    `suspects` knows mistakes that people make, and names those that look like a failure.
    """
    checks = battery_on(device) if checks is None else tuple(checks)
    unknown = {key.partition(":")[0] for key in case.waivers} - CHECKS_BY_NAME.keys()
    if unknown:
        raise BadInput(f"{case.name}: waivers for {sorted(unknown)}, the checks are {', '.join(CHECKS_BY_NAME)}")
    try:
        trial = Trial(case, dtype, device, seed)
    except Exception as error:  # a side that cannot be built fails every check
        told = wrong_pair(case, dtype, device, seed)
        refused = Blame("inconclusive", "scratch refuses the arguments that the reference takes")
        guilt = Blame("pair", told) if told else refused if refuses(error) else Blame("scratch", "it cannot be built")
        findings = [Finding(check.name, Verdict.FAIL, reason=raised(error), blame=guilt) for check in checks]
        return Result(case.name, dtype, device, 0.0, tuple(told_once(findings)))
    return run_trial(trial, checks, begins, suspects)


def examined(trial: Trial, check: Check) -> Finding:
    """What a check finds, and where it fails the place and who is wrong."""
    return diagnosed(trial, check(trial))


def run_trial(
    trial: Trial,
    checks: Iterable[Check],
    begins: Callable[[str], object] = silent,
    suspects: Suspects = nobody,
) -> Result:
    start = time.perf_counter()
    findings = []
    with one_thread(), repeatable(trial.device):
        for check in checks:
            begins(check.name)
            findings.append(examined(trial, check))
        findings = with_lines(trial, told_once(with_causes(trial, findings, suspects)))
    seconds = time.perf_counter() - start
    return Result(trial.case.name, trial.dtype, trial.device, seconds, tuple(findings), tuple(trial.flips))


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """A wrong pair is told by the first check that meets it; the others have nothing to judge."""
    wrong = [finding for finding in findings if finding.blame and finding.blame.side == "pair"]
    return [without_verdict(finding) if finding in wrong[1:] else finding for finding in findings]


def without_verdict(finding: Finding) -> Finding:
    return Finding(finding.check, Verdict.NOT_APPLICABLE, reason="the pair is wrong")


# A process more pays for its import of torch only with this many trials to do.
TRIALS_A_PROCESS = 8


def run_all(
    work: Sequence[tuple[Case, str, str]],
    seed: int,
    jobs: int,
    tell: Callable[[str], object],
    suspects: Suspects = nobody,
) -> Iterator[Result]:
    """(case, dtype, device) each, spread over up to `jobs` processes: each in order, as soon as all before are there.

    `tell` hears of the progress.
    """
    jobs = min(jobs, max(1, len(work) // TRIALS_A_PROCESS))
    if jobs > 1:
        found = in_order(begun_apart(work, seed, jobs, suspects))
        for done, result in enumerate(found, 1):
            tell(f"{done} of {len(work)}: {result.pair} {result.dtype}")
            yield result
        return
    for n, (case, dtype, device) in enumerate(work, 1):
        label = f"{n} of {len(work)}: {case.name} {dtype} {device}"
        yield run(case, dtype, device, seed, begins=partial(_begins, tell, label), suspects=suspects)


def begun_apart(
    work: Sequence[tuple[Case, str, str]], seed: int, jobs: int, suspects: Suspects
) -> Iterator[tuple[int, Result]]:
    """Each result with its place, as it comes: the CPU's from processes, a device's from this one."""
    here, there = ([n for n, (_, _, device) in enumerate(work) if (device == "cpu") == cpu] for cpu in (False, True))
    for n, result in spread(partial(run, suspects=suspects), [(*work[n], seed) for n in there], jobs) if there else ():
        yield there[n], result
    for n in here:
        yield n, run(*work[n], seed, suspects=suspects)


def _begins(tell: Callable[[str], object], label: str, check: str) -> None:
    tell(f"{label}, {check}")
