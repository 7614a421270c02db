"""Convolutional and linear nets on colour images."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twofold.compare.pair import CheckSize, Draw, Pair, Recipe, Twin
from twofold.compare.pairs.fc import optimizer, penalty

CROSS_ENTROPY = Twin("twofold.scratch:CrossEntropyLoss", "torch.nn:CrossEntropyLoss")
IMAGES = Draw((5, 2, 9, 11))


def square(records: int, channels: int, side: int, **arguments: Any) -> CheckSize:
    """Square images, as many records as classes."""
    return CheckSize(
        {"channels": channels, "image": (side, side), "classes": records, **arguments},
        (Draw((records, channels, side, side)),),
        Draw((records,), high=records, every=True),
    )


def pair(name: str, title: str, model: str, small: Mapping[str, Any], **changes: Any) -> Pair:
    """`small`: arguments at check size; `model`: "file:Class", or "file:Class=Other" where the reference's is Other."""
    home, _, classes = model.partition(":")
    ours, _, theirs = classes.partition("=")
    fields: dict[str, Any] = {
        "name": name,
        "title": title,
        "model": Twin(
            f"twofold.scratch.models.{home}:{ours}",
            f"twofold.reference.models.{home}:{theirs or ours}",
            changes.pop("arguments", {}),
        ),
        "loss": CROSS_ENTROPY,
        "optimizer": optimizer("Adam", lr=1e-3),
        "dataset": "cifar10",
        "metrics": ("accuracy",),
        "recipe": Recipe(batch=64, epochs=1, report_steps=30),
        "check": CheckSize(small, (IMAGES,), Draw((5,), high=10)),
    }
    return Pair(**(fields | changes))


THREE_LAYER = {"channels": 2, "filters": 6, "kernel": 3, "image": (9, 11), "hidden": 7, "classes": 10}
THREE = pair(
    "three-layer-convnet",
    "One convolution, a pool and two linear layers on colour images",
    "three_layer_convnet:ThreeLayerConvNet",
    THREE_LAYER,
    penalty=penalty(1e-3),
    dataset="cifar10-mean-image",
    recipe=Recipe(batch=50, epochs=1, report_steps=30),
    sizes=(square(6, 6, 6, filters=6, hidden=6),),
)


def normed(norm: str) -> Pair:
    arguments = {**THREE_LAYER, "norm": norm, "groups": 3}
    return replace(
        THREE,
        name=f"three-layer-convnet-{norm}-norm",
        title=f"three-layer-convnet with {norm} normalisation after the convolution",
        variant_of=THREE.name,
        model=THREE.model.given(norm=norm),
        check=replace(THREE.check, arguments=arguments),
    )


OVERFIT = replace(
    THREE,
    name="three-layer-convnet-overfit",
    title="three-layer-convnet that overfits a hundred images, without a penalty",
    variant_of=THREE.name,
    model=THREE.model.given(weight_scale=1e-2),
    penalty=None,
    recipe=replace(THREE.recipe, records=100, epochs=20),
)
WIDE = replace(
    THREE,
    name="three-layer-convnet-500",
    title="three-layer-convnet with 500 hidden units",
    variant_of=THREE.name,
    model=THREE.model.given(hidden=500),
    check=replace(THREE.check, arguments={**THREE_LAYER, "hidden": 13}),
)

NESTEROV = {"momentum": 0.9, "nesterov": True}
FC = {"inputs": 198, "hidden": 7, "classes": 10}
CONV = {"channels": 2, "filters": (4, 3), "image": (9, 11), "classes": 10}
BN_CHECK = CheckSize(
    {"channels": 2, "filters": (3, 4, 5), "image": (11, 16), "classes": 10},
    (Draw((6, 2, 11, 16)),),
    Draw((6,), high=10),
)
# A batch norm takes its mean away again, so that these biases have no gradient but rounding, which Adam magnifies.
BN_WAIVERS = {
    f"{check}: conv{n}.bias": "a bias in front of a norm has no gradient up to rounding"
    for check in ("gradient", "chunks", "strides", "numerical", "resync", "sizes")
    for n in (1, 2, 3)
}

PAIRS = (
    THREE,
    normed("batch"),
    normed("group"),
    OVERFIT,
    WIDE,
    *(
        pair(
            f"two-layer-fc{suffix}",
            f"Two linear layers on colour images; reference: {form}",
            f"two_layer_fc:{classes}",
            {**FC, **arguments},
            arguments=arguments,
            sizes=(
                CheckSize(
                    {"inputs": 48, "hidden": 8, "classes": 8}, (Draw((8, 3, 4, 4)),), Draw((8,), high=8, every=True)
                ),
            ),
            optimizer=optimizer("SGD", lr=1e-2, **momentum),
            variant_of="two-layer-fc" if suffix else None,
        )
        for suffix, form, classes, arguments, momentum in (
            ("", "nn.Module", "TwoLayerFC", {}, {}),
            ("-sequential", "nn.Sequential", "TwoLayerFC=SequentialTwoLayerFC", {}, NESTEROV),
            ("-raw", "raw tensors", "TwoLayerFC=RawTwoLayerFC", {"bias": False}, {}),
        )
    ),
    *(
        pair(
            f"two-conv-net{suffix}",
            f"Two convolutions and a linear layer on colour images; reference: {form}",
            f"two_conv_net:{classes}",
            CONV,
            optimizer=update,
            sizes=(square(8, 4, 8, filters=(4, 4)),),
            variant_of="two-conv-net" if suffix else None,
        )
        for suffix, form, classes, update in (
            ("", "nn.Module", "TwoConvNet", optimizer("SGD", lr=3e-3)),
            ("-sequential", "nn.Sequential", "TwoConvNet=SequentialTwoConvNet", optimizer("SGD", lr=1e-2, **NESTEROV)),
            ("-raw", "raw tensors", "TwoConvNet=RawTwoConvNet", optimizer("SGD", lr=3e-3)),
        )
    ),
    pair(
        "bn-convnet",
        "Three convolutions with batch normalisation on colour images",
        "bn_convnet:BNConvNet",
        BN_CHECK.arguments,
        recipe=Recipe(batch=64, epochs=10, report_steps=20),
        check=BN_CHECK,
        sizes=(square(8, 8, 16, filters=(8, 8, 8)),),
        waivers=BN_WAIVERS,
    ),
)
