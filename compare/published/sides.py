"""Both sides of a published run, their weights and their one-ulp twins."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.sides import Reference, Scratch, Side
from twofold.scratch.module import Array

Weights = Mapping[str, Array]


@dataclass(frozen=True)
class Setup:
    """What a run is computed with; every call gives a side that has not taken a step."""

    model: Twin
    loss: Twin
    optimizer: Twin | None = None
    dtype: str = "float64"

    def scratch(self) -> Scratch:
        return Scratch(self.model, self.loss, self.optimizer, self.dtype)

    def reference(self) -> Reference:
        return Reference(self.model, self.loss, self.optimizer, self.dtype)


def load(side: Side, weights: Weights, twin: int | None = None) -> None:
    """The weights, and zeros for all that has none; for a twin each is perturbed by one ulp of the side's dtype."""
    given = {name: perturbed(value.astype(side.dtype), twin) for name, value in weights.items()}
    side.load({name: np.zeros_like(value) for name, value in side.state().items()} | given)


def linear_names(layers: int) -> list[str]:
    """fc1.weight, fc2.weight, ..."""
    return [f"fc{n + 1}.weight" for n in range(layers)]


def penalty_of(side: Side, reg: float) -> float:
    """The L2 penalty on the weights as they are."""
    twin = Twin("twofold.scratch:L2Penalty", "twofold.reference.losses:L2Penalty", {"reg": reg})
    if isinstance(side, Scratch):
        return float(twin.build("scratch", side.model.named_parameters()).forward())
    return float(twin.build("reference", side.model.named_parameters())().detach())
