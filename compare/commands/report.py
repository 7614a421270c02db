"""`twofold report`: everything measured for each pair, then index.html and report.json."""

import json
import math
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.progress import BarColumn, Progress, TimeElapsedColumn

from twofold.compare import sharding
from twofold.compare.bench.steps import StepTime
from twofold.compare.commands.choosing import chosen
from twofold.compare.data import found as files_of
from twofold.compare.data import load
from twofold.compare.environment import NAMES, environment
from twofold.compare.errors import BadInput, Status
from twofold.compare.faults.matrix import Row
from twofold.compare.interrupts import Interrupted
from twofold.compare.judge.finding import status_of
from twofold.compare.keeping import file_of, keep, kept
from twofold.compare.output import make_folder, write, write_json
from twofold.compare.pair import Pair
from twofold.compare.published.figure import Figure
from twofold.compare.published.kept import beside
from twofold.compare.records import read, written
from twofold.compare.report.build import Work, made_of, measured, timed, tried, unmeasured
from twofold.compare.report.content import as_content, of_content
from twofold.compare.report.killing import escaped
from twofold.compare.report.made import made
from twofold.compare.report.page.page import page
from twofold.compare.report.page.plate import Plate
from twofold.compare.report.pair import PairReport, about, as_kept, from_kept
from twofold.compare.report.telling.diagnosis import diagnosis
from twofold.compare.screen import Screen, Words
from twofold.compare.sharding import Part, Shard, made_with
from twofold.compare.sides import devices
from twofold.compare.strict import dumps

Missing = Literal["fail", "embedded", "skip"]


