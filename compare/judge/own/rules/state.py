"""What a rule keeps, matched by value with what torch keeps, up to one constant factor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.floor import largest, rows_of
from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array

DEEP = 4  # containers within each other that are looked into


@dataclass(frozen=True)
class Found:
    """An array that a rule keeps, by the words that lead to it; `owner` is its tensor where that is known."""

    path: str
    value: Array
    owner: str | None = None


def arrays_in(value: Any, owner: str | None) -> list[Found]:
    """Copies of all float arrays of a tree of containers and objects."""
    seen: set[int] = set()
    return [Found(path, np.array(array), owner) for path, array in walk(value, "", DEEP, seen)]


def walk(value: Any, path: str, deep: int, seen: set[int]) -> Iterator[tuple[str, Array]]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.ndim:
            yield path, value
        return
    if not deep or id(value) in seen or isinstance(value, str | int | float):
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        for key, part in value.items():
            shown = str(key) if not path else f"{path}[{shown_key(key)}]"
            yield from walk(part, shown, deep - 1, seen)
    elif isinstance(value, list | tuple):
        for n, part in enumerate(value):
            yield from walk(part, f"{path}[{n}]", deep - 1, seen)
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        for key, part in vars(value).items():
            yield from walk(part, f"{path}.{key}" if path else key, deep - 1, seen)


def shown_key(key: Any) -> str:
    return "id" if isinstance(key, int) and key > 10**6 else f'"{key}"' if isinstance(key, str) else repr(key)


def matched(
    states: Sequence[Sequence[Found]], kept: Sequence[Mapping[str, Mapping[str, Array]]], dtype: str
) -> tuple[list[str], list[str]]:
    """In words what stands for what, such as "v = -0.01 x momentum_buffer", and what of torch's nothing stands for.

    A factor has to hold in the first step and in the last.
    """
    told: list[str] = []
    missing: list[str] = []
    if not states or not kept:
        return told, missing
    name = next(iter(kept[-1]))
    for key, golden in kept[-1][name].items():
        if not golden.any():
            continue
        fitting = [found for found in states[-1] if found.owner in (name, None) and found.value.shape == golden.shape]
        for found in fitting:
            factor = factor_of(found.value, golden, dtype)
            first = next((one for one in states[0] if (one.path, one.owner) == (found.path, found.owner)), None)
            early = kept[0][name].get(key)
            if factor is None or (
                first is not None and early is not None and not holds(first.value, early, factor, dtype)
            ):
                continue
            told.append(f"{found.path} = {'' if abs(factor - 1) < 1e-6 else f'{factor:.4g} x '}{key}")
            break
        else:
            missing.append(key)
    return told, missing


def factor_of(ours: Array, theirs: Array, dtype: str) -> float | None:
    """The one factor between two arrays, None where there is none."""
    with np.errstate(all="ignore"):
        place = int(np.abs(theirs).argmax())
        factor = float(ours.flat[place] / theirs.flat[place])
    if not np.isfinite(factor) or not factor:
        return None
    return factor if holds(ours, theirs, factor, dtype) else None


def holds(ours: Array, theirs: Array, factor: float, dtype: str) -> bool:
    """By rows, to eight least floors and what ten steps of rounding add."""
    with np.errstate(all="ignore"):
        error = rows_of(np.abs(ours - factor * theirs)).max(axis=1, initial=0)
        return bool((error <= 10 * LIMIT * float(np.finfo(dtype).eps) * abs(factor) * largest(theirs)).all())
