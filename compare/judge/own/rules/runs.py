"""What a rule is given, what it makes of it, and how that is held beside torch's optimizer."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twofold.compare.judge.evidence.floor import farther, judge, strays, sure
from twofold.compare.judge.evidence.trial import RERUNS
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.judge.own.rules.calling.bags import Arrays
from twofold.compare.judge.own.rules.calling.shapes import Form
from twofold.compare.judge.own.rules.state import Found, arrays_in
from twofold.compare.judge.own.rules.torchs import Make, replay
from twofold.scratch.module import Array

STEPS = 10
SMALLEST, LARGEST = -10, 3  # decades of the gradients
ZEROS = 0.05  # of the entries of each gradient


@dataclass
class Tape:
    """One run: before each step the weights, then the gradients, and what was left; and what stopped it."""

    dtype: str
    before: list[Arrays] = field(default_factory=list)
    gradients: list[Arrays] = field(default_factory=list)
    left: list[Arrays] = field(default_factory=list)
    states: list[list[Found]] = field(default_factory=list)
    gave: set[str] = field(default_factory=set)  # the types of the weights that came back
    error: Exception | None = None
    wrote: tuple[str, int] | None = None  # into which tensor's gradient, in which step
    copied: str = ""  # what it moves in place of the weights that it was made for

    @property
    def coarsest(self) -> str:
        """The coarsest type that it was seen to compute in: that of weights that came back or of what it keeps."""
        kept = {str(found.value.dtype) for step in self.states for found in step}
        return "float32" if "float32" in self.gave | kept | {self.dtype} else "float64"


def drawn(make: Make, shapes: Mapping[str, tuple[int, ...]], dtype: str, seed: int) -> tuple[Arrays, list[Arrays]]:
    """Weights as large as an update, by rows, and the gradients of each step.

    A matrix has a row for each magnitude, the others mix them. Of either sign; some are zero, one is always.
    """
    rng = np.random.default_rng([seed, 17])
    gradients = [{name: graded(shape, rng).astype(dtype) for name, shape in shapes.items()} for _ in range(STEPS)]
    nothing = {name: np.zeros(shape) for name, shape in shapes.items()}
    (moved,) = replay(make, [nothing], gradients[:1])
    weights = {}
    for name, array in moved.items():
        size = np.abs(array).max(axis=tuple(range(1, array.ndim)), keepdims=True) if array.ndim > 1 else np.abs(array)
        size = np.where((size > 0) & np.isfinite(size), size, np.median(np.abs(array)) or 1e-3)
        weights[name] = (size * rng.standard_normal(array.shape)).astype(dtype)
    return weights, gradients


def graded(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    decades = rng.uniform(SMALLEST, LARGEST, shape)
    if len(shape) > 1:
        count = min(shape[0], LARGEST - SMALLEST + 1)
        steady = np.linspace(SMALLEST, LARGEST, count)[:, None]
        decades[:count] = np.clip(steady + rng.uniform(-0.5, 0.5, (count, *shape[1:])), SMALLEST, LARGEST)
    values = rng.choice((-1.0, 1.0), shape) * 10**decades
    values[rng.random(shape) < ZEROS] = 0
    values.flat[1] = 0
    return values


def run(form: Form, weights: Arrays, gradients: Sequence[Arrays], dtype: str, locked: bool) -> Tape:
    """The rule from the start; gradients are read-only where they are `locked`."""
    tape = Tape(dtype)
    all_sent: list[Arrays] = []  # what is kept as it came may be written into later
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  a rule that draws, draws the same in each run
    with np.errstate(all="ignore"):
        try:
            running = form.begin({name: array.copy() for name, array in weights.items()})
            for step, given in enumerate(gradients, 1):
                before = {name: np.array(array) for name, array in running.weights().items()}
                sent = {name: array.copy() for name, array in given.items()}
                for array in sent.values():
                    array.flags.writeable = not locked
                running.step(sent)
                tape.copied = getattr(running, "copied", "")
                after = {name: np.array(array) for name, array in running.weights().items()}
                tape.before.append(before)
                tape.gradients.append(given)
                tape.left.append(after)
                tape.gave |= {str(array.dtype) for array in after.values()}
                tape.states.append([found for owner, value in running.keeps() for found in arrays_in(value, owner)])
                all_sent.append(sent)
                changed = [
                    name for old, was in zip(all_sent, tape.gradients, strict=True) for name in changes(old, was)
                ]
                if changed and tape.wrote is None:
                    tape.wrote = (changed[0], step)
        except Exception as error:
            tape.error = error
    return tape


def changes(sent: Arrays, given: Arrays) -> list[str]:
    """The gradients that are not as they were given; set to zero afterwards is no change."""
    return [name for name in given if sent[name].any() and not np.array_equal(sent[name], given[name], equal_nan=True)]


def compared(tape: Tape, golden: Sequence[Arrays], make: Make, dtype: str, form: Form) -> list[list[Quantity]]:
    """Of every step each tensor, by the floor that re-runs in `dtype` show if they are needed."""
    found = [held(tape.left[n], golden[n], {}, dtype, form) for n in range(len(golden))]
    if sure(quantity for step in found for quantity in step):
        return found
    strayed = stray(tape, golden, make, dtype)
    return [held(tape.left[n], golden[n], strayed[n], dtype, form) for n in range(len(golden))]


def stray(tape: Tape, golden: Sequence[Arrays], make: Make, dtype: str) -> list[dict[str, Array]]:
    """How far re-runs of the reference stray from it, by step, tensor and row."""
    seeds: list[int | None] = [*range(RERUNS), *([None] if dtype != "float64" else [])]
    most: list[dict[str, Array]] = [{} for _ in golden]
    with np.errstate(all="ignore"):
        for seed in seeds:
            for n, left in enumerate(replay(make, tape.before, tape.gradients, dtype, seed)):
                away = {name: strays(array, golden[n][name]) for name, array in left.items()}
                most[n] = farther(most[n], away)
    return most


def held(actual: Arrays, golden: Arrays, strayed: Mapping[str, Array], dtype: str, form: Form) -> list[Quantity]:
    with np.errstate(all="ignore"):
        return [
            judge(form.name(name), actual[name].astype(dtype), golden[name], strayed.get(name), dtype)
            for name in golden
        ]


def first_bad(steps: Sequence[Sequence[Quantity]]) -> int | None:
    """The first step in which a tensor differs, from 1."""
    bad = (n for n, quantities in enumerate(steps, 1) if any(q.verdict is Verdict.FAIL for q in quantities))
    return next(bad, None)


def repeats(make: Make, tape: Tape, golden: Sequence[Arrays]) -> bool:
    again = replay(make, tape.before, tape.gradients)
    return all(np.array_equal(a[n], b[n], equal_nan=True) for a, b in zip(golden, again, strict=True) for n in a)
