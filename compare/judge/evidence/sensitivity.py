"""How small an error of a gradient is always seen, in closed form: errors enter linearly, so the limit is the answer.

An error e in an entry that scratch has wrong by d already shows as |e + d|, and is rounded where it is stored. So it
is seen, wherever in a row it lies and whatever its sign, from

    LIMIT floors of the row + the largest error that scratch has in the row + eps of the tensor's largest entry

on. The floor is that of all the re-runs that are made where an error makes one doubt it: the first few may give a lower
one, which would promise to see what is then forgiven.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twofold.compare.judge.evidence.floor import floors, largest, strays
from twofold.compare.judge.evidence.reading import Measured
from twofold.compare.judge.evidence.trial import MORE_RERUNS, RERUNS, Trial
from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array


@dataclass(frozen=True)
class Sensitivity:
    """The smallest error seen in every row of a gradient, as a part of the tensor's largest entry and of the row's."""

    pair: str
    dtype: str
    tensor: str
    smallest_detected: float
    smallest_detected_in_row: float


def sensitivities(trial: Trial) -> Iterator[Sensitivity]:
    """Of every parameter's gradient that a waiver does not set aside; rows of zeros do not count."""
    measured = doubted(trial)
    for name in trial.state:
        golden = measured.golden["gradient"].get(name)
        if golden is None or name in trial.waived or not golden.any():
            continue
        seen = limits(trial, measured, name)
        most = largest(golden)
        proven = most > 0
        smallest = float(seen.max() / most.max())
        in_row = float((seen[proven] / most[proven]).max())
        yield Sensitivity(trial.case.name, trial.dtype, name, smallest, in_row)


def limits(trial: Trial, measured: Measured, name: str) -> Array:
    """The size from which on an error in each row of a parameter's gradient is seen: (rows,)."""
    golden, actual = (reading["gradient"][name].astype(np.float64) for reading in (measured.golden, trial.actual))
    floor = floors(largest(golden), measured.strayed["gradient"][name], trial.dtype)
    return LIMIT * floor + strays(actual, golden) + float(np.finfo(trial.dtype).eps) * np.abs(golden).max()


def doubted(trial: Trial) -> Measured:
    """The trial's runs, with those added that are made where an error makes one doubt the floor."""
    measured, more = trial.measured, range(RERUNS, RERUNS + MORE_RERUNS)
    return measured if measured.reruns >= more.stop else trial.rerun(measured, trial.actual, more)
