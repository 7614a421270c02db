"""What every module of scratch is: its names, state, modes and gradients, and what it refuses."""

import inspect
from importlib import import_module

import numpy as np
import pytest

from twofold import scratch
from twofold.scratch import init
from twofold.scratch.models.mnist_cnn import MnistCNN
from twofold.scratch.models.trigram_lm import TrigramLM
from twofold.scratch.optim import Optimizer


def test_names_are_attribute_paths_in_order() -> None:
    names = [name for name, _ in MnistCNN().named_parameters()]
    assert names[:2] == ["conv1.weight", "conv1.bias"]
    assert names[-2:] == ["fc2.weight", "fc2.bias"]


def test_a_gradient_starts_at_zero_in_the_dtype_of_its_parameter() -> None:
    grad = scratch.Parameter(np.ones((2, 3), np.float32)).grad
    assert (grad.dtype, grad.shape, grad.any()) == (np.float32, (2, 3), False)


class Listed(scratch.Module):
    """Parts in every container."""

    def __init__(self) -> None:
        self.layers = [scratch.Linear(2, 3), scratch.ReLU()]
        self.pair = scratch.Linear(3, 1, bias=False), scratch.Tanh()
        self.heads = {"left": scratch.Linear(1, 1, bias=False)}
        self.scales = [scratch.Parameter(np.ones(2))]
        self.sizes = [1, 2]


def test_parts_in_lists_tuples_and_dicts_have_the_names_of_torchs_containers() -> None:
    model = Listed()
    names = ["scales.0", "layers.0.weight", "layers.0.bias", "pair.0.weight", "heads.left.weight"]
    assert [name for name, _ in model.named_parameters()] == names
    paths = ["", "layers.0", "layers.1", "pair.0", "pair.1", "heads.left"]
    assert [path for path, _ in model.named_modules()] == paths
    model.eval()
    assert not any(module.training for _, module in model.named_modules())


def test_a_missing_bias_is_no_parameter() -> None:
    assert [name for name, _ in scratch.Linear(2, 3, bias=False).named_parameters()] == ["weight"]


def test_state_is_a_copy_both_ways() -> None:
    layer = scratch.Linear(2, 3)
    state = layer.state_dict()
    layer.load_state_dict(state)
    state["weight"][...] = 7
    assert not (layer.weight.data == 7).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bias"), "missing \\['bias'\\]"),
        (lambda state: state.update(extra=np.zeros(1)), "unexpected \\['extra'\\]"),
        (lambda state: state.update(weight=np.zeros((2, 3))), "weight: expected shape \\(3, 2\\), found \\(2, 3\\)"),
    ],
)
def test_loading_names_what_differs(change, message: str) -> None:
    layer = scratch.Linear(2, 3)
    state = layer.state_dict()
    before = layer.state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        layer.load_state_dict(state)
    assert all((before[name] == value).all() for name, value in layer.state_dict().items())


def test_modes_reach_every_module() -> None:
    model = MnistCNN().eval()
    assert not any(module.training for _, module in model.named_modules())
    assert all(module.training for _, module in model.train().named_modules())


def test_gradients_accumulate_until_zeroed() -> None:
    layer, x = scratch.Linear(2, 3), np.ones((4, 2), np.float32)
    for _ in range(2):
        layer.backward(np.ones_like(layer(x)))
    assert (layer.bias.grad == 8).all()
    layer.zero_grad()
    assert not layer.bias.grad.any()


def test_one_seed_draws_one_model() -> None:
    first, second, other = (TrigramLM(rng=np.random.default_rng(seed)).state_dict() for seed in (3, 3, 4))
    assert all((first[name] == second[name]).all() for name in first)
    assert not any((first[name] == other[name]).any() for name in first)


def test_a_change_of_dtype_leaves_counters_alone() -> None:
    norm = scratch.BatchNorm1d(3).to(np.float64)
    assert {holder.data.dtype for _, holder in norm.named_state()} == {np.dtype(np.float64), np.dtype(np.int64)}


def test_biases_are_told_by_their_own_name() -> None:
    model = scratch.Sequential({"unbiased": scratch.Linear(2, 3)})
    init.zero_biases(model)
    assert [bool(values.any()) for values in model.state_dict().values()] == [True, False]


TORCHS = {
    "torch.optim": ("SGD", "Adam", "RMSprop", "Adagrad"),
    "torch.nn": ("Linear", "Embedding", "Conv2d", "MaxPool2d", "LSTM", "RNN", "GRU", "CrossEntropyLoss", "MSELoss")
    + ("LeakyReLU", "Dropout", "BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm"),
    "twofold.reference.losses": ("HalfMSELoss", "SparseAutoencoderLoss", "L2Penalty"),
}

