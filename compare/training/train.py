"""One backend's training. The seed alone decides weights and batches, so that both backends see the same."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from twofold.compare.data import DataError, Dataset, Split
from twofold.compare.pair import Pair, Recipe, SideName, Twin
from twofold.compare.sides import Reference, Scratch, Side, States
from twofold.compare.sides.devices import seed_torch
from twofold.compare.sides.steady import repeatable
from twofold.compare.threads import threads
from twofold.compare.training import checkpoint
from twofold.compare.training.checkpoint import Checkpoint, Curves
from twofold.compare.training.divergence import must_be_finite, must_keep_finite
from twofold.compare.training.metrics import METRICS
from twofold.compare.training.resuming import circumstances, must_fit
from twofold.scratch.module import Array

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Configuration:
    """What decides a training's numbers; a checkpoint is resumed only by the same, with more epochs if wanted.

    `settings` are those of the pair that is trained, all of them, where a command chose them.
    """

    pair: str
    backend: SideName
    dtype: str
    device: str
    seed: int
    data: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1  # of NumPy's BLAS and of torch: their number decides how sums are split
    workers: int = 0  # that share a batch, 0 for none: their number decides the last bits, and may change


class Watcher(Protocol):
    """Told of every step before and after it, and of every evaluation within an epoch and epoch as it is done."""

    def begins(self, training: "Training") -> None: ...

    def step(self, training: "Training") -> None: ...

    def evaluated(self, training: "Training") -> None: ...

    def epoch(self, training: "Training") -> None: ...


class Training:
    """One side of a pair on its way through the epochs.

    `steps` holds the loss, the metrics and the number of records of every step so far, before its update; `epochs` the
    figures after each epoch in evaluation mode, on the first training records, the validation and the test set, and the
    seconds of its steps; `within` the same every so many steps, with their numbers. Where the recipe stops by the
    validation loss, `best` holds the weights of the best epoch so far.
    """

    def __init__(self, pair: Pair, dataset: Dataset, configuration: Configuration, side: Side | None = None) -> None:
        dataset = replace(dataset, train=dataset.train.first(pair.recipe.records))
        self.pair, self.dataset, self.configuration = pair, dataset, configuration
        if pair.recipe.keeps_best and dataset.validation is None:
            raise DataError(f"{dataset.name}: expected validation records to stop {pair.name} by, found none")
        self.side = side or build(pair, configuration)
        self.side.load(pair.initial_state(configuration.seed))
        self.side.check = partial(must_be_finite, self)
        self.draws = draws(self.side)
        self.generator = np.random.default_rng([configuration.seed, 1])
        self.done, self.step_in_epoch, self.seconds = 0, 0, 0.0
        self.steps: Curves = {}
        self.epochs: Curves = {}
        self.within: Curves = {}
        self.best: dict[str, Array] = {}
        self.last: dict[str, Array] = {}  # the last epoch's weights, while the best stand in their place
        self._begin_epoch()

    @property
    def steps_an_epoch(self) -> int:
        return -(-len(self.dataset.train) // self.pair.recipe.batch)

    @property
    def stopped(self) -> int | None:
        """The epoch after which the recipe's rules ended the first stage."""
        return first_stop(self.pair.recipe, self._validation_losses) if self.pair.recipe.keeps_best else None

    @property
    def _validation_losses(self) -> list[float]:
        return self.epochs.get("validation_loss", [])

    @property
    def over(self) -> bool:
        """Whether it was stopped for good, whatever epochs are left."""
        return self.pair.recipe.second_stage is None and self.stopped is not None

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights the side has after `run`: the best where the recipe keeps it, else the last."""
        return max(best_epochs(self._validation_losses), default=0) if self.best else self.done

    def _begin_epoch(self) -> None:
        self.epoch_generator = self.generator.bit_generator.state
        self.order = self.generator.permutation(len(self.dataset.train))

    def run(
        self, epochs: int, watcher: Watcher, every: int | None = None, whole: Callable[[], object] | None = None
    ) -> None:
        """Trains until `epochs` epochs are done or the recipe stops it; takes the best weights where they are kept.

        Every so many steps it is evaluated within the epoch too, which changes nothing. `whole` is called after each
        step once all that belongs to it is done: to save or to raise there loses nothing.
        """
        with threads(self.configuration.threads, self.configuration.backend), repeatable(self.configuration.device):
            self._run(epochs, watcher, every, whole)

    def _run(self, epochs: int, watcher: Watcher, every: int | None, whole: Callable[[], object] | None) -> None:
        if self.last:
            self.side.load(self.last)
            self.last = {}
        while self.done < epochs and not self.over:
            if self.step_in_epoch < self.steps_an_epoch:
                watcher.begins(self)
                self.one_step()
                watcher.step(self)
                if every and len(self.steps["loss"]) % every == 0:
                    append(self.within, {"step": len(self.steps["loss"]), **self.trained(), **self.held_out()})
                    watcher.evaluated(self)
            if self.step_in_epoch == self.steps_an_epoch:
                self.end_epoch()
                watcher.epoch(self)
            if whole is not None:
                whole()
        if self.best:
            self.last = self.side.state()
            self.side.load(self.best)

    def one_step(self) -> None:
        """One update. Raises Diverged, without making it, where the loss, a gradient or a weight is not finite."""
        inputs, target = self.batch(self.step_in_epoch)
        self._reseed()
        began = time.perf_counter()
        self.side.train()
        with np.errstate(all="ignore"):  # what is no number is told, with its place
            loss, out = self.side.train_step(inputs, target)
        self.seconds += time.perf_counter() - began
        append(self.steps, {"loss": loss, **measured(self.pair, out, target), "records": len(target)})
        self.step_in_epoch += 1

    def _reseed(self) -> None:
        """What a step draws is decided by the seed and its number alone, so that resuming draws the same."""
        if not self.draws:
            return
        sequence = np.random.SeedSequence([self.configuration.seed, 2, len(self.steps.get("loss", []))])
        seed = int(sequence.generate_state(1)[0])
        if isinstance(self.side, Scratch):
            self.side.reseed(seed)
        else:
            seed_torch(seed, self.side.device)

    def over_last(self, steps: int) -> dict[str, float]:
        """Loss and metrics over the last steps; a short batch counts by its records."""
        records = self.steps["records"][-steps:]
        return {
            name: over_records(self.side, name, values[-steps:], records)
            for name, values in self.steps.items()
            if name != "records"
        }

    def batch(self, step: int) -> tuple[Array, Array]:
        """The records of one step of this epoch; the last batch may be short."""
        start = step * self.pair.recipe.batch
        return records(self.dataset.train, self.order[start : start + self.pair.recipe.batch], self.side)

    def end_epoch(self) -> None:
        """Its figures; raises Diverged where a weight is not finite."""
        must_keep_finite(self)
        figures = self.trained() | self.validated() | self.tested() | {"seconds": self.seconds}
        losses = [*self._validation_losses, figures.get("validation_loss", np.nan)]
        if self.pair.recipe.keeps_best and max(best_epochs(losses)) == len(losses):
            self.best = self.side.state()
        append(self.epochs, figures)
        self.next_epoch()
        if self.pair.recipe.second_stage is not None and self.stopped == self.done:
            if self.best:
                self.side.load(self.best)
            self._second_optimizer()

    def _second_optimizer(self) -> None:
        """A new one, with nothing of the first one's state."""
        begin_stage(self.side, self.pair.optimizer.given(**(self.pair.recipe.second_stage or {})))

    def next_epoch(self) -> None:
        self.done, self.step_in_epoch, self.seconds = self.done + 1, 0, 0.0
        self._begin_epoch()

    def trained(self) -> dict[str, float]:
        """The figures on the first training records as the side now stands, in evaluation mode."""
        split = self.dataset.train.first(self.pair.recipe.measured)
        return {f"train_{k}": v for k, v in evaluate(self.pair, self.side, split).items()}

    def held_out(self) -> dict[str, float]:
        """The figures on the validation set, or on the test set where the data has none."""
        return self.validated() or self.tested()

    def tested(self) -> dict[str, float]:
        """The figures on the test set as it now stands."""
        return {f"test_{k}": v for k, v in evaluate(self.pair, self.side, self.dataset.test).items()}

    def validated(self) -> dict[str, float]:
        """The figures on the validation set as it now stands; none where the data has no such set."""
        split = self.dataset.validation
        return {f"validation_{k}": v for k, v in evaluate(self.pair, self.side, split).items()} if split else {}

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            configuration=asdict(self.configuration),
            weights=self.last or self.side.state(),
            best=self.best,
            optimizer=self.side.optimizer_state(),
            generator=self.epoch_generator,
            position={"epoch": self.done, "step": self.step_in_epoch, "seconds": self.seconds},
            circumstances=self.circumstances,
            steps=self.steps,
            epochs=self.epochs,
            within=self.within,
        )

    def save(self, path: Path) -> None:
        """Raises Diverged, and keeps what is there, where a weight is not finite."""
        must_keep_finite(self)
        checkpoint.save(path, self.checkpoint())

    def resume(self, path: Path) -> list[str]:
        """Goes on where the checkpoint stopped, and says what to know of it; raises DataError if it is another's."""
        stored = checkpoint.load(path)
        told = must_fit(path, self, stored)
        self._go_on(stored)
        return told

    def restore(self, stored: Checkpoint, path: Path = Path("checkpoint.h5")) -> None:
        """Stands where a training of this configuration ended, with the weights that it keeps."""
        must_fit(path, self, stored)
        self._go_on(stored)
        if self.best:
            self.side.load(self.best)

    def generator_after(self, epochs: int) -> Mapping[str, Any]:
        """The state of the batches' generator at the start of an epoch, which the seed alone decides."""
        generator = np.random.default_rng([self.configuration.seed, 1])
        for _ in range(epochs):
            generator.permutation(len(self.dataset.train))
        return generator.bit_generator.state

    @cached_property
    def circumstances(self) -> dict[str, Any]:
        return circumstances(self.configuration, self.dataset)

    def optimizer_keeps(self) -> States:
        """What the optimizer keeps after a step, found by one of another net."""
        other = build(self.pair, self.configuration)
        other.load(self.side.state())
        inputs, target = self.batch(0)
        other.train()
        with np.errstate(all="ignore"):
            other.train_step(inputs, target)
        return other.optimizer_state()

    def _go_on(self, stored: Checkpoint) -> None:
        self.steps, self.epochs, self.within = stored.steps, stored.epochs, stored.within
        self.best, self.last = stored.best, {}
        if self.pair.recipe.second_stage is not None and self.stopped is not None:
            self._second_optimizer()
        self.side.load(stored.weights)
        self.side.load_optimizer_state(stored.optimizer)
        self.generator.bit_generator.state = dict(stored.generator)
        self._begin_epoch()
        self.done, self.step_in_epoch = int(stored.position["epoch"]), int(stored.position["step"])
        self.seconds = stored.position["seconds"]


