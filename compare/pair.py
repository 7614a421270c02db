"""What is compared: a pair of models with all that belongs to it, and the case that the battery makes of it.

Builders are named ("twofold.scratch.models.mlp:MLP") and imported when built: the table needs neither torch nor plots.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from twofold.scratch.module import Array

SideName = Literal["scratch", "reference"]


@dataclass(frozen=True)
class Twin:
    """The same thing on both sides, each by "module:attribute", and the keyword arguments that both are built with."""

    scratch: str
    reference: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def named(self, side: SideName) -> Any:
        """The class or function itself."""
        module, _, attribute = getattr(self, side).partition(":")
        return getattr(import_module(module), attribute)

    def build(self, side: SideName, *positional: Any, **extra: Any) -> Any:
        return self.named(side)(*positional, **self.arguments, **extra)

    def given(self, **arguments: Any) -> "Twin":
        return replace(self, arguments={**self.arguments, **arguments})


@dataclass(frozen=True)
class Draw:
    """One input of a case: floats N(mean, scale^2), or integers below `high`, of the given shape."""

    shape: tuple[int, ...]
    high: int | None = None
    scale: float = 1.0
    mean: float = 0.0
    every: bool = False  # each integer below `high` at least once

    def __post_init__(self) -> None:
        if self.every and (self.high is None or math.prod(self.shape) < self.high):
            raise ValueError(f"{self.shape} cannot hold every integer below {self.high}")

    def __call__(self, rng: Generator, dtype: DTypeLike) -> Array:
        if self.high is not None and self.every:
            more = rng.integers(0, self.high, math.prod(self.shape) - self.high)
            return rng.permutation(np.concatenate([np.arange(self.high), more])).reshape(self.shape)
        if self.high is not None:
            return rng.integers(0, self.high, self.shape)
        return (self.mean + self.scale * rng.standard_normal(self.shape)).astype(dtype)


# One input as torch takes it: an array, or a tuple such as an LSTM's (h0, c0).
Draws = Draw | tuple["Draws", ...]


@dataclass(frozen=True)
class Case:
    """What the battery runs on: a model or a single layer, its inputs and, if it is trained, loss and optimizer.

    `constants` are inputs without a gradient, such as a loss's target, as "<input>[1]". `time_axis` is that of every
    sequence (N, T, F) or (T, N, F) among inputs and outputs. `batched` is False of one record without an axis for
    more. `sizes` are the same case at other sizes, at which what decides is run again. `second_stage` are the
    optimizer's arguments there.
    `waivers` gives a reason for each check or "check: tensor" that may fail, and must.
    """

    name: str
    model: Twin
    inputs: tuple[Draws, ...]
    loss: Twin | None = None
    target: Draw | None = None
    optimizer: Twin | None = None
    penalty: Twin | None = None
    clip: float | None = None
    chunk: int | None = None
    second_stage: Mapping[str, Any] | None = None
    constants: tuple[str, ...] = ()
    time_axis: int = 1
    batched: bool = True
    waivers: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple["Case", ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How a pair is trained: records a step, epochs, and the seed that draws weights and batches.

    `records` are the first of the training set that are trained on, all by default; of `measured` of them, the first,
    the figures are given after every epoch. `report_steps` are those of the report, which trains both sides while its
    reader waits. Training stops once the validation loss is at or below `stop_below`, or after `patience` epochs
    without a better one, and the best weights are kept. `second_stage` are then the optimizer's arguments for the
    epochs that are left, without these rules.
    """

    batch: int
    epochs: int
    report_steps: int
    seed: int = 0
    stop_below: float | None = None
    patience: int | None = None
    second_stage: Mapping[str, Any] | None = None
    records: int | None = None
    measured: int | None = 1000

    def __post_init__(self) -> None:
        if self.second_stage is not None and not self.keeps_best:
            raise ValueError("a second stage needs stop_below or patience, to end the first")

    @property
    def keeps_best(self) -> bool:
        return self.stop_below is not None or self.patience is not None


@dataclass(frozen=True)
class CheckSize:
    """A pair made small for the battery: the model's arguments and what is drawn."""

    arguments: Mapping[str, Any]
    inputs: tuple[Draws, ...]
    target: Draw


@dataclass(frozen=True)
class Pair:
    """One model built twice, with its loss, optimizer and data. `metrics` are names in compare/training/metrics.py.

    `penalty` is added to the loss; `clip` cuts every gradient entry to [-clip, clip] before the update. With a `chunk`
    scratch takes a training step over so many records at a time; the loss must be a sum over records, and no record
    may change another's output. `variant_of` is the system that this is a form of: `list`, `report` and `bench` take
    the systems alone where no pair is named. `embedded` are the settings that training takes in the recipe's place
    where the embedded data, which is smaller, serves. `sizes` are other check sizes, where axes are equally long, no
    row is left over, every class and token is met; their arguments go over those of `check`, so that variants have
    them too.
    """

    name: str
    title: str
    model: Twin
    loss: Twin
    optimizer: Twin
    dataset: str
    metrics: tuple[str, ...]
    recipe: Recipe
    check: CheckSize
    penalty: Twin | None = None
    clip: float | None = None
    chunk: int | None = None
    waivers: Mapping[str, str] = field(default_factory=dict)
    variant_of: str | None = None
    embedded: Mapping[str, Any] = field(default_factory=dict)
    sizes: tuple[CheckSize, ...] = ()

    def case(self) -> Case:
        """The pair at check size."""
        others = (replace(size, arguments={**self.check.arguments, **size.arguments}) for size in self.sizes)
        return replace(self.sized(self.check), sizes=tuple(map(self.sized, others)))

    def sized(self, size: CheckSize) -> Case:
        return Case(
            name=self.name,
            model=self.model.given(**size.arguments),
            inputs=size.inputs,
            loss=self.loss,
            target=size.target,
            optimizer=self.optimizer,
            penalty=self.penalty,
            clip=self.clip,
            chunk=self.chunk and 3,
            second_stage=self.recipe.second_stage,
            waivers=self.waivers,
        )

    def full_case(self, inputs: tuple[Draws, ...], target: Draw | None = None) -> Case:
        """The pair at recipe size, for inputs of the given form; without a target the model alone."""
        case = Case(f"{self.name} at recipe size", self.model, inputs, waivers=self.waivers)
        if target is None:
            return case
        return replace(case, loss=self.loss, target=target, penalty=self.penalty, clip=self.clip, chunk=self.chunk)

    def initial_state(self, seed: int) -> dict[str, Array]:
        """The weights that both sides start from, at recipe size: the scratch model's own initialisers draw them."""
        return self.model.build("scratch", rng=np.random.default_rng(seed)).state_dict()
