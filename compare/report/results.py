"""The battery's results as JSON, by schema 1, and back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import inf
from typing import Any

from twofold.compare.environment import environment
from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Finding
from twofold.compare.judge.gates import GateMap
from twofold.compare.records import read
from twofold.compare.strict import dumps, finite

MEASURED = ("error", "floor", "ratio", "limit", "ulps")  # numbers that are always there, and null where without bound


def as_json(results: Iterable[Result], made_in: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The results by schema 1, of this environment or another; a ratio or error without bound is written as null."""
    made_in = environment() if made_in is None else made_in
    return finite({"schema": 1, "environment": made_in, "results": [_result(result) for result in results]})


def of_json(content: Any) -> Result:
    """A result as it was written; what was null is without bound. Raises ValueError, TypeError or KeyError."""
    checks = [_as_record(finding) for finding in content["checks"]]
    record = {key: content[key] for key in ("pair", "dtype", "device", "seconds")}
    result = read(Result, {**record, "findings": checks, "flips": [_bounded(flip) for flip in content["flips"]]})
    if json.loads(dumps(_result(result))) != content:
        raise ValueError("a result as it was written, found another")
    return result


def _as_record(content: Any) -> dict[str, Any]:
    """A finding by its own fields."""
    kept = {key: content[key] for key in ("check", "verdict", "reason", "first_divergence", "causes")}
    blame = content["blame"] and {"side": content["blame"], "reason": content["blame_reason"]}
    return {
        **kept,
        "quantities": [_bounded(quantity) for quantity in content["quantities"]],
        "spot": content["line"],
        "blame": blame,
        "gates": content["gates"] and _gate_map(content["gates"]),
        "probable_cause": content["probable_cause"] or "",
    }


def _bounded(content: Any) -> dict[str, Any]:
    return {key: str(inf) if value is None and key in MEASURED else value for key, value in content.items()}


def _gate_map(content: Any) -> dict[str, Any]:
    ratios = [[str(inf) if ratio is None else ratio for ratio in row] for row in content["ratios"]]
    shape = [len(ratios), len(content["gates"])]
    values = {"dtype": "float64", "shape": shape, "values": [ratio for row in ratios for ratio in row]}
    return {"stage": content["stage"], "gates": content["gates"], "ratios": values}


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
