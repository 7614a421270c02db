"""Training steps of either side, on batches drawn from the trial's seed."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.reading import Reading
from twofold.compare.judge.evidence.rounding import perturbing
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.sides import Side
from twofold.compare.sides.trace import Copies, Keep, Trace
from twofold.scratch.module import Array

FREE_STEPS = 50  # of a training that runs free


def batches(trial: Trial, steps: int) -> Iterator[tuple[Any, Array]]:
    rng = trial.rng("batches")
    for _ in range(steps):
        target = trial.draw_target(rng)
        assert target is not None
        yield trial.draw_inputs(rng), target


def training_step(
    trial: Trial,
    side: Side,
    inputs: Any,
    target: Array,
    seed: int | None = None,
    watched: bool = True,
    keep: Keep | None = None,
) -> Reading:
    """One step by stage: as in a trial, and under "update" the state that it leaves behind.

    What passes between modules is there if it was `watched`. `keep` as in a trial.
    """
    keep = keep or Copies()

    def kept(stage: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
        return {name: keep(stage, name, array) for name, array in arrays.items()}

    side.train()
    side.zero_grad()
    watching = side.watch(keep) if watched else nullcontext(Trace())
    with perturbing(side, seed, seed is not None and trial.saturates), watching as trace:
        out = kept("forward", nest.numbered("<output>", side.forward(inputs)))
        loss = kept("loss", {"loss": side.loss(target)})
        side.backward()
    gradients = side.gradients(keep)
    side.step()
    return {
        "forward": trace.outputs | out,
        "loss": loss,
        "backward": trace.grad_outputs,
        "gradient": gradients,
        "update": kept("update", named_states(side) | side.state()),
        "input": trace.inputs,
        "masks": trace.masks,
    }


def named_states(side: Side) -> dict[str, Array]:
    """The optimizer's state as {"fc1.weight exp_avg": array}."""
    return {f"{name} {key}": array for name, entry in side.optimizer_state().items() for key, array in entry.items()}


def counted(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """With the steps that torch counts in a float32, whatever the dtype, as the integers that they are."""

    def whole(array: Array) -> Array:
        return array.astype(np.int64) if np.array_equal(array, np.round(array)) else array

    return {name: whole(array) if name.endswith(" step") else array for name, array in arrays.items()}


def clip_of(trial: Trial) -> float | None:
    """Where the recipe clips, a bound that the graded gradients pass: its own is never met at check size."""
    return None if trial.case.clip is None else 0.01
