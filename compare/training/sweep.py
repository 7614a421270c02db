"""Several trainings from the same seed, each a net of its own; what is finished is kept, and the best is known."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import Dataset
from twofold.compare.errors import BadInput
from twofold.compare.output import write_json
from twofold.compare.pair import Pair
from twofold.compare.strict import with_nan
from twofold.compare.training.checkpoint import Curves, differing
from twofold.compare.training.divergence import Diverged
from twofold.compare.training.metrics import HIGHER_IS_BETTER
from twofold.compare.training.settings import Point, all_of, label, pair_at
from twofold.compare.training.train import Configuration, Training, Watcher

SCHEMA = 2
CURVE_POINTS = 400  # a curve over the steps is kept as the means of so many blocks


@dataclass
class Trained:
    """A finished point: its settings, the kept epoch's figures, and curves over blocks of steps and epochs.

    `words` are the most probable next ones, by trigram, where the net predicts words.
    """

    settings: Point
    figures: dict[str, float]
    epoch: int
    steps_a_block: int
    losses: list[float]
    epochs: Curves
    words: dict[str, list[str]] = field(default_factory=dict)
    diverged: str = ""  # where a number was none, and why nothing followed


@dataclass(frozen=True)
class Planned:
    """A point of a sweep, and the training that it stands for."""

    point: Point
    pair: Pair
    configuration: Configuration


def planned(pairs: Mapping[str, Pair], point: Point, configuration: Configuration, dataset: Dataset) -> Planned:
    """A point, once its net has taken a step; raises BadInput where its settings do not fit.

    `pair` among a point's settings is one of `pairs`, by default the only one.
    """
    settings = dict(point)
    name = settings.pop("pair", None) or next(iter(pairs))
    try:
        pair = pair_at(pairs[name], settings)
        configuration = replace(configuration, pair=name, settings=all_of(pair))
    except (ValueError, TypeError) as error:
        raise refused(point, error) from error
    try_out(pair, dataset, configuration, point)
    return Planned(point, pair, configuration)


def try_out(pair: Pair, dataset: Dataset, configuration: Configuration, point: Point) -> None:
    """A net of its own takes one step, so that what cannot be trained is known before anything is. Raises BadInput.

    Whether the step leads anywhere is not asked here.
    """
    try:
        with np.errstate(all="ignore"):
            training = Training(pair, dataset, configuration)
            training.side.check = None
            training.side.train()
            training.side.train_step(*training.batch(0))
    except Exception as error:  # whatever a model, a loss or an optimizer makes of an argument
        raise refused(point, error) from error


def refused(point: Point, error: Exception) -> BadInput:
    return BadInput(f"{label(point)}: {' '.join(str(error).split()) or type(error).__name__}")


def train_point(plan: Planned, dataset: Dataset, watcher: Watcher) -> tuple[Trained, Training]:
    """A new net from the seed, trained by the recipe at this point; one that diverges has no figures but its curves."""
    training = Training(plan.pair, dataset, plan.configuration)
    diverged = ""
    try:
        training.run(plan.pair.recipe.epochs, watcher)
    except Diverged as error:
        diverged = str(error)
    losses = training.steps.get("loss", [])
    block = max(1, -(-len(losses) // CURVE_POINTS))
    blocks = [losses[start : start + block] for start in range(0, len(losses), block)]
    means = [math.fsum(part) / len(part) for part in blocks]
    if diverged:
        names = names_of_figures(plan.pair, dataset)
        epochs = training.epochs or {name: [] for name in names}
        figures = dict.fromkeys(names, math.nan)
        return Trained(plan.point, figures, training.done, block, means, epochs, diverged=diverged), training
    figures = {name: values[training.kept_epoch - 1] for name, values in training.epochs.items()}
    return Trained(plan.point, figures, training.kept_epoch, block, means, training.epochs), training


def names_of_figures(pair: Pair, dataset: Dataset) -> list[str]:
    return [*(f"{split}_{name}" for split in dataset.splits() for name in ("loss", *pair.metrics)), "seconds"]


def decisive(finished: Trained) -> str:
    """The set that decides which is best: validation, or test where the data has no such set."""
    return "validation" if "validation_loss" in finished.figures else "test"


def best(finished: Sequence[Trained], by: str = "loss") -> int | None:
    """The place of the best figure on the validation or test set, the first of equals; NaN and inf are never it."""
    sign = -1 if by in HIGHER_IS_BETTER else 1
    figures = [(sign * one.figures[f"{decisive(one)}_{by}"], n) for n, one in enumerate(finished)]
    numbers = [pair for pair in figures if math.isfinite(pair[0])]
    return min(numbers)[1] if numbers else None


def save(path: Path, configuration: Mapping[str, Any], finished: Sequence[Trained]) -> None:
    """The old file or the new one is there whole, whatever happens. Raises BadInput where it cannot be written."""
    write_json(path, {"schema": SCHEMA, "configuration": configuration, "finished": [asdict(one) for one in finished]})


def load(path: Path, configuration: Mapping[str, Any]) -> list[Trained]:
    """What an earlier call finished, none without a file; raises BadInput if it was another sweep."""
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text())
        stored, finished = dict(content["configuration"]), [trained(one) for one in content["finished"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: expected a sweep, found {' '.join(str(error).split())}") from error
    if content.get("schema") != SCHEMA:
        raise BadInput(f"{path}: expected a sweep of schema {SCHEMA}, found {content.get('schema')}")
    for what, wanted, found in differing(json.loads(json.dumps(configuration)), stored):
        raise BadInput(f"{path}: expected {what} {wanted}, found {found}; another --out keeps both")
    return finished


def trained(content: Mapping[str, Any]) -> Trained:
    """A point as it was written: what was not finite is NaN."""
    return Trained(**{**content, **{name: with_nan(content[name]) for name in ("figures", "losses", "epochs")}})


def remaining(combinations: Sequence[Point], finished: Sequence[Trained]) -> Iterator[int]:
    """The places of the points that are not finished yet."""
    done = [label(one.settings) for one in finished]
    return (number for number, point in enumerate(combinations) if label(point) not in done)
