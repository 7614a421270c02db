"""The first number of a training that is none, and where it stands."""

from typing import TYPE_CHECKING

import numpy as np

from twofold.compare.errors import BadInput, Status
from twofold.scratch.module import Array

if TYPE_CHECKING:
    from twofold.compare.training.train import Training


class Diverged(BadInput):
    """A loss, gradient or weight is not finite: one line with the step, the first tensor and what to try."""

    status = Status.DIVERGED


def must_be_finite(training: "Training", loss: float) -> None:
    """Before an update: raises Diverged where the loss or a gradient is not finite, as after a weight that is not."""
    if not (np.isfinite(loss) and np.isfinite(training.side.squares())) and (found := first(training, loss)):
        step = len(training.steps.get("loss", [])) + 1
        where = f"step {step} (epoch {training.done + 1}, batch {training.step_in_epoch + 1})"
        raise Diverged(f"diverged in {where}: {found}; {to_try(training)}")


def must_keep_finite(training: "Training") -> None:
    """Before weights are kept: raises Diverged where one is not finite, though nothing showed it yet."""
    if told := of_weights(training):
        where = f"step {len(training.steps.get('loss', []))} (epoch {training.done + 1})"
        raise Diverged(f"diverged by {where}: {told}; {to_try(training)}")


def first(training: "Training", loss: float) -> str:
    """The first tensor that is not finite, as weights, the forward pass, the loss and the backward pass come."""
    side = training.side
    if told := of_weights(training):
        return f"{told} since the step before"
    if not np.isfinite(loss):
        return of_forward(training) or f"the loss is {loss}, of outputs that are finite"
    for name, array in reversed(side.gradients().items()):
        if told := described(array):
            return f"the gradient of {name} is {told}, while the loss is {loss:.4g}"
    return ""  # their squares are too large, and they are not


def of_weights(training: "Training") -> str:
    found = ((name, described(array)) for name, array in training.side.state().items())
    return next((f"{name} is {told}" for name, told in found if told), "")


def of_forward(training: "Training") -> str:
    """The module that first gives what is not finite, found by the same batch once more; no update was made."""
    inputs, target = training.batch(training.step_in_epoch)
    training._reseed()
    training.side.train()
    with training.side.watch() as trace:
        _, out = training.side.evaluate(inputs, target)
    for name, array in trace.outputs.items():
        if told := described(array):
            return f"the output of {name} is {told}"
    told = described(out)
    return f"the output is {told}" if told else ""


def described(array: Array) -> str:
    """How many entries are not finite, and the first of them; "" where all are."""
    bad = ~np.isfinite(array) if np.issubdtype(array.dtype, np.inexact) else np.zeros(array.shape, bool)
    if not bad.any():
        return ""
    return f"{array[bad].flat[0]} ({int(bad.sum()):,} of {array.size:,} entries)"


def to_try(training: "Training") -> str:
    """What mostly helps, with the values that are there."""
    rate = training.configuration.settings.get("lr")
    tips = [f"a smaller --set lr=, it is {rate:g}"] if isinstance(rate, float) else ["a smaller learning rate"]
    tips += ["--set clip=1"] if training.pair.clip is None else []
    return f"try {', or '.join(tips)}"
