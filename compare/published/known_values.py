"""Values worked by the sources for single layers, losses and one update."""

from collections.abc import Callable, Mapping, Sequence
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
RELU = Twin("twofold.scratch:ReLU", "torch.nn:ReLU")
POOL = Twin("twofold.scratch:MaxPool2d", "torch.nn:MaxPool2d", {"kernel_size": 2, "stride": 2})
MOMENTUM = Twin("twofold.scratch:SGD", "torch.optim:SGD", {"lr": 1e-3, "momentum": 0.9})
RMSPROP = Twin("twofold.scratch:RMSprop", "torch.optim:RMSprop", {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8})
ADAM = Twin("twofold.scratch:Adam", "torch.optim:Adam", {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8})
PRINTED_ARRAY = Form(decimals=8)  # as NumPy prints arrays: final zeros dropped

Build = Callable[[Setup], Side]  # one of the two sides of a setup
Values = Callable[[Build, int | None], Array]  # all figures of a run by one side, or by a one-ulp twin of it


def runs() -> list[Run]:
    known = read("known-values")
    net, means = known["two-layer net"], known["dropout statistics"]["train_means"]
    zeros = known["dropout statistics"]["train_zeros"]
    losses = {name: known["losses"][name] for name in ("svm", "softmax")}
    dropout = {f"mean, keep {p}": v for p, v in means.items()} | {f"zeros, keep {p}": v for p, v in zeros.items()}
    return [
        run("fc-net", "two-layer net", {key: net[key] for key in ("loss", "loss_reg_1")}, two_layer_net),
        run("fc-net", "two-layer net, scores", by_place("score", net["scores"]), two_layer_scores, PRINTED_ARRAY),
        run("fc-net", "losses", losses, loss_values),
        layer_run("fc-net", "linear", known, linear),
        layer_run("fc-net", "relu", known, relu),
        update_run("sgd momentum", known, sgd_momentum),
        update_run("rmsprop", known, rmsprop),
        update_run("adam", known, adam),
        run("fc-net", "dropout statistics", dropout, partial(dropout_statistics, [float(p) for p in means])),
        layer_run("three-layer-convnet", "convolution", known, convolved),
        layer_run("three-layer-convnet", "max pooling", known, pooled),
    ]


def layer_run(pair: str, name: str, known: Any, values: Values) -> Run:
    return run(pair, name, by_place("out", known[name]["out"]), values, PRINTED_ARRAY)


def update_run(name: str, known: Any, values: Values) -> Run:
    """The parameter, then the state, in the order of the file."""
    after = {key.removeprefix("next_"): array for key, array in known[name].items() if key.startswith("next_")}
    figures = {place: value for key, array in after.items() for place, value in by_place(key, array).items()}
    return run("fc-net", name, figures, values, PRINTED_ARRAY)


def by_place(name: str, values: Any) -> dict[str, Any]:
    """The entries of nested lists as `name`[0, 1]."""
    array = np.array(values)
    return {f"{name}{list(place)}": float(array[place]) for place in np.ndindex(array.shape)}


def run(
    pair: str,
    name: str,
    figures: Mapping[str, Any],
    values: Values,
    form: Form = AS_SEEN,
    noise: Mapping[str, str] | None = None,
) -> Run:
    """Constants that come out to the digit, and after them `noise`: what rounding alone has left of a zero."""
    series = [Series(key, (Entry(key, str(value), 0),), form=form) for key, value in figures.items()]
    series += [Series(key, (Entry(key, value, 0),), exact=0) for key, value in (noise or {}).items()]
    names = [one.name for one in series]
    return Run(pair, f"known values: {name}", tuple(series), partial(computed, names, values))


def computed(names: Sequence[str], values: Values, directory: Path) -> dict[str, Curves]:
    scratch, reference = values(Setup.scratch, None), values(Setup.reference, None)
    twins = [values(Setup.reference, twin) for twin in range(TWINS)]
    return {
        name: Curves(scratch[n : n + 1], reference[n : n + 1], tuple(twin[n : n + 1] for twin in twins))
        for n, name in enumerate(names)
    }


def two_layer(build: Build, twin: int | None) -> tuple[Side, Array]:
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
    return side, perturbed(np.linspace(-5.5, 4.5, 15).reshape(5, 3).T, twin)


def two_layer_net(build: Build, twin: int | None) -> Array:
    side, inputs = two_layer(build, twin)
    loss = side.evaluate(inputs, np.array([0, 5, 1]))[0]
    return np.array([loss, loss + penalty_of(side, 1.0)])


def two_layer_scores(build: Build, twin: int | None) -> Array:
    side, inputs = two_layer(build, twin)
    return side.forward((inputs,)).ravel()


def loss_values(build: Build, twin: int | None) -> Array:
    rng: Any = np.random.RandomState(231)
    scores, labels = perturbed(0.001 * rng.randn(50, 10), twin), rng.randint(10, size=50)
    return np.array([build(Setup(NOTHING, loss)).evaluate(scores, labels)[0] for loss in (HINGE, SOFTMAX)])


def linear(build: Build, twin: int | None) -> Array:
    side = build(Setup(LINEAR.given(in_features=120, out_features=3), SOFTMAX))
    weights = {"weight": np.linspace(-0.2, 0.3, 360).reshape(120, 3).T, "bias": np.linspace(-0.3, 0.1, 3)}
    load(side, weights, twin)
    return side.forward((perturbed(np.linspace(-0.1, 0.5, 240).reshape(2, 120), twin),)).ravel()


def relu(build: Build, twin: int | None) -> Array:
    return build(Setup(RELU, SOFTMAX)).forward((perturbed(np.linspace(-0.5, 0.5, 12), twin),))


def sgd_momentum(build: Build, twin: int | None) -> Array:
    """The source's velocity v is torch's times -lr: the buffer that both sides keep is turned into it."""
    return updated(MOMENTUM, {"momentum_buffer": line(0.6, 0.9)}, build, twin, unit=-1e-3)


def rmsprop(build: Build, twin: int | None) -> Array:
    return updated(RMSPROP, {"step": np.array(0), "square_avg": line(0.6, 0.9)}, build, twin)


def adam(build: Build, twin: int | None) -> Array:
    """The sixth step: the source counts its t = 5 up before it is used, as torch does."""
    moments = {"step": np.array(5), "exp_avg": line(0.6, 0.9), "exp_avg_sq": line(0.7, 0.5)}
    return updated(ADAM, moments, build, twin)


def updated(optimizer: Twin, state: Mapping[str, Array], build: Build, twin: int | None, unit: float = 1.0) -> Array:
    """The parameter and the arrays of its state after one step, these before and after in units of `unit`."""
    side = build(Setup(LINEAR.given(in_features=5, out_features=4, bias=False), SOFTMAX, optimizer))
    w, dw, before = perturbed((line(-0.4, 0.6), line(-0.6, 0.4), state), twin)
    side.load({"weight": w})
    side.set_gradients({"weight": dw})
    side.load_optimizer_state({"weight": {key: array / unit if array.ndim else array for key, array in before.items()}})
    side.step()
    after = side.optimizer_state()["weight"]
    return np.array([side.state()["weight"], *(unit * after[key] for key in state if after[key].ndim)]).ravel()


def line(first: float, last: float) -> Array:
    """(4, 5)."""
    return np.linspace(first, last, 20).reshape(4, 5)


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


def pooled(build: Build, twin: int | None) -> Array:
    x = perturbed(np.linspace(-0.3, 0.4, 96).reshape(2, 3, 4, 4), twin)
    return build(Setup(POOL, SOFTMAX)).forward((x,)).ravel()
