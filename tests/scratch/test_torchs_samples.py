"""torch's own sample inputs, on which its tests run, through scratch: the same values, or a refusal that is listed.

They come with torch, but not with what it promises: where they cannot be imported these tests are skipped.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import settings

from twofold import scratch
from twofold.compare import nest
from twofold.scratch.module import Array

# What scratch has not and why, by an argument that is not as torch has it by default or by the form of an input.
# In training each is refused, and some sample has it; what is not listed is equal.
NORMS = {"track_running_stats": "running statistics are always kept", "bias=False": "both parameters or none"}
NORMS |= {"no records": "there is no mean of none"}
CELLS = {"num_layers": "several layers are several modules", "bidirectional": "sequences run one way"}
CELLS |= {"2-d": "sequences come in batches"}
OTHER_AXES = "one class a record, not one a position"
LACKING: dict[str, dict[str, str]] = {
    "BatchNorm1d": NORMS,
    "BatchNorm2d": NORMS,
    "CrossEntropyLoss": {
        "weight": "all classes weigh the same",
        "ignore_index": "every record counts",
        "label_smoothing": "targets are classes",
        "probabilities": "targets are classes",
        "3-d": OTHER_AXES,
        "4-d": OTHER_AXES,
        "6-d": OTHER_AXES,
    },
    "GroupNorm": {"bias=False": "both parameters or none"},
    "RNN": CELLS | {"nonlinearity": "tanh; SigmoidRNN has sigmoids"},
    "GRU": CELLS,
    "LSTM": CELLS | {"proj_size": "the state is the output"},
    "MaxPool2d": {"padding": "windows lie within the image", "return_indices": "values alone come out"},
    "SGD": {"maximize": "losses are minimised", "a tensor": "numbers are Python's or NumPy's"},
    "Adam": {"maximize": "losses are minimised", "amsgrad": "plain Adam"},
    "RMSprop": {"maximize": "losses are minimised", "centered": "plain RMSprop"},
    "Adagrad": {"maximize": "losses are minimised", "a tensor": "numbers are Python's or NumPy's"},
}
UNSAMPLED = {"Dropout", "Flatten"}  # torch has no samples of them
LAYERS = {name for name in scratch.__all__ if hasattr(torch.nn, name)} - {"Module", "Parameter", "Buffer", "Sequential"}
OPTIMIZERS = ("SGD", "Adam", "RMSprop", "Adagrad")
# torch.nn's recurrent layers take their arguments unnamed.
RECURRENT = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "bidirectional": False, "proj_size": 0}


@cache
def imported(part: str) -> Any:
    """A list of torch's, or why not, without two switches that it would set for all tests, torch's and Hypothesis's."""
    settings.register_profile("as before", settings())
    try:
        with patch("torch.backends.disable_global_flags"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(f"torch.testing._internal.{part}")
    except ImportError as error:
        return error
    finally:
        settings.load_profile("as before")


def torchs(part: str) -> Any:
    found = imported(part)
    if isinstance(found, ImportError):
        pytest.skip(f"torch's samples cannot be imported: {found}")
    return found


def array_of(value: Any) -> Any:
    return value.detach().numpy().copy() if isinstance(value, torch.Tensor) else value


def leaf(value: Any) -> Any:
    """A tensor of an array, with a gradient where it can have one."""
    if not isinstance(value, np.ndarray):
        return value
    tensor = torch.from_numpy(value.copy())
    return tensor.requires_grad_(tensor.is_floating_point())


def drawn(like: Array) -> Array:
    return np.asarray(np.random.default_rng([7, *np.shape(like)]).standard_normal(np.shape(like)))


class Sample:
    """One of torch's, and the words by which what it needs may be lacking."""

    def __init__(self, name: str, sample: Any, training: bool) -> None:
        built, given = sample.constructor_input, sample.forward_input
        self.name, self.training, self.args, self.kwargs = name, training, built.args, built.kwargs
        self.inputs = nest.apply(array_of, (*given.args, *given.kwargs.values()))
        self.words = {*self.arguments(), *self.forms()}

    def arguments(self) -> Iterator[str]:
        """Those that are not as by default, and with their values."""
        signature = inspect.signature(getattr(torch.nn, self.name))
        defaults = {name: parameter.default for name, parameter in signature.parameters.items()} | RECURRENT
        for name, value in (dict(zip(defaults, self.args, strict=False)) | self.kwargs).items():
            if repr(value) != repr(defaults.get(name)):
                yield from (name, f"{name}={value}")

    def forms(self) -> Iterator[str]:
        x, *others = self.inputs
        yield f"{x.ndim}-d"
        if x.shape[:1] == (0,):
            yield "no records"
        if self.name == "CrossEntropyLoss" and others[0].dtype.kind == "f":
            yield "probabilities"

    def of_torch(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """What comes out and goes back, and the state before. To scratch a loss's target is data without a gradient."""
        layer = getattr(torch.nn, self.name)(*self.args, **self.kwargs).to(torch.float64).train(self.training)
        x, *others = nest.apply(leaf, self.inputs)
        given = [x, *(other.detach() if "Loss" in self.name else other for other in others)]
        before = {name: array_of(value) for name, value in layer.state_dict().items()}
        outs = [out for out in nest.flatten(layer(*given)) if out.requires_grad]
        torch.autograd.backward(outs, [torch.from_numpy(drawn(array_of(out))) for out in outs])
        grads = [value.grad for value in nest.flatten(given) if value is not None]
        found = {f"out {n}": array_of(out) for n, out in enumerate(outs)}
        found |= {f"dinput {n}": array_of(grad) for n, grad in enumerate(grads) if grad is not None}
        found |= {f"d{name}": array_of(parameter.grad) for name, parameter in layer.named_parameters()}
        return found | {name: array_of(value) for name, value in layer.named_buffers()}, before

    def of_scratch(self, state: dict[str, Array]) -> dict[str, Array]:
        layer = getattr(scratch, self.name)(*self.args, **self.kwargs).to(np.float64).train(self.training)
        layer.load_state_dict(state)
        out = layer(*nest.apply(np.copy, self.inputs))
        outs = nest.flatten(out)
        sent = nest.fill(out, iter([drawn(each) for each in outs])) if isinstance(out, tuple) else (drawn(out),)
        back = nest.flatten(layer.backward(*sent))
        found = {f"out {n}": np.asarray(each) for n, each in enumerate(outs)}
        found |= {f"dinput {n}": each for n, each in enumerate(back) if each is not None}
        found |= {f"d{name}": parameter.grad for name, parameter in layer.named_parameters()}
        return found | {name: buffer.data for name, buffer in layer.named_buffers()}


def differences(ours: dict[str, Array], theirs: dict[str, Array]) -> list[str]:
    """By what is not equal up to some hundred units in the last place of the largest."""
    found = [f"{name} is lacking" for name in theirs.keys() - ours.keys()]
    for name in theirs.keys() & ours.keys():
        mine, torchs = ours[name], theirs[name]
        bound = 100 * np.finfo(np.float64).eps * max(1.0, float(np.abs(torchs).max(initial=0)))
        if mine.shape != torchs.shape or not np.allclose(mine, torchs, rtol=0, atol=bound, equal_nan=True):
            found.append(f"{name}: {mine.shape} {mine.ravel()[:3]} against {torchs.shape} {torchs.ravel()[:3]}")
    return found


def samples(name: str) -> Iterator[Sample]:
    (info,) = (info for info in torchs("common_modules").module_db if info.name == f"nn.{name}")
    for training in (True, False):
        torch.manual_seed(0)
        given = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training)
        yield from (Sample(name, sample, training) for sample in given)


@pytest.mark.parametrize("name", sorted(LAYERS - UNSAMPLED))
def test_a_layer_does_as_torchs_on_torchs_samples(name: str) -> None:
    listed, refused, wrong = LACKING.get(name, {}).keys(), set(), {}
    for sample in samples(name):
        lacking = sample.words & listed
        theirs, state = sample.of_torch()
        try:
            apart = differences(sample.of_scratch(state), theirs)
        except Exception as error:
            refused |= lacking
            apart = [] if lacking else [f"{type(error).__name__}: {error}"]
        else:
            apart += [f"listed as lacking {word}, but not refused" for word in lacking if sample.training]
        wrong |= {each: f"{sorted(sample.words)}: {each}" for each in apart}
    assert not wrong, "\n".join(wrong.values())
    assert refused == listed


def stepped(optimizer: Any, parameters: list[Any], gradient: Callable[[Array], Any]) -> list[Array]:
    """The parameters after five steps along drawn gradients."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        for parameter in parameters:
            parameter.grad = gradient(rng.standard_normal(np.shape(parameter.data)))
        optimizer.step()
    return [array_of(parameter.data) for parameter in parameters]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_does_as_torchs_on_torchs_samples(name: str) -> None:
    listed, refused = LACKING[name].keys(), set()
    (info,) = (info for info in torchs("common_optimizers").optim_db if info.optim_cls.__name__ == name)
    for sample in info.optim_inputs_func("cpu"):
        words = {*sample.kwargs, *("a tensor" for value in sample.kwargs.values() if isinstance(value, torch.Tensor))}
        start = [drawn(np.empty(shape)) for shape in ((2, 3), (4,), ())]
        tensors = [torch.nn.Parameter(torch.from_numpy(array.copy())) for array in start]
        theirs = stepped(info.optim_cls(tensors, **sample.kwargs), tensors, lambda array: torch.from_numpy(array))
        parameters = [scratch.Parameter(array) for array in start]
        try:
            optimizer = getattr(scratch, name)(parameters, **sample.kwargs)
        except TypeError as error:
            assert words & listed, f"{sample.desc}: {error}"
            refused |= words & listed
            continue
        ours = stepped(optimizer, parameters, lambda array: array)
        assert not differences(dict(enumerate(ours)), dict(enumerate(theirs))), sample.desc
    assert refused == listed


def given_to_scratch(value: Any, known: dict[int, scratch.Parameter]) -> Any:
    """What an optimizer is given, with a parameter of scratch wherever the same one of torch stands."""
    if isinstance(value, torch.nn.Parameter):
        return known.setdefault(id(value), scratch.Parameter(array_of(value)))
    if isinstance(value, dict):
        return {key: given_to_scratch(each, known) for key, each in value.items()}
    return type(value)(given_to_scratch(each, known) for each in value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_refuses_what_torchs_samples_say_is_refused(name: str) -> None:
    (info,) = (info for info in torchs("common_optimizers").optim_db if info.optim_cls.__name__ == name)
    for sample in info.optim_error_inputs_func("cpu", torch.float64):
        given = sample.optimizer_error_input
        start = given.params if given.params is not None else [torch.nn.Parameter(torch.ones(2))]
        with pytest.raises((TypeError, ValueError), match=rf"^{name} expected .* found "):
            getattr(scratch, name)(given_to_scratch(start, {}), **given.kwargs)
