"""One backend's training. The seed alone decides weights and batches, so that both backends see the same."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from compare import checkpoint
from compare.checkpoint import Checkpoint, Curves
from compare.data import DataError, Dataset, Split
from compare.metrics import METRICS
from compare.pair import Pair, SideName
from compare.sides import Reference, Scratch, Side
from scratch.module import Array

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Configuration:
    """What decides a training's numbers; a checkpoint is resumed only by the same, with more epochs if wanted."""

    pair: str
    backend: SideName
    dtype: str
    device: str
    seed: int
    data: str


class Watcher(Protocol):
    """Told of every step and epoch as it is done."""

    def step(self, training: "Training") -> None: ...

    def epoch(self, training: "Training") -> None: ...


class Training:
    """One side of a pair on its way through the epochs.

    `steps` holds the loss, the metrics and the number of records of every step so far; `epochs` the means over the
    training set while it was trained on, the test set's figures after the epoch and the seconds of its steps.
    """

    def __init__(self, pair: Pair, dataset: Dataset, configuration: Configuration) -> None:
        self.pair, self.dataset, self.configuration = pair, dataset, configuration
        self.side = build(pair, configuration)
        self.side.load(pair.initial_state(configuration.seed))
        self.generator = np.random.default_rng([configuration.seed, 1])
        self.done, self.step_in_epoch, self.seconds = 0, 0, 0.0
        self.steps: Curves = {}
        self.epochs: Curves = {}
        self._begin_epoch()

    @property
    def steps_an_epoch(self) -> int:
        return -(-len(self.dataset.train) // self.pair.recipe.batch)

    def _begin_epoch(self) -> None:
        self.epoch_generator = self.generator.bit_generator.state
        self.order = self.generator.permutation(len(self.dataset.train))

    def run(self, epochs: int, watcher: Watcher) -> None:
        """Trains until `epochs` epochs are done."""
        while self.done < epochs:
            if self.step_in_epoch < self.steps_an_epoch:
                self.one_step()
                watcher.step(self)
            if self.step_in_epoch == self.steps_an_epoch:
                self.end_epoch()
                watcher.epoch(self)

    def one_step(self) -> None:
        inputs, target = self.batch(self.step_in_epoch)
        began = time.perf_counter()
        self.side.train()
        loss, out = self.side.train_step(inputs, target)
        self.seconds += time.perf_counter() - began
        append(self.steps, {"loss": loss, **measured(self.pair, out, target), "records": len(target)})
        self.step_in_epoch += 1

    def batch(self, step: int) -> tuple[Array, Array]:
        """The records of one step of this epoch; the last batch may be short."""
        start = step * self.pair.recipe.batch
        return records(self.dataset.train, self.order[start : start + self.pair.recipe.batch], self.side)

    def end_epoch(self) -> None:
        first = self.done * self.steps_an_epoch
        weights = self.steps["records"][first:]  # a short last batch counts by its records
        figures = {
            f"train_{name}": float(np.average(values[first:], weights=weights))
            for name, values in self.steps.items()
            if name != "records"
        }
        append(self.epochs, {**figures, **self.tested(), "seconds": self.seconds})
        self.next_epoch()

    def next_epoch(self) -> None:
        self.done, self.step_in_epoch, self.seconds = self.done + 1, 0, 0.0
        self._begin_epoch()

    def tested(self) -> dict[str, float]:
        """The figures on the test set as it now stands."""
        return {f"test_{k}": v for k, v in evaluate(self.pair, self.side, self.dataset.test).items()}

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            configuration=asdict(self.configuration),
            weights=self.side.state(),
            optimizer=self.side.optimizer_state(),
            generator=self.epoch_generator,
            position={"epoch": self.done, "step": self.step_in_epoch, "seconds": self.seconds},
            steps=self.steps,
            epochs=self.epochs,
        )

    def save(self, path: Path) -> None:
        checkpoint.save(path, self.checkpoint())

    def resume(self, path: Path) -> None:
        """Goes on where the checkpoint stopped; raises DataError if it is not of this training."""
        stored = checkpoint.load(path)
        for key, value in asdict(self.configuration).items():
            if stored.configuration.get(key) != value:
                raise DataError(f"{path}: expected {key} {value}, found {stored.configuration.get(key)}")
        self.side.load(stored.weights)
        self.side.load_optimizer_state(stored.optimizer)
        self.generator.bit_generator.state = dict(stored.generator)
        self._begin_epoch()
        self.done, self.step_in_epoch = int(stored.position["epoch"]), int(stored.position["step"])
        self.seconds = stored.position["seconds"]
        self.steps, self.epochs = stored.steps, stored.epochs


def build(pair: Pair, configuration: Configuration) -> Side:
    given = pair.model, pair.loss, pair.optimizer, configuration.dtype
    return Scratch(*given) if configuration.backend == "scratch" else Reference(*given, configuration.device)


def records(split: Split, index: Any, side: Side) -> tuple[Array, Array]:
    """Some records in the side's dtype; integers stay."""

    def cast(array: Array) -> Array:
        return array.astype(side.dtype, copy=False) if np.issubdtype(array.dtype, np.floating) else array

    return cast(split.inputs[index]), cast(split.targets[index])


def measured(pair: Pair, out: Array, target: Array) -> dict[str, float]:
    return {name: METRICS[name](out, target) for name in pair.metrics}


def append(curves: Curves, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        curves.setdefault(name, []).append(value)


def evaluate(pair: Pair, side: Side, split: Split) -> dict[str, float]:
    """Loss and metrics over a whole split in evaluation mode, every record counted once."""
    side.train(False)
    outs, losses, sizes = [], [], []
    for part in parts(len(split)):
        inputs, target = records(split, part, side)
        loss, out = side.evaluate(inputs, target)
        outs.append(out)
        losses.append(loss)
        sizes.append(len(target))
    _, targets = records(split, slice(None), side)
    return {"loss": float(np.average(losses, weights=sizes)), **measured(pair, np.concatenate(outs), targets)}


def parts(count: int) -> Iterator[slice]:
    return (slice(start, start + EVALUATION_BATCH) for start in range(0, count, EVALUATION_BATCH))
