"""What a report says of each pair: everything measured, and the page that shows it."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

from twofold.compare import environment
from twofold.compare.bench.steps import StepTime, step_time
from twofold.compare.data import Dataset, load
from twofold.compare.faults.matrix import row
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.judge.battery import Result
from twofold.compare.judge.checks.table import BATTERY, ON_DEVICE, Check, battery_on
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import at_recipe_size
from twofold.compare.judge.finding import Finding, Verdict, gravest, raised
from twofold.compare.judge.gates import LIMIT
from twofold.compare.keeping import digest, versions
from twofold.compare.names import plain_lines
from twofold.compare.pair import Pair, SideName
from twofold.compare.processes import spread
from twofold.compare.records import read, written
from twofold.compare.report import plots
from twofold.compare.report.console import failing, flipped, summary
from twofold.compare.report.evidence import explanations
from twofold.compare.report.killing import Faults, escaped, kill_matrix
from twofold.compare.report.pictures.gates import gate_heat_map
from twofold.compare.threads import one_thread
from twofold.compare.training.train import Configuration, Training

# At recipe size one float64 gradient is compared; the rest of the battery runs at check size.
LAST_STEPS = 20
FULL_SIZE_CHECKS = ("forward", "gradient", "grad_output")


@dataclass
class Run:
    """One side's training for the report."""

    losses: list[float]
    metrics: dict[str, float]  # in training mode over the last steps, then in evaluation mode on the test set
    seconds: float


@dataclass
class PairReport:
    pair: Pair
    dataset: Dataset
    results: list[Result]
    full_size: Result
    runs: dict[SideName, Run]
    twin: Run
    faults: Faults
    times: list[StepTime] = field(default_factory=list)  # taken last

    @property
    def verdict(self) -> Verdict:
        return gravest(result.verdict for result in (*self.results, self.full_size))

    @property
    def passed(self) -> bool:
        """Whether the sides agree, and no fault that was planted to be found survives."""
        return self.verdict is Verdict.PASS and not escaped(self.faults)

    @property
    def largest_difference(self) -> float:
        """The largest relative distance between the two loss curves."""
        return self.from_reference(self.runs["scratch"])

    @property
    def largest_twin_difference(self) -> float:
        """The same between the reference and its twin: how far rounding alone carries a curve."""
        return self.from_reference(self.twin)

    def from_reference(self, run: Run) -> float:
        return float(plots.relative_distance(run.losses, self.runs["reference"].losses).max())


# Of a report what is measured and kept; the rest is at hand, and times are taken last.
KEPT = ("results", "full_size", "runs", "twin", "faults")


def as_kept(report: PairReport) -> dict[str, Any]:
    return {name: written(getattr(report, name)) for name in KEPT}


def from_kept(pair: Pair, dataset: Dataset, content: Any) -> PairReport | None:
    """The report that was kept so; None where it is none."""
    hints = get_type_hints(PairReport)
    try:
        return PairReport(pair, dataset, **{name: read(hints[name], content[name]) for name in KEPT})
    except (ValueError, TypeError, KeyError):
        return None


def made_of(pair: Pair, dataset: Dataset, places: list[str], seed: int) -> dict[str, Any]:
    """What a report hangs on."""
    data = digest(dataset.arrays())
    return {"pair": pair.name, "devices": places, "seed": seed, "data": data, "with": versions()}


@dataclass(frozen=True)
class Prefixed:
    """Tells what begins, with what it belongs to."""

    tell: Callable[[str], object]
    prefix: str

    def __call__(self, what: str) -> None:
        self.tell(f"{self.prefix} {what}")


def measured(
    pairs: Sequence[Pair], data: Path | None, places: list[str], seed: int, jobs: int, tell: Callable[[str], object]
) -> Iterator[PairReport]:
    """All but the times, which are taken where nothing else runs; as they come, from up to `jobs` processes."""
    if min(jobs, len(pairs)) < 2:
        yield from (measure(pair, data, places, seed, tell) for pair in pairs)
        return
    tell("checks, training and faults")
    work = [(pair, data, places, seed) for pair in pairs]
    yield from (report for _, report in spread(measure, work, min(jobs, len(pairs))))


def measure(
    pair: Pair, data: Path | None, places: list[str], seed: int, tell: Callable[[str], object] = lambda what: None
) -> PairReport:
    """On one thread, as `check` does and as the times are taken."""
    with one_thread():
        tell(f"{pair.name}: data")
        dataset = load(pair.dataset, data)
        results = [
            battery.run(
                pair.case(), dtype, place, seed, begins=Prefixed(tell, f"{pair.name}: {dtype}"), suspects=suspects
            )
            for place in places
            for dtype in battery.DTYPES
        ]
        tell(f"{pair.name}: gradient at recipe size")
        full_size = check_full_size(pair, dataset, places[-1], seed)
        runs = {backend: trained(pair, backend, dataset, places[-1], tell) for backend in ("scratch", "reference")}
        twin = trained(pair, "reference", dataset, places[-1], tell, twin=True)
        tell(f"{pair.name}: planting faults")
        faults = planted(pair, gravest(result.verdict for result in results))
        return PairReport(pair, dataset, results, full_size, runs, twin, faults)  # type: ignore[arg-type]


def timed(pair: Pair, dataset: Dataset, place: str) -> list[StepTime]:
    with one_thread():
        return [step_time(pair, dataset, dtype, place) for dtype in battery.DTYPES]


