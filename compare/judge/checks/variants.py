"""The same model run otherwise: with other thresholds, and with other memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.reading import Reading
from twofold.compare.judge.evidence.trial import Trial, leaves
from twofold.compare.judge.finding import Quantity, Verdict, worst_by_name
from twofold.scratch.module import Array

# Thresholds at which a fast path of scratch changes, and how many rows, images or time steps the check "chunks" lets
# them hold: of what does not divide by 3 or by 4 a smaller rest is left over.
THRESHOLDS = (
    "twofold.scratch.layers.conv.CHUNK_BYTES",
    "twofold.scratch.layers.linear.BLOCK_BYTES",
    "twofold.scratch.layers.pooling.BLOCK_BYTES",
    "twofold.scratch.layers.recurrent.BLOCK_BYTES",
)
ROWS = (1, 3, 4)
STAGES, WITH_LOSS = ("forward", "gradient"), ("forward", "loss", "gradient")


class Holding(int):
    """A threshold that so many rows fit, however large they are."""

    def __floordiv__(self, size: int) -> int:
        return int(self)


def chunks(trial: Trial) -> list[Quantity]:
    """Scratch with its thresholds shrunk, so that its fast paths change where they otherwise would not."""

    def rounds() -> Iterator[tuple[str, list[Quantity]]]:
        for rows in ROWS:
            with ExitStack() as stack:
                for name in THRESHOLDS:
                    stack.enter_context(patch(name, Holding(rows)))
                actual = trial.observe(trial.scratch())
            yield f"{rows} at a time", list(beside_the_plain(trial, actual))

    return worst_by_name(rounds())


def strides(trial: Trial) -> list[Quantity]:
    """Scratch given the same values in arrays that are not contiguous, and integers in the narrowest types."""
    integers = [array for array in (*nest.flatten(trial.inputs), trial.target) if array is not None]
    integers = [array for array in integers if array.dtype.kind in "iu" and array.size]

    of_integers = ("int", narrow("i"), WITH_LOSS), ("uint", narrow("u"), WITH_LOSS)

    def rounds() -> Iterator[tuple[str, list[Quantity]]]:
        for name, copy, stages in (("scattered", scattered, STAGES), *(of_integers if integers else ())):
            with patch("twofold.compare.sides.scratch._copy", copy):
                actual = trial.observe(trial.scratch())
            yield name, list(beside_the_plain(trial, actual, stages))

    return worst_by_name(rounds())


def narrow(kind: str) -> Callable[[Array], Array]:
    """A copy, of integers in the narrowest signed or unsigned type that holds them: their sums leave it."""

    def copied(array: Array) -> Array:
        if array.dtype.kind not in "iu" or not array.size:
            return np.array(array)
        largest = int(array.max())
        return array.astype(np.min_scalar_type(largest if kind == "u" else -1 - largest))

    return copied


def beside_the_plain(trial: Trial, actual: Reading, stages: tuple[str, ...] = STAGES) -> Iterator[Quantity]:
    """Another run of scratch, which is convicted where its plain run agrees."""
    for stage in stages:
        plain = {quantity.name: quantity.verdict for quantity in trial.judged(stage)}
        for quantity in trial.judged(stage, actual):
            alone = quantity.verdict is Verdict.FAIL and plain.get(quantity.name) is not Verdict.FAIL
            yield replace(quantity, side="scratch") if alone else quantity


def scattered(array: Array) -> Array:
    """A copy whose axes lie in reverse order in memory, with a gap after every entry."""
    view = np.zeros((*reversed(array.shape), 2), array.dtype).T[0, ...]
    view[...] = array
    return view


def unchunked(trial: Trial) -> str:
    homes = {name.rpartition(".")[0] for name in THRESHOLDS}
    return (
        ""
        if any(type(leaf).__module__ in homes for leaf in leaves(trial.scratch().model))
        else "no layer of it has a threshold"
    )