DEFAULTS = [(name, home) for home, names in TORCHS.items() for name in names]


@pytest.mark.parametrize(("name", "home"), DEFAULTS)
def test_arguments_and_defaults_are_torchs(name: str, home: str) -> None:
    """torch.nn.LSTM takes its arguments unnamed; its documented defaults are bias=True, batch_first=False."""
    ours = dict(inspect.signature(getattr(scratch, name).__init__).parameters)
    theirs = dict(inspect.signature(getattr(import_module(home), name).__init__).parameters)
    compared = 0
    for argument, parameter in ours.items():
        if argument in theirs and parameter.default is not inspect.Parameter.empty:
            assert parameter.default == theirs[argument].default, argument
            compared += 1
        unnamed = name in ("LSTM", "RNN", "GRU")
        assert argument in theirs or argument in ("rng", "named_parameters") or unnamed, argument
    expected = {"Linear": 1, "Conv2d": 3, "MaxPool2d": 1, "CrossEntropyLoss": 1, "MSELoss": 1, "SGD": 5, "Adam": 4}
    expected |= {"RMSprop": 5, "Adagrad": 5, "LeakyReLU": 1, "Dropout": 1, "BatchNorm1d": 3, "BatchNorm2d": 3}
    expected |= {"LayerNorm": 3, "GroupNorm": 2, "HalfMSELoss": 1, "SparseAutoencoderLoss": 2, "L2Penalty": 1}
    assert compared == expected.get(name, 0)


def test_tied_parameters_and_modules_go_by_their_first_name() -> None:
    model = scratch.Sequential({"first": scratch.Linear(3, 3), "second": scratch.Linear(3, 3)})
    vars(model)["second"].weight = vars(model)["first"].weight
    vars(model)["third"] = vars(model)["first"]
    assert [name for name, _ in model.named_parameters()] == ["first.weight", "first.bias", "second.bias"]
    assert [path for path, _ in model.named_modules()] == ["", "first", "second"]


REFUSED = [
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3)), np.array([0, -1])), IndexError, "classes from -1 to 0"),
    (lambda: scratch.SoftmaxBCELoss()(np.zeros((2, 3)), np.array([0, 3])), IndexError, "classes from 0 to 3"),
    (lambda: scratch.SoftmaxBCELoss()(np.zeros((2, 1)), np.array([0, 0])), ValueError, "two or more logits"),
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3, 4)), np.zeros((2, 4), int)), ValueError, "expected logits"),
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3)), np.array([3, 0])), IndexError, "classes from 0 to 3"),
    (lambda: scratch.CrossEntropyLoss()(np.zeros((2, 3)), np.zeros(3, int)), ValueError, "expected logits"),
    (lambda: scratch.MSELoss()(np.zeros((2, 1)), np.zeros(2)), ValueError, "input has shape"),
    (lambda: scratch.MSELoss(reduction="average"), ValueError, "mean, sum or none"),
    (lambda: scratch.SGD([], nesterov=True), ValueError, "nesterov needs a momentum"),
    (lambda: scratch.SGD([], momentum=0.5, dampening=0.1, nesterov=True), ValueError, "and no dampening"),
    (lambda: scratch.SGD([]).load_state_dict({"p": {}}), ValueError, r"expected the state of \[\], found \['p'\]"),
    (lambda: scratch.Dropout(1), ValueError, r"expected a probability in \[0, 1\), found 1"),
    (lambda: scratch.Dropout(-0.1), ValueError, "found -0.1"),
    (lambda: scratch.GroupNorm(4, 6), ValueError, "6 channels do not make 4 equal groups"),
    (lambda: scratch.BatchNorm1d(3)(np.zeros((1, 3))), ValueError, r"more than one value .* found \(1, 3\)"),
    (lambda: scratch.MaxPool2d(2)(np.zeros((1, 1, 4, 4, 4))), ValueError, "zip"),
    (lambda: scratch.Conv2d(1, 1, 2).output_size((4, 4, 4)), ValueError, "zip"),
    (lambda: scratch.Module()(0), NotImplementedError, "Module has no forward"),
    (lambda: scratch.Module().backward(0), NotImplementedError, "Module has no backward"),
    (lambda: Optimizer([("p", scratch.Parameter(np.zeros(1)))]).step(), NotImplementedError, "has no update"),
    (
        lambda: scratch.LSTM(2, 3)(np.zeros((4, 5, 2)), (np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))),
        ValueError,
        r"expected a state of shape \(1, 5, 3\), found \(1, 1, 3\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_would_silently_broadcast_is_refused(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
