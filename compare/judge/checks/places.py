"""Tensors that hold NaN and infinities on purpose: those by their places and signs, the rest by the floor."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twofold.compare.judge.evidence.floor import judge, strays
from twofold.compare.judge.finding import Quantity, Verdict, beside, error_of, exactly, pattern
from twofold.scratch.module import Array

LARGE = 0.1  # of the largest entry: where half of all digits are lost to rounding, an error is still below


def tensor(
    name: str,
    found: Sequence[Array | None],
    runs: list[Array],
    dtype: str,
    signed: bool = False,
    scale: float = 0.0,
    nan_defined: bool = True,
    sized: bool = False,
) -> Quantity:
    """Non-finite entries by their places and signs, as torch has them in this dtype, the rest by the floor.

    `found` are scratch's, the float64 reference's and the reference's in this dtype, `runs` others of that.
    Where torch's two dtypes disagree about such an entry nothing is defined, nor, unless `nan_defined`, where it gives
    NaN. `signed`: if all is -0.0, that too. With a `scale` all is one row that has an entry so large. Of a failure
    `entries` says which places differ and how; an error's size is kept only if it is `sized`, or too large to be made
    of rounding, which is another on every machine.
    """
    actual, golden, plain = found
    if actual is None or golden is None or plain is None or actual.shape != golden.shape:
        return exactly(name, False, "it is missing or has another shape on one side")
    if not all(np.isfinite(array).all() for array in (actual, golden, plain)):
        defined = kinds_of(golden) == kinds_of(plain)
        if not nan_defined:
            defined &= ~np.isnan(plain)
        wrong = defined & (kinds_of(actual) != kinds_of(plain))
        if wrong.any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            told = f"{int(wrong.sum())} of {wrong.size} entries, first {place}: {actual[place]} for {plain[place]}"
            everywhere = np.isfinite(actual) & np.isfinite(golden) & np.isfinite(plain)
            ours, theirs = (np.where(everywhere, array, 0) for array in (actual, golden))
            besides = "" if plainly_equal(name, ours, theirs, dtype) else ", others too"
            return replace(exactly(name, False, told), entries=f"{pattern(wrong)}, {forms(actual[wrong])}{besides}")
    elif not scale and not signed and (least := plainly_equal(name, actual, golden, dtype)):
        return least
    if signed and all(map(negative_zeros, (plain, golden))) and not negative_zeros(actual):
        return replace(exactly(name, False, "the sign of -0.0 is lost"), entries="-0.0")
    finite = np.isfinite(golden) & np.isfinite(plain)
    if not finite.any():
        return exactly(name, True, "")
    ours, theirs = (np.where(finite & np.isfinite(array), array, 0) for array in (actual, golden))
    reruns = [np.where(finite & np.isfinite(run), run, theirs) for run in runs or [golden]]
    if scale:
        ours, theirs, *reruns = (np.append(array, array.dtype.type(scale)) for array in (ours, theirs, *reruns))
    quantity = judge(name, ours, theirs, np.max([strays(run, theirs) for run in reruns], axis=0), dtype)
    if quantity.verdict is Verdict.FAIL:
        told = f"error {quantity.error:.3g}, {quantity.ratio:.3g} floors; {quantity.reason}"
        error = error_of(quantity)
        sized |= error > LARGE * float(np.abs(theirs).max())
        failed = exactly(name, False, told)
        failed = replace(failed, entries=f"by {error:.4g}" if sized else "in its digits", relative=quantity.relative)
        index = quantity.index or ()
        if scale:  # an entry of the tensor laid out flat
            index = tuple(int(n) for n in np.unravel_index(index[0], actual.shape))
        return beside(failed, actual, golden, index)
    return replace(quantity, verdict=Verdict.PASS) if not finite.all() else quantity


def plainly_equal(name: str, actual: Array, golden: Array, dtype: str) -> Quantity | None:
    """A pass without re-runs, which could only widen the floor, where every row lies within 8 units of its largest."""
    rows = (len(golden) if golden.ndim > 1 else 1, -1)
    largest = np.abs(golden.reshape(rows)).max(axis=1)
    error = np.abs((actual - golden).reshape(rows)).max(axis=1)
    floor = 8 * float(np.finfo(dtype).eps) * largest
    if actual.dtype != np.dtype(dtype) or not largest.any() or (error > floor).any():
        return None
    worst = int((error / np.where(floor, floor, 1)).argmax())
    ratio = float(error[worst] / (floor[worst] or 1))
    proven = int(np.count_nonzero(largest))
    return Quantity(name, float(error[worst]), float(floor[worst]), ratio, Verdict.PASS, len(floor), proven)


def kinds_of(array: Array) -> Array:
    """0 for what is finite, 1 and -1 for infinities, 2 for NaN."""
    return np.where(np.isnan(array), 2, np.where(np.isinf(array), np.sign(array), 0))


def forms(array: Array) -> str:
    """What there is of NaN, infinities, zeros and other numbers."""
    return ", ".join(map(str, sorted(set(np.where(array == 0, "0", kinds_of(array).astype(int)).tolist()))))


def negative_zeros(array: Array) -> bool:
    return bool((array == 0).all() and np.signbit(array).all())


def convicted(quantity: Quantity, by_torch: bool) -> Quantity:
    """A failure is scratch's beside torch's own class; beside another nothing but the two sides says what is right."""
    if quantity.verdict is not Verdict.FAIL:
        return quantity
    return replace(quantity, side="scratch" if by_torch else "inconclusive")
