"""How small an error the judge still sees, in closed form: errors enter linearly, so that the limit is the answer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compare.judge.floor import LIMIT, floors, rows_of
from compare.judge.trial import Trial


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
    measured = trial.measured
    for name in trial.state:
        star = measured.star["gradient"].get(name)
        if star is None or name in trial.waived or not star.any():
            continue
        floor = floors(star, [run["gradient"][name] for run in measured.reruns], trial.dtype)
        largest = np.abs(rows_of(star)).max(axis=1)
        seen = largest > 0
        smallest = float(LIMIT * floor.max() / largest.max())
        in_row = float((LIMIT * floor[seen] / largest[seen]).max())
        yield Sensitivity(trial.case.name, trial.dtype, name, smallest, in_row)
