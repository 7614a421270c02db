"""Optimizers of scratch beside torch's on the same inputs: the same values, or a refusal in one sentence."""

import re
import warnings
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scratch.optimizer_contracts import Contract, OfScratch, OfTorch, contracts
from twofold.scratch.module import Array

CONTRACTS = list(contracts())
# Ours, or the interpreter's where there are too many arguments.
SENTENCE = r"{0} expected .*\bfound .*|{0}.__init__\(\) takes from \d to \d positional arguments but \d were given"


def differences(ours: dict[str, Array], theirs: dict[str, Array]) -> list[str]:
    """What is not equal up to some hundred units in the last place of the largest."""
    found = [f"{name} on one side" for name in ours.keys() ^ theirs.keys()]
    for name in ours.keys() & theirs.keys():
        mine, torchs = ours[name], theirs[name]
        if mine.shape != torchs.shape or mine.dtype != torchs.dtype:
            found.append(f"{name}: {mine.dtype}{mine.shape} against {torchs.dtype}{torchs.shape}")
            continue
        finite = np.abs(torchs[np.isfinite(torchs)])
        bound = 100 * np.finfo(mine.dtype).eps * max(1.0, float(finite.max(initial=0)))
        if not np.allclose(mine, torchs, rtol=0, atol=bound, equal_nan=True):
            found.append(f"{name}: {mine.ravel()[:4]} against {torchs.ravel()[:4]}")
    return found


def broken(contract: Contract) -> list[str]:
    """What is wrong with scratch's side of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = contract.values(OfTorch())
    except Exception as error:
        theirs = error
    try:
        ours = contract.values(OfScratch())
    except Exception as error:
        told = re.fullmatch(SENTENCE.format(contract.optimizer), str(error))
        return [] if told and isinstance(error, TypeError | ValueError) else [f"{type(error).__name__}: {error}"]
    if isinstance(theirs, Exception):
        return [f"scratch takes what torch refuses: {theirs}"]
    return differences(ours, theirs)


def test_what_is_broken_is_seen() -> None:
    """A contract that torch does not hold with other arguments, and one that scratch refuses without a sentence."""
    plain = next(contract for contract in CONTRACTS if contract.name == "pairs" and contract.optimizer == "Adam")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OfScratch, "array", lambda side, array: array * 1.001)
        assert "against" in broken(replace(plain, name="other gradients"))[0]
    assert "AttributeError" in broken(replace(plain, happens=lambda side, optimizer, p, step: optimizer.missing))[0]
    assert "scratch takes" in broken(replace(plain, happens=refused_by_torch))[0]


def refused_by_torch(side: OfScratch | OfTorch, optimizer: object, parameters: list, step: int) -> None:
    if isinstance(side, OfTorch):
        raise ValueError


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_an_optimizer_does_as_torchs_or_refuses(contract: Contract) -> None:
    assert not broken(contract)


SHARE = st.floats(0, 0.99)
POSITIVE = st.floats(0, 2)
DRAWN = {
    "SGD": {"lr": POSITIVE, "momentum": POSITIVE, "dampening": st.floats(-1, 1), "weight_decay": POSITIVE},
    "Adam": {"lr": POSITIVE, "betas": st.tuples(SHARE, SHARE), "eps": st.floats(1e-3, 1), "weight_decay": POSITIVE},
    "RMSprop": {"lr": POSITIVE, "alpha": SHARE, "eps": st.floats(1e-3, 1), "weight_decay": POSITIVE, "momentum": SHARE},
    "Adagrad": {"lr": POSITIVE, "lr_decay": POSITIVE, "weight_decay": POSITIVE, "eps": st.floats(1e-3, 1)},
}


def strided(side: OfScratch | OfTorch, optimizer: object, parameters: list, step: int) -> None:
    """Gradients that lie backwards, and with gaps; torch has no such strides and copies them."""
    for parameter in parameters:
        if isinstance(side, OfScratch) and parameter.grad.ndim:
            apart = np.repeat(parameter.grad[..., ::-1], 2, axis=-1)
            parameter.grad = apart[..., ::2][..., ::-1]


@pytest.mark.parametrize("kind", DRAWN)
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_any_arguments_shapes_and_strides(kind: str, data: st.DataObject) -> None:
    arguments = data.draw(st.fixed_dictionaries({}, optional=DRAWN[kind]))
    shapes = data.draw(st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    with patch("twofold.scratch.optim.BLOCK_BYTES", data.draw(st.sampled_from([1, 64, 1 << 19]))):
        contract = Contract("", kind, arguments, happens=strided, shapes=tuple(shapes), dtype=dtype)
        assert not differences(contract.values(OfScratch()), contract.values(OfTorch()))
