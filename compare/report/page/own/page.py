"""The page of a user's own pair: the verdict, then its tensors and his source beside torch's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.compare.environment import environment
from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.telling.verdict import Verdict
from twofold.compare.report.page.listing import Listed, Listing
from twofold.compare.report.page.own.sources import pieces_of
from twofold.compare.report.page.spine import Bar, Figure, bar, share
from twofold.compare.report.page.template import template
from twofold.compare.report.sources import Piece
from twofold.compare.report.telling.cells import multiple

TITLES = {
    "line": "line",
    "begins": "where it begins",
    "edit": "an edit that mends it",
    "who": "how that is known",
    "to go on": "to go on",
}


@dataclass(frozen=True)
class Tensor:
    """All comparisons of one tensor, the worst first."""

    name: str
    bar: Bar | None
    figures: Sequence[Figure]

    @property
    def open(self) -> bool:
        return self.bar is not None and self.bar.verdict is Mark.FAIL


def page(verdict: Verdict) -> str:
    shown = Listing()
    place = verdict.place
    line = (place.file, place.line) if place.file and place.line else None
    if line:
        shown.places.add((Path(line[0]).name, line[1]))
    scratch, *others = verdict.sides or ((),)
    sides = {"scratch": listed(shown, scratch, line), "reference": listed(shown, others, None)}
    ratios = [q.ratio for q in verdict.quantities if q.floor and q.ratio < float("inf")]
    end = max([LIMIT * 10, *ratios])
    told = dict(verdict.lines)
    return template("own.html").render(
        verdict=verdict,
        why=why(verdict, told, shown),
        lines=verdict.lines,
        tensors=first_open(tensors(verdict.quantities, end)),
        scale=share(LIMIT, end),
        largest=multiple(end),
        limit=LIMIT,
        sides=sides,
        counts=counts(verdict),
        environment=environment(),
    )


def listed(shown: Listing, side: Any, line: tuple[str, int] | None) -> list[Listed]:
    """By the file's name alone: whose folder it is says nothing."""
    pieces = (Piece(piece.name, Path(piece.file).name, piece.line, piece.text) for piece in pieces_of(side, line))
    return [shown.listed(piece) for piece in pieces]


def why(verdict: Verdict, told: dict[str, str], shown: Listing) -> list[tuple[str, str, str]]:
    """What stands under the verdict: a word, a text, and the id of the line that it leads to."""
    if verdict.same:
        return []
    cause = told.get("cause", "" if verdict.outcome == "undecided" else verdict.cause)
    found = [("cause", cause, "")] if cause and cause not in (told.get("who"), told.get("edit")) else []
    place = f"{Path(verdict.place.file).name}:{verdict.place.line}" if verdict.place.file else ""
    for word, title in TITLES.items():
        if word in told:
            found.append((title, told[word], shown.marked.get(place, "") if word == "line" else ""))
    return [*found, ("to see it again", verdict.command, "")] if verdict.command else found


def tensors(quantities: Sequence[Quantity], end: float) -> list[Tensor]:
    found: dict[str, list[Figure]] = {}
    for quantity in quantities:
        name, _, trial = re.sub(r", (?=(b?float\d+)\b)", "\n", quantity.name, count=1).partition("\n")
        found.setdefault(name, []).append(Figure("", trial, quantity))
    # one run that proves a tensor is enough
    proven = {name: [f for f in told if f.quantity.verdict is not Mark.VACUOUS] or told for name, told in found.items()}
    ranked = [sorted(figures, key=lambda figure: figure.badness) for figures in found.values()]
    return [Tensor(name, bar(proven[name], end), figures) for name, figures in zip(found, ranked, strict=True)]


def first_open(found: Sequence[Tensor]) -> list[tuple[Tensor, bool]]:
    first = next((one for one in found if one.open), None)
    return [(one, one is first) for one in found]


def counts(verdict: Verdict) -> str:
    quantities = verdict.quantities
    failing = sum(quantity.verdict is Mark.FAIL for quantity in quantities)
    told = f"{len(quantities):,} comparisons, {failing:,} of them beyond the limit" if quantities else "No comparison"
    return f"{told}; {verdict.seconds:.1f} s of judging"
