"""Dropout on both sides by one mask: what scratch drew, read off the arrays that it makes, is given to torch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from twofold.compare.judge.own.meeting.solving.pool import Pool
from twofold.compare.sides.foreign.reference import UsersReference, array_of
from twofold.scratch.module import Array

NEAR = 1e-9


class Dropouts(TorchFunctionMode):
    """Each of torch's dropouts in training by a mask: of those given, in order, else found in the pool."""

    def __init__(self, masks: Sequence[Array | None] = (), pool: Pool | None = None) -> None:
        super().__init__()
        self.masks, self.pool = list(masks), pool
        self.met: list[Array | None] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") == "dropout":
            return self.taken(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def taken(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(("input", "p", "training"), args, strict=False)) | kwargs
        x: Any = given["input"]
        p = given.get("p", 0.5)
        if not given.get("training", given.get("train", True)) or not 0 < p < 1:
            return func(*args, **kwargs)
        n = len(self.met)
        mask = mask_of(self.pool, array_of(x), p) if self.pool else self.masks[n] if n < len(self.masks) else None
        self.met.append(mask)
        return func(*args, **kwargs) if mask is None else x * torch.from_numpy(mask).to(x)


def mask_of(pool: Pool, value: Array, p: float) -> Array | None:
    """Zeros and 1 / (1 - p), where scratch left out entries of the value; None where nothing says which."""
    scale = 1 / (1 - p)
    with np.errstate(all="ignore"):
        for product in pool.of_shape(value.shape):
            ratio = product / value
            kept = np.abs(ratio - scale) <= NEAR * scale
            if kept.any() and not kept.all() and (product[~kept] == 0).all():
                return kept * scale
    two = [array for array in pool.of_shape(value.shape) if len(kinds := np.unique(array)) == 2 and 0 in kinds]
    for array in two:
        for size in (1.0, scale, 1 / array.max()):
            if pool.find(value * array * size) is not None:
                return (array != 0) * scale
    patterns = {((array != 0) * scale).tobytes(): array for array in two if abs(array.max() - scale) <= NEAR * scale}
    return (next(iter(patterns.values())) != 0) * scale if len(patterns) == 1 else None


@contextmanager
def under(masks: Sequence[Array | None]) -> Iterator[None]:
    """Torch's dropouts take these masks."""
    if not any(mask is not None for mask in masks):
        yield
        return
    with Dropouts(masks):
        yield


def count(reference: UsersReference, state: Any, data: Sequence[Any], training: bool | None) -> int:
    """How many dropouts a run of the reference meets."""
    mode = Dropouts()
    try:
        reference.run(state, data, "float64", moving=lambda: mode, backward=False, training=training)
    except Exception:  # told where it is run to be compared
        return 0
    return len(mode.met)


def found(
    reference: UsersReference, state: Any, data: Sequence[Any], pool: Pool, training: bool | None
) -> list[Array | None]:
    """The masks of a run, as far as the pool tells them."""
    mode = Dropouts(pool=pool)
    reference.run(state, data, "float64", moving=lambda: mode, backward=False, training=training)
    return mode.met
