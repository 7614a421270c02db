"""Whole training steps: forward, loss, backward and update, at the recipe's batch or at growing ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.bench import equal, goals
from twofold.compare.bench.products import Product, of_step, together
from twofold.compare.bench.rows import Row
from twofold.compare.bench.timing import Timing, Work, interleaved
from twofold.compare.data import Dataset
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.pair import Pair, SideName
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.steady import repeatable
from twofold.compare.training.train import Configuration, build
from twofold.scratch.module import Array

DTYPES = ("float32", "float64")
# Pairs of four kinds, and the batches that they grow through, in float32.
GROWING = ("mnist-cnn", "activity-lstm", "notmnist-mlp", "trigram-lm")
BATCHES = (1, 8, 64, 512)
GROWTH_BUDGET = 0.2  # seconds a row
CHECKED = 128  # records that are compared at most; more would only repeat what these do


@dataclass(frozen=True)
class StepTime:
    """Median milliseconds of a training step, and the median ratio of the rounds: below 1 scratch is faster."""

    dtype: str
    scratch: float
    reference: float
    ratio: float


def step_time(pair: Pair, dataset: Dataset, dtype: str, device: str = "cpu") -> StepTime:
    """Of a recipe's batch; with as many threads as are set."""
    timing = Step(pair, dataset, pair.recipe.batch, device).timed(dtype)
    return StepTime(dtype, 1e3 * timing.first, 1e3 * timing.second, timing.ratio)


def recipe_rows(pair: Pair, dataset: Dataset) -> Iterator[Row]:
    """A training step of the recipe's batch in either dtype, with its products and its goal."""
    step = Step(pair, dataset, pair.recipe.batch)
    for dtype in DTYPES:
        yield step.row("step", dtype, goals.of_step(pair.name, dtype))


def growth_rows(pair: Pair, dataset: Dataset) -> Iterator[Row]:
    """A training step at growing batches."""
    for batch in BATCHES:
        yield Step(pair, dataset, batch).row("growth", "float32", budget=GROWTH_BUDGET)


def configured(pair: Pair, side: SideName, dtype: DTypeLike, device: str = "cpu") -> Configuration:
    """As a training is."""
    return Configuration(pair.name, side, np.dtype(dtype).name, device, pair.recipe.seed, pair.dataset)


class Step:
    """One batch of a pair on both sides: the first records of the training set, over again where it has fewer."""

    def __init__(self, pair: Pair, dataset: Dataset, batch: int, device: str = "cpu") -> None:
        self.pair, self.device = pair, device
        index = np.arange(batch) % len(dataset.train)
        self.batch = dataset.train.inputs[index], dataset.train.targets[index]

    @cached_property
    def state(self) -> Mapping[str, Array]:
        """The weights that a training starts from."""
        return self.pair.initial_state(self.pair.recipe.seed)

    def scratch(self, dtype: DTypeLike) -> Scratch:
        return build(self.pair, configured(self.pair, "scratch", dtype))  # type: ignore[return-value]

    def reference(self, dtype: DTypeLike) -> Reference:
        return build(self.pair, configured(self.pair, "reference", dtype, self.device))  # type: ignore[return-value]

    def differences(self, dtype: str) -> equal.Differences:
        """From drawn weights: those of a recipe may saturate a layer, which then proves nothing."""
        waived = {key.partition(": ")[2] for key in self.pair.waivers}

        def compare() -> equal.Differences:
            side = self.scratch(dtype)
            state = redrawn(side.state(), np.random.default_rng(self.pair.recipe.seed))
            inputs, target = (array[:CHECKED] for array in self.batch)
            return equal.of_step(side, self.reference, state, (inputs, target), waived)

        return equal.guarded(compare)

    @cached_property
    def products(self) -> Sequence[Product]:
        side = self.scratch("float32")
        inputs, target = (equal.given(side, array) for array in self.batch)
        with side.watch() as step:
            side.train_step(inputs, target)
        with side.watch() as whole:
            side.forward((inputs[:2],))
            side.loss(target[:2])
            side.backward()
        return of_step(side.model, step, whole)

    def timed(self, dtype: str, alone: Sequence[Product] = (), budget: float | None = None) -> Timing:
        def work(side: Side) -> Work:
            side.load(self.state)
            side.train()
            x, target = (equal.given(side, array) for array in self.batch)
            return partial(side.train_step, x, target)

        with repeatable(self.device):
            return interleaved(work(self.scratch(dtype)), work(self.reference(dtype)), together(alone, dtype), budget)

    def row(self, kind: str, dtype: str, goal: float | None = None, budget: float | None = None) -> Row:
        differences = self.differences(dtype)
        timing = None if differences else self.timed(dtype, self.products if kind == "step" else (), budget)
        return Row(kind, self.pair.name, "step", dtype, len(self.batch[1]), timing, goal, differences)
