"""The measured noise floor, and what counts as equal.

floor(row) = max over the re-runs k of max|r_k - r*| in that row + 8 eps(dtype) max|r*| in that row, where r* is the
float64 reference and the r_k are runs of the reference moved by one unit in the last place (rounding.py). A
quantity is equal if scratch lies within LIMIT floors of r* in every row. Infinities are equal where both have the same,
and the floor is that of the finite entries; NaN never is.

Of a re-run no more is kept than how far each row strays from r*.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.judge.finding import Quantity, Verdict, beside, exactly, first_place, not_finite
from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array

# Floors: what is as near as that to r* without any re-run is equal, for re-runs only widen the floor.
SURE = 2.0
BLOCK = 1 << 16  # entries that are compared at a time: what is in work fits a cache


def rows_of(array: Array, axis: int = 0) -> Array:
    """One row an index of `axis`, or the whole of a tensor with one axis or none: (rows, rest)."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    rows = array.shape[axis]
    first = np.moveaxis(array, axis, 0) if axis else array
    return first.reshape(rows, array.size // max(1, rows))


def distance(array: Array, golden: Array) -> Array:
    """Of every entry |array - golden|: equal infinities lie 0 apart, any other and NaN infinitely far."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(np.subtract(array, golden, dtype=np.result_type(array, np.float64)))
    return np.where(array == golden, 0, np.where(np.isnan(apart), np.inf, apart))


def strays(array: Array, golden: Array, axis: int = 0) -> Array:
    """How far each row strays from golden, the largest distance of its entries: (rows,).

    Raises ValueError where the shapes differ.
    """
    if array.shape != golden.shape:
        raise ValueError(f"expected the golden run's shape {golden.shape}, found {array.shape}")
    ours, theirs = rows_of(array, axis), rows_of(golden, axis)
    dtype, found = np.result_type(array, np.float64), np.zeros(len(ours))
    step = max(1, BLOCK // max(1, ours.shape[1]))
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(ours), step):
            part = slice(start, start + step)
            apart = np.subtract(ours[part], theirs[part], dtype=dtype)
            found[part] = np.abs(apart, out=apart).max(axis=1, initial=0)
    return found if np.isfinite(found).all() else distance(ours, theirs).max(axis=1, initial=0)


def largest(golden: Array, axis: int = 0) -> Array:
    """The largest finite entry of each row, by magnitude: (rows,)."""
    rows = rows_of(golden, axis)
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float64)
    found = np.maximum(rows.max(axis=1, initial=0), np.abs(rows.min(axis=1, initial=0)))
    if not np.isfinite(found).all():
        found = np.where(np.isfinite(rows), np.abs(rows), 0).max(axis=1, initial=0)
    return np.asarray(found, np.float64)


def in_range(golden: Array, dtype: DTypeLike) -> Array:
    """r* as `dtype` can have it: what lies beyond its range is infinite there, on either side alike."""
    if golden.dtype.kind != "f" or largest(golden).max(initial=0) <= np.finfo(dtype).max:
        return golden
    return np.where(np.abs(golden) > np.finfo(dtype).max, np.copysign(np.inf, golden), golden)


def farther(first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, Array]:
    """Of every name in either how far each row strays in the one that strays more."""
    both = {name: np.maximum(first[name], second[name]) for name in first if name in second}
    return {**first, **second, **both}


def floors(most: Array, strayed: Array | None, dtype: DTypeLike) -> Array:
    """The floor of each row, given its largest entry, and how far it strays in re-runs if there were any: (rows,)."""
    least = 8 * float(np.finfo(dtype).eps) * most
    return least if strayed is None else np.asarray(strayed + least)


def judge(
    name: str,
    actual: Array | None,
    golden: Array | None,
    strayed: Array | None,
    dtype: DTypeLike,
    axis: int = 0,
) -> Quantity:
    """Scratch's tensor against the reference's, a row an index of `axis`: time, output unit, sample.

    `strayed` says how far each row did in the re-runs, if there were any. Missing, misshapen or mistyped tensors fail,
    and so do NaN and infinities that the other side has not.
    """
    if actual is None or golden is None:
        return exactly(name, False, f"{'scratch' if actual is None else 'reference'} does not have it")
    if actual.shape != golden.shape:
        return exactly(name, False, f"scratch has shape {actual.shape}, reference {golden.shape}")
    if np.issubdtype(actual.dtype, np.floating) and actual.dtype != np.dtype(dtype):
        return exactly(name, False, f"scratch gives {actual.dtype} where {np.dtype(dtype)} was given", "scratch")
    if not actual.size:
        return Quantity(name, 0.0, 0.0, 0.0, Verdict.VACUOUS, 0, 0, "it is empty")
    error, most = strays(actual, golden, axis), largest(golden, axis)
    floor = floors(most, strayed, dtype)
    finite = np.isfinite(error + floor).all()
    if not finite and (told := not_finite(name, actual, golden, not np.isfinite(floor).all())):
        return told
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / floor)
    proven = most > LIMIT * floor
    worst = int(ratio.argmax())
    reason, verdict = "", Verdict.PASS
    if ratio[worst] > LIMIT:
        verdict, reason = Verdict.FAIL, _position(error, worst, axis)
    elif not proven.any():
        verdict, reason = Verdict.VACUOUS, "no entry of the reference rises above its floor"
    quantity = Quantity(
        name,
        float(error[worst]),
        float(floor[worst]),
        float(ratio[worst]),
        verdict,
        len(floor),
        int(proven.sum()),
        reason,
        largest=float(error.max()),
    )
    if verdict is not Verdict.FAIL:
        return quantity
    size = float(most[worst] if proven[worst] else most.max())
    relative = quantity.error / size if size else None
    return beside(replace(quantity, relative=relative), actual, golden, worst_entry(actual, golden, worst, axis))


def worst_entry(actual: Array, golden: Array, row: int, axis: int) -> tuple[int, ...]:
    """Where in a row, as `rows_of` has them, the two lie farthest apart: its index in the tensor."""
    if actual.ndim < 2:
        return first_place(distance(actual, golden))
    found = first_place(distance(actual.take(row, axis), golden.take(row, axis)))
    return (*found[:axis], row, *found[axis:])


def judge_all(
    actual: Mapping[str, Array],
    golden: Mapping[str, Array],
    strayed: Mapping[str, Array],
    dtype: DTypeLike,
    axis_of: Callable[[str, Array], int] = lambda name, golden: 0,
) -> Iterator[Quantity]:
    """Every name of either side; torch has None where no gradient arrives, not zeros.

    Of what no re-run has the floor is the least that there is, 8 eps of a row's largest entry.
    """
    for name in dict.fromkeys((*actual, *golden)):
        if name not in golden and not actual[name].any():
            yield idle(name)
            continue
        axis = axis_of(name, golden[name]) if name in golden else 0
        yield judge(name, actual.get(name), golden.get(name), strayed.get(name), dtype, axis)


def idle(name: str) -> Quantity:
    """What no gradient reaches on either side: there is nothing to compare."""
    reason = "neither side uses it: no gradient here, zeros there"
    return Quantity(name, 0.0, 0.0, 0.0, Verdict.NOT_APPLICABLE, reason=reason)


def sure(quantities: Iterable[Quantity]) -> bool:
    """Whether no re-run could change a verdict, given what was judged without any."""
    return all(quantity.ratio <= SURE for quantity in quantities)


def _position(error: Array, row: int, axis: int) -> str:
    """Where the worst row lies, or of a single one how large the error is."""
    if len(error) == 1:
        return f"largest error {error[0]:.3g}"
    return f"row {row} of {len(error)}" if axis == 0 else f"row {row} of {len(error)} along axis {axis}"
