"""Training steps of either side, on batches drawn from the trial's seed."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from twofold.compare import nest
from twofold.compare.judge.checks.optimizers import named_states
from twofold.compare.judge.evidence.rounding import shaken
from twofold.compare.judge.evidence.trial import Reading, Trial
from twofold.compare.sides import Side
from twofold.compare.sides.trace import Trace
from twofold.scratch.module import Array


def batches(trial: Trial, steps: int) -> Iterator[tuple[Any, Array]]:
    rng = trial.rng("batches")
    for _ in range(steps):
        target = trial.draw_target(rng)
        assert target is not None
        yield trial.draw_inputs(rng), target


def training_step(
    trial: Trial, side: Side, inputs: Any, target: Array, seed: int | None = None, watched: bool = True
) -> Reading:
    """One step by stage: as in a trial, and under "update" the state that it leaves behind.

    What passes between modules is there if it was `watched`.
    """
    side.train()
    side.zero_grad()
    with shaken(side, seed, trial.saturates), side.watch() if watched else nullcontext(Trace()) as trace:
        out = side.forward(inputs)
        loss = side.loss(target)
        side.backward()
    gradients = side.gradients()
    side.step()
    return {
        "forward": {**trace.outputs, **nest.numbered("<output>", out)},
        "loss": {"loss": loss},
        "backward": trace.gradients,
        "gradient": gradients,
        "update": named_states(side) | side.state(),
        "taken": trace.inputs,
        "masks": trace.masks,
    }
