"""What a source printed of a pair beside what both sides gave, as `twofold reproduce` judged it: by run, and each."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from twofold.compare.judge.finding import Verdict
from twofold.compare.published.figure import Basis, Figure
from twofold.compare.report.telling.cells import SIGNS

COUNTED = (Basis.DIGIT, Basis.ENVELOPE)


def beside_ours(figures: Sequence[Figure]) -> dict[str, Any]:
    """Nothing for a pair of which nothing was printed."""
    if not figures:
        return {}
    runs = [line(name, list(group)) for name, group in groupby(figures, key=lambda figure: figure.run)]
    return {
        "pair": figures[0].pair,
        "told": told(figures),
        "disagrees": any(figure.disagrees for figure in figures),
        "computed": any(figure.scratch is not None for figure in figures),
        "runs": runs,
        "lacking": any(figure.basis is Basis.UNAVAILABLE for figure in figures) or any(run["reason"] for run in runs),
    }


def told(figures: Sequence[Figure]) -> str:
    """One sentence: how many were printed, and how many of them come out."""
    counted = [figure for figure in figures if figure.counts]
    if not counted:
        return f"The source printed {len(figures):,} figures; none of them has been reproduced here"
    agree = sum(not figure.disagrees for figure in counted)
    sentence = f"Of {len(figures):,} figures that the source printed both sides bring out {agree:,} of {len(counted):,}"
    rest = [
        f"{count:,} {words}"
        for basis, words in ((Basis.NOT_INFORMATIVE, "not informative"), (Basis.UNAVAILABLE, "not available"))
        if (count := number(figures, basis))
    ]
    return "; ".join([f"{sentence} that can be judged", *rest])


def line(name: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """A run: of each basis how many agree of how many there are, and the reason where all have the same."""
    reasons = {figure.reason for figure in figures}
    return {
        "name": name,
        "figures": [(figure, mark(figure)) for figure in figures],
        "counts": [agreeing([figure for figure in figures if figure.basis is basis]) for basis in COUNTED],
        "vague": number(figures, Basis.NOT_INFORMATIVE) or "",
        "absent": number(figures, Basis.UNAVAILABLE) or "",
        "reason": reasons.pop() if len(reasons) == 1 else "",
    }


def number(figures: Sequence[Figure], basis: Basis) -> int:
    return sum(figure.basis is basis for figure in figures)


def agreeing(figures: Sequence[Figure]) -> dict[str, Any]:
    agree = sum(not figure.disagrees for figure in figures)
    return {"text": f"{agree} of {len(figures)}" if figures else "", "wrong": agree < len(figures)}


def mark(figure: Figure) -> str:
    """Whether both sides bring it out, and else which does not."""
    if not figure.counts:
        return SIGNS[Verdict.NOT_APPLICABLE]
    wrong = [side for side, agrees in figure.agrees.items() if not agrees]
    return f"{SIGNS[Verdict.FAIL]} {' and '.join(wrong)}" if wrong else SIGNS[Verdict.PASS]
