"""`twofold merge`: the shards of one run, of `check` or `report`, as if it had been made in one place."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twofold.compare.commands import check, report
from twofold.compare.errors import BadInput, Status
from twofold.compare.judge.battery import Result
from twofold.compare.output import make_folder
from twofold.compare.report.console import print_check
from twofold.compare.report.results import as_json, of_json
from twofold.compare.screen import Screen
from twofold.compare.sharding import Part, gathered, read_part, whole

CONTENT = {"check": "results", "report": "reports"}  # by the command whose shard it is


def run(
    files: Sequence[Path], json_file: Path | None, junit_file: Path | None, out: Path | None, data: Path | None
) -> Status:
    """Raises BadInput in one sentence for a shard that is missing, doubled, foreign or was made otherwise."""
    contents = [opened(file) for file in files]
    parts = [read_part(content.get("shard"), str(file)) for content, file in zip(contents, files, strict=True)]
    places = whole(parts)
    parts, contents = [parts[place] for place in places], [contents[place] for place in places]
    command = parts[0].run.get("command")
    if command not in CONTENT:
        raise BadInput(f"{parts[0].file}: expected a shard of {' or '.join(CONTENT)}, found one of {command}")
    console = check.screen(json_file, junit_file)
    made_in = together(console, parts, [content.get("environment") for content in contents])
    if command == "report":
        return merged_reports(console, parts, contents, made_in, out or Path("report"), data)
    must_be_of_one_data(parts, contents)
    results = merged_results(parts, contents)
    print_check(console, results)
    return check.finish(results, as_json(results, made_in), json_file, junit_file)


def opened(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "none"
        raise BadInput(f"{file}: expected a shard's JSON, found {reason}") from error
    return content if isinstance(content, dict) else {}


def together(console: Screen, parts: Sequence[Part], environments: Sequence[Any]) -> dict[str, Any]:
    """The environment of all shards; an entry in which hosts differ, as their processors may, is a list of theirs."""
    for part, one in zip(parts, environments, strict=True):
        if not isinstance(one, dict) or one.keys() != environments[0].keys():
            raise not_whole(part)
    found: dict[str, Any] = {}
    for key in environments[0]:
        values = [one[key] for one in environments if one[key] is not None] or [None]
        different = [value for n, value in enumerate(values) if value not in values[:n]]
        found[key] = different[0] if len(different) == 1 else different
        if len(different) > 1:
            console.print(f"not every shard has the same {key}: {', '.join(map(str, different))}")
    return found


def not_whole(part: Part) -> BadInput:
    return BadInput(f"{part.file}: expected what falls to shard {part.shard}, as it was written, found something else")


def merged_results(parts: Sequence[Part], contents: Sequence[Any]) -> list[Result]:
    """In the order of one run."""
    run = parts[0].run
    try:
        work = check.trials(run["pairs"], run["devices"], run["dtypes"])
    except (TypeError, KeyError) as error:
        raise not_whole(parts[0]) from error
    ending = " at recipe size" if run.get("full") else ""
    found: list[list[Result]] = []
    checks: list[str] = []
    for part, content in zip(parts, contents, strict=True):
        try:
            results = [of_json(result) for result in content["results"]]
            checks = checks or [finding.check for result in results[:1] for finding in result.findings]
            wanted = [(f"{pair}{ending}", kind, place) for pair, kind, place in part.shard.deal(work)]
            same = [[finding.check for finding in result.findings] == checks for result in results]
            if [(r.pair, r.dtype, r.device) for r in results] != wanted or not all(same):
                raise ValueError("other trials")
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise not_whole(part) from error
        found.append(results)
    return gathered([part.shard for part in parts], found, len(work))


def must_be_of_one_data(parts: Sequence[Part], contents: Sequence[Any]) -> None:
    """Trials at recipe size are made of records: hosts must have had the same. Raises BadInput."""
    known: dict[str, tuple[str, str]] = {}
    for part, content in zip(parts, contents, strict=True):
        for name, digest in dict(content["shard"].get("data", {})).items():
            before, file = known.setdefault(name, (digest, part.file))
            if digest != before:
                raise BadInput(f"{part.file}: expected the records of {name} that {file} has, found others")


def merged_reports(
    console: Screen,
    parts: Sequence[Part],
    contents: Sequence[Any],
    made_in: dict[str, Any],
    out: Path,
    data: Path | None,
) -> Status:
    make_folder(out)
    found = []
    with console.status("drawing"):
        for part, content in zip(parts, contents, strict=True):
            try:
                found.append(report.read_shard(part, content["reports"], data))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise not_whole(part) from error
        reports = gathered([part.shard for part in parts], found, sum(map(len, found)))
        report.write_report(console, out, reports, made_in)
    return report.status(reports)
