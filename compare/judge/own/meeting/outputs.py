"""Which of the tensors of a call is the loss, and which an output."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from twofold.compare.judge.own.meeting.images import IMAGES, near, scalar
from twofold.compare.sides.foreign.calls import Found
from twofold.compare.sides.foreign.data import reshaped
from twofold.compare.sides.foreign.leaves import last
from twofold.scratch.module import Array

Key = tuple[str, str]


LOSSES = ("loss", "cost", "error", "j", "l", "e")


OUTPUTS = ("output", "outputs", "out", "y", "yhat", "y_hat", "y_pred", "pred", "probs", "scores", "logits", "a", "h")


@dataclass(frozen=True)
class Output:
    """One of the reference's outputs: where it is found, how it is brought into torch's shape, and what it shows."""

    key: Key
    way: str
    image: str = ""


def is_array(found: Found) -> bool:
    return found.source == "returned" and found.value.ndim > 0 and found.value.size > 1


def loss_among(pool: Iterable[Found], golden: Array, beside: bool = False) -> Key | None:
    """The number that is the loss by value, else by name, else the first that was returned."""
    numbers = [found for found in pool if found.value.size == 1 and found.value.dtype.kind in "fiu"]
    returned = [found for found in numbers if found.source == "returned"]
    for found in returned:
        if near(scalar(found.value), golden, 1e-4):
            return found.key
    for found in returned:
        if any(word in found.path.lower() for word in ("loss", "cost")):
            return found.key
    for found in numbers if beside else ():
        if last(found.path).strip("_").lower() in LOSSES:  # no running mean of it
            return found.key
    for found in numbers:
        if near(scalar(found.value), golden, 1e-9):
            return found.key
    return returned[0].key if returned else None


def output_among(pool: Sequence[Found], golden: Array, agrees: bool) -> Output | None:
    """The tensor that is the output by value, as it is or as a usual image of it; else the one of its shape.

    Where the loss `agrees` a tensor of another value is no output, for a wrong one would have made the loss wrong.
    """
    if (equal := output_by_value(pool, golden)) is not None or agrees:
        return equal
    for source in ("returned", "beside"):
        for found in pool:
            named = last(found.path).lower() in OUTPUTS
            if found.source != source or (source == "beside" and not named) or found.value.dtype.kind != "f":
                continue
            way = next((way for way, _ in reshaped(found.value, golden.shape)), None)
            if way is not None:
                return Output(found.key, way, likely_image(found.value, golden))
    return None


def output_by_value(pool: Sequence[Found], golden: Array) -> Output | None:
    for image, function in IMAGES.items():
        if image and golden.ndim < 1:
            continue
        want = function(golden)
        for found in pool:
            for way, moved in reshaped(found.value, want.shape):
                if near(moved, want):
                    return Output(found.key, way, image)
    return None


def likely_image(value: Array, golden: Array) -> str:
    """Rows of numbers from 0 to 1 that sum to 1 are the softmax of what is none, however wrong."""
    with np.errstate(all="ignore"):
        for axis in range(value.ndim) if value.ndim > 1 else ():
            if value.shape[axis] > 1 and (value >= 0).all() and np.allclose(value.sum(axis=axis), 1):
                return "" if (golden >= 0).all() and np.allclose(golden.sum(axis=-1), 1) else "softmax"
    return ""
