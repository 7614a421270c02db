"""Handwritten digits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin


def square(side: int) -> CheckSize:
    """Images whose rows and columns the pool divides; of the check size's it leaves the fifth row of conv2 out."""
    arguments = {"filters": (4, 4), "image": (side, side), "hidden": 8, "classes": 8}
    return CheckSize(arguments, (Draw((8, 1, side, side)),), Draw((8,), high=8, every=True))


CNN = Pair(
    name="mnist-cnn",
    title="Two convolutions, a pool and two linear layers on images of digits",
    model=Twin(
        "twofold.scratch.models.mnist_cnn:MnistCNN", "twofold.reference.models.mnist_cnn:MnistCNN", {"filters": (8, 8)}
    ),
    loss=Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss"),
    optimizer=Twin("twofold.scratch:Adam", "torch.optim:Adam", {"lr": 0.01, "betas": (0.95, 0.99), "eps": 1e-7}),
    dataset="mnist",
    metrics=("accuracy",),
    # with seeds 0 and 4 every ReLU dies in the first steps on the embedded digits, and the loss stays at 2.3
    recipe=Recipe(batch=32, epochs=2, report_steps=200, seed=2),
    check=CheckSize(
        arguments={"filters": (3, 4), "image": (13, 16), "hidden": 11, "classes": 9},
        inputs=(Draw((6, 1, 13, 16)),),
        target=Draw((6,), high=9),
    ),
    sizes=(square(16),),
)


def banks(first: int, second: int, check: tuple[int, int]) -> Pair:
    return replace(
        CNN,
        name=f"mnist-cnn-{first}-{second}",
        title=f"mnist-cnn with {first} and {second} filters",
        variant_of=CNN.name,
        model=CNN.model.given(filters=(first, second)),
        check=replace(CNN.check, arguments={**CNN.check.arguments, "filters": check}),
    )


THOUSAND = replace(
    CNN,
    name="mnist-cnn-1000",
    title="mnist-cnn on the first thousand images",
    variant_of=CNN.name,
    recipe=replace(CNN.recipe, records=1000, epochs=5),
)


def shaped(name: str, title: str, check: Mapping[str, Any], **arguments: int) -> Pair:
    """Other filters; at check size no row or column of an image, or of what a layer gives, is left over."""
    small = {"hidden": 13, "classes": 10, **arguments, **check}
    return replace(
        CNN,
        name=f"mnist-cnn-{name}",
        title=f"mnist-cnn with {title}",
        variant_of=CNN.name,
        model=CNN.model.given(**arguments),
        check=CheckSize(small, (Draw((8, 1, *check["image"])),), Draw((8,), high=10)),
    )


PAIRS = (
    CNN,
    THOUSAND,
    banks(2, 8, (2, 5)),
    banks(16, 8, (7, 4)),
    banks(8, 2, (5, 2)),
    banks(8, 16, (4, 7)),
    shaped("3x3", "filters of 3 x 3", {"filters": (4, 7), "image": (12, 14)}, kernel=3),
    shaped("7x7", "filters of 7 x 7", {"filters": (4, 5), "image": (16, 18)}, kernel=7),
    replace(
        shaped("stride-2", "filters moved by 2", {"filters": (4, 7), "image": (11, 19), "kernel": 3}, stride=2),
        sizes=(square(11),),
    ),
)
