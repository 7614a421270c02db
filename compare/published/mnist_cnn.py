"""The 160 batch costs of `mnist-cnn`: five runs of 32 steps by the optimizer as published."""

from collections.abc import Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import mnist
from twofold.compare.data.readers.files import locate
from twofold.compare.pair import Twin
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.sides import Setup, load
from twofold.compare.published.sources import read
from twofold.compare.sides import Side
from twofold.scratch.module import Array

MODEL = Twin("twofold.scratch.models.mnist_cnn:MnistCNN", "twofold.reference.models.mnist_cnn:MnistCNN")
LOSS = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
OPTIMIZER = Twin(
    "twofold.compare.published.as_published_scratch:RestartedAdam",
    "twofold.compare.published.as_published_reference:RestartedAdam",
)
RECORDS, BATCH = 1000, 32
Plan = tuple[dict[str, Array], Array]  # weights by name, and the records' order in the steps


def runs() -> list[Run]:
    published = read("mnist-cnn")["runs"]
    return [
        Run(
            pair="mnist-cnn",
            name="{} and {} filters".format(*run["filters"]),
            series=(Series("cost", tuple(Entry(f"cost {n + 1}", text, n) for n, text in enumerate(run["cost"]))),),
            compute=partial(compute, [tuple(other["filters"]) for other in published[: place + 1]]),
            files=mnist.FILES[:2],
        )
        for place, run in enumerate(published)
    ]


def compute(filters: list[tuple[int, int]], directory: Path) -> dict[str, Curves]:
    """The costs of the last of `filters`; the runs before it are drawn as well, as they use up random numbers."""
    images, labels = records(directory)
    weights, order = next(islice(plans(filters), len(filters) - 1, None))

    def costs(side: Side) -> Array:
        load(side, weights)
        batches = [order[start : start + BATCH] for start in range(0, RECORDS, BATCH)]
        return np.array([side.train_step(images[batch], labels[batch])[0] for batch in batches])

    setup = Setup(MODEL.given(filters=filters[-1]), LOSS, OPTIMIZER)
    return {"cost": Curves(costs(setup.scratch()), costs(setup.reference()))}


@cache
def records(directory: Path) -> tuple[Array, Array]:
    """The first thousand images, standardised by their own whole-number mean and deviation, and their labels."""
    images, labels = mnist.labelled(*(locate(directory, alternatives) for alternatives in mnist.FILES[:2]))
    scaled, _ = mnist.standardise(str(directory), images[:RECORDS], images[:1])
    return scaled.astype(np.float64), labels[:RECORDS].astype(np.int64)


def plans(filters: list[tuple[int, int]]) -> Iterator[Plan]:
    """Each run shuffles the records as loaded, draws its weights and shuffles them once more."""
    rng: Any = np.random.RandomState(0)
    for first, second in filters:
        order = np.arange(RECORDS)
        rng.shuffle(order)
        banks = [(first, 1, 5, 5), (second, first, 5, 5)]
        conv1, conv2 = (rng.normal(0, 1 / np.sqrt(np.prod(shape)), shape) for shape in banks)
        fc1, fc2 = (0.01 * rng.standard_normal(shape) for shape in ((128, 100 * second), (10, 128)))
        rng.shuffle(order)
        names = ("conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight")
        yield dict(zip(names, (conv1, conv2, fc1, fc2), strict=True)), order
