"""`twofold report`: everything measured for each pair, then index.html and report.json."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, Progress, TimeElapsedColumn

from twofold.compare.data import load
from twofold.compare.errors import Status
from twofold.compare.faults.matrix import Row
from twofold.compare.faults.summary import as_json as faults_as_json
from twofold.compare.interrupts import Interrupted
from twofold.compare.judge.finding import status_of
from twofold.compare.keeping import file_of, keep, kept
from twofold.compare.output import make_folder, write, write_json
from twofold.compare.pair import Pair
from twofold.compare.report.build import PairReport, as_kept, from_kept, made_of, measured, page, timed, training_json
from twofold.compare.report.killing import escaped
from twofold.compare.report.results import as_json
from twofold.compare.screen import Screen, Words
from twofold.compare.sides import devices


def run(
    pairs: Sequence[Pair], out: Path, data: Path | None, device: str, seed: int, jobs: int = 1, resume: bool = False
) -> Status:
    """Writes the report; what is measured of a pair is kept as soon as it is done."""
    console = Screen(soft_wrap=True)
    make_folder(out)
    folder = out / "finished"
    columns = (Words("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("importing torch", total=2 * len(pairs))
        places = devices(device)

        def tell(what: str) -> None:
            progress.update(task, description=what)

        found = finished(folder, pairs, data, places, seed) if resume else {}
        for report in found.values():
            told(console, report, " (finished before)")
            progress.advance(task)
        try:
            for report in measured([p for p in pairs if p.name not in found], data, places, seed, jobs, tell):
                keep(folder, report.pair.name, made_of(report.pair, report.dataset, places, seed), as_kept(report))
                found[report.pair.name] = report
                told(console, report)
                progress.advance(task)
        except (Interrupted, KeyboardInterrupt):
            console.print(f"interrupted; {len(found)} of {len(pairs)} pairs are kept in {folder}, --resume goes on")
            raise
        reports = [found[pair.name] for pair in pairs]
        for report in reports:
            tell(f"{report.pair.name}: time per step")
            report.times = timed(report.pair, report.dataset, places[-1])
            progress.advance(task)
        tell("drawing")
        write(out / "index.html", page(reports))
        content = as_json([r for report in reports for r in (*report.results, report.full_size)])
        content["training"] = [training_json(report) for report in reports]
        content["faults"] = faults_as_json([r.faults for r in reports if isinstance(r.faults, Row)])
        write_json(out / "report.json", content)
    console.print(f"wrote {out / 'index.html'} and {out / 'report.json'}")
    return status(reports)


def status(reports: Sequence[PairReport]) -> Status:
    """A fault that survives is a difference; where none could be planted nothing is proven of the judge."""
    found = status_of(report.verdict for report in reports)
    if found is Status.DIFFERENT or any(isinstance(r.faults, Row) and escaped(r.faults) for r in reports):
        return Status.DIFFERENT
    return Status.NOTHING_PROVEN if any(isinstance(report.faults, str) for report in reports) else found


def finished(
    folder: Path, pairs: Sequence[Pair], data: Path | None, places: list[str], seed: int
) -> dict[str, PairReport]:
    """What an earlier call kept of these pairs, made by the same code of the same data."""
    found = {}
    for pair in pairs:
        if not file_of(folder, pair.name).exists():
            continue
        dataset = load(pair.dataset, data)
        content = kept(folder, pair.name, made_of(pair, dataset, places, seed))
        if content is not None and (report := from_kept(pair, dataset, content)):
            found[pair.name] = report
    return found


def told(console: Screen, report: PairReport, note: str = "") -> None:
    console.print(f"{line(report)}{note}")
    for text in escaped(report.faults):
        console.print(text)


def share(value: float) -> str:
    """Of a loss of 0 there is none."""
    return f"{value:.1e}" if math.isfinite(value) else "an unknown part"


def line(report: PairReport) -> str:
    return (
        f"{report.pair.name}: {report.verdict}; after {report.pair.recipe.report_steps} steps the losses differ by "
        f"at most {share(report.largest_difference)} of their value, those of two references one ulp apart by "
        f"{share(report.largest_twin_difference)}"
    )
