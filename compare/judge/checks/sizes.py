"""What decides, run again at other sizes: where axes are equally long and nothing is left over."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from twofold.compare.judge.checks import exact
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, Verdict


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


def stages(trial: Trial) -> Iterator[Quantity]:
    if trial.dtype == "float64" and not exact.inexact(trial):  # float32 does not hold the sums of all of these sizes
        yield from (replace(quantity, name=f"exact {quantity.name}") for quantity in exact.exact(trial))
    for stage in ("forward", "loss", "gradient", *(("backward",) if trial.shows_modules else ())):
        yield from (replace(q, name=f"{q.name} sent back") if stage == "backward" else q for q in trial.judged(stage))


def failing(trial: Trial) -> Trial:
    """The first of the other sizes at which something fails; the trial itself where nothing does."""
    return next((t for t in others(trial) if any(q.verdict is Verdict.FAIL for q in stages(t))), trial)
