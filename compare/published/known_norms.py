"""Means and deviations that the sources print of normalised arrays, and the first losses of a net with batch norm."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.pair import Twin
from twofold.compare.published.fc_net import REGULARISATION, SMALL, net_weights, opened
from twofold.compare.published.figure import Run
from twofold.compare.published.known_values import FC_NET, PRINTED_ARRAY, SOFTMAX, Build, run
from twofold.compare.published.sides import Setup, load, penalty_of
from twofold.compare.published.sources import read
from twofold.scratch.module import Array

FEATURES = Twin("twofold.scratch:BatchNorm1d", "torch.nn:BatchNorm1d", {"num_features": 3})
RECORDS = Twin("twofold.scratch:LayerNorm", "torch.nn:LayerNorm", {"normalized_shape": 3})
CHANNELS = Twin("twofold.scratch:BatchNorm2d", "torch.nn:BatchNorm2d", {"num_features": 3})
GROUPS = Twin("twofold.scratch:GroupNorm", "torch.nn:GroupNorm", {"num_groups": 2, "num_channels": 6})
BIASED = Twin(
    "twofold.compare.published.as_published_scratch:BiasedBatchNorm2d",
    "twofold.compare.published.as_published_reference:BiasedBatchNorm2d",
)
CHANNEL = (0, 2, 3)  # the axes over which a channel's statistics are taken

Place = tuple[str, str, int]  # of a figure: which array's, of its means, stds or noise, and which of these
Statistics = tuple[Array, Array]  # means and stds
Measure = Callable[[Build, int | None], Mapping[str, Statistics]]  # of each array by its name


def runs() -> list[Run]:
    known = read("known-values")
    losses = {key: known["batch norm, initial losses"][key] for key in ("loss", "loss_reg_3.14")}
    tested = "batch norm, test mode"
    return [
        statistics_run("fc-net", "batch norm", known["batch norm"], batch_norm),
        statistics_run("fc-net", f"{tested}, features", {"": known[f"{tested}, features"]}, features_tested),
        run("fc-net", "batch norm, initial losses", losses, initial_losses),
        statistics_run("fc-net", "layer norm", known["layer norm"], layer_norm),
        statistics_run("three-layer-convnet", "spatial batch norm", known["spatial batch norm"], spatial_batch_norm),
        statistics_run("three-layer-convnet", tested, {"": known[tested]}, images_tested),
        statistics_run("three-layer-convnet", "spatial group norm", known["spatial group norm"], spatial_group_norm),
    ]


def statistics_run(pair: str, name: str, published: Mapping[str, Any], measure: Measure) -> Run:
    figures, noise = listed(published, ("means", "stds")), listed(published, ("noise",))
    values = partial(measured, [*figures, *noise], measure)
    return run(pair, name, named(figures), values, PRINTED_ARRAY, named(noise))


def listed(published: Mapping[str, Any], kinds: Sequence[str]) -> dict[Place, str]:
    return {
        (array, kind, n): text
        for array, found in published.items()
        if array != "recipe"
        for kind in kinds
        for n, text in enumerate(found.get(kind, ()))
    }


def named(figures: Mapping[Place, str]) -> dict[str, str]:
    """As `gamma 1, beta 0: means 2`; noise is a mean too."""
    return {
        f"{array}: {'stds' if kind == 'stds' else 'means'} {n}".removeprefix(": "): text
        for (array, kind, n), text in figures.items()
    }


def measured(places: Sequence[Place], measure: Measure, build: Build, twin: int | None) -> Array:
    found = measure(build, twin)
    return np.array([found[array][kind == "stds"][n] for array, kind, n in places])


def batch_norm(build: Build, twin: int | None) -> dict[str, Statistics]:
    rng: Any = np.random.RandomState(231)
    x = rng.randn(200, 50)
    a = first_layers(build, twin, rng)(x)
    affine = {"gamma 1, beta 0": (1, 0), "gamma 1 2 3, beta 11 12 13": ([1, 2, 3], [11, 12, 13])}
    after = normalised(build, twin, FEATURES, a, affine)
    return {name: statistics(array, 0) for name, array in ({"before": a} | after).items()}


def layer_norm(build: Build, twin: int | None) -> dict[str, Statistics]:
    rng: Any = np.random.RandomState(231)
    x = rng.randn(4, 50)
    a = first_layers(build, twin, rng)(x)
    after = normalised(build, twin, RECORDS, a, {"gamma 1, beta 0": (1, 0), "gamma 3, beta 5": (3, 5)})
    return {name: statistics(array, 1) for name, array in ({"before": a} | after).items()}


def spatial_batch_norm(build: Build, twin: int | None) -> dict[str, Statistics]:
    rng: Any = np.random.RandomState(231)
    x = perturbed(4 * rng.randn(2, 3, 4, 5) + 10, twin)
    affine = {"gamma 1, beta 0": (1, 0), "gamma 3 4 5, beta 6 7 8": ([3, 4, 5], [6, 7, 8])}
    after = normalised(build, twin, CHANNELS, x, affine)
    return {name: statistics(array, CHANNEL) for name, array in after.items()}


def spatial_group_norm(build: Build, twin: int | None) -> dict[str, Statistics]:
    """By record and group: the source's groups are neighbouring channels, as torch's."""
    rng: Any = np.random.RandomState(231)
    x = perturbed(4 * rng.randn(2, 6, 4, 5) + 10, twin)
    after = normalised(build, twin, GROUPS, x, {"gamma 1, beta 0": (1, 0)})
    return {name: statistics(array.reshape(4, -1), 1) for name, array in after.items()}


def features_tested(build: Build, twin: int | None) -> dict[str, Statistics]:
    """Features are images of one pixel."""
    rng: Any = np.random.RandomState(231)
    layers = first_layers(build, twin, rng)
    return {"": in_test_mode(build, 3, lambda: layers(rng.randn(200, 50))[:, :, None, None])}


def images_tested(build: Build, twin: int | None) -> dict[str, Statistics]:
    rng: Any = np.random.RandomState(231)
    return {"": in_test_mode(build, 4, lambda: perturbed(2.3 * rng.randn(10, 4, 11, 12) + 13, twin))}


def in_test_mode(build: Build, channels: int, draw: Callable[[], Array]) -> Statistics:
    """Fifty batches in training mode, then the means and stds of one in test mode, by channel."""
    side = build(Setup(BIASED.given(num_features=channels), SOFTMAX))
    side.train()
    for _ in range(50):
        side.forward((draw(),))
    side.train(False)
    return statistics(side.forward((draw(),)), CHANNEL)


def initial_losses(build: Build, twin: int | None) -> Array:
    """Of a net without and of one with the penalty."""
    rng, inputs, labels = opened()
    first, *hidden, classes = SMALL
    losses = []
    for reg in (0.0, REGULARISATION):
        model = FC_NET.given(inputs=first, hidden=tuple(hidden), classes=classes, norm="batch")
        side = build(Setup(model, SOFTMAX))
        gammas = {f"norm{n}.weight": np.ones(size) for n, size in enumerate(hidden, 1)}
        load(side, net_weights(rng, SMALL, 5e-2) | gammas, twin)
        side.train()
        losses.append(side.evaluate(perturbed(inputs, twin), labels)[0] + penalty_of(side, reg))
    return np.array(losses)


def first_layers(build: Build, twin: int | None, rng: Any) -> Callable[[Array], Array]:
    """relu(x W1) W2 with weights drawn from `rng`: (N, 50) -> (N, 3)."""
    side = build(Setup(FC_NET.given(inputs=50, hidden=(60,), classes=3), SOFTMAX))
    load(side, {"fc1.weight": rng.randn(50, 60).T, "fc2.weight": rng.randn(60, 3).T}, twin)
    return lambda x: side.forward((perturbed(x, twin),))


def normalised(
    build: Build, twin: int | None, layer: Twin, x: Array, affine: Mapping[str, tuple[Any, Any]]
) -> dict[str, Array]:
    """What a norm in training mode makes of x with each gamma and beta."""
    side = build(Setup(layer, SOFTMAX))
    side.train()
    shape, outs = side.state()["weight"].shape, {}
    for name, (gamma, beta) in affine.items():
        load(side, {"weight": np.full(shape, gamma, float), "bias": np.full(shape, beta, float)}, twin)
        outs[name] = side.forward((x,))
    return outs


def statistics(array: Array, axis: int | tuple[int, ...]) -> Statistics:
    return array.mean(axis=axis), array.std(axis=axis)
