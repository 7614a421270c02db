"""Published against computed: to the digit, then inside the envelope of one-ulp twins, then not informative.

A figure printed finer than its arithmetic resolves has last digits that hang on the order of summation: where they
are not equal, the envelope places it too.
"""

from collections.abc import Mapping

import numpy as np

from twofold.compare.judge.checks.curves import INFORMATIVE, envelope
from twofold.compare.judge.gates import LIMIT
from twofold.compare.published.figure import Basis, Curves, Entry, Figure, Run, Series
from twofold.scratch.module import Array

SIDES = ("scratch", "reference")


def judged(run: Run, curves: Mapping[str, Curves]) -> list[Figure]:
    """Every figure of a run that was computed."""
    return [
        figure for series in run.series for figure in judged_series(run.pair, run.name, series, curves[series.name])
    ]


def unavailable(run: Run, reason: str) -> list[Figure]:
    """Every figure of a run that was not."""
    nothing = dict.fromkeys(SIDES, False)
    return [
        Figure(run.pair, run.name, entry.name, entry.published, None, None, nothing, Basis.UNAVAILABLE, reason)
        for series in run.series
        for entry in series.entries
    ]


def judged_series(pair: str, run: str, series: Series, curves: Curves) -> list[Figure]:
    width = widths(curves)
    figures = []
    for entry in series.entries:
        values = {side: float(getattr(curves, side)[entry.at]) for side in SIDES}
        basis = basis_of(series, entry, width, curves.reference)
        ulp = ulp_of(curves, entry)
        within = max(float(width[entry.at]), float(ulp))  # the twins may agree by chance
        if series.within_range:
            agrees, reason = by_range(values, float(entry.published), entry.at, curves)
        elif basis is Basis.ENVELOPE:
            agrees, reason = by_envelope(values, float(entry.published), within)
        else:
            agrees, reason = by_digits(values, entry, series, basis, ulp)
            blurred = blurred_from(width, curves.reference)
            if basis is Basis.NOT_INFORMATIVE:
                reason = f"the envelope passes {INFORMATIVE:.0%} of the value at step {blurred + 1}"
            elif not all(agrees.values()) and series.unit(entry) < ulp and entry.at < blurred:
                basis = Basis.ENVELOPE
                agrees, told = by_envelope(values, float(entry.published), within)
                reason = f"printed finer than {ulp.dtype} resolves; {told}"
        written = {side: series.form.write(value, entry.published) for side, value in values.items()}
        texts = entry.published, written["scratch"], written["reference"]
        figures.append(Figure(pair, run, entry.name, *texts, agrees, basis, reason))
    return figures


def ulp_of(curves: Curves, entry: Entry) -> np.floating:
    """What the arithmetic behind a figure resolves, in the arithmetic's dtype."""
    value = curves.reference.dtype.type(entry.published) if curves.coarsest is None else curves.coarsest
    return np.spacing(abs(value))


def widths(curves: Curves) -> Array:
    """The envelope at each step, infinite where the twins have stopped: (steps,).

    Of an accuracy, LIMIT envelopes hold all undecided images besides.
    """
    if not curves.twins:
        return np.full(len(curves.reference), np.inf)
    steps = len(curves.twins[0])
    width = envelope(curves.reference[:steps], list(curves.twins)).astype(np.float64)
    if curves.undecided is not None:
        width += curves.undecided / LIMIT
    return np.pad(width, (0, len(curves.reference) - steps), constant_values=np.inf)


def basis_of(series: Series, entry: Entry, width: Array, golden: Array) -> Basis:
    """Digits as far as the recipe says; then the envelope, for good no longer once it passes 1 % of the value."""
    if series.exact is None or entry.at < series.exact:
        return Basis.DIGIT
    blurred = entry.at >= blurred_from(width, golden) and not series.within_range
    return Basis.NOT_INFORMATIVE if blurred else Basis.ENVELOPE


def blurred_from(width: Array, golden: Array) -> int:
    """The first step at which the envelope says nothing any more; the number of steps if there is none."""
    blurred = np.flatnonzero(width > INFORMATIVE * np.abs(golden))
    return int(blurred[0]) if blurred.size else len(golden)


def by_digits(
    values: Mapping[str, float], entry: Entry, series: Series, basis: Basis, ulp: np.floating
) -> tuple[dict[str, bool], str]:
    off = {side: series.form.units_off(value, entry.published) for side, value in values.items()}
    allowed = series.units if basis is Basis.DIGIT else 0
    reasons = [f"{side} is off by {units:g} in the last place" for side, units in off.items() if units]
    unit = series.unit(entry)
    if reasons and unit < ulp:
        reasons.append(f"one ulp of {ulp.dtype} is {ulp / unit:.2g} there")
    if reasons and series.units:
        reasons.append(f"the recipe allows {series.units} in float32")
    return {side: units <= allowed for side, units in off.items()}, "; ".join(reasons)


def by_envelope(values: Mapping[str, float], published: float, width: float) -> tuple[dict[str, bool], str]:
    away = {side: abs(value - published) / width for side, value in values.items()}
    told = ", ".join(f"{side} {multiple:.2g}" for side, multiple in away.items())
    return {side: bool(multiple <= LIMIT) for side, multiple in away.items()}, f"in envelopes of {width:.2g}: {told}"


def by_range(values: Mapping[str, float], published: float, at: int, curves: Curves) -> tuple[dict[str, bool], str]:
    """The published value inside what the reference and its twins span; scratch within the envelopes of that."""
    span = [float(curve[at]) for curve in (curves.reference, *curves.twins)]
    low, high = min(span), max(span)
    inside, width = low <= published <= high, max(abs(value - span[0]) for value in span)
    told = f"the reference and its {len(curves.twins)} one-ulp twins span {low:g} to {high:g}"
    return {side: inside and abs(value - span[0]) <= LIMIT * width for side, value in values.items()}, told
