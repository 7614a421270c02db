"""The data as torch takes them, and others of the same kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product
from typing import Any

import numpy as np
from numpy.random import Generator

from twofold.compare.sides.foreign.trees import is_tensor
from twofold.scratch.module import Array

MOST = 400  # combinations that are tried


@dataclass(frozen=True)
class Way:
    """How one array of the stranger's becomes torch's, in words ("" for as it is)."""

    text: str
    apply: Callable[[Any], Any]


def as_it_is(value: Any) -> Any:
    return value


AS_IT_IS = Way("", as_it_is)


def is_word(value: Any) -> bool:
    """An argument that is no number, such as a mode."""
    return value is None or isinstance(value, str | bool)


def ways(value: Any) -> list[Way]:
    """The ways to give an array to torch, the likeliest first."""
    if is_tensor(value) or is_word(value):
        return [AS_IT_IS]
    array = np.asarray(value)
    found = [AS_IT_IS]
    if array.dtype.kind in "iub":
        found.append(Way("as floats", lambda a: np.asarray(a, np.float64)))
    if array.ndim == 2:
        found += [Way(".T", lambda a: np.asarray(a).T)]
        if 1 in array.shape:
            found.append(Way(".ravel()", lambda a: np.asarray(a).ravel()))
        for axis in (1, 0):
            if is_one_hot(array, axis):
                text = f".argmax(axis={axis})"
                found.append(Way(text, lambda a, axis=axis: np.asarray(a).argmax(axis=axis)))  # type: ignore[misc]
        if array.dtype.kind in "iub":
            found.append(Way(".T as floats", lambda a: np.asarray(a, np.float64).T))
    if array.ndim == 1:
        found.append(Way("[:, None]", lambda a: np.asarray(a)[:, None]))
        found.append(Way("[None]", lambda a: np.asarray(a)[None]))
        if array.dtype.kind in "iub":
            found.append(Way("[:, None] as floats", lambda a: np.asarray(a, np.float64)[:, None]))
        elif array.dtype.kind == "f" and (array == np.round(array)).all():
            found.append(Way("as integers", lambda a: np.asarray(a, np.int64)))
    if array.ndim in (1, 2) and array.dtype.kind in "iu" and array.size and array.min() == 1:
        found.append(Way(" - 1", lambda a: np.asarray(a) - 1))
        if array.ndim == 2 and 1 in array.shape:
            found.append(Way(".ravel() - 1", lambda a: np.asarray(a).ravel() - 1))
    if array.ndim in (1, 2) and array.size and array.dtype.kind in "if" and set(np.unique(array)) == {-1, 1}:
        found += from_signs(array)
    if array.ndim == 0:
        found.append(Way("as a tensor", np.asarray))
        found.append(Way("[None]", lambda a: np.asarray(a)[None]))
    if array.ndim in (3, 4):
        for axes in permutations(range(array.ndim)):
            if axes != tuple(range(array.ndim)):
                text = f".transpose{axes}"
                found.append(Way(text, lambda a, axes=axes: np.asarray(a).transpose(axes)))  # type: ignore[misc]
    if 1 in array.shape and array.ndim > 1:
        found.append(Way(".squeeze()", lambda a: np.asarray(a).squeeze()))
    if array.ndim > 1:
        found.append(Way("[None]", lambda a: np.asarray(a)[None]))
    if array.ndim == 3:
        found.append(Way("[:, None]", lambda a: np.asarray(a)[:, None]))
    return found


def from_signs(array: Array) -> list[Way]:
    """Of two classes written as -1 and 1 those that torch's losses take: 0 and 1, as floats or integers."""
    found = [Way("> 0 as floats", lambda a: np.asarray(np.asarray(a) > 0, np.float64))]
    if array.ndim == 1:
        found.append(Way("[:, None] > 0 as floats", lambda a: np.asarray(np.asarray(a)[:, None] > 0, np.float64)))
    if array.ndim == 2:
        found.append(Way(".T > 0 as floats", lambda a: np.asarray(np.asarray(a).T > 0, np.float64)))
        if 1 in array.shape:
            found.append(Way(".ravel() > 0 as floats", lambda a: np.asarray(np.asarray(a).ravel() > 0, np.float64)))
    if array.ndim == 1 or 1 in array.shape:
        found.append(Way("> 0 as integers", lambda a: np.asarray(np.asarray(a).ravel() > 0, np.int64)))
    return found


