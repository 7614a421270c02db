"""What is measured of each pair for a report; what could not be says why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from twofold.compare.bench.steps import StepTime, step_time
from twofold.compare.data import Dataset, load
from twofold.compare.errors import BadInput
from twofold.compare.faults.matrix import row
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.judge.battery import Result
from twofold.compare.judge.checks.table import BATTERY
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import at_recipe_size
from twofold.compare.judge.finding import Verdict, gravest, raised
from twofold.compare.keeping import versions
from twofold.compare.pair import Pair, SideName
from twofold.compare.processes import spread
from twofold.compare.report.killing import Faults
from twofold.compare.report.learned import gradients, learned
from twofold.compare.report.page.plate import Plate
from twofold.compare.report.pair import About, PairReport, Run, about
from twofold.compare.report.sources import sources
from twofold.compare.threads import one_thread
from twofold.compare.training.gradients import Watched
from twofold.compare.training.train import Configuration, Training

# At recipe size one float64 gradient is compared; the rest of the battery runs at check size.
LAST_STEPS = 20
WATCHED = 4  # steps at which scratch's gradients are measured on their way back
SIDES: tuple[SideName, ...] = ("scratch", "reference")
FULL_SIZE_CHECKS = ("forward", "gradient", "grad_output")


T = TypeVar("T")


def made_of(pair: About, places: list[str], seed: int) -> dict[str, Any]:
    """What a report hangs on."""
    return {"pair": pair.name, "devices": places, "seed": seed, "data": pair.data, "with": versions()}


def unmeasured(pair: Pair, reason: str, missing: str = "") -> PairReport:
    """A pair of which nothing is known, and why."""
    no_faults = f"{pair.name}: no faults were planted: nothing was measured"
    return PairReport(about(pair, None, missing), [], "", {}, "", no_faults, stopped=reason)


@dataclass(frozen=True)
class Work:
    """A pair and where its records lie: in a folder, or for None embedded, and then what that folder lacks."""

    pair: Pair
    data: Path | None
    missing: str = ""

    def dataset(self) -> Dataset:
        return load(self.pair.dataset, self.data)


@dataclass(frozen=True)
class Prefixed:
    """Tells what begins, with what it belongs to."""

    tell: Callable[[str], object]
    prefix: str

    def __call__(self, what: str) -> None:
        self.tell(f"{self.prefix} {what}")


def measured(
    work: Sequence[Work], places: list[str], seed: int, jobs: int, tell: Callable[[str], object]
) -> Iterator[PairReport]:
    """All but the times, which are taken where nothing else runs; as they come, from up to `jobs` processes.

    A process that is killed takes with it what was not finished, and that is told of each.
    """
    if min(jobs, len(work)) < 2:
        yield from (measure(one, places, seed, tell) for one in work)
        return
    tell("checks, training and faults")
    left = dict(enumerate(work))
    try:
        for n, report in spread(measure, [(one, places, seed) for one in work], min(jobs, len(work))):
            del left[n]
            yield report
    except BadInput as error:
        yield from (unmeasured(one.pair, str(error)) for one in left.values())


def measure(work: Work, places: list[str], seed: int, tell: Callable[[str], object] = lambda what: None) -> PairReport:
    """On one thread, as `check` does and as the times are taken; a pair that cannot be measured says why."""
    try:
        with one_thread():
            return examined(work, places, seed, tell)
    except Exception as error:
        return unmeasured(work.pair, raised(error))


def examined(work: Work, places: list[str], seed: int, tell: Callable[[str], object]) -> PairReport:
    pair = work.pair
    tell(f"{pair.name}: data")
    dataset = work.dataset()
    results = [
        battery.run(pair.case(), dtype, place, seed, begins=Prefixed(tell, f"{pair.name}: {dtype}"), suspects=suspects)
        for place in places
        for dtype in battery.DTYPES
    ]
    tell(f"{pair.name}: gradient at recipe size")
    full_size = tried(check_full_size, pair, dataset, places[-1], seed)
    runs = {side: tried(trained, pair, side, dataset, places[-1], tell) for side in SIDES}
    twin = tried(trained, pair, "reference", dataset, places[-1], tell, True)
    tell(f"{pair.name}: planting faults")
    faults = planted(pair, gravest(result.verdict for result in results))
    report = PairReport(about(pair, dataset, work.missing), results, full_size, runs, twin, faults, seed=seed)
    report.sources = sources(pair, [f.spot for result in report.judged for f in result.findings if f.spot])
    return report


def tried(make: Callable[..., T], *arguments: Any) -> T | str:
    """What is made, or what is raised meanwhile."""
    try:
        return make(*arguments)
    except Exception as error:
        return raised(error)


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
    watched, seconds = Watched(training), 0.0
    seen = set() if twin or backend == "reference" else spread_over(pair.recipe.report_steps)
    for step in range(pair.recipe.report_steps):
        if step % 10 == 0:
            tell(f"{pair.name}: {backend}{' twin' if twin else ''} step {step} of {pair.recipe.report_steps}")
        if step in seen:
            watched.record(*training.batch(training.step_in_epoch))
        training.one_step()
        watched.stepped()
        if training.step_in_epoch == training.steps_an_epoch:
            seconds += training.seconds
            training.next_epoch()
    metrics = {f"training {name}".replace("_", " "): value for name, value in training.over_last(LAST_STEPS).items()}
    metrics |= {name.replace("_", " "): value for name, value in training.tested().items()}
    run = Run(training.steps["loss"], metrics, seconds + training.seconds)
    return run if twin else replace(run, pictures=pictures(training, watched))


def spread_over(steps: int) -> set[int]:
    return {n * (steps - 1) // max(1, WATCHED - 1) for n in range(WATCHED)}


def pictures(training: Training, watched: Watched) -> list[Plate]:
    """None of them is worth a report."""
    found = [tried(learned, training), *([tried(gradients, watched)] if watched.rows else [])]
    told = [[Plate("Pictures", f"They could not be drawn: {one}.")] if isinstance(one, str) else one for one in found]
    return [plate for one in told for plate in (one if isinstance(one, list) else [one])]
