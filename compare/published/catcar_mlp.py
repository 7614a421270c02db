"""The one figure of `catcar-mlp`: its test accuracy after 300 epochs, which rounding decides."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import catcar
from twofold.compare.data.readers import hdf5
from twofold.compare.data.readers.files import locate
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.sides import Setup, load
from twofold.compare.published.sources import read
from twofold.compare.sides import Side
from twofold.scratch.module import Array

MODEL = Twin(
    "twofold.scratch.models.catcar_mlp:CatCarMLP", "twofold.reference.models.catcar_mlp:CatCarMLP", {"hidden": (20,)}
)
LOSS = Twin("twofold.scratch:HalfMSELoss", "twofold.reference.losses:HalfMSELoss")
SGD = Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 0.35})
EPOCHS, BATCH, TWINS = 300, 38, 5
NAME = "test accuracy after epoch 300"
Parts = tuple[Array, Array, Array, Array]


def runs() -> list[Run]:
    figure = read("known-values")["catcar-mlp"]["test_accuracy_after_epoch_300"]
    series = Series(NAME, (Entry(NAME, figure, 0),), exact=0, within_range=True)
    return [Run("catcar-mlp", "300 epochs", (series,), compute, catcar.FILES)]


@cache
def parts(directory: Path) -> Parts:
    """Pixels / 255 in float64 and labels -1 and +1: training, then test."""
    arrays = hdf5.read(locate(directory, catcar.FILES[0]), catcar.FIELDS)
    found = []
    for part in ("train", "test"):
        images = arrays[f"{part}ims"]
        found += [images.reshape(len(images), -1) / 255, 2.0 * arrays[f"{part}lbls"].reshape(-1, 1) - 1]
    return found[0], found[1], found[2], found[3]


def weights() -> dict[str, Array]:
    """Seeded anew before each layer: weights (in, out), then the bias (1, out)."""
    drawn = {}
    for layer, (inputs, outputs) in enumerate(((1024, 20), (20, 1)), 1):
        rng: Any = np.random.RandomState(15)
        drawn[f"fc{layer}.weight"] = rng.normal(0, 0.02, (inputs, outputs)).T
        drawn[f"fc{layer}.bias"] = rng.normal(0, 0.02, (1, outputs))[0]
    return drawn


def compute(directory: Path) -> dict[str, Curves]:
    setup = Setup(MODEL, LOSS, SGD)
    data = parts(directory)
    scratch, reference = (trained(side, data) for side in (setup.scratch(), setup.reference()))
    twins = [trained(setup.reference(), data, twin) for twin in range(TWINS)]
    return {NAME: Curves(scratch, reference, tuple(twins))}


def trained(side: Side, data: Parts, twin: int | None = None) -> Array:
    """The test accuracy in percent after the last epoch; each epoch permutes what the one before left."""
    load(side, weights(), twin)
    images, labels, test_images, test_labels = data
    images = perturbed(images, twin)
    rng: Any = np.random.RandomState(7)
    order = np.arange(len(images))
    for _ in range(EPOCHS):
        order = order[rng.permutation(len(order))]
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            side.train_step(images[batch], labels[batch])
    _, out = side.evaluate(test_images, test_labels)
    return np.array([100 * np.mean((out > 0) == (test_labels > 0))])
