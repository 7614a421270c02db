"""Two instances of one class, with other weights and in another mode: neither may know of the other."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.checks.contract import backwards
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.judge.evidence.training import named_states
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, bit_for_bit, exactly
from twofold.compare.sides import Scratch
from twofold.scratch.module import Array


def apart(trial: Trial) -> Iterator[Quantity]:
    """One pass, loss and step of an instance alone, and again while another of its class runs between."""
    other = trial.scratch()
    other.load(redrawn(trial.state, trial.rng("another instance")))
    for mode in (True, False):
        side = trial.scratch()
        side.train(mode)
        other.train(not mode)
        heard = set(side.modes().values()) != {mode}
        yield exactly(
            f"told to {'train' if mode else 'evaluate'} alone", not heard, "another instance hears it", "scratch"
        )
    alone, beside = run(trial, None), run(trial, other)
    for what, arrays in alone.items():
        told = "another instance of the class changes it"
        both = list(arrays.values()), list(beside[what].values())
        yield bit_for_bit(f"{what} of two instances", *both, told, "scratch")


def run(trial: Trial, other: Scratch | None) -> dict[str, dict[str, Array]]:
    """What an instance makes of the trial; `other` does the same in between, and writes over all that is its own."""
    side = trial.scratch()
    side.load(trial.state)
    side.train()
    side.zero_grad()
    side.reseed(trial.seed)
    found = {"outputs": nest.numbered("<output>", side.forward(trial.inputs))}
    intrude(trial, other)
    dinputs = nest.numbered("<input>", side.backward(trial.cotangents))
    found["gradients"] = side.gradients() | {name: value for name, value in dinputs.items() if value is not None}
    if trial.target is not None:
        side.loss(trial.target)
        intrude(trial, other)
        found["loss gradient"] = {"loss": side.loss_gradient()}
    if side.optimizer:
        for _ in range(2):
            side.step()
            intrude(trial, other)
        found["optimizer state"] = named_states(side)
    found["state"] = side.state()
    return found


def intrude(trial: Trial, other: Scratch | None) -> None:
    if other is None:
        return
    other.train()
    out: Any = other.forward(nest.apply(backwards, trial.inputs))
    if trial.target is not None:
        other.loss(backwards(trial.target))
        other.loss_gradient()
    other.backward(nest.apply(np.ones_like, out))
    if other.optimizer:
        other.step()
    other.train(False)
    for _, holder in other.model.named_state():
        holder.data[...] = 1
    for _, parameter in other.model.named_parameters():
        parameter.grad[...] = 7
