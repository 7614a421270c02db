"""`twofold report`: everything measured for each pair, then index.html and report.json."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from twofold.compare.faults.matrix import Row
from twofold.compare.faults.summary import as_json as faults_as_json
from twofold.compare.output import make_folder, write, write_json
from twofold.compare.pair import Pair
from twofold.compare.report.build import PairReport, measured, page, timed, training_json
from twofold.compare.report.killing import escaped
from twofold.compare.report.results import as_json
from twofold.compare.sides import devices


def run(pairs: Sequence[Pair], out: Path, data: Path | None, device: str, seed: int, jobs: int = 1) -> bool:
    """Writes the report and says whether every pair passed."""
    console = Console(highlight=False, soft_wrap=True)
    make_folder(out)
    columns = (TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("importing torch", total=2 * len(pairs))
        places = devices(device)
        reports = []

        def tell(what: str) -> None:
            progress.update(task, description=what)

        for report in measured(pairs, data, places, seed, jobs, tell):
            reports.append(report)
            progress.advance(task)
            console.print(line(report))
            for text in escaped(report.faults):
                console.print(text, markup=False)
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
    return all(report.passed for report in reports)


def line(report: PairReport) -> str:
    return (
        f"{report.pair.name}: {report.verdict}; after {report.pair.recipe.report_steps} steps the losses differ by "
        f"at most {report.largest_difference:.1e} of their value, those of two references one ulp apart by "
        f"{report.largest_twin_difference:.1e}"
    )
