"""The battery run over cases, and its results as JSON."""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twofold.compare.errors import BadInput
from twofold.compare.judge.checks.table import BATTERY, CHECKS_BY_NAME, Check
from twofold.compare.judge.diagnosis.causes import with_causes
from twofold.compare.judge.diagnosis.raising import raised
from twofold.compare.judge.evidence.branches import Flip
from twofold.compare.judge.evidence.floor import Quantity, Verdict
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, gravest
from twofold.compare.judge.gates import GateMap
from twofold.compare.pair import Case
from twofold.compare.processes import gathered
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
    def cause(self) -> Finding | None:
        """The first failure that says where it begins, else the first."""
        failed = [finding for finding in self.findings if finding.verdict is Verdict.FAIL]
        return next((finding for finding in failed if finding.first_divergence), failed[0] if failed else None)


def run(
    case: Case,
    dtype: str,
    device: str = "cpu",
    seed: int = 0,
    checks: Iterable[Check] = BATTERY,
    begins: Callable[[str], object] = lambda check: None,
) -> Result:
    """Runs `checks` on one trial; `begins` is told each check's name before it starts."""
    checks = tuple(checks)
    unknown = {key.partition(":")[0] for key in case.waivers} - CHECKS_BY_NAME.keys()
    if unknown:
        raise BadInput(f"{case.name}: waivers for {sorted(unknown)}, the checks are {', '.join(CHECKS_BY_NAME)}")
    try:
        trial = Trial(case, dtype, device, seed)
    except Exception as error:  # a side that cannot be built fails every check
        findings = tuple(Finding(check.name, Verdict.FAIL, reason=raised(error)) for check in checks)
        return Result(case.name, dtype, device, 0.0, findings)
    return run_trial(trial, checks, begins)


def run_trial(trial: Trial, checks: Iterable[Check], begins: Callable[[str], object] = lambda check: None) -> Result:
    start = time.perf_counter()
    findings = []
    with one_thread():
        for check in checks:
            begins(check.name)
            findings.append(check(trial))
        findings = with_causes(trial, findings)
    seconds = time.perf_counter() - start
    return Result(trial.case.name, trial.dtype, trial.device, seconds, tuple(findings), tuple(trial.flips))


# A process more pays for its import of torch only with this many trials to do.
TRIALS_A_PROCESS = 8


def run_all(work: Sequence[tuple[Case, str, str]], seed: int, jobs: int, tell: Callable[[str], object]) -> list[Result]:
    """(case, dtype, device) each, in order, spread over up to `jobs` processes; `tell` hears of the progress."""
    jobs = min(jobs, max(1, len(work) // TRIALS_A_PROCESS))
    if jobs > 1:
        given = [(*item, seed) for item in work]
        return gathered(run, given, jobs, lambda done, of: tell(f"{done} of {len(work)}: {of.pair} {of.dtype}"))
    results = []
    for n, (case, dtype, device) in enumerate(work, 1):
        label = f"{n} of {len(work)}: {case.name} {dtype} {device}"
        results.append(run(case, dtype, device, seed, begins=partial(_begins, tell, label)))
    return results


def _begins(tell: Callable[[str], object], label: str, check: str) -> None:
    tell(f"{label}, {check}")


def environment() -> dict[str, Any]:
    """What a result depends on beside the code."""
    import torch

    return {
        "twofold": version("twofold"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "numpy": version("numpy"),
        "torch": torch.__version__,
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def as_json(results: Iterable[Result]) -> dict[str, Any]:
    """The results by schema 1. JSON has no infinity: a ratio or error without bound is null."""
    return {"schema": 1, "environment": environment(), "results": [_result(result) for result in results]}


def write_json(path: Path, content: Any) -> None:
    """To a file, or to standard output for "-"."""
    text = json.dumps(content, indent=1, allow_nan=False)
    if path == Path("-"):
        print(text)
        return
    try:
        path.write_text(text + "\n")
    except OSError as error:
        raise BadInput(f"{path}: expected a file to write to, found {error.strerror}") from error


def _result(result: Result) -> dict[str, Any]:
    return {
        "pair": result.pair,
        "dtype": result.dtype,
        "device": result.device,
        "verdict": result.verdict,
        "seconds": round(result.seconds, 3),
        "flips": [asdict(flip) for flip in result.flips],
        "checks": [_finding(finding) for finding in result.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "quantities": [_quantity(quantity) for quantity in finding.quantities],
        "first_divergence": asdict(finding.first_divergence) if finding.first_divergence else None,
        "blame": finding.blame.side if finding.blame else None,
        "blame_reason": finding.blame.reason if finding.blame else None,
        "gates": _gates(finding.gates) if finding.gates else None,
        "probable_cause": finding.probable_cause or None,
        "causes": finding.causes,
    }


def _gates(found: GateMap) -> dict[str, Any]:
    """Errors in floors, a row a time step."""
    rows = [[value if math.isfinite(value) else None for value in row] for row in found.ratios.tolist()]
    return {"stage": found.stage, "gates": found.gates, "ratios": rows, "line": found.line()}


def _quantity(quantity: Quantity) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in asdict(quantity).items()
    }
