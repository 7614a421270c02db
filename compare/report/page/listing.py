"""The sources as the page shows them: every class once, coloured, and of each a row a method."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from twofold.compare.names import plain
from twofold.compare.report.pair import PairReport
from twofold.compare.report.sources import Piece, Source

HUES = {"Keyword": "k", "Operator.Word": "k", "Literal.String": "s", "Literal.Number": "s", "Comment": "c"}


@dataclass(frozen=True)
class Line:
    """`id` is that of a line that is marked, where it is shown first."""

    number: int
    code: Markup
    marked: bool = False
    id: str = ""


@dataclass(frozen=True)
class Listed:
    """A piece and its lines."""

    name: str
    file: str
    line: int
    lines: Sequence[Line]


@dataclass(frozen=True)
class Shown:
    """`rows` are scratch's pieces, each beside the reference's of that name."""

    name: str
    id: str
    file: str
    line: int
    call: str
    bases: Sequence[str]
    rows: Sequence[tuple[Listed | None, Listed | None]]
    two: bool  # whether the reference has a source
    marked: bool
    plain: Sequence[Listed] = ()
    pairs: Sequence[str] = ()


@dataclass
class Listing:
    """`marked` has the id of each place "file:line" that is shown."""

    places: set[tuple[str, int]] = field(default_factory=set)
    sources: dict[str, Shown] = field(default_factory=dict)
    marked: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, source: Source, pairs: Sequence[str]) -> None:
        rows = [
            (self.listed(one) if one else None, self.listed(other) if other else None) for one, other in beside(source)
        ]
        first = source.scratch[0]
        self.sources[key] = Shown(
            source.name,
            f"source-{slug(key)}",
            first.file,
            first.line,
            source.call,
            source.bases,
            rows,
            bool(source.reference),
            any(line.marked for row in rows for piece in row if piece for line in piece.lines),
            [self.listed(piece) for piece in source.plain],
            pairs,
        )

    def listed(self, piece: Piece) -> Listed:
        numbered = enumerate(coloured(piece.text), piece.line)
        return Listed(
            piece.name, piece.file, piece.line, [self.line(piece.file, number, code) for number, code in numbered]
        )

    def line(self, file: str, number: int, code: Markup) -> Line:
        place = f"{file}:{number}"
        if (file, number) not in self.places:
            return Line(number, code)
        if place in self.marked:
            return Line(number, code, True)
        self.marked[place] = f"line-{slug(place)}"
        return Line(number, code, True, self.marked[place])


def listing(reports: Sequence[PairReport], places: Iterable[str]) -> Listing:
    """Of all pairs, by name; the lines at these places "file:line" are marked."""
    found = Listing({(file, int(line)) for file, _, line in (place.rpartition(":") for place in places)})
    sources = {key: source for report in reports for key, source in report.sources.items()}
    for key, source in sorted(sources.items(), key=lambda item: (item[1].name.lower(), item[0])):
        found.add(key, source, [report.about.name for report in reports if key in report.sources])
    return found


def beside(source: Source) -> list[tuple[Piece | None, Piece | None]]:
    """In the order of scratch's file; what the reference alone has comes after."""
    name = source.scratch[0].name
    left = list(source.reference)
    rows: list[tuple[Piece | None, Piece | None]] = []
    for n, piece in enumerate(source.scratch):
        other = next((one for one in left if one.name == piece.name), None)
        if n == 0 and left and piece.name == name:  # the class's own head, whatever the other's name
            other = left[0]
        if other:
            left.remove(other)
        rows.append((piece, other))
    return [*rows, *((None, piece) for piece in left)]


def slug(text: str) -> str:
    return re.sub(r"\W+", "-", text)


def coloured(text: str) -> list[Markup]:
    """Line by line; letters that cannot be seen are written as Python writes them."""
    from pygments.lexers import PythonLexer

    lines = [Markup()]
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        for n, part in enumerate(value.split("\n")):
            if n:
                lines.append(Markup())
            if part:
                lines[-1] += drawn(str(kind).removeprefix("Token."), plain(part))
    return lines


def drawn(kind: str, text: str) -> Markup:
    hue = next((hue for token, hue in HUES.items() if kind.startswith(token)), "")
    return Markup(f'<span class="{hue}">{escape(text)}</span>') if hue else escape(text)
