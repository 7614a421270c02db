"""One contract on both sides: what they give, or how they refuse."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import torch

from twofold import scratch
from twofold.compare import nest
from twofold.scratch.module import Array

OURS = {"SigmoidRNN", "ResetFirstGRU"}  # their reference is written from torch operations
LOSSES = {"HalfMSELoss", "SoftmaxBCELoss", "MultiClassHingeLoss", "SparseAutoencoderLoss"}
CLASSES = ("Embedding", "CrossEntropyLoss", "SoftmaxBCELoss", "MultiClassHingeLoss")


@dataclass(frozen=True)
class Contract:
    """A layer or loss by its name, what it is built with, and what goes in; what is sent back is drawn if not given."""

    layer: str
    arguments: tuple[Any, ...] | Mapping[str, Any]
    inputs: tuple[Any, ...]
    dout: Any = None
    training: bool = True
    dtype: str = "float32"  # of the parameters
    name: str = ""
    loose: bool = False  # the order of a sum decides between an infinity and NaN: there either is as good

    def build(self, kind: Any) -> Any:
        if isinstance(self.arguments, Mapping):
            return kind(**self.arguments)
        return kind(*self.arguments)

    def __str__(self) -> str:
        return self.name or f"{self.layer}{self.arguments} of {', '.join(map(told, self.inputs))}"


@dataclass
class Outcome:
    """What a side gave by name, or the exception that it raised."""

    values: dict[str, Array] = field(default_factory=dict)
    refused: Exception | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return f"{type(self.refused).__name__}: {self.refused}"
        return ", ".join(f"{name} {value.dtype}{list(value.shape)}" for name, value in self.values.items())


def told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__}({', '.join(map(told, value))})"
    return f"{type(value).__name__}"


def drawn(name: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """The same numbers for the same name and shape."""
    rng = np.random.default_rng([*name.encode(), *shape])
    return np.asarray(rng.standard_normal(shape)).astype(dtype)


def reference(layer: str) -> Any:
    home = "twofold.reference.recurrent" if layer in OURS else "twofold.reference.losses" if layer in LOSSES else None
    return getattr(import_module(home or "torch.nn"), layer)


def of_scratch(contract: Contract) -> Outcome:
    """Forward, then backward of a drawn gradient. Warnings are errors."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "(overflow|invalid value|divide by zero) encountered")
            layer = contract.build(getattr(scratch, contract.layer)).to(contract.dtype).train(contract.training)
            for name, holder in layer.named_parameters():
                holder.data = drawn(name, holder.data.shape, contract.dtype)
            out = layer(*contract.inputs)
            values = numbered("out", out)
            sent = sent_back(contract, values, out)
            if sent is not None:
                back = layer.backward(*(sent if isinstance(sent, tuple) else (sent,)))
                values |= numbered("dinput", back)
                values |= {f"grad {name}": holder.grad for name, holder in layer.named_parameters()}
            values |= {name: holder.data for name, holder in layer.named_buffers()}
        return Outcome(values)
    except Exception as refused:
        return Outcome(refused=refused)


def of_torch(contract: Contract) -> Outcome:
    """The same from torch. Integers that index go in as int64, the only width that torch knows for all of them."""

    def tensor(array: Any) -> Any:
        if not isinstance(array, np.ndarray | np.generic):
            return array
        whole = contract.layer in CLASSES and np.issubdtype(array.dtype, np.integer)
        made = torch.from_numpy(np.array(array, np.int64 if whole else None))
        return made.requires_grad_(made.is_floating_point())

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer = contract.build(reference(contract.layer)).to(getattr(torch, contract.dtype))
            layer.train(contract.training)
            for name, parameter in layer.named_parameters():
                parameter.data = torch.from_numpy(drawn(name, tuple(parameter.shape), contract.dtype))
            inputs = nest.apply(tensor, contract.inputs)
            out = layer(*inputs)
            values = numbered("out", nest.apply(array_of, out))
            sent = sent_back(contract, values, out)
            if sent is not None:
                outs, grads = nest.flatten(out), [tensor(grad) for grad in nest.flatten(sent)]
                torch.autograd.backward(outs[: len(grads)], grads)
                back = nest.apply(lambda leaf: getattr(leaf, "grad", None), inputs)
                values |= numbered("dinput", nest.apply(array_of, back if len(back) > 1 else back[0]))
                values |= {
                    f"grad {name}": np.zeros(parameter.shape, contract.dtype)
                    if parameter.grad is None
                    else array_of(parameter.grad)
                    for name, parameter in layer.named_parameters()
                }
            values |= {name: array_of(buffer) for name, buffer in layer.named_buffers()}
        return Outcome(values)
    except Exception as refused:
        return Outcome(refused=refused)


