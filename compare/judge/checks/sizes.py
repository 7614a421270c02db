"""What decides, run again at other sizes: where axes are equally long and nothing is left over."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from twofold.compare.judge.checks import exact
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.scratch.module import Array


def lacking(trial: Trial) -> str:
    return "" if trial.case.sizes else "it has one size"


@lru_cache(maxsize=2)
def others(trial: Trial) -> tuple[Trial, ...]:
    """The trial at its other sizes, from the same seed."""
    return tuple(Trial(case, trial.dtype, trial.device, trial.seed) for case in trial.case.sizes)


def sizes(trial: Trial) -> Iterator[Quantity]:
    """Every tensor of every stage; integers bit for bit where the layers keep them."""
    for number, other in enumerate(others(trial), 2):
        for quantity in stages(other):
            yield replace(quantity, name=f"{quantity.name} at size {number}")
    yield from reached(trial)


def stages(trial: Trial) -> Iterator[Quantity]:
    if trial.dtype == "float64" and not exact.inexact(trial):  # float32 does not hold the sums of all of these sizes
        yield from (replace(quantity, name=f"exact {quantity.name}") for quantity in exact.exact(trial))
    for stage in ("forward", "loss", "gradient", *(("backward",) if trial.shows_modules else ())):
        yield from (replace(q, name=f"{q.name} sent back") if stage == "backward" else q for q in trial.judged(stage))


def failing(trial: Trial) -> Trial:
    """The first of the other sizes at which something fails; the trial itself where nothing does."""
    return next((t for t in others(trial) if any(q.verdict is Verdict.FAIL for q in stages(t))), trial)


def reached(trial: Trial) -> Iterator[Quantity]:
    """Along each axis of a gradient how many slices are not all zero, where some are: a fault may follow any axis.

    A row or column of an image that no size reaches is vacuous, such as one that a pool leaves out; elsewhere a unit
    may be dead by chance, and is only counted.
    """
    found = [slices(trial), *map(slices, others(trial))]
    for key, alive in found[0].items():
        if alive.all():
            continue
        name, axis, axes = key
        everywhere = any(other[key].all() for other in found[1:] if key in other)
        told = "all of them at another size" if everywhere else "no size reaches all"
        verdict = Verdict.VACUOUS if not everywhere and axes == 4 and axis > 1 else Verdict.PASS
        label = f"{name} along axis {axis}"
        yield Quantity(label, 0.0, 0.0, 0.0, verdict, len(alive), int(alive.sum()), told)


def slices(trial: Trial) -> dict[tuple[str, int, int], Array]:
    """By tensor, axis and number of axes: which slices of the reference's gradient have an entry that is not zero."""
    stages = {"gradient": "", "backward": " sent back"}
    tensors = {f"{name}{more}": a for stage, more in stages.items() for name, a in trial.golden[stage].items()}
    return {
        (name, axis, array.ndim): np.asarray(array.any(axis=tuple(n for n in range(array.ndim) if n != axis)))
        for name, array in tensors.items()
        for axis in range(1, array.ndim)
    }
