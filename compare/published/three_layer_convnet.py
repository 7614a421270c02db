"""The figures of `three-layer-convnet`: two initial losses and the run that overfits 100 images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.published.cifar import FILES, images
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.printed import Form
from twofold.compare.published.sides import Setup, load, penalty_of
from twofold.compare.published.sources import read
from twofold.compare.published.training import TWINS, Solver, columns, curves, drawn
from twofold.compare.sides import Side
from twofold.scratch.module import Array

PAIR = "three-layer-convnet"
MODEL = Twin(
    "twofold.scratch.models.three_layer_convnet:ThreeLayerConvNet",
    "twofold.reference.models.three_layer_convnet:ThreeLayerConvNet",
)
LOSS = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
ADAM = Twin("twofold.scratch:Adam", "torch.optim:Adam", {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8})
SOLVER = Solver(images=100, batch=50, epochs=15)
REGULARISATION = 0.5
# iterations and epochs that come out to the digit; by iteration 3 float32 differs by 1e-5
EXACT_STEPS, EXACT_EPOCHS = 2, 6


def runs() -> list[Run]:
    published = read(PAIR)
    initial = tuple(
        Series(row["name"], (Entry(row["name"], row["value"], 0),), form=Form(digits=row["digits"]))
        for row in published["initial_losses"]
    )
    return [
        Run(PAIR, "initial losses", initial, initial_losses),
        Run(PAIR, "overfit_100", columns(published["overfit_100"], EXACT_STEPS, EXACT_EPOCHS, 0), overfit, FILES),
    ]


def weights(rng: Any, scale: float) -> dict[str, Array]:
    """The filters, then the linear layers as (in, out)."""
    conv1 = scale * rng.randn(32, 3, 7, 7)
    fc1 = scale * rng.randn(32 * 16 * 16, 100)
    fc2 = scale * rng.randn(100, 10)
    return {"conv1.weight": conv1, "fc1.weight": fc1.T, "fc2.weight": fc2.T}


def overfit(directory: Path) -> dict[str, Curves]:
    rng: Any = np.random.RandomState(231)
    plan = drawn(SOLVER, weights(rng, 1e-2), rng)
    train, validation = images(directory)
    return curves(plan, Setup(MODEL, LOSS, ADAM, "float32"), train, validation)


def initial_losses(directory: Path) -> dict[str, Curves]:
    """Weights rounded to float32 meet images in float64; the penalty is a sum of squares in float32."""
    rng: Any = np.random.RandomState(231)
    for shape in ((2, 3, 8, 8), (3, 3, 3, 3), (3,), (2, 3, 8, 8)):
        rng.randn(*shape)
    drawn_weights = {name: value.astype(np.float32) for name, value in weights(rng, 1e-3).items()}
    inputs, labels = rng.randn(50, 3, 32, 32), rng.randint(10, size=50)
    setup = Setup(MODEL, LOSS)

    def losses(build: Callable[[Setup], Side], twin: int | None = None) -> Array:
        side, single = build(setup), build(replace(setup, dtype="float32"))
        load(side, drawn_weights, twin)
        load(single, drawn_weights, twin)
        plain, penalty = side.evaluate(perturbed(inputs, twin), labels)[0], penalty_of(single, REGULARISATION)
        return np.array([[plain], [plain + penalty]])

    scratch, reference = losses(Setup.scratch), losses(Setup.reference)
    twins = [losses(Setup.reference, twin) for twin in range(TWINS)]
    penalty = np.float32(reference[1, 0] - reference[0, 0])
    return {
        row["name"]: Curves(scratch[n], reference[n], tuple(twin[n] for twin in twins), coarsest=term)
        for n, (row, term) in enumerate(zip(read(PAIR)["initial_losses"], (None, penalty), strict=True))
    }
