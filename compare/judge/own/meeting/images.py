"""Which tensors are near, and what a net may give where the reference gives what comes before its loss."""

from collections.abc import Callable, Mapping

import numpy as np

from twofold.scratch.module import Array

NEAR = 1e-6  # of the largest entry: which tensor is meant is asked, not whether it is right


def near(ours: Array, theirs: Array, within: float = NEAR) -> bool:
    if ours.shape != theirs.shape or not ours.size:
        return False
    with np.errstate(all="ignore"):
        largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=0)
        return bool(np.allclose(ours, theirs, rtol=0, atol=within * largest, equal_nan=True))


def softmax(x: Array, axis: int = -1) -> Array:
    with np.errstate(all="ignore"):
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)


def sigmoid(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return 1 / (1 + np.exp(-x))


# What a net may give where the reference gives what comes before its loss, or the other way round.
IMAGES: Mapping[str, Callable[[Array], Array]] = {
    "": lambda x: x,
    "softmax": softmax,
    "sigmoid": sigmoid,
    "log_softmax": lambda x: np.log(softmax(x)),
    "exp": np.exp,
    "argmax": lambda x: x.argmax(axis=-1).astype(float) if x.ndim > 1 else x,
}


def scalar(value: Array) -> Array:
    return value.reshape(()) if value.size == 1 else value
