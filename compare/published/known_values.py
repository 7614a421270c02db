"""Values worked by the sources for single layers, losses and one update."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.masks import give_masks
from twofold.compare.published.printed import AS_SEEN, Form
from twofold.compare.published.sides import Setup, load, penalty_of
from twofold.compare.published.sources import read
from twofold.compare.published.training import TWINS
from twofold.compare.sides import Side
from twofold.scratch.module import Array

FC_NET = Twin("twofold.scratch.models.fc_net:FCNet", "twofold.reference.models.fc_net:FCNet")
CONVOLUTION = Twin("twofold.scratch:Conv2d", "torch.nn:Conv2d")
LINEAR = Twin("twofold.scratch:Linear", "torch.nn:Linear")
DROPOUT = Twin("twofold.scratch:Dropout", "torch.nn:Dropout")
NOTHING = Twin("twofold.scratch:Flatten", "torch.nn:Flatten")
SOFTMAX = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
HINGE = Twin("twofold.scratch:MultiClassHingeLoss", "twofold.reference.losses:MultiClassHingeLoss")
MOMENTUM = Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 1e-3, "momentum": 0.9})
BATCH_NORM = Twin(
    "twofold.compare.published.as_published_scratch:BiasedBatchNorm2d",
    "twofold.compare.published.as_published_reference:BiasedBatchNorm2d",
    {"num_features": 4},
)
PRINTED_ARRAY = Form(decimals=8)  # as NumPy prints arrays: final zeros dropped

Build = Callable[[Setup], Side]  # one of the two sides of a setup
Values = Callable[[Build, int | None], Array]  # all figures of a run by one side, or by a one-ulp twin of it


def runs() -> list[Run]:
    known = read("known-values")
    net, means = known["two-layer net"], known["dropout statistics"]["train_means"]
    zeros, norm = known["dropout statistics"]["train_zeros"], known["batch norm, test mode"]
    convolution, update = known["convolution"]["out"], known["sgd momentum"]["next_w"]
    losses = {name: known["losses"][name] for name in ("svm", "softmax")}
    dropout = {f"mean, keep {p}": v for p, v in means.items()} | {f"zeros, keep {p}": v for p, v in zeros.items()}
    statistics = {f"{kind} {n}": v for kind in ("means", "stds") for n, v in enumerate(norm[kind])}
    return [
        run("fc-net", "two-layer net", {key: net[key] for key in ("loss", "loss_reg_1")}, two_layer_net),
        run("fc-net", "losses", losses, loss_values),
        run("fc-net", "sgd momentum", by_place("w", update), sgd_momentum, PRINTED_ARRAY),
        run("fc-net", "dropout statistics", dropout, partial(dropout_statistics, [float(p) for p in means])),
        run("three-layer-convnet", "convolution", by_place("out", convolution), convolved, PRINTED_ARRAY),
        run("three-layer-convnet", "batch norm, test mode", statistics, batch_norm, PRINTED_ARRAY),
    ]


def by_place(name: str, values: Any) -> dict[str, Any]:
    """The entries of nested lists as `name`[0, 1]."""
    array = np.array(values)
    return {f"{name}{list(place)}": float(array[place]) for place in np.ndindex(array.shape)}


def run(pair: str, name: str, figures: dict[str, Any], values: Values, form: Form = AS_SEEN) -> Run:
    series = tuple(Series(key, (Entry(key, str(value), 0),), form=form) for key, value in figures.items())
    return Run(pair, f"known values: {name}", series, partial(computed, tuple(figures), values))


def computed(names: Sequence[str], values: Values, directory: Path) -> dict[str, Curves]:
    scratch, reference = values(Setup.scratch, None), values(Setup.reference, None)
    twins = [values(Setup.reference, twin) for twin in range(TWINS)]
    return {
        name: Curves(scratch[n : n + 1], reference[n : n + 1], tuple(twin[n : n + 1] for twin in twins))
        for n, name in enumerate(names)
    }


def two_layer_net(build: Build, twin: int | None) -> Array:
    side = build(Setup(FC_NET.given(inputs=5, hidden=(50,), classes=7), SOFTMAX))
    load(
        side,
        {
            "fc1.weight": np.linspace(-0.7, 0.3, 250).reshape(5, 50).T,
            "fc1.bias": np.linspace(-0.1, 0.9, 50),
            "fc2.weight": np.linspace(-0.3, 0.4, 350).reshape(50, 7).T,
            "fc2.bias": np.linspace(-0.9, 0.1, 7),
        },
        twin,
    )
    inputs = perturbed(np.linspace(-5.5, 4.5, 15).reshape(5, 3).T, twin)
    loss = side.evaluate(inputs, np.array([0, 5, 1]))[0]
    return np.array([loss, loss + penalty_of(side, 1.0)])


def loss_values(build: Build, twin: int | None) -> Array:
    rng: Any = np.random.RandomState(231)
    scores, labels = perturbed(0.001 * rng.randn(50, 10), twin), rng.randint(10, size=50)
    return np.array([build(Setup(NOTHING, loss)).evaluate(scores, labels)[0] for loss in (HINGE, SOFTMAX)])


def sgd_momentum(build: Build, twin: int | None) -> Array:
    """The source's velocity v is torch's times -lr."""
    side = build(Setup(LINEAR.given(in_features=5, out_features=4, bias=False), SOFTMAX, MOMENTUM))
    ends = (-0.4, 0.6), (-0.6, 0.4), (0.6, 0.9)
    w, dw, velocity = (perturbed(np.linspace(*pair, 20).reshape(4, 5), twin) for pair in ends)
    side.load({"weight": w})
    side.set_gradients({"weight": dw})
    side.load_optimizer_state({"weight": {"momentum_buffer": -velocity / 1e-3}})
    side.step()
    return side.state()["weight"].ravel()


def dropout_statistics(keeps: list[float], build: Build, twin: int | None) -> Array:
    rng: Any = np.random.RandomState(231)
    x = perturbed(rng.randn(500, 500) + 10, twin)
    outs = []
    for keep in keeps:
        side = build(Setup(DROPOUT.given(p=1 - keep), SOFTMAX))
        give_masks(side.model, [rng.rand(500, 500) < keep])
        outs.append(side.forward((x,)))
    return np.array([out.mean() for out in outs] + [(out == 0).mean() for out in outs])


def convolved(build: Build, twin: int | None) -> Array:
    shape = {"in_channels": 3, "out_channels": 3, "kernel_size": 4, "stride": 2, "padding": 1}
    side = build(Setup(CONVOLUTION.given(**shape), SOFTMAX))
    filters = np.linspace(-0.2, 0.3, 144).reshape(3, 3, 4, 4)
    load(side, {"weight": filters, "bias": np.linspace(-0.1, 0.2, 3)}, twin)
    return side.forward((perturbed(np.linspace(-0.1, 0.5, 96).reshape(2, 3, 4, 4), twin),)).ravel()


def batch_norm(build: Build, twin: int | None) -> Array:
    """Fifty batches in training mode, then the means and deviations of one in test mode, by channel."""
    rng: Any = np.random.RandomState(231)
    side = build(Setup(BATCH_NORM, SOFTMAX))
    side.train()
    for _ in range(50):
        side.forward((perturbed(2.3 * rng.randn(10, 4, 11, 12) + 13, twin),))
    side.train(False)
    out = side.forward((perturbed(2.3 * rng.randn(10, 4, 11, 12) + 13, twin),))
    return np.concatenate([out.mean(axis=(0, 2, 3)), out.std(axis=(0, 2, 3))])
