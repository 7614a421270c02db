"""One training run as the source's solver did it: drawn beforehand, then played by each side and by the twins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare.judge.checks.curves import envelope
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.gates import LIMIT
from twofold.compare.published.cifar import Labelled
from twofold.compare.published.figure import Curves, Entry, Series
from twofold.compare.published.masks import give_masks
from twofold.compare.published.sides import Setup, load
from twofold.compare.sides import Side
from twofold.scratch.module import Array

TWINS = 5
EVALUATED = 1000  # training images that an accuracy is measured on at most
EVALUATION_BATCH = 100


@dataclass(frozen=True)
class Solver:
    """What a run's text says of its steps."""

    images: int
    batch: int
    epochs: int
    keep: float = 1.0

    @property
    def steps_an_epoch(self) -> int:
        return self.images // self.batch

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_an_epoch

    def measures_after(self, step: int) -> bool:
        """Accuracy is printed after the first step (as epoch 0) and after each epoch."""
        return step == 0 or (step + 1) % self.steps_an_epoch == 0


@dataclass(frozen=True)
class Plan:
    """All random numbers of a run, in the order in which the source drew them; a subset is for one accuracy."""

    solver: Solver
    weights: Mapping[str, Array]
    batches: Sequence[Array]
    masks: Sequence[Array]
    subsets: Sequence[Array]


def drawn(solver: Solver, weights: Mapping[str, Array], rng: Any, hidden: int = 0) -> Plan:
    """The weights come first; then each step draws its batch, its mask and, where accuracy is measured, a subset."""
    batches, masks, subsets = [], [], []
    for step in range(solver.steps):
        batches.append(rng.choice(solver.images, solver.batch))
        if solver.keep < 1:
            masks.append(rng.rand(solver.batch, hidden) < solver.keep)
        if solver.measures_after(step):
            large = solver.images > EVALUATED
            subsets.append(rng.choice(solver.images, EVALUATED) if large else np.arange(solver.images))
    return Plan(solver, weights, batches, masks, subsets)


def played(plan: Plan, side: Side, train: Labelled, validation: Labelled, twin: int | None = None) -> dict[str, Array]:
    """The loss before each update (steps,), and of each accuracy the margins behind it (times measured, images)."""
    load(side, plan.weights, twin)
    images, labels = perturbed(train[0][: plan.solver.images].astype(side.dtype), twin), train[1]
    held_out, held_labels = perturbed(validation[0].astype(side.dtype), twin), validation[1]
    give_masks(side.model, plan.masks)
    losses, training, held = [], [], []
    subsets = iter(plan.subsets)
    for step, batch in enumerate(plan.batches):
        side.train()
        losses.append(side.train_step(images[batch], labels[batch])[0])
        if plan.solver.measures_after(step):
            subset = next(subsets)
            side.train(False)
            training.append(margins(side, images[subset], labels[subset]))
            held.append(margins(side, held_out, held_labels))
    return {
        "loss": np.array(losses, side.dtype),
        "training accuracy": np.array(training),
        "validation accuracy": np.array(held),
    }


def margins(side: Side, images: Array, labels: Array) -> Array:
    """By how much the logit of each image's own class leads the best other one: right where that is positive."""
    starts = range(0, len(images), EVALUATION_BATCH)
    batches = [slice(start, start + EVALUATION_BATCH) for start in starts]
    out = np.concatenate([side.evaluate(images[batch], labels[batch])[1] for batch in batches])
    own = np.arange(out.shape[1]) == labels[:, None]
    return out[own] - np.where(own, -np.inf, out).max(axis=1)


def curves(plan: Plan, setup: Setup, train: Labelled, validation: Labelled, twins: int = TWINS) -> dict[str, Curves]:
    """Every column by both sides and the reference's twins."""
    scratch, reference = (played(plan, side, train, validation) for side in (setup.scratch(), setup.reference()))
    others = [played(plan, setup.reference(), train, validation, twin) for twin in range(twins)]
    gathered = {name: (scratch[name], reference[name], tuple(run[name] for run in others)) for name in scratch}
    return {name: (Curves if name == "loss" else accuracies)(*logs) for name, logs in gathered.items()}


def accuracies(scratch: Array, reference: Array, twins: tuple[Array, ...]) -> Curves:
    """The share of positive margins at each measurement, and the share that rounding may turn."""
    right, golden, *others = ((margin > 0).mean(axis=1) for margin in (scratch, reference, *twins))
    return Curves(right, golden, tuple(others), undecided(reference, twins) if twins else None)


def undecided(reference: Array, twins: Sequence[Array]) -> Array:
    """The share of images whose margin has zero within LIMIT envelopes: there the largest logit is a branch decision.

    Each measurement is taken by itself, as the next may be on other images.
    """
    width = envelope(reference[None], [twin[None] for twin in twins])[0]
    return (np.abs(reference) <= LIMIT * width).mean(axis=1)


def columns(
    log: Mapping[str, Any], exact_steps: int | None, exact_epochs: int | None, units: int
) -> tuple[Series, ...]:
    """A log's columns: losses by iteration from 1, accuracies by epoch from 0; `exact_*` go by the recipe's words."""
    losses = tuple(Entry(f"loss {iteration}", text, iteration - 1) for iteration, text in log["loss"])
    training = tuple(Entry(f"training accuracy {epoch}", text, epoch) for epoch, text, _ in log["accuracy"])
    held = tuple(Entry(f"validation accuracy {epoch}", text, epoch) for epoch, _, text in log["accuracy"])
    return (
        Series("loss", losses, exact_steps, units),
        Series("training accuracy", training, exact_epochs),
        Series("validation accuracy", held, exact_epochs),
    )
