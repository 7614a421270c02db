"""Every leaf module, loss and penalty by itself, given what small random numbers of mean 0 never are.

Means far above the spread, large and tiny values, zeros of either sign, infinities and NaN. What torch's module of
the same path makes of them is the definition: NaN and infinities lie at the same places, the rest within the floor.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from twofold.compare.judge.checks import updates
from twofold.compare.judge.checks.parts import LOSS, PENALTY, Outcome, Part, Values, parts
from twofold.compare.judge.checks.places import convicted, tensor
from twofold.compare.judge.evidence.floor import sure
from twofold.compare.judge.evidence.rounding import perturbed
from twofold.compare.judge.evidence.trial import RERUNS, Trial
from twofold.compare.judge.finding import Divergence, Quantity, Verdict, worst_by_name
from twofold.scratch.module import Array


@dataclass(frozen=True)
class Kind:
    """What is made of the floats that a part takes, or `of` the gradients that it is sent; the others stay random."""

    name: str
    made: Callable[[Array, Generator], Array]
    dtypes: tuple[str, ...] = ("float64", "float32")
    signed: bool = False  # the sign of what is zero counts
    nan: bool = False  # one among ordinary values, that must stay
    finite: bool = True
    of: str = "input"

    def __call__(self, values: Values, rng: Generator) -> Values:
        return {key: self.made(a, rng) if key.startswith(self.of) else a for key, a in values.items()}


def far_from_zero(mean: float, grain: float) -> Callable[[Array, Generator], Array]:
    """Spreads of 1 about a mean far away, as multiples of `grain`: sums are exact, so a mean has all its digits."""
    return lambda array, rng: mean + grain * np.round(rng.standard_normal(array.shape) / grain).astype(array.dtype)


def largest(size: float) -> Callable[[Array, Generator], Array]:
    """So scaled that the largest entry is of this size."""
    return lambda array, rng: array * array.dtype.type(size / (np.abs(array).max(initial=0) or 1.0))


def lone(size: float, first: bool) -> Callable[[Array, Generator], Array]:
    """One entry of every row far above the others, of each row the next one: from the first on, or the last back."""

    def made(array: Array, rng: Generator) -> Array:
        changed = np.array(array)
        rows = changed.reshape(-1, array.shape[-1]) if array.ndim else changed.reshape(1, 1)
        along = np.arange(len(rows)) % rows.shape[1]
        rows[np.arange(len(rows)), along if first else -1 - along] = size
        return changed

    return made


def constant(value: float) -> Callable[[Array, Generator], Array]:
    return lambda array, rng: np.full_like(array, value)


def at_places(*values: float) -> Callable[[Array, Generator], Array]:
    """So many entries, from the first to the last."""

    def made(array: Array, rng: Generator) -> Array:
        changed = np.array(array)
        changed.flat[np.linspace(0, array.size - 1, len(values)).astype(int)] = values
        return changed

    return made


def some(*among: float) -> Callable[[Array, Generator], Array]:
    """Every third entry or so, wherever it falls."""
    return lambda array, rng: np.where(rng.random(array.shape) < 1 / 3, rng.choice(among, array.shape), array).astype(
        array.dtype
    )


AS_IT_IS = Kind("as it is", lambda array, rng: array)
KINDS = (
    Kind("a mean of 1e3 spreads", far_from_zero(2.0**10, 2.0**-4)),
    Kind("a mean of 1e6 spreads", far_from_zero(2.0**20, 2.0**-10), ("float64",)),
    Kind("inputs up to 1e-6", largest(1e-6)),
    Kind("inputs up to 1e2", largest(1e2)),
    Kind("inputs up to 1e3", largest(1e3)),
    Kind("one of each row at 1e3, from the first on", lone(1e3, first=True)),
    Kind("one of each row at 1e3, from the last back", lone(1e3, first=False)),
    Kind("zeros", constant(-0.0), signed=True),
    Kind("one constant", constant(3.0)),
    Kind("an infinity and a NaN", at_places(np.inf, np.nan), nan=True, finite=False),
    Kind("a negative infinity", at_places(-np.inf), finite=False),
    Kind("negative infinities alone", constant(-np.inf), finite=False),
    Kind("zeros, infinities and NaN", some(0.0, -0.0, np.inf, -np.inf, np.nan), finite=False),
    Kind("gradients up to 1e-25", largest(1e-25), of="cotangent"),
    Kind("gradients up to 1e3", largest(1e3), of="cotangent"),
)


def finite(array: Array) -> Array:
    return array[np.isfinite(array)]


def extremes(trial: Trial) -> list[Quantity]:
    """Of every tensor of every part the worst of all kinds of values, and of the optimizer of all states."""
    return [quantity for place in judged(trial).values() for quantity in place]


@lru_cache(maxsize=1)
def judged(trial: Trial) -> Mapping[str, list[Quantity]]:
    """By part. Where ordinary values differ already, other checks say so, and these would say nothing new."""
    found = {}
    with np.errstate(all="ignore"):
        for part in parts(trial):
            usual = part.theirs(trial.dtype, part.state, part.values)
            ordinary = beside(trial, part, AS_IT_IS, part.values, usual)
            if any(quantity.verdict is Verdict.FAIL for quantity in ordinary):
                reason = "ordinary values differ already, as other checks say"
                found[part.name] = [replace(q, verdict=Verdict.NOT_APPLICABLE, reason=reason) for q in ordinary]
            else:
                found[part.name] = worst_by_name([("", ordinary), *rounds(trial, part, usual)])
        if trial.case.optimizer:
            found[updates.NAME] = worst_by_name(updates.rounds(trial))
    return found


def rounds(trial: Trial, part: Part, usual: Outcome) -> Iterator[tuple[str, list[Quantity]]]:
    rng, defined = trial.rng(f"extremes of {part.name}"), part.defined and not spreads(trial, part)
    for kind in KINDS:
        drawn = trial.dtype in kind.dtypes and (kind.finite or defined)
        if drawn and any(key.startswith(kind.of) for key in part.values):
            yield kind.name, beside(trial, part, kind, kind(part.values, rng), usual)


def spreads(trial: Trial, part: Part) -> bool:
    """Whether a sum goes another way, as a convolution by FFT, in which what is not finite meets every term.

    Of a single 1 among zeros any sum of products is exact, unless the 1 has been somewhere else meanwhile.
    """
    if not part.exact:
        return False
    one = Kind("a single 1", lambda array, rng: at_places(1.0)(np.zeros_like(array), rng))(
        part.values, trial.rng("one")
    )
    ours, theirs = part.ours(one), part.theirs(trial.dtype, part.state, one)
    return not all(np.array_equal(ours[name], theirs[name]) for name in ours if name.startswith("output"))


def beside(
    trial: Trial,
    part: Part,
    kind: Kind,
    values: Values,
    usual: Outcome,
    acting: Callable[[Values], Outcome] | None = None,
) -> list[Quantity]:
    """A run on one kind of values, scratch's by default, judged beside the reference's, re-run where that is needed."""
    actual = (acting or part.ours)(values)
    plain = usual if kind is AS_IT_IS else part.theirs(trial.dtype, part.state, values)
    golden = plain if trial.dtype == "float64" else part.theirs("float64", part.state, values)
    runs = [] if golden is plain else [plain]
    judged = list(compared(trial, part, kind, actual, golden, plain, usual, runs))
    for within in (False, True):
        doubted = not sure(judged) if not within else any(quantity.verdict is Verdict.FAIL for quantity in judged)
        if doubted:
            moved = [(perturbed((part.state, values), seed), seed) for seed in range(RERUNS)]
            runs += [part.theirs(trial.dtype, *given, seed, within) for given, seed in moved]
            judged = list(compared(trial, part, kind, actual, golden, plain, usual, runs))
    return judged


def compared(
    trial: Trial,
    part: Part,
    kind: Kind,
    actual: Outcome,
    golden: Outcome,
    plain: Outcome,
    usual: Outcome,
    runs: list[Outcome],
) -> Iterator[Quantity]:
    # a NaN that torch's own classes make of zeros and infinities is meant; an expression's is autograd's 0 times inf
    meant = kind.nan or part.own
    for name in dict.fromkeys((*actual, *golden)):
        if name not in golden and not actual[name].any():
            continue  # torch has None where no gradient arrives
        reruns = [run[name] for run in runs if name in run]
        found = [outcome.get(name) for outcome in (actual, golden, plain)]
        # of a record that is all but certain a loss's gradient, p - 1, hangs on the last digit of p
        scale = float(np.abs(finite(usual[name])).max(initial=0)) if part.loss and name in usual else 0.0
        signed = kind.signed and name.startswith("output")
        quantity = tensor(f"{part.name} {name}", found, reruns, trial.dtype, signed, scale, meant)
        yield convicted(quantity, part.own)


def first(trial: Trial) -> Divergence | None:
    """The first tensor that differs, in order of execution."""
    for part, quantities in judged(trial).items():
        for quantity in quantities:
            if quantity.verdict is not Verdict.FAIL:
                continue
            name = quantity.name.removeprefix(f"{part} ")
            if part == updates.NAME:
                return Divergence("optimizer", part, tensor=name)
            stage = "forward" if name.startswith("output") else "backward" if "gradient" in name else "update"
            if part in (LOSS, PENALTY):
                return Divergence("loss" if stage == "forward" else stage, part)
            return Divergence(stage, part, tensor=name if stage == "update" else None)
    return None
