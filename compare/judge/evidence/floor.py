"""The measured noise floor, and what counts as equal.

floor(row) = max over the re-runs k of max|r_k - r*| in that row + 8 eps(dtype) max|r*| in that row, where r* is the
float64 reference and the r_k are runs of the reference moved by one unit in the last place (rounding.py). A
quantity is equal if scratch lies within LIMIT floors of r* in every row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.judge.finding import Quantity, Verdict, exactly, not_finite
from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array

# Floors: what is as near as that to r* without any re-run is equal, for re-runs only widen the floor.
SURE = 1.0


def rows_of(array: Array, axis: int = 0) -> Array:
    """One row an index of `axis`, or the whole of a tensor with one axis or none: (rows, rest)."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def floors(golden: Array, reruns: Sequence[Array], dtype: DTypeLike, axis: int = 0) -> Array:
    """The floor of each row: (rows,)."""
    largest = np.abs(rows_of(golden, axis)).max(axis=1, initial=0)
    away = np.abs(np.stack(reruns) - golden).max(axis=0)
    return np.asarray(rows_of(away, axis).max(axis=1, initial=0) + 8 * float(np.finfo(dtype).eps) * largest)


def judge(
    name: str,
    actual: Array | None,
    golden: Array | None,
    reruns: Sequence[Array],
    dtype: DTypeLike,
    axis: int = 0,
) -> Quantity:
    """Scratch's tensor against the reference's, a row an index of `axis`: time, output unit, sample.

    Missing, misshapen, mistyped or non-finite tensors fail.
    """
    if actual is None or golden is None:
        return exactly(name, False, f"{'scratch' if actual is None else 'reference'} does not have it")
    if actual.shape != golden.shape:
        return exactly(name, False, f"scratch has shape {actual.shape}, reference {golden.shape}")
    if np.issubdtype(actual.dtype, np.floating) and actual.dtype != np.dtype(dtype):
        return exactly(name, False, f"scratch gives {actual.dtype} where {np.dtype(dtype)} was given", "scratch")
    if quantity := not_finite(name, [actual], [golden, *reruns]):
        return quantity
    if not actual.size:
        return Quantity(name, 0.0, 0.0, 0.0, Verdict.VACUOUS, 0, 0, "it is empty")
    golden = golden.astype(np.float64)
    floor = floors(golden, reruns, dtype, axis)
    error = np.abs(rows_of(actual - golden, axis)).max(axis=1).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / floor)
    proven = np.abs(rows_of(golden, axis)).max(axis=1) > LIMIT * floor
    worst = int(ratio.argmax())
    reason, verdict = "", Verdict.PASS
    if ratio[worst] > LIMIT:
        verdict, reason = Verdict.FAIL, _position(actual - golden, worst, len(floor), axis)
    elif not proven.any():
        verdict, reason = Verdict.VACUOUS, "no entry of the reference rises above its floor"
    return Quantity(
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


def judge_all(
    actual: Mapping[str, Array],
    golden: Mapping[str, Array],
    reruns: Sequence[Mapping[str, Array]],
    dtype: DTypeLike,
    axis_of: Callable[[str], int] = lambda name: 0,
) -> Iterator[Quantity]:
    """Every name of either side; torch has None where no gradient arrives, not zeros.

    Without re-runs the floor is the least that there is, 8 eps of a row's largest entry.
    """
    for name in dict.fromkeys((*actual, *golden)):
        if name not in golden and not actual[name].any():
            yield idle(name)
            continue
        runs = [run[name] for run in reruns if name in run] or [golden[name] for _ in range(name in golden)]
        yield judge(name, actual.get(name), golden.get(name), runs, dtype, axis_of(name))


def idle(name: str) -> Quantity:
    """What no gradient reaches on either side: there is nothing to compare."""
    reason = "neither side uses it: no gradient here, zeros there"
    return Quantity(name, 0.0, 0.0, 0.0, Verdict.NOT_APPLICABLE, reason=reason)


def sure(quantities: Iterable[Quantity]) -> bool:
    """Whether no re-run could change a verdict, given what was judged without any."""
    return all(quantity.ratio <= SURE for quantity in quantities)


def _position(difference: Array, row: int, rows: int, axis: int) -> str:
    """Where the worst row lies, and how large the error is there."""
    if rows == 1:
        return f"largest error {np.abs(difference).max():.3g}"
    return f"row {row} of {rows}" if axis == 0 else f"row {row} of {rows} along axis {axis}"
