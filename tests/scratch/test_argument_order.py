"""Arguments of losses and optimizers: in torch's order, or by their names alone; one that a class has not is named."""

import inspect
from importlib import import_module

import numpy as np
import pytest

from twofold import scratch

OPTIMIZERS = dict.fromkeys(("SGD", "Adam", "RMSprop", "Adagrad"), "torch.optim")
OWN_LOSSES = dict.fromkeys(("HalfMSELoss", "SoftmaxBCELoss", "MultiClassHingeLoss"), "twofold.reference.losses")
LOSSES = {"CrossEntropyLoss": "torch.nn", "MSELoss": "torch.nn", **OWN_LOSSES}
OURS = dict.fromkeys(("SparseAutoencoderLoss", "L2Penalty"), "twofold.reference.losses")
UNNAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def unnamed(kind: type) -> list[str]:
    """What can be given without its name, in order; of an optimizer and a penalty all that follows the parameters."""
    parameters = list(inspect.signature(kind).parameters.values())
    names = [parameter.name for parameter in parameters if parameter.kind in UNNAMED]
    return [name for name in names if name not in ("params", "named_parameters")]


@pytest.mark.parametrize(("name", "home"), (OPTIMIZERS | LOSSES | OURS).items())
def test_what_may_stand_without_a_name_stands_in_torchs_order(name: str, home: str) -> None:
    ours, theirs = unnamed(getattr(scratch, name)), unnamed(getattr(import_module(home), name))
    assert ours == theirs[: len(ours)]
    assert bool(ours) == (name not in LOSSES)


def built(name: str, *given: object, **named: object) -> object:
    parameters = ([("p", scratch.Parameter(np.zeros(2)))],) if name in OPTIMIZERS or name == "L2Penalty" else ()
    return getattr(scratch, name)(*parameters, *given, **named)


@pytest.mark.parametrize("name", OPTIMIZERS | LOSSES | OURS)
def test_an_argument_that_a_class_has_not_names_the_class(name: str) -> None:
    built(name)
    with pytest.raises(TypeError, match=rf"^{name}\b.*"):
        built(name, maximize=True, label_smoothing=0.1)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "MultiClassHingeLoss"])
@pytest.mark.parametrize(
    ("given", "named", "found"),
    [
        (("sum",), {}, "too many positional arguments"),
        ((np.ones(3), None), {}, "too many positional arguments"),
        ((), {"weight": None}, "got an unexpected keyword argument 'weight'"),
        ((None,), {"size_average": True, "reduction": "sum"}, "too many positional arguments"),
    ],
)
def test_a_loss_takes_its_reduction_by_name(name: str, given: tuple, named: dict, found: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name} expected \(\*, reduction='mean'\), found {found}$"):
        built(name, *given, **named)
