"""What layers are built with: by position as torch takes it or not at all, seeds, and the names of layers."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch

from twofold import scratch
from twofold.scratch import Linear, ReLU, Sequential

# By position torch has something else there: its number of layers, dilation, rows of padding, weights of classes.
BY_POSITION = [
    ("LSTM", (4, 3, 2)),
    ("GRU", (4, 3, 2, False)),
    ("RNN", (4, 3, 1, "tanh")),
    ("ResetFirstGRU", (4, 3, True)),
    ("SigmoidRNN", (4, 3, True)),
    ("Conv2d", (1, 1, 3, 1, 0, 2)),
    ("LoopConv2d", (1, 1, 3, 1, 0, True)),
    ("MaxPool2d", (2, 2, 1)),
    ("LoopMaxPool2d", (2, 2, 1)),
    ("Embedding", (5, 3, 0)),
    ("Linear", (2, 3, True, "cpu")),
    ("BatchNorm2d", (3, 1e-5, 0.1, True, False)),
    ("LayerNorm", (3, 1e-5, True, True, "cpu")),
    ("GroupNorm", (1, 3, 1e-5, True, "cpu")),
    ("Dropout", (0.5, True)),
    ("LeakyReLU", (0.1, True)),
    ("CrossEntropyLoss", ("sum",)),
    ("HalfMSELoss", ("sum",)),
]
UNKNOWN = [
    ("BatchNorm1d", (3,), {"track_running_stats": False}),
    ("BatchNorm2d", (3,), {"track_running_stats": False}),
    ("LSTM", (4, 3), {"bidirectional": True}),
    ("ResetFirstGRU", (4, 3), {"num_layers": 2}),
    ("LoopConv2d", (1, 1, 3), {"dilation": 2}),
    ("Conv2d", (1, 1, 3), {"groups": 1}),
    ("CrossEntropyLoss", (), {"label_smoothing": 0.1}),
    ("SoftmaxBCELoss", (), {"weight": None}),
    ("ReLU", (), {"inplace": True}),
    ("Linear", (2,), {}),
]


@pytest.mark.parametrize(("name", "given", "named"), [*((*case, {}) for case in BY_POSITION), *UNKNOWN])
def test_what_a_class_does_not_take_is_refused_by_its_own_name(name: str, given: Any, named: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}( expected|\()"):
        getattr(scratch, name)(*given, **named)


def test_a_class_of_a_users_own_is_named_too() -> None:
    class Mine(scratch.GRU):
        pass

    class Net(scratch.Module):
        def __init__(self, size: int) -> None:
            self.fc = Linear(size, size)

    with pytest.raises(TypeError, match=r"^Mine expected \(input_size, hidden_size, .*'layers'"):
        Mine(4, 3, layers=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^Net expected \(size\), found missing a required argument: 'size'$"):
        Net()  # type: ignore[call-arg]


# Where both take arguments by position they are the same ones.
AGREEING: list[tuple[str, tuple[Any, ...], tuple[str, ...]]] = [
    ("Linear", (2, 3, False), ("in_features", "out_features")),
    ("Conv2d", (2, 3, (1, 2), (2, 1), (0, 1)), ("in_channels", "out_channels", "kernel_size", "stride", "padding")),
    ("MaxPool2d", (2, 3), ()),
    ("BatchNorm2d", (3, 1e-3, 0.2, False), ("num_features", "eps", "momentum")),
    ("LayerNorm", ((2, 3), 1e-3, True, False), ("normalized_shape", "eps")),
    ("GroupNorm", (2, 4, 1e-3, False), ("num_groups", "num_channels", "eps")),
    ("Embedding", (5, 3), ("num_embeddings", "embedding_dim")),
    ("LSTM", (4, 3), ("input_size", "hidden_size")),
    ("Dropout", (0.3,), ("p",)),
    ("LeakyReLU", (0.3,), ("negative_slope",)),
]


@pytest.mark.parametrize(("name", "given", "attributes"), AGREEING)
def test_by_position_arguments_are_torchs(name: str, given: Any, attributes: tuple[str, ...]) -> None:
    ours, theirs = getattr(scratch, name)(*given), getattr(torch.nn, name)(*given)
    assert [getattr(ours, a) for a in attributes] == [getattr(theirs, a) for a in attributes]
    names = {name: tuple(parameter.shape) for name, parameter in theirs.named_parameters()}
    assert {name: parameter.data.shape for name, parameter in ours.named_parameters()} == names


@pytest.mark.parametrize("seed", [0, 7, np.int64(7)])
@pytest.mark.parametrize(
    ("name", "given"), [("Linear", (2, 3)), ("Conv2d", (1, 2, 3)), ("LSTM", (2, 3)), ("Embedding", (4, 3))]
)
def test_a_seed_serves_as_a_generator(name: str, given: Any, seed: Any) -> None:
    kind = getattr(scratch, name)
    expected = kind(*given, rng=np.random.default_rng(int(seed))).state_dict()
    for _ in range(2):
        found = kind(*given, rng=seed).state_dict()
        assert all((found[name] == array).all() for name, array in expected.items())


@pytest.mark.parametrize("seed", [0, 7])
def test_dropout_takes_a_seed(seed: int) -> None:
    x = np.ones((5, 6))
    np.testing.assert_array_equal(scratch.Dropout(rng=seed)(x), scratch.Dropout(rng=np.random.default_rng(seed))(x))


def layers() -> list[scratch.Module]:
    return [Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=1)]


@pytest.mark.parametrize(
    "build",
    [
        lambda: Sequential(layers()),
        lambda: Sequential(*layers()),
        lambda: Sequential(layer for layer in layers()),
        lambda: Sequential(OrderedDict((str(n), layer) for n, layer in enumerate(layers()))),
    ],
)
def test_a_sequence_of_a_list_counts_its_layers_as_torch_does(build: Any) -> None:
    model, x = build(), np.ones((4, 2), np.float32)
    other = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    other.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})
    np.testing.assert_allclose(model(x), other(torch.tensor(x)).detach().numpy(), rtol=1e-6)


def test_a_sequence_of_one_layer_or_none() -> None:
    assert [name for name, _ in Sequential(Linear(2, 3)).named_parameters()] == ["0.weight", "0.bias"]
    assert Sequential()(3) == 3 == Sequential([])(3)


@pytest.mark.parametrize(
    "name", ["forward", "backward", "train", "layers", "training", "zero_grad", "cache", "a.b", ""]
)
def test_a_layer_that_is_named_like_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Sequential expected names that say nothing else"):
        Sequential({name: ReLU()})


@pytest.mark.parametrize("what", [{"a": 3}, [ReLU], [ReLU(), None], {"a": np.ones(2)}])
def test_what_is_no_module_is_refused(what: Any) -> None:
    with pytest.raises(TypeError, match="Sequential expected modules, found"):
        Sequential(what)


def test_what_draws_nothing_is_no_generator() -> None:
    with pytest.raises(TypeError, match=r"rng expected a numpy\.random\.Generator, a seed or None, found a str"):
        Linear(2, 3, rng="seed")  # type: ignore[arg-type]
