"""Every argument and form of input of every layer and loss, on both sides: equal, or refused in one sentence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scratch.contracts import layers, losses
from tests.scratch.contracts.sides import Contract, broken, of_scratch, of_torch
from twofold.scratch import BatchNorm1d, L2Penalty, Linear, Parameter
from twofold.scratch.module import Array

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


DTYPES = ("float16", "float32", "float64", "int64", "uint8", "bool")


@st.composite
def arrays(draw, shape: tuple[int, ...]) -> Array:
    """Of about this shape: an axis changed, added, missing or moved, in any dtype, as a view with any strides."""
    sizes = list(shape)
    for _ in range(draw(st.integers(0, 2))):
        change = draw(st.sampled_from(("size", "add", "drop", "move")))
        at = draw(st.integers(0, max(len(sizes) - 1, 0)))
        if change == "add":
            sizes.insert(at, draw(st.integers(0, 3)))
        elif sizes and change == "size":
            sizes[at] = draw(st.integers(0, 2 * sizes[at] + 1))
        elif sizes:
            moved = sizes.pop(at)
            sizes += [moved] * (change == "move")
    dtype = draw(st.sampled_from(DTYPES[1:2] * 6 + DTYPES))
    array = (4 * np.random.default_rng(draw(st.integers(0, 9))).standard_normal(sizes)).astype(dtype)
    way = draw(st.sampled_from(("plain", "fortran", "reversed", "every other")))
    if way == "reversed" and array.ndim:
        return np.ascontiguousarray(array[::-1])[::-1]
    if way == "every other" and array.ndim:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    return np.asfortranarray(array) if way == "fortran" else array


@pytest.mark.parametrize("layer", layers.TAKES)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_input_and_gradient_of_a_layer(layer: str, data) -> None:
    arguments, shape = layers.TAKES[layer]
    change = data.draw(st.sampled_from([{}, layers.PLAIN.get(layer, {})]))
    x = data.draw(arrays(shape))
    contract = Contract(layer, {**arguments, **change}, (x,), training=data.draw(st.booleans()))
    out = of_torch(contract).values.get("out0")
    if out is not None and layer not in layers.CELLS and data.draw(st.booleans()):
        contract = replace(contract, dout=data.draw(arrays(out.shape)))
    assert not broken(contract), contract


@pytest.mark.parametrize("loss", (*losses.CLASSIFYING, *losses.COMPARING))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_input_and_target_of_a_loss(loss: str, data) -> None:
    change = data.draw(st.sampled_from(losses.reductions(loss)))
    target = data.draw(arrays((5,) if loss in losses.CLASSIFYING else (5, 4)))
    if loss in losses.CLASSIFYING and data.draw(st.booleans()):
        target = np.abs(target.astype(float)).astype(data.draw(st.sampled_from(layers.INTEGERS[1:]))) % 4
    assert not broken(Contract(loss, change, (data.draw(arrays((5, 4))), target)))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_window_stride_and_padding(data) -> None:
    size = st.integers(-1, 4)
    sizes = st.one_of(size, st.lists(size, min_size=1, max_size=3).map(tuple), size.map(np.int16))
    x = data.draw(arrays((2, 3, 6, 5)))
    pads = st.one_of(sizes, st.sampled_from(("same", "valid")))
    window = {"kernel_size": data.draw(sizes), "stride": data.draw(sizes)}
    assert not broken(Contract("MaxPool2d", window, (x,)))
    conv = {"in_channels": 3, "out_channels": data.draw(st.sampled_from((2, 7))), "padding": data.draw(pads)}
    assert not broken(Contract("Conv2d", conv | window, (x,)))


def test_without_a_momentum_a_batch_norm_averages_over_all_batches() -> None:
    """By hand: means 2 and 6, unbiased variances 2 and 8."""
    layer = BatchNorm1d(1, momentum=None)
    for batch in ([[1.0], [3.0]], [[4.0], [8.0]]):
        layer(np.array(batch, np.float32))
    assert (layer.running_mean.data, layer.running_var.data) == (4, 5)
    assert layer.running_mean.data.dtype == np.float32


@pytest.mark.parametrize("dtype", [int, complex, np.float16, bool])
def test_a_module_turns_into_floats_alone(dtype: type) -> None:
    layer = Linear(2, 3)
    with pytest.raises(TypeError, match=r"^Linear expected a dtype of float32, float64 or longdouble, found "):
        layer.to(dtype)
    assert layer.weight.data.dtype == np.float32


NAMED = {"w": Parameter(np.ones((2, 2)))}


@pytest.mark.parametrize("wrong", [Linear(2, 3), [NAMED["w"]], [("w", np.ones((2, 2)))], NAMED, 3, None])
def test_a_penalty_takes_named_parameters(wrong) -> None:
    with pytest.raises(TypeError, match=r"^L2Penalty expected named parameters.*, found "):
        L2Penalty(wrong)
    assert len(L2Penalty(NAMED.items()).weights) == 1