def planted(pair: Pair, verdict: Verdict) -> Faults:
    """The faults planted in a pair that agrees; in one that does not, none could be told from what is there."""
    if verdict is not Verdict.PASS:
        return f"{pair.name}: no faults are planted where the sides do not agree without one ({verdict})"
    try:
        return row(pair.case())
    except Exception as error:  # such as source that has not the piece which a mistake replaces
        return f"{pair.name}: no faults were planted: {raised(error)}"


def check_full_size(pair: Pair, dataset: Dataset, device: str, seed: int) -> Result:
    """Forward and backward in float64 at the recipe's sizes, on the first records of the data."""
    trial = at_recipe_size(pair, dataset.train.inputs[: pair.recipe.batch], "float64", device, seed)
    checks = [check for check in BATTERY if check.name in FULL_SIZE_CHECKS]
    return battery.run_trial(trial, checks, suspects=suspects)


def trained(
    pair: Pair, backend: SideName, dataset: Dataset, device: str, tell: Callable[[str], object], twin: bool = False
) -> Run:
    """A free run in float64; a twin starts one unit in the last place away."""
    place = "cpu" if backend == "scratch" else device
    training = Training(
        pair, dataset, Configuration(pair.name, backend, "float64", place, pair.recipe.seed, dataset.source)
    )
    if twin:
        training.side.load(perturbed(training.side.state(), seed=0))
    seconds = 0.0
    for step in range(pair.recipe.report_steps):
        if step % 10 == 0:
            tell(f"{pair.name}: {backend}{' twin' if twin else ''} step {step} of {pair.recipe.report_steps}")
        training.one_step()
        if training.step_in_epoch == training.steps_an_epoch:
            seconds += training.seconds
            training.next_epoch()
    metrics = {f"training {name}": value for name, value in training.over_last(LAST_STEPS).items()}
    metrics |= {name.replace("_", " "): value for name, value in training.tested().items()}
    return Run(training.steps["loss"], metrics, seconds + training.seconds)


def training_json(report: PairReport) -> dict[str, Any]:
    return {
        "pair": report.pair.name,
        "data": report.dataset.source,
        "dtype": "float64",
        "steps": report.pair.recipe.report_steps,
        "largest_relative_difference": report.largest_difference,
        "largest_relative_difference_of_twins": report.largest_twin_difference,
        "sides": {name: asdict(run) for name, run in report.runs.items()},
        "milliseconds_a_step": [asdict(time) for time in report.times],
    }


def page(reports: Sequence[PairReport], made_in: Mapping[str, Any] | None = None) -> str:
    """The whole report as one HTML text, pictures inside; made in this environment or another."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("twofold.compare.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
    )
    results = [result for report in reports for result in (*report.results, report.full_size)]
    return templates.get_template("report.html").render(
        reports=[section(report) for report in reports],
        checks=[{"name": check.name, "proves": check.proves} for check in shown_checks(results)],
        passed=sum(report.verdict is Verdict.PASS for report in reports),
        differing=sum(report.verdict is Verdict.FAIL for report in reports),
        kills=kill_matrix({report.pair.name: report.faults for report in reports}),
        summary=summary(results),
        environment=made_in or environment.environment(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        limit=LIMIT,
        last_steps=LAST_STEPS,
    )


def shown_checks(results: Sequence[Result]) -> Sequence[Check]:
    """Those of the battery, and where something ran on a device what is asked of that."""
    return next((battery_on(result.device) for result in results if result.device != "cpu"), BATTERY)


def shown(value: Any) -> Any:
    """What the page shows of a value: words that are not its own in printable characters; it escapes them itself."""
    return plain_lines(value) if type(value) is str else value


def section(report: PairReport) -> dict[str, Any]:
    results = (*report.results, report.full_size)
    here = Finding(ON_DEVICE.name, Verdict.NOT_APPLICABLE, reason="it ran on the CPU")
    rows = [(r.dtype, r.device, {here.check: here} | {f.check: f for f in r.findings}) for r in report.results]
    bars = [
        (check.name, {_label(r): worst_ratio(f) for r in report.results for f in r.findings if f.check == check.name})
        for check in BATTERY
    ]
    return {
        "pair": report.pair,
        "verdict": report.verdict,
        "rows": rows,
        "full_size": report.full_size,
        "explanations": [text for result in results for text in explanations(result)],
        "flips": flipped(results),
        "verdicts": [line for line in failing(results) if not line.startswith(" ")],
        "gates": gates_of(results),
        "dataset": report.dataset,
        "runs": report.runs,
        "difference": report.largest_difference,
        "twin_difference": report.largest_twin_difference,
        "times": report.times,
        "bars": embedded(plots.error_bars([(name, ratios) for name, ratios in bars if any(ratios.values())], LIMIT)),
        "curves": embedded(
            plots.both_curves(report.runs["scratch"].losses, report.runs["reference"].losses, report.twin.losses)
        ),
        "step_times": embedded(plots.step_times([(t.dtype, t.scratch, t.reference) for t in report.times])),
    }


def gates_of(results: Sequence[Result]) -> str:
    """The map of the recurrent layer that differs first, of the first trial that has one; else ""."""
    for result in results:
        if result.cause and result.cause.gates and result.cause.first_divergence:
            heading = f"{result.cause.first_divergence.module}, {_label(result)}"
            return embedded(gate_heat_map(result.cause.gates, heading))
    return ""


def _label(result: Result) -> str:
    return result.dtype if result.device == "cpu" else f"{result.dtype} {result.device}"


def worst_ratio(finding: Finding) -> float:
    """The check's largest multiple of the floor, 0 where nothing is measured; off the scale where it is infinite."""
    worst = finding.worst
    return min(worst.ratio, 10 * LIMIT) if worst and (worst.floor or worst.ratio) else 0.0


def embedded(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