def run(
    pairs: Sequence[Pair],
    out: Path,
    data: Path | None,
    device: str,
    seed: int,
    jobs: int = 1,
    resume: bool = False,
    shard: Shard | None = None,
    missing: Missing = "fail",
) -> Status:
    """Writes the report, or a shard of it for `merge`; what is measured of a pair is kept as soon as it is done."""
    console = Screen(soft_wrap=True)
    work, skipped = looked_for(shard.deal(pairs) if shard else pairs, data, missing)
    make_folder(out)
    folder = out / "finished"
    columns = (Words("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("importing torch", total=2 * len(work))
        places = devices(device)

        def tell(what: str) -> None:
            progress.update(task, description=what)

        found = finished(folder, work, places, seed) if resume else {}
        for report in found.values():
            told(console, report, " (finished before)")
            progress.advance(task)
        for report in skipped:
            found[report.about.name] = report
            told(console, report)
        try:
            for report in measured([one for one in work if one.pair.name not in found], places, seed, jobs, tell):
                if not report.stopped:
                    keep(folder, report.about.name, made_of(report.about, places, seed), as_kept(report))
                found[report.about.name] = report
                told(console, report)
                progress.advance(task)
        except (Interrupted, KeyboardInterrupt):
            console.print(f"interrupted; {len(found)} of {len(work)} pairs are kept in {folder}, --resume goes on")
            raise
        for one in work:
            report = found[one.pair.name]
            tell(f"{one.pair.name}: time per step")
            report.times = [] if report.stopped else tried(times, one, places[-1])
            progress.advance(task)
        tell("drawing")
        reports = [found[pair.name] for pair in pairs if pair.name in found]
        for name, figures in beside([report.about.name for report in reports], data).items():
            found[name].published, found[name].made = figures, made(name)
        if shard:
            write_shard(console, out, Part(shard, of_run(pairs, places, seed), made_with()), reports)
        else:
            write_report(console, out, reports)
    return status(reports) if reports else Status.DONE


def looked_for(pairs: Sequence[Pair], data: Path | None, missing: Missing) -> tuple[list[Work], list[PairReport]]:
    """What each pair is measured on, and those that are skipped: a look at the folder, before any work.

    Raises BadInput naming all that the folder lacks, unless the pairs that need it are to be trained on embedded
    records, or skipped.
    """
    lacking = {pair.name: lacked(pair, data) for pair in pairs}
    if missing == "fail" and any(lacking.values()):
        needed: dict[str, list[str]] = {}
        for name, files in lacking.items():
            needed.setdefault(files, []).append(name)
        told = "; ".join(f"{files} for {' and '.join(names)}" for files, names in needed.items() if files)
        onward = "--missing embedded trains these on embedded records, --missing skip leaves them out"
        raise BadInput(f"{data}: expected {told}; found none of that; {onward}")
    skipped = [
        unmeasured(pair, f"{data} lacks {files}, and --missing skip leaves such pairs out", files)
        for pair in pairs
        if missing == "skip" and (files := lacking[pair.name])
    ]
    left = {report.about.name for report in skipped}
    work = [Work(p, None if lacking[p.name] else data, lacking[p.name]) for p in pairs if p.name not in left]
    return work, skipped


def lacked(pair: Pair, data: Path | None) -> str:
    """The files of a pair's data set that are not there."""
    rows = files_of(pair.dataset, data) if data else []
    return ", ".join(row.path for row in rows if row.size is None)


def times(work: Work, place: str) -> list[StepTime]:
    return timed(work.pair, work.dataset(), place)


def write_report(
    console: Screen, out: Path, reports: Sequence[PairReport], made_in: Mapping[str, Any] | None = None
) -> None:
    """report.json, made in this environment or another, and index.html, which is drawn of it."""
    content = json.loads(dumps(as_content(reports, made_in)))
    write_json(out / "report.json", content)
    write(out / "index.html", page(of_content(content), content["environment"], content["written"]))
    console.print(f"wrote {out / 'index.html'} and {out / 'report.json'}")


def again(file: Path, out: Path) -> Status:
    """Draws the page of an earlier report.json. Raises BadInput for a file that is none."""
    expected = f"{file}: expected the report.json of a report of this version"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        reports = of_content(content)
        made_in, when = {name: content["environment"][name] for name in NAMES}, read(str, content["written"])
    except OSError as error:
        raise BadInput(f"{expected}, found: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput(f"{expected}, found something else") from error
    make_folder(out)
    write(out / "index.html", page(reports, made_in, when))
    Screen(soft_wrap=True).print(f"wrote {out / 'index.html'}")
    return status(reports)


def show(page: Path) -> None:
    """In the browser that the system has for it."""
    webbrowser.open(page.resolve().as_uri())


def of_run(pairs: Sequence[Pair], places: Sequence[str], seed: int) -> dict[str, Any]:
    """What all shards of a run have in common."""
    return {"command": "report", "pairs": [pair.name for pair in pairs], "devices": list(places), "seed": seed}


def write_shard(console: Screen, out: Path, part: Part, reports: Sequence[PairReport]) -> None:
    """All that was measured, for `merge` to read."""
    places, seed = part.run["devices"], part.run["seed"]
    path = out / f"shard-{part.shard.number}-of-{part.shard.of}.json"
    kept = [
        {
            "of": made_of(r.about, places, seed),
            "content": as_kept(r),
            "times": written(r.times),
            "published": written(r.published),
            "made": written(r.made),
        }
        for r in reports
    ]
    write_json(path, {"schema": 1, "shard": sharding.as_json(part), "environment": environment(), "reports": kept})
    console.print(f"wrote {path}; `twofold merge` makes the report of all {part.shard.of}")


def read_shard(part: Part, content: Sequence[Any], data: Path | None) -> list[PairReport]:
    """The reports that a shard holds. Raises BadInput where one was made of other data, ValueError for no reports."""
    reports = []
    for pair, one in zip(part.shard.deal(chosen(part.run["pairs"])), content, strict=True):
        kept = one["content"]
        dataset = None if kept["stopped"] else load(pair.dataset, None if kept["about"]["missing"] else data)
        if one["of"] != made_of(about(pair, dataset), part.run["devices"], part.run["seed"]):
            told = "made by this version on the records that --data has"
            raise BadInput(f"{part.file}: expected the report of {pair.name} {told}, found another")
        report = from_kept(kept)
        if report is None:
            raise ValueError(pair.name)
        report.times = read(list[StepTime] | str, one["times"])
        report.published = read(list[Figure], one["published"])
        report.made = read(list[Plate], one["made"])
        reports.append(report)
    return reports


def status(reports: Sequence[PairReport]) -> Status:
    """A fault that survives is a difference; where none could be planted nothing is proven of the judge."""
    found = status_of(report.verdict for report in reports)
    if found is Status.DIFFERENT or any(isinstance(r.faults, Row) and escaped(r.faults) for r in reports):
        return Status.DIFFERENT
    return Status.NOTHING_PROVEN if any(isinstance(report.faults, str) for report in reports) else found


def finished(folder: Path, work: Sequence[Work], places: list[str], seed: int) -> dict[str, PairReport]:
    """What an earlier call kept of these pairs, made by the same code of the same data."""
    found = {}
    for one in work:
        if not file_of(folder, one.pair.name).exists():
            continue
        content = kept(folder, one.pair.name, made_of(about(one.pair, one.dataset()), places, seed))
        if content is not None and (report := from_kept(content)):
            found[one.pair.name] = report
    return found


def told(console: Screen, report: PairReport, note: str = "") -> None:
    console.print(f"{line(report)}{note}")
    for text in escaped(report.faults):
        console.print(text)


def share(value: float) -> str:
    """Of a loss of 0 there is none."""
    return f"{value:.1e}" if math.isfinite(value) else "an unknown part"


def line(report: PairReport) -> str:
    name = report.about.name
    if report.stopped:
        return f"{name}: {'skipped' if report.skipped else report.verdict}; {report.stopped}"
    if report.largest_difference != report.largest_difference and (wrong := diagnosis(report)):
        return f"{wrong.headline}; {wrong.cause}"
    return (
        f"{name}: {report.verdict}; after {report.about.steps} steps the losses differ by "
        f"at most {share(report.largest_difference)} of their value, those of two references one ulp apart by "
        f"{share(report.largest_twin_difference)}"
    )
