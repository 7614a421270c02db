"""The measured noise floor, and what counts as equal.

floor(row) = max over the re-runs k of max|r_k - r*| in that row + 8 eps(dtype) max|r*| in that row, where r* is the
float64 reference and the r_k are runs of the reference moved by one unit in the last place (rounding.py). A
quantity is equal if scratch lies within LIMIT floors of r* in every row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import DTypeLike
from twofold.scratch.module import Array

LIMIT = 8.0
# Floors: what is as near as that to r* without any re-run is equal, for re-runs only widen the floor.
SURE = 1.0


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    VACUOUS = "vacuous"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Quantity:
    """One tensor judged: `error` and `floor` are those of its worst row, `ratio` is error / floor.

    `rows_proven` counts the rows whose largest entry exceeds LIMIT floors: only those prove anything. `side` is the one
    that the comparison by itself convicts, such as the one with a NaN.
    """

    name: str
    error: float
    floor: float
    ratio: float
    verdict: Verdict
    rows: int = 1
    rows_proven: int = 1
    reason: str = ""
    limit: float = LIMIT
    side: str = ""
    largest: float | None = None  # error of any row, where a smaller one is worse in floors


def exactly(name: str, equal: bool, reason: str, side: str = "") -> Quantity:
    """A comparison without rounding; `reason` and `side` say what differs and by whom, dropped where nothing does."""
    if equal:
        return Quantity(name, 0.0, 0.0, 0.0, Verdict.PASS)
    return Quantity(name, float("inf"), 0.0, float("inf"), Verdict.FAIL, reason=reason, side=side)


def not_finite(name: str, scratch: Sequence[Array], reference: Sequence[Array], where: str = "") -> Quantity | None:
    """The failure of a tensor with NaN or inf on either side; a side is convicted that alone has it."""
    sides = {"scratch": scratch, "reference": reference}
    bad = [side for side, arrays in sides.items() if not all(np.isfinite(array).all() for array in arrays)]
    if not bad:
        return None
    return exactly(name, False, f"NaN or inf in {where}{' and '.join(bad)}", bad[0] if len(bad) == 1 else "")


def rows_of(array: Array, axis: int = 0) -> Array:
    """One row an index of `axis`, or the whole of a tensor with one axis or none: (rows, rest)."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def floors(star: Array, reruns: Sequence[Array], dtype: DTypeLike, axis: int = 0) -> Array:
    """The floor of each row: (rows,)."""
    largest = np.abs(rows_of(star, axis)).max(axis=1, initial=0)
    moved = np.abs(np.stack(reruns) - star).max(axis=0)
    return np.asarray(rows_of(moved, axis).max(axis=1, initial=0) + 8 * float(np.finfo(dtype).eps) * largest)


def judge(
    name: str,
    found: Array | None,
    star: Array | None,
    reruns: Sequence[Array],
    dtype: DTypeLike,
    axis: int = 0,
) -> Quantity:
    """Scratch's tensor against the reference's, a row an index of `axis`: time, output unit, sample.

    Missing, misshapen, mistyped or non-finite tensors fail.
    """
    if found is None or star is None:
        return exactly(name, False, f"{'scratch' if found is None else 'reference'} does not have it")
    if found.shape != star.shape:
        return exactly(name, False, f"scratch has shape {found.shape}, reference {star.shape}")
    if np.issubdtype(found.dtype, np.floating) and found.dtype != np.dtype(dtype):
        return exactly(name, False, f"scratch gives {found.dtype} where {np.dtype(dtype)} was given", "scratch")
    if quantity := not_finite(name, [found], [star, *reruns]):
        return quantity
    if not found.size:
        return Quantity(name, 0.0, 0.0, 0.0, Verdict.VACUOUS, 0, 0, "it is empty")
    star = star.astype(np.float64)
    floor = floors(star, reruns, dtype, axis)
    error = np.abs(rows_of(found - star, axis)).max(axis=1).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / floor)
    proven = np.abs(rows_of(star, axis)).max(axis=1) > LIMIT * floor
    worst = int(ratio.argmax())
    reason, verdict = "", Verdict.PASS
    if ratio[worst] > LIMIT:
        verdict, reason = Verdict.FAIL, _position(found - star, worst, len(floor), axis)
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
    found: Mapping[str, Array],
    star: Mapping[str, Array],
    reruns: Sequence[Mapping[str, Array]],
    dtype: DTypeLike,
    axis_of: Callable[[str], int] = lambda name: 0,
) -> Iterator[Quantity]:
    """Every name of either side; torch has None where no gradient arrives, not zeros.

    Without re-runs the floor is the least that there is, 8 eps of a row's largest entry.
    """
    for name in dict.fromkeys((*found, *star)):
        if name not in star and not found[name].any():
            yield Quantity(name, 0.0, 0.0, 0.0, Verdict.VACUOUS, reason="no gradient reaches it")
            continue
        runs = [run[name] for run in reruns if name in run] or [star[name] for _ in range(name in star)]
        yield judge(name, found.get(name), star.get(name), runs, dtype, axis_of(name))


def sure(quantities: Iterable[Quantity]) -> bool:
    """Whether no re-run could change a verdict, given what was judged without any."""
    return all(quantity.ratio <= SURE for quantity in quantities)


def _position(difference: Array, row: int, rows: int, axis: int) -> str:
    """Where the worst row lies, and how large the error is there."""
    if rows == 1:
        return f"largest error {np.abs(difference).max():.3g}"
    return f"row {row} of {rows}" if axis == 0 else f"row {row} of {rows} along axis {axis}"
