"""All that a report shows as JSON, and back: the page is drawn of nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_type_hints

from twofold.compare.faults.matrix import Row
from twofold.compare.faults.summary import as_json as faults_as_json
from twofold.compare.judge.battery import Result
from twofold.compare.records import read, written
from twofold.compare.report.pair import PairReport, Run
from twofold.compare.report.results import as_json, of_json
from twofold.compare.report.sources import Source

# What a pair has besides its results, which stand with those of all pairs.
PARTS = ("about", "runs", "twin", "faults", "times", "stopped", "seed", "published", "made")


def as_content(reports: Sequence[PairReport], made_in: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """By schema 1 of results, and `pairs`, of which the page is drawn again; made in this environment or another."""
    content = as_json([result for report in reports for result in report.judged], made_in)
    content["written"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    content["training"] = [training_json(report) for report in reports if not report.stopped]
    content["faults"] = faults_as_json([r.faults for r in reports if isinstance(r.faults, Row)])
    content["sources"] = {key: written(source) for report in reports for key, source in report.sources.items()}
    content["pairs"] = [pair_content(report) for report in reports]
    return content


def pair_content(report: PairReport) -> dict[str, Any]:
    """A trial that passes is read from `results`; others stand whole, for null there may be infinity or NaN."""
    kept = {name: written(getattr(report, name)) for name in PARTS}
    kept["trials"] = [None if result.passed else written(result) for result in report.judged]
    kept["sources"] = list(report.sources)
    return kept | {"full_size": report.full_size if isinstance(report.full_size, str) else None}


def of_content(content: Any) -> list[PairReport]:
    """The reports that were written so. Raises ValueError, TypeError or KeyError for anything else."""
    results, reports, hints = iter(content["results"]), [], get_type_hints(PairReport)
    sources = read(dict[str, Source], content["sources"])
    for one in content["pairs"]:
        trials = [trial(kept, next(results, None)) for kept in one["trials"]]
        full_size = trials.pop() if one["full_size"] is None else read(str, one["full_size"])
        parts = {name: read(hints[name], one[name]) for name in PARTS}
        own = {key: sources[key] for key in read(list[str], one["sources"])}
        reports.append(PairReport(results=trials, full_size=full_size, sources=own, **parts))
    if next(results, None) is not None:
        raise ValueError("more results than pairs have")
    return reports


def trial(kept: Any, listed: Any) -> Result:
    return of_json(listed) if kept is None else read(Result, kept)


def training_json(report: PairReport) -> dict[str, Any]:
    times = [] if isinstance(report.times, str) else report.times
    return {
        "pair": report.about.name,
        "data": report.about.source,
        "dtype": "float64",
        "steps": report.about.steps,
        "largest_relative_difference": report.largest_difference,
        "largest_relative_difference_of_twins": report.largest_twin_difference,
        "sides": {side: {"raised": run} if isinstance(run, str) else figures(run) for side, run in report.runs.items()},
        "milliseconds_a_step": [asdict(time) for time in times],
    }


def figures(run: Run) -> dict[str, Any]:
    """A training without its pictures, which stand with its pair."""
    return {"losses": run.losses, "metrics": run.metrics, "seconds": run.seconds}
