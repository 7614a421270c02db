"""A training small enough for tests: 27 records of three words, of which the largest is the target."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import Dataset, Split
from twofold.compare.pair import Pair, Recipe, Twin
from twofold.compare.pairs import PAIRS
from twofold.compare.training.train import Configuration, Training

SIDES = ("scratch", "reference")


class Silent:
    """A watcher that saves every epoch, or stops the training after some steps."""

    def __init__(self, path: Path | None = None, steps: int | None = None) -> None:
        self.path, self.steps = path, steps

    def begins(self, training: Training) -> None:
        pass

    def step(self, training: Training) -> None:
        if self.steps is not None and len(training.steps["loss"]) == self.steps:
            raise KeyboardInterrupt

    def evaluated(self, training: Training) -> None:
        pass

    def epoch(self, training: Training) -> None:
        if self.path:
            training.save(self.path)


def tokens(count: int, seed: int, words: int = 250) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, words, (count, 3))
    return Split(inputs, inputs.max(axis=1))


# 27 records in batches of 8: three whole ones and a short one.
SMALL = Dataset("small", "embedded", tokens(27, 0), None, tokens(11, 1), ())
ADAM = Twin("twofold.scratch:Adam", "torch.optim:Adam", {"lr": 0.004})
# With few words there is something to learn: the validation loss falls, and rises again later.
VALIDATED = Dataset("small", "embedded", tokens(27, 0, 12), tokens(9, 2, 12), tokens(11, 1, 12), ())
# Stops by the validation loss, with a second stage of its own rate.
STAGES = {"stop_below": 3.2, "second_stage": {"lr": 0.001, "betas": (0.5, 0.9)}}


def small_pair(**rules: Any) -> Pair:
    recipe = Recipe(batch=8, epochs=2, report_steps=3, **rules)
    return replace(PAIRS["trigram-lm"], recipe=recipe, optimizer=ADAM)


def training(
    backend: str = "scratch", dtype: str = "float64", seed: int = 0, dataset: Dataset = SMALL, **rules: Any
) -> Training:
    configuration = Configuration("trigram-lm", backend, dtype, "cpu", seed, "embedded")  # type: ignore[arg-type]
    return Training(small_pair(**rules), dataset, configuration)


def at_check_size(name: str, backend: str = "scratch", records: int = 20, batch: int = 6, **arguments: Any) -> Training:
    """A pair with the model of its checks in float64, on random records."""
    pair = PAIRS[name]
    rng = np.random.default_rng(0)

    def drawn(draw: Any) -> Any:
        return replace(draw, shape=(records, *draw.shape[1:]))(rng, "float64")

    split = Split(drawn(pair.check.inputs[0]), drawn(pair.check.target))
    data = Dataset("small", "embedded", split, split, split, ())
    model = pair.model.given(**{**pair.check.arguments, **arguments})
    pair = replace(pair, model=model, recipe=Recipe(batch=batch, epochs=1, report_steps=1))
    return Training(pair, data, Configuration(name, backend, "float64", "cpu", 0, "embedded"))  # type: ignore[arg-type]