def is_one_hot(array: Array, axis: int) -> bool:
    return bool(array.size) and bool(np.isin(array, (0, 1)).all()) and bool((array.sum(axis=axis) == 1).all())


def combinations(data: Sequence[Any]) -> Iterator[tuple[Way, ...]]:
    """Ways for all arrays together, those with the fewest changes first."""
    options = [ways(value) for value in data]
    ranked = sorted(
        islice(product(*(range(len(some)) for some in options)), 20000),
        key=lambda ranks: (sum(map(bool, ranks)), ranks),
    )
    for ranks in ranked[:MOST]:
        yield tuple(some[rank] for some, rank in zip(options, ranks, strict=True))


def given(data: Sequence[Any], how: Sequence[Way]) -> tuple[Any, ...]:
    return tuple(way.apply(value) for value, way in zip(data, how, strict=True))


def redrawn(value: Any, rng: Generator, real: bool = True) -> Any:
    """Another array of the same kind: in range, one-hot where it was, classes from among the same."""
    if is_tensor(value):
        import torch

        array = value.detach().to(torch.float64 if value.is_floating_point() else value.dtype).cpu().numpy()
        return torch.from_numpy(np.array(redrawn(array, rng, real))).to(value.dtype)
    if isinstance(value, list | tuple):
        return type(value)(np.array(redrawn(np.asarray(value), rng, real)).tolist())
    array = np.asarray(value)
    if is_word(value) or array.dtype.kind not in "fiub" or array.ndim == 0:
        return value
    for axis in range(array.ndim):
        sums = array.sum(axis=axis)
        if array.ndim == 2 and array.shape[axis] > 1 and np.allclose(sums, 1) and (array >= 0).all():
            return rng.permutation(array, axis=1 - axis)
    if array.dtype.kind != "f":
        return rng.permutation(array.ravel()).reshape(array.shape)
    if not array.any():
        return (0.5 * rng.standard_normal(array.shape)).astype(array.dtype)
    new = rng.permutation(array.ravel()).reshape(array.shape)
    if real and (array < 0).any() and len(np.unique(array)) > 3:
        new = new + 0.1 * array.std() * rng.standard_normal(array.shape)
    return new.astype(array.dtype)


def in_dtype(value: Any, dtype: str) -> Any:
    """Floats in the dtype; everything else as it is."""
    if is_tensor(value):
        import torch

        return value.detach().clone().to(getattr(torch, dtype)) if value.is_floating_point() else value.clone()
    if isinstance(value, np.ndarray):
        return value.astype(dtype) if value.dtype.kind == "f" else value.copy()
    return value.copy() if isinstance(value, list) else value


def read_only(value: Any) -> Any:
    """A view through which nothing can be written."""
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def reshaped(array: Array, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """The array as torch's shape: as it is, with unit axes dropped and added, with axes exchanged."""
    if array.shape == shape:
        yield "", array
    bare = array.squeeze()
    wanted = tuple(n for n in shape if n != 1)
    if bare.ndim > 5 or sorted(bare.shape) != sorted(wanted):
        return
    if array.shape != shape and bare.shape == wanted:
        yield f".reshape{shape}", array.reshape(shape)
    for axes in permutations(range(bare.ndim)):
        if axes != tuple(range(bare.ndim)) and tuple(bare.shape[n] for n in axes) == wanted:
            moved = bare.transpose(axes)
            yield (".T" if bare.ndim == 2 else f".transpose{axes}"), moved.reshape(shape)


def way_to(array: Array, shape: tuple[int, ...], text: str) -> Array | None:
    """The array by the same way as before; None where its shape no longer allows it."""
    return next((moved for told, moved in reshaped(array, shape) if told == text), None)
