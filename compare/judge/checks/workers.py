"""Several workers that share a batch: the mean of their gradients is scratch's gradient of the whole batch."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from twofold.compare.judge.evidence.floor import farther, judge_all, sure
from twofold.compare.judge.evidence.rounding import move_state, perturbed, perturbing
from twofold.compare.judge.evidence.trial import RERUNS, Trial
from twofold.compare.judge.finding import Quantity, failures
from twofold.compare.sides import Reference, Side
from twofold.compare.training.shares import mean_gradients, refusal
from twofold.scratch.module import Array


def shared(trial: Trial) -> Iterator[Quantity]:
    """Of 1, 2 and 3 workers, with as unequal shares as there are, and one more without a record."""
    side, target = trial.reference(), given(trial)
    count = len(target)
    side.load(trial.state)
    for of in ([count], [1, count - 1], [count - 3, 1, 2], [count - 1, 0, 1]):
        golden = mean_gradients(side, trial.inputs[0], target, of)
        told = f"of {len(of)} workers with {', '.join(map(str, of))} records" if len(of) > 1 else "of 1 worker"
        for quantity in compared(trial, golden):
            yield replace(quantity, name=f"{quantity.name} {told}")


def compared(trial: Trial, golden: Mapping[str, Array]) -> list[Quantity]:
    """Scratch's gradient of the whole batch beside it; the floor is that of the whole batch."""
    actual, axis_of = of_scratch(trial), trial.axis_of
    least = list(judge_all(actual, golden, {}, trial.dtype, axis_of))
    return least if sure(least) else list(judge_all(actual, golden, strayed(trial), trial.dtype, axis_of))


@lru_cache(maxsize=1)
def of_scratch(trial: Trial) -> dict[str, Array]:
    return whole(trial, trial.scratch())


@lru_cache(maxsize=1)
def of_reference(trial: Trial) -> dict[str, Array]:
    return whole(trial, trial.reference())


@lru_cache(maxsize=1)
def strayed(trial: Trial) -> dict[str, Array]:
    """How far the reference's strays, without workers, where everything is moved by one ulp."""
    keep = trial.strays_from({"": of_reference(trial)})
    found: dict[str, Array] = {}
    for seed in range(RERUNS):
        moved = whole(trial, trial.reference(), seed)
        found = farther(found, {name: keep("", name, array) for name, array in moved.items()})
    return found


def whole(trial: Trial, side: Side, seed: int | None = None) -> dict[str, Array]:
    """The gradient of the loss of the whole batch, without workers."""
    side.load(trial.state)
    if seed is not None:
        move_state(side.model, seed)
    side.train()
    side.zero_grad()
    with perturbing(side, seed, seed is not None and trial.saturates):
        side.forward(perturbed(trial.inputs, seed))
        side.loss(given(trial))
        side.backward()
    return side.gradients()


def given(trial: Trial) -> Array:
    """The trial's target. Raises ValueError where it has none."""
    if trial.target is None:
        raise ValueError("expected a target, found none")
    return trial.target


@lru_cache(maxsize=1)
def lacking(trial: Trial) -> str:
    """Why a batch cannot be shared, or says nothing of workers: what the sides do alone is the other checks' to say."""
    if trial.dtype != "float64":
        return "shares of a batch are compared in float64 alone"
    try:
        side: Reference = trial.reference()
        side.load(trial.state)
        told = refusal(side, trial.inputs[0], given(trial))
        if told:
            return f"a batch is not shared: {told}"
        alone = compared(trial, of_reference(trial))
    except Exception as error:
        return f"a side raises {type(error).__name__} without any workers"
    return "the sides differ without any workers" if failures(alone) else ""
