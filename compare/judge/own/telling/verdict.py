"""What a user is told of his own pair."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from twofold.compare.environment import environment
from twofold.compare.errors import BadInput
from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.own.telling.reproducing import Evidence, write
from twofold.compare.output import try_file
from twofold.compare.output import write as write_file
from twofold.compare.strict import finite

Outcome = Literal["same", "different", "undecided"]
Guilt = Literal["scratch", "reference", "conventions", "open"]

MOST = 12  # lines that `str` gives
WIDTH = 10  # of the word that begins a line
PAGE = "twofold.compare.report.page.own.page"  # stands above all judges, and is asked for by name

GUILTY = {
    "scratch": "scratch is wrong",
    "reference": "the reference is wrong",
    "conventions": "no one is wrong, the conventions differ",
    "open": "who is wrong is open",
}


class BadCall(BadInput, ValueError):
    """A mistake in a call of `judge`, in one line that says what was expected, what was found and what to write."""


@dataclass(frozen=True)
class Place:
    """Where the two sides part; None where that is not known."""

    file: str | None = None
    line: int | None = None
    name: str | None = None
    module: str | None = None
    step: int | None = None
    gate: str | None = None

    def __str__(self) -> str:
        told = [f"{self.file}:{self.line}" if self.file else "", self.module or "", f"gate {self.gate}"]
        told += [f"step {self.step}"]
        known = [bool(self.file), bool(self.module), self.gate is not None, self.step is not None]
        return ", ".join(text for text, there in zip(told, known, strict=True) if there)


@dataclass(frozen=True)
class Verdict:
    """Whether two implementations are the same computation.

    `outcome` is "same", "different" or "undecided", `side` who is wrong, `tensor` the first that differs, by the name
    that its side uses. `quantities` are all comparisons, `layout` what stands for what, as `layout=` takes it, and
    `not_checked` what this verdict says nothing about.
    """

    outcome: Outcome
    side: Guilt | None = None
    tensor: str | None = None
    place: Place = Place()
    cause: str = ""
    quantities: tuple[Quantity, ...] = ()
    layout: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    not_checked: tuple[str, ...] = ()
    pair: str = "scratch and the reference"
    lines: tuple[tuple[str, str], ...] = ()  # a word and what is said under it
    details: tuple[str, ...] = ()
    seconds: float = 0.0
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    sides: tuple[Any, ...] = field(default=(), repr=False, compare=False)  # scratch, reference and loss, as given
    command: str = field(default="", compare=False)  # which shows it again

    @property
    def same(self) -> bool:
        return self.outcome == "same"

    @property
    def headline(self) -> str:
        if self.outcome == "same":
            return f"same: {self.pair}"
        where = f", in {self.tensor}" if self.tensor else ""
        if self.outcome == "undecided":
            return f"undecided{where}: {self.cause}"
        return f"not the same: {GUILTY[self.side or 'open']}{where}"

    def __str__(self) -> str:
        """At most MOST lines, of which the first is the verdict."""
        told = [self.headline, *(f"  {word:<{WIDTH}}{text}" for word, text in self.lines)]
        if len(told) > MOST:
            told = [*told[: MOST - 1], f"  {len(told) - MOST + 1} more lines: print(verdict.report())"]
        return "\n".join(told)

    def report(self, path: str | Path | None = None) -> str:
        """All that is known: the verdict, then each comparison; also as a page of HTML, which is written to `path`.

        The page has both sources beside each other. Raises BadInput where the file cannot be written.
        """
        if path is not None:
            try_file(Path(path))
            write_file(Path(path), import_module(PAGE).page(self))
        told = [self.headline, *(f"  {word:<{WIDTH}}{text}" for word, text in self.lines), *self.details, ""]
        told += [f"  {quantity.verdict:<14}{row(quantity)}" for quantity in self.quantities]
        told += ["", *(f"  not checked: {text}" for text in self.not_checked)]
        return "\n".join(told)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data; JSON has no infinity: a number without bound is null."""
        plain = {
            key: asdict(value) if key == "place" else value
            for key, value in vars(self).items()
            if key not in ("quantities", "evidence", "lines", "layout", "sides", "command")
        }
        quantities = [asdict(quantity) for quantity in self.quantities]
        told = {"headline": self.headline, "lines": [list(line) for line in self.lines], "layout": dict(self.layout)}
        return finite({"schema": 1, "environment": environment(), **plain, **told, "quantities": quantities})

    def reproduce(self, folder: str | Path) -> Path:
        """Writes repro.npz, the numbers, and repro.py, which shows the difference with them; returns the script."""
        if self.evidence is None:
            raise BadCall(f"expected a verdict with numbers to keep, found {self.headline!r}")
        return write(self.evidence, Path(folder), str(self))

    def after(self, seconds: float) -> "Verdict":
        return replace(self, seconds=seconds)


def row(quantity: Quantity) -> str:
    if not quantity.floor:
        return f"{quantity.name}: {quantity.reason or 'equal'}"
    told = f"{quantity.name}: error {quantity.error:.3g}, {quantity.ratio:.3g} floors of {quantity.limit:g}"
    return f"{told}; {quantity.reason}" if quantity.reason else told
