"""The loops against the fast forms at a source's own sizes, beside the seconds that it printed.

A run of CS231n's second assignment, "Fast layers": 100 images in float64 through a convolution and a max pool. Its fast
forms are others than ours, and which processor it had is not told: the factors tell an order of magnitude.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from twofold.compare import nest
from twofold.compare.bench import equal
from twofold.compare.bench.layers import conv, works
from twofold.compare.bench.rows import Printed, Row
from twofold.compare.bench.timing import Timing, Work, repeats, seconds, settled
from twofold.compare.judge.evidence.draws import redrawn
from twofold.compare.layers import case
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.sides import Scratch

DTYPE = "float64"
SAMPLES = 9  # of the fast form


class Source(NamedTuple):
    """A layer as the source timed it, the loops that define it, and what was printed of each pass."""

    form: Case
    loops: str
    printed: Mapping[str, Printed]


SOURCES = (
    Source(
        conv(100, 3, 31, 25, 3, stride=2, padding=1),
        "twofold.scratch:LoopConv2d",
        {"forward": Printed(4.334, 0.0070), "backward": Printed(6.873, 0.0080)},
    ),
    Source(
        case("max pool 2x2 of 3x32x32", "MaxPool2d", Draw((100, 3, 32, 32)), kernel_size=2),
        "twofold.scratch:LoopMaxPool2d",
        {"forward": Printed(0.140, 0.0030), "backward": Printed(0.444, 0.0100)},
    ),
)


def published_rows(source: Source) -> list[Row]:
    """Forward and backward. The loops take seconds and run once: the run that is judged is the one that is timed."""
    rng, form = np.random.default_rng(0), source.form
    inputs = nest.apply(lambda draw: draw(rng, DTYPE), form.inputs)
    fast = Scratch(form.model, dtype=DTYPE)
    loops = Scratch(Twin(source.loops, source.loops, form.model.arguments), dtype=DTYPE)
    state, spent = redrawn(fast.state(), rng), clocked(loops.model)
    cotangents = []

    def compare() -> equal.Differences:
        fast.load(state)
        cotangents.append(rng.standard_normal(fast.forward(inputs).shape))
        return equal.of_layer(loops, lambda dtype: Scratch(form.model, dtype=dtype), state, inputs, cotangents[0])

    def row(part: str, timing: Timing | None, differences: equal.Differences = ()) -> Row:
        printed = source.printed[part]
        return Row("published", form.name, part, DTYPE, len(inputs[0]), timing, None, differences, printed)

    if differences := equal.guarded(compare):
        return [row(part, None, differences) for part in source.printed]
    return [
        row(part, once(spent[part], work))
        for part, work in zip(source.printed, works(fast, state, inputs, cotangents[0]), strict=True)
    ]


def clocked(model: Any) -> dict[str, float]:
    """Seconds of the model's last forward and backward pass, filled in as it runs."""
    spent: dict[str, float] = {}
    for part in ("forward", "backward"):
        vars(model)[part] = timed(getattr(model, part), part, spent)
    return spent


def timed(run: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    def running(*arrays: Any) -> Any:
        began = time.perf_counter()
        out = run(*arrays)
        spent[part] = time.perf_counter() - began
        return out

    return running


def once(loops: float, fast: Work) -> Timing:
    """Samples of the fast form, against loops that took so many seconds."""
    calls = repeats(settled(fast))
    low, median, high = np.quantile([seconds(fast, calls) for _ in range(SAMPLES)], (0.25, 0.5, 0.75)).tolist()
    return Timing(median, loops, median / loops, low / loops, high / loops, SAMPLES)
