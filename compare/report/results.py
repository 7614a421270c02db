"""The battery's results as JSON, by schema 1."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from twofold.compare.environment import environment
from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Finding
from twofold.compare.judge.gates import GateMap
from twofold.compare.strict import finite


def as_json(results: Iterable[Result]) -> dict[str, Any]:
    """The results by schema 1; a ratio or error without bound is written as null."""
    return finite({"schema": 1, "environment": environment(), "results": [_result(result) for result in results]})


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
        "quantities": [asdict(quantity) for quantity in finding.quantities],
        "first_divergence": asdict(finding.first_divergence) if finding.first_divergence else None,
        "line": asdict(finding.spot) if finding.spot else None,
        "blame": finding.blame.side if finding.blame else None,
        "blame_reason": finding.blame.reason if finding.blame else None,
        "gates": _gates(finding.gates) if finding.gates else None,
        "probable_cause": finding.probable_cause or None,
        "causes": finding.causes,
    }


def _gates(found: GateMap) -> dict[str, Any]:
    """Errors in floors, a row a time step."""
    return {"stage": found.stage, "gates": found.gates, "ratios": found.ratios.tolist(), "line": found.line()}
