"""The models of scratch by themselves: their sizes unless told otherwise, and where their weights come from."""

import inspect
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pytest

from twofold.compare import nest
from twofold.compare.pair import Twin
from twofold.compare.pairs import MAIN, PAIRS
from twofold.scratch.models.activity import Activity
from twofold.scratch.models.bn_convnet import BNConvNet
from twofold.scratch.models.fc_net import FCNet
from twofold.scratch.models.mnist_cnn import MnistCNN
from twofold.scratch.models.sine_rnn import SineRNN
from twofold.scratch.models.three_layer_convnet import ThreeLayerConvNet

MODELS = {pair.model.scratch: pair.model for pair in PAIRS.values()}
# One pair for each way to build a model, at check size.
BUILT = {
    name: pair.case().model
    for name, pair in PAIRS.items()
    if name in (*MAIN, "fc-net-dropout", "fc-net-batch-norm", "fc-net-layer-norm", "activity-reset-first-gru")
    or name in ("sine-rnn-fan-in", "sine-rnn-truncated")
    or name.startswith("three-layer-convnet-")
}


def parameters_of(builder: str) -> dict[str, inspect.Parameter]:
    home, _, name = builder.partition(":")
    return dict(inspect.signature(getattr(import_module(home), name)).parameters)


@pytest.mark.parametrize("model", MODELS)
def test_both_sides_have_the_same_arguments_and_defaults(model: str) -> None:
    ours, theirs = parameters_of(model), parameters_of(model.replace("scratch", "reference", 1))
    del ours["rng"]
    assert {name: value.default for name, value in ours.items()} == {n: value.default for n, value in theirs.items()}


@pytest.mark.parametrize("model", BUILT.values(), ids=BUILT)
def test_all_weights_come_from_the_given_generator(model: Twin) -> None:
    with patch("numpy.random.default_rng", side_effect=AssertionError("a generator of its own")) as own:
        state, again, other = (
            model.build("scratch", rng=np.random.Generator(np.random.PCG64(seed))).state_dict() for seed in (3, 3, 4)
        )
    assert not own.called
    assert {name: value.dtype for name, value in state.items() if value.dtype != np.float32} == {
        name: np.dtype(np.int64) for name in state if name.endswith("num_batches_tracked")
    }
    assert all((state[name] == again[name]).all() for name in state)
    drawn = [name for name in state if np.unique(state[name]).size > 1]
    assert drawn
    assert not any((state[name] == other[name]).any() for name in drawn)


@pytest.mark.parametrize("model", BUILT.values(), ids=BUILT)
def test_without_a_generator_weights_are_drawn_anew(model: Twin) -> None:
    first, second = (model.build("scratch").state_dict() for _ in range(2))
    assert any((first[name] != second[name]).any() for name in first)


@pytest.mark.parametrize("truncate", range(1, 9))
def test_truncation_cuts_the_gradient_and_nothing_else(truncate: int) -> None:
    """Of 7 steps, with a truncation that is longer as well."""
    whole, cut = (Activity(hidden=4, truncate=steps, rng=np.random.default_rng(0)) for steps in (None, truncate))
    x = np.random.default_rng(1).standard_normal((2, 7, 3)).astype(np.float32)
    out = whole(x)
    np.testing.assert_array_equal(cut(x), out)
    reached = np.abs(cut.backward(np.ones_like(out))).sum(axis=(0, 2)) > 0
    assert reached.tolist() == [step >= 7 - truncate for step in range(7)]


@pytest.mark.parametrize("truncate", range(1, 9))
def test_a_truncated_wave_cuts_the_gradient_and_nothing_else(truncate: int) -> None:
    """Of 7 steps, with a truncation that is longer as well; within it the gradient is the whole one's."""
    whole, cut = (SineRNN(7, 4, truncate=steps, rng=np.random.default_rng(0)) for steps in (None, truncate))
    x = np.random.default_rng(1).standard_normal((2, 7)).astype(np.float32)
    out = whole(x)
    np.testing.assert_array_equal(cut(x), out)
    expected, dx = whole.backward(np.ones_like(out)), cut.backward(np.ones_like(out))
    assert np.abs(expected).min() > 0
    np.testing.assert_array_equal(dx, np.where(np.arange(7) >= 7 - truncate, expected, 0))


@pytest.mark.parametrize(
    ("kernel", "stride", "pool", "side"), [(5, 1, 2, 10), (3, 1, 3, 8), (4, 2, 1, 5), (3, 2, 4, 1)]
)
def test_filters_and_pool_of_any_size(kernel: int, stride: int, pool: int, side: int) -> None:
    """`side` is what the pool leaves of the 20, 24, 5 and 6 rows that two convolutions leave of 28."""
    model = MnistCNN(kernel=kernel, stride=stride, pool=pool)
    assert model(np.zeros((2, 1, 28, 28), np.float32)).shape == (2, 10)
    assert model.fc1.in_features == 8 * side * side


def test_three_pools_leave_an_eighth_of_either_side() -> None:
    assert BNConvNet(image=(32, 24))(np.zeros((2, 3, 32, 24), np.float32)).shape == (2, 10)


def test_an_even_kernel_is_padded_by_less_than_half() -> None:
    """(kernel - 1) // 2, as the source has it."""
    assert [ThreeLayerConvNet(kernel=size).layers()[0].padding for size in (3, 4, 5)] == [(1, 1), (1, 1), (2, 2)]


def test_a_unit_that_is_always_kept_needs_no_dropout() -> None:
    kept, dropped = ([name for name, _ in FCNet(keep=keep).named_modules()] for keep in (1, 0.9))
    assert sorted(set(dropped) - set(kept)) == ["dropout1"]


@pytest.mark.parametrize("pair", [name for name in BUILT if "norm" in name or name == "bn-convnet"])
def test_norms_in_a_model_start_as_the_plain_one(pair: str) -> None:
    state = BUILT[pair].build("scratch").state_dict()
    weights = [values for name, values in state.items() if name.startswith("norm") and name.endswith("weight")]
    assert weights
    assert all((values == 1).all() for values in weights)


@pytest.mark.parametrize("name", BUILT)
def test_training_adds_the_gradients_that_backward_adds(name: str) -> None:
    case, rng = PAIRS[name].case(), np.random.default_rng(5)
    model = case.model.build("scratch").to(np.float64)
    out = model(*nest.apply(lambda draw: draw(rng, "float64"), case.inputs))
    dout = rng.standard_normal(out.shape)
    model.backward(dout)
    expected = {name: parameter.grad.copy() for name, parameter in model.named_parameters()}
    model.zero_grad()
    model.accumulate(dout)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad, expected[name], rtol=0, atol=1e-12)
