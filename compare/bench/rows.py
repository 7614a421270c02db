"""What the bench measured, a row at a time, and all of it as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from twofold.compare.bench import goals
from twofold.compare.bench.timing import Timing

# What the two of a timing are, by the kind of the row.
SIDES = {"loops": ("fast", "loops"), "published": ("fast", "loops")}
RESOLUTION = 1 << 20  # bytes


class Printed(NamedTuple):
    """Seconds that a source printed of its loops and of its fast form."""

    loops: float
    fast: float

    @property
    def factor(self) -> float:
        return self.loops / self.fast


@dataclass(frozen=True)
class Row:
    """One thing timed on both sides.

    `kind` is step, layer, loops, published (loops that ran once, beside what was `printed`) or growth; `part` is step,
    forward, backward or update. `differences` say what differed before it came to timing, and then `timing` is None.
    """

    kind: str
    name: str
    part: str
    dtype: str
    batch: int
    timing: Timing | None
    goal: float | None = None
    differences: tuple[str, ...] = ()
    printed: Printed | None = None

    @property
    def products(self) -> float | None:
        """The products timed alone, as a share of scratch's time."""
        alone = self.timing and self.timing.alone
        return alone / self.timing.first if alone and self.timing else None

    @property
    def least(self) -> float | None:
        """The ratio that the products alone would have: no form of a layer comes below it with the same products."""
        alone = self.timing and self.timing.alone
        return alone / self.timing.second if alone and self.timing else None

    def as_json(self) -> dict[str, Any]:
        names = ("kind", "name", "part", "dtype", "batch")
        found = {name: getattr(self, name) for name in names} | {"equal": not self.differences}
        if self.printed:
            loops, fast = (1e3 * seconds for seconds in self.printed)
            found["published"] = {"fast_ms": fast, "loops_ms": loops, "factor": self.printed.factor}
        if self.timing is None:
            return found | {"differences": self.differences}
        first, second = SIDES.get(self.kind, ("scratch", "reference"))
        return found | {
            f"{first}_ms": 1e3 * self.timing.first,
            f"{second}_ms": 1e3 * self.timing.second,
            "ratio": self.timing.ratio,
            "quartiles": [self.timing.low, self.timing.high],
            "rounds": self.timing.rounds,
            "products": self.products,
            "least": self.least,
            "goal": self.goal,
        }


@dataclass(frozen=True)
class Peak:
    """How many bytes the training of one pair takes at its peak, on both sides."""

    name: str
    dtype: str
    batch: int
    scratch: int
    reference: int

    @property
    def ratio(self) -> float | None:
        """None where a side takes less than an allocator keeps in hand."""
        return self.scratch / self.reference if min(self.scratch, self.reference) >= RESOLUTION else None

    def as_json(self) -> dict[str, Any]:
        sides = {"scratch_bytes": self.scratch, "reference_bytes": self.reference}
        found = {"kind": "memory", "name": self.name, "dtype": self.dtype, "batch": self.batch}
        return found | sides | {"ratio": self.ratio, "goal": goals.MEMORY}


@dataclass(frozen=True)
class Judging:
    """What it cost to judge one pair's forward, gradient and backward: seconds of the processor, and bytes at the peak.

    `alone` is a forward and backward pass of the reference by itself. `width` is that of a model made to grow, else
    None; `wrong` is the verdict where it is another than pass.
    """

    name: str
    dtype: str
    batch: int
    parameters: int
    activations: int
    alone: float
    seconds: float
    peak: int
    width: int | None = None
    wrong: str = ""

    @property
    def passes(self) -> float:
        return self.seconds / self.alone

    @property
    def entries(self) -> int:
        return self.parameters + self.activations

    @property
    def goal(self) -> tuple[float, float] | None:
        """Passes and bytes, for a pair at its recipe's size."""
        return goals.JUDGING.get(self.name) if self.width is None and self.dtype == "float64" else None

    def as_json(self) -> dict[str, Any]:
        found = {"kind": "judging"} | asdict(self) | {"passes": self.passes}
        return found | {"goal": dict(zip(("passes", "bytes"), self.goal, strict=True)) if self.goal else None}


def geometric_means(rows: Iterable[Row]) -> dict[str, float]:
    """Of the ratios of all training steps that were timed, by dtype."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        if row.kind == "step" and row.timing:
            ratios.setdefault(row.dtype, []).append(row.timing.ratio)
    return {dtype: goals.geometric_mean(values) for dtype, values in ratios.items()}


def as_json(
    environment: dict[str, Any], rows: Sequence[Row], peaks: Sequence[Peak], judged: Sequence[Judging] = ()
) -> dict[str, Any]:
    """By schema 1: times in milliseconds, memory in bytes, ratios as scratch / reference."""
    return {
        "schema": 1,
        "environment": environment,
        "rows": [row.as_json() for row in rows]
        + [peak.as_json() for peak in peaks]
        + [one.as_json() for one in judged],
        "geometric_means": {
            dtype: {"ratio": ratio, "goal": goals.GEOMETRIC_MEAN} for dtype, ratio in geometric_means(rows).items()
        },
    }
