"""Speed side by side: a whole training step of both sides, interleaved in one process, one thread each."""

import statistics
import time
from dataclasses import dataclass

from compare.data import Dataset
from compare.pair import Pair
from compare.threads import one_thread
from compare.train import Configuration, Training

WARM_UP, ROUNDS, SECONDS = 2, 15, 4.0


@dataclass(frozen=True)
class StepTime:
    """Median milliseconds of a training step, and the median ratio of the rounds: below 1 scratch is faster."""

    dtype: str
    scratch: float
    reference: float
    ratio: float


def step_time(pair: Pair, dataset: Dataset, dtype: str, device: str = "cpu") -> StepTime:
    """Rounds of scratch, reference, reference, scratch on one batch, until ROUNDS or SECONDS are reached."""
    with one_thread():
        return _step_time(pair, dataset, dtype, device)


def _step_time(pair: Pair, dataset: Dataset, dtype: str, device: str) -> StepTime:
    seed = pair.recipe.seed
    scratch = Training(pair, dataset, Configuration(pair.name, "scratch", dtype, "cpu", seed, dataset.name))
    reference = Training(pair, dataset, Configuration(pair.name, "reference", dtype, device, seed, dataset.name))
    for _ in range(WARM_UP):
        timed(scratch), timed(reference)
    times: list[tuple[float, float]] = []
    began = time.perf_counter()
    while len(times) < ROUNDS and (len(times) < 3 or time.perf_counter() - began < SECONDS):
        first, second, third, fourth = (timed(side) for side in (scratch, reference, reference, scratch))
        times.append(((first + fourth) / 2, (second + third) / 2))
    return StepTime(
        dtype,
        1e3 * statistics.median(time[0] for time in times),
        1e3 * statistics.median(time[1] for time in times),
        statistics.median(a / b for a, b in times),
    )


def timed(training: Training) -> float:
    batch = training.batch(0)
    began = time.perf_counter()
    training.side.train_step(*batch)
    return time.perf_counter() - began