def array_of(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().numpy()


def numbered(name: str, nested: Any) -> dict[str, Array]:
    leaves = nest.flatten(nested)
    return {f"{name}{n}": np.asarray(leaf) for n, leaf in enumerate(leaves) if leaf is not None}


def sent_back(contract: Contract, values: Mapping[str, Array], out: Any) -> Any:
    """What is sent back: as given, or drawn like what came out, and nothing where that are integers."""
    if contract.dout is not None:
        return contract.dout
    if not all(np.issubdtype(value.dtype, np.floating) for value in values.values()):
        return None
    grads = iter([drawn(name, value.shape, value.dtype) for name, value in values.items()])
    return nest.fill(out, grads) if isinstance(out, tuple) else next(grads)


def differences(contract: Contract, ours: Outcome, theirs: Outcome) -> list[str]:
    """By what two outcomes that are both given differ: shapes, dtypes, values beyond rounding, NaN and infinities."""
    found = []
    for name in sorted(ours.values.keys() & theirs.values.keys()):
        mine, torchs = ours.values[name], theirs.values[name]
        if mine.shape != torchs.shape or mine.dtype != torchs.dtype:
            found.append(f"{name}: {mine.dtype}{mine.shape} against {torchs.dtype}{torchs.shape}")
        elif not close(mine, torchs, contract.loose):
            found.append(f"{name}: {mine.ravel()[:4]} against {torchs.ravel()[:4]}")
    wanted = {name for name in theirs.values if not name.startswith("dinput")}
    return found + [f"{name} on one side" for name in sorted(wanted - ours.values.keys())]


def close(mine: Array, torchs: Array, loose: bool) -> bool:
    """Equal but for rounding: some hundred units in the last place of the largest."""
    if loose:
        mine, torchs = (np.where(np.isfinite(side), side, np.nan) for side in (mine, torchs))
    finite = torchs[np.isfinite(torchs)]
    size = max(1.0, float(np.abs(finite).max())) if finite.size else 1.0
    eps = float(np.finfo(mine.dtype).eps) if np.issubdtype(mine.dtype, np.floating) else 0.0
    return bool(np.allclose(mine, torchs, rtol=0, atol=100 * eps * size, equal_nan=True))


SENTENCE = re.compile(r"^(?P<owner>\w+)\b.* expected .*\bfound .*", re.DOTALL)


def refusal(contract: Contract, refused: Exception) -> list[str]:
    """What a refusal lacks: one sentence with the class, what was expected and what was found."""
    text = str(refused)
    lacking = [] if isinstance(refused, ValueError | TypeError | IndexError) else [type(refused).__name__]
    match = SENTENCE.match(text)
    if match is None or match["owner"] != contract.layer or "\n" in text:
        lacking.append(f"no sentence of {contract.layer}: {text}")
    return lacking


def broken(contract: Contract) -> list[str]:
    """What is wrong with scratch's side of it: nothing, if both give the same or scratch refuses in a sentence."""
    ours, theirs = of_scratch(contract), of_torch(contract)
    if ours.refused is not None:
        return refusal(contract, ours.refused)
    if theirs.refused is not None:
        return [f"scratch takes what torch refuses: {theirs}"]
    return differences(contract, ours, theirs)
