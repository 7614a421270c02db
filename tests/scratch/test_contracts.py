"""Every argument and form of input of every layer and loss, on both sides: equal, or refused in one sentence."""

import pytest

from tests.scratch.contracts import layers, losses
from tests.scratch.contracts.sides import broken, of_scratch, of_torch

KINDS = [
    pytest.param(kind, id=f"{module.__name__.rpartition('.')[2]}-{name}")
    for module in (layers, losses)
    for name, kind in module.KINDS.items()
]


@pytest.mark.parametrize("kind", KINDS)
def test_what_torch_takes_is_right_or_refused_in_a_sentence(kind) -> None:
    wrong = {str(contract): lacking for contract in kind() if (lacking := broken(contract))}
    assert not wrong


# What torch takes and scratch must take too, so that no kind is kept by refusing it altogether.
RIGHT = [
    *(row for row in layers.integers() if row.layer == "Embedding"),
    *layers.alone(),
    *layers.empty(),
    *layers.states(),
    *layers.sizes(),
    *layers.special(),
    *layers.options(),
    *losses.special(),
    *losses.arguments(),
]
# Refused though torch takes it: by class, and by the words of the refusal.
LACKING = {
    "Conv2d": ("out_channels", "in_channels", "found array", "found True"),
    "Linear": ("in_features", "out_features"),
    "Embedding": ("num_embeddings", "embedding_dim"),
    "MaxPool2d": ("found ()", "found array"),
    "LayerNorm": ("normalized_shape",),
    "GroupNorm": ("num_channels", "num_groups"),
    "BatchNorm1d": ("num_features", "more than one value a channel", "an input of shape"),  # of no record in training
    "SoftmaxBCELoss": ("the reduction",),  # that its reference takes for a sum
    "BatchNorm2d": ("num_features", "more than one value a channel", "an input of shape"),
}


@pytest.mark.parametrize("layer", sorted({row.layer for row in RIGHT}))
def test_what_is_refused_though_torch_takes_it(layer: str) -> None:
    for row in RIGHT:
        if row.layer == layer and (refused := of_scratch(row).refused) is not None and of_torch(row).refused is None:
            assert any(word in str(refused) for word in LACKING.get(layer, ())), f"{row}: {refused}"