def best_epochs(losses: Sequence[float]) -> Iterator[int]:
    """After each epoch the one, counted from 1, of the lowest loss so far, the first of equals; 0 before any number."""
    best, lowest = 0, np.inf
    for epoch, loss in enumerate(losses, 1):
        if loss < lowest:
            best, lowest = epoch, loss
        yield best


def first_stop(recipe: Recipe, losses: Sequence[float]) -> int | None:
    """The first epoch, counted from 1, after which validation losses end a training by the recipe's rules."""
    for epoch, (loss, best) in enumerate(zip(losses, best_epochs(losses), strict=True), 1):
        if recipe.stop_below is not None and loss <= recipe.stop_below:
            return epoch
        if recipe.patience is not None and epoch - best >= recipe.patience:
            return epoch
    return None


def build(pair: Pair, configuration: Configuration) -> Side:
    given = pair.model, pair.loss, pair.optimizer, configuration.dtype
    if configuration.backend == "scratch":
        return Scratch(*given, penalty=pair.penalty, clip=pair.clip, chunk=pair.chunk)
    return Reference(*given, configuration.device, penalty=pair.penalty, clip=pair.clip)


def begin_stage(side: Side, optimizer: Twin) -> None:
    """Another optimizer from here on, which knows nothing of the one before."""
    side.optimizer = optimizer.build(side.name, side.model.named_parameters())  # type: ignore[arg-type]


