"""The logs of `fc-net`: two runs in float64, and six in float32, of which two with dropout."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.published.cifar import FILES, images
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.masks import give_masks
from twofold.compare.published.sides import Setup, linear_names, load, penalty_of
from twofold.compare.published.sources import read
from twofold.compare.published.training import TWINS, Plan, Solver, columns, curves, drawn
from twofold.compare.sides import Side
from twofold.scratch.module import Array

MODEL = Twin("twofold.scratch.models.fc_net:FCNet", "twofold.reference.models.fc_net:FCNet")
LOSS = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
REGULARISATION = 3.14
SMALL = (15, 20, 30, 10)  # the net of the initial losses

SGD = Twin("twofold.scratch:SGD", "torch.optim:SGD")
ADAM = Twin("twofold.scratch:Adam", "torch.optim:Adam", {"betas": (0.9, 0.999), "eps": 1e-8})
RMSPROP = Twin("twofold.scratch:RMSprop", "torch.optim:RMSprop", {"lr": 1e-4, "alpha": 0.99, "eps": 1e-8})


class Setting(NamedTuple):
    """One run of the recipe; from iteration `exact` on (none: never) rounding has grown, as the recipe says."""

    hidden: tuple[int, ...]
    weight_scale: float
    dtype: str
    solver: Solver
    optimizer: Twin
    exact: int | None = None


FIVE = (100,) * 5
PLAIN = {
    "three_layer_50": Setting((100, 100), 0.1, "float64", Solver(50, 25, 20), SGD.given(lr=1e-3)),
    "five_layer_50": Setting((100,) * 4, 0.1, "float64", Solver(50, 25, 20), SGD.given(lr=2e-3)),
    "sgd_4000": Setting(FIVE, 5e-2, "float32", Solver(4000, 100, 5), SGD.given(lr=1e-2), 51),
    "momentum_4000": Setting(FIVE, 5e-2, "float32", Solver(4000, 100, 5), SGD.given(lr=1e-2, momentum=0.9), 121),
    "adam_4000": Setting(FIVE, 5e-2, "float32", Solver(4000, 100, 5), ADAM.given(lr=1e-3), 81),
    "rmsprop_4000": Setting(FIVE, 5e-2, "float32", Solver(4000, 100, 5), RMSPROP, 51),
}
DROPOUT = {
    f"dropout_keep_{keep:g}": Setting((500,), 1e-2, "float32", Solver(500, 100, 25, keep), ADAM.given(lr=5e-4), 26)
    for keep in (1.0, 0.25)
}


def runs() -> list[Run]:
    published = read("fc-net")
    initial = Run(
        "fc-net",
        "initial losses",
        tuple(Series(row["name"], (Entry(row["name"], row["value"], 0),)) for row in published["initial_losses"]),
        initial_losses,
    )
    return [initial] + [
        Run("fc-net", name, log_columns(published[name], setting), partial(compute, group, name), FILES)
        for group in (PLAIN, DROPOUT)
        for name, setting in group.items()
    ]


def log_columns(log: Mapping[str, Any], setting: Setting) -> tuple[Series, ...]:
    """Until iteration `exact` float32 losses hold within 2 units of the sixth decimal, and accuracies to the digit."""
    if setting.exact is None:
        return columns(log, None, None, 0)
    whole_epochs = (setting.exact - 1) // setting.solver.steps_an_epoch
    return columns(log, setting.exact - 1, whole_epochs + 1, 2)


def compute(group: Mapping[str, Setting], name: str, directory: Path) -> dict[str, Curves]:
    """One run of a group; the runs before it are drawn as well, as they use up random numbers."""
    setting, place = group[name], list(group).index(name)
    plan = next(islice(plans(group), place, None))
    model = MODEL.given(hidden=setting.hidden, keep=setting.solver.keep)
    train, validation = ((pixels.reshape(len(pixels), -1), labels) for pixels, labels in images(directory))
    setup = Setup(model, LOSS, setting.optimizer, setting.dtype)
    return curves(plan, setup, train, validation, TWINS if setting.exact else 0)


def plans(group: Mapping[str, Setting]) -> Iterator[Plan]:
    """The draws of a group's runs, one after the other from one seed."""
    if group is PLAIN:
        rng, _, _ = opened()
        for _ in range(2):
            net_weights(rng, SMALL, 5e-2)
    else:
        rng = np.random.RandomState(231)
    for setting in group.values():
        weights = net_weights(rng, (3072, *setting.hidden, 10), setting.weight_scale)
        yield drawn(setting.solver, weights, rng, setting.hidden[0])


def opened() -> tuple[Any, Array, Array]:
    """The generator after the two records and labels that are drawn first."""
    rng: Any = np.random.RandomState(231)
    inputs = rng.randn(2, 15)
    return rng, inputs, rng.randint(10, size=(2,))


def net_weights(rng: Any, sizes: tuple[int, ...], scale: float) -> dict[str, Array]:
    """Drawn as (in, out), first layer first."""
    drawn_pairs = [scale * rng.randn(*shape) for shape in pairwise(sizes)]
    return dict(zip(linear_names(len(drawn_pairs)), (pair.T for pair in drawn_pairs), strict=True))


def initial_losses(directory: Path) -> dict[str, Curves]:
    """Of two nets without and with the penalty, and of two with dropout, whose masks are each drawn from seed 123."""
    rng, inputs, labels = opened()
    plain, penalised = net_weights(rng, SMALL, 5e-2), net_weights(rng, SMALL, 5e-2)
    rng, inputs, labels = opened()
    net_weights(rng, SMALL, 5e-2)  # keep probability 1
    three_quarters = net_weights(rng, SMALL, 5e-2)
    rng = np.random.RandomState(123)
    rng.rand(2, SMALL[2])  # what the last mask of the net before left of the generator
    half = net_weights(rng, SMALL, 5e-2)
    values = [
        initial(plain, inputs, labels),
        initial(penalised, inputs, labels, reg=REGULARISATION),
        initial(three_quarters, inputs, labels, keep=0.75),
        initial(half, inputs, labels, keep=0.5),
    ]
    names = [row["name"] for row in read("fc-net")["initial_losses"]]
    return dict(zip(names, values, strict=True))


def initial(weights: Mapping[str, Array], inputs: Array, labels: Array, reg: float = 0.0, keep: float = 1.0) -> Curves:
    model = MODEL.given(inputs=SMALL[0], hidden=SMALL[1:-1], classes=SMALL[-1], keep=keep)
    masks = [np.random.RandomState(123).rand(2, size) < keep for size in SMALL[1:-1]]

    def loss(side: Side, twin: int | None = None) -> Array:
        load(side, weights, twin)
        give_masks(side.model, masks)
        side.train()
        return np.array([side.evaluate(perturbed(inputs, twin), labels)[0] + penalty_of(side, reg)])

    setup = Setup(model, LOSS)
    twins = tuple(loss(setup.reference(), twin) for twin in range(TWINS))
    return Curves(loss(setup.scratch()), loss(setup.reference()), twins)
