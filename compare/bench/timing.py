"""Two functions timed against each other: interleaved, so that whatever slows the machine down slows both."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BUDGET = 0.4  # seconds of rounds that a row gets
SAMPLE = 3e-3  # seconds that a sample lasts: as many calls as that takes, one at least
ROUNDS, FEWEST = 5, 2  # of a row at least, and of one whose rounds are so slow that they take PATIENCE budgets
PATIENCE = 5
SLOW = 0.5  # seconds of a call, in which what comes first no longer counts

Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Median seconds a call of both, and the median of the rounds' ratios first / second with its quartiles.

    `alone` is the median of what else was timed between the rounds, such as the products that the first is made of.
    """

    first: float
    second: float
    ratio: float
    low: float
    high: float
    rounds: int
    alone: float | None = None


def interleaved(first: Work, second: Work, alone: Work | None = None, budget: float | None = None) -> Timing:
    """Rounds of first, second, second, first, with `alone` between them, until `budget` (BUDGET) is spent."""
    budget = BUDGET if budget is None else budget
    calls = [repeats(settled(work)) for work in (first, second)]
    others = [settled(alone)] if alone else []
    times: list[tuple[float, float]] = []
    began = time.perf_counter()
    while goes_on(len(times), time.perf_counter() - began, budget):
        a, b, c, d = (seconds((first, second)[n], calls[n]) for n in (0, 1, 1, 0))
        times.append(((a + d) / 2, (b + c) / 2))
        if alone and others[0] < SLOW:
            others.append(seconds(alone, repeats(others[0])))
    one, two = np.array(times).T
    low, ratio, high = np.quantile(one / two, (0.25, 0.5, 0.75)).tolist()
    rest = float(np.median(others)) if others else None
    return Timing(float(np.median(one)), float(np.median(two)), ratio, low, high, len(times), rest)


def goes_on(rounds: int, spent: float, budget: float) -> bool:
    if rounds < FEWEST or spent < budget:
        return True
    return rounds < ROUNDS and spent < PATIENCE * budget


def settled(work: Work) -> float:
    """Seconds of a second call, for the first fills caches and chooses kernels; of the first where that is slow."""
    once = seconds(work, 1)
    return once if once > SLOW else seconds(work, 1)


def repeats(once: float) -> int:
    return max(1, round(SAMPLE / max(once, 1e-7)))


def seconds(work: Work, calls: int) -> float:
    """Seconds a call."""
    began = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - began) / calls