def draws(side: Side) -> bool:
    """Whether a training step draws numbers, as dropout does."""
    if isinstance(side, Scratch):
        return any("rng" in vars(module) for _, module in side.model.named_modules())
    return any(isinstance(module, side.torch.nn.modules.dropout._DropoutNd) for module in side.model.modules())


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
    loss, outs = outputs(side, split)
    _, targets = records(split, slice(None), side)
    return {"loss": loss, **measured(pair, outs, targets)}


def outputs(side: Side, split: Split) -> tuple[float, Array]:
    """Loss and outputs of a whole split, in its order and in evaluation mode.

    A loss that is no sum or mean over records, such as the sparse autoencoder's, is averaged over parts of 500.
    """
    side.train(False)
    outs, losses, sizes = [], [], []
    for part in parts(len(split)):
        inputs, target = records(split, part, side)
        loss, out = side.evaluate(inputs, target)
        outs.append(out)
        losses.append(loss)
        sizes.append(len(target))
    return over_records(side, "loss", losses, sizes), np.concatenate(outs)


def over_records(side: Side, name: str, values: Sequence[float], sizes: Sequence[float]) -> float:
    """A figure over several batches, each counted by its records; a loss that sums over records is summed."""
    if name == "loss" and getattr(side.criterion, "reduction", "mean") == "sum":
        return float(np.sum(values))
    return float(np.average(values, weights=sizes))


def parts(count: int) -> Iterator[slice]:
    return (slice(start, start + EVALUATION_BATCH) for start in range(0, count, EVALUATION_BATCH))
