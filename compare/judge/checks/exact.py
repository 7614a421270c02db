"""Integers through the layers that keep them: ties and zeros are real, and every sum is exact in any order."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.evidence.floor import distance, idle
from twofold.compare.judge.evidence.reading import Reading
from twofold.compare.judge.evidence.trial import Trial, leaves
from twofold.compare.judge.finding import Quantity, Verdict, beside, bit_for_bit, exactly, first_place, not_finite, on
from twofold.compare.judge.gates import LIMIT
from twofold.scratch.module import Array, Module

EXACT_LAYERS = {
    "Conv2d",
    "Embedding",
    "Flatten",
    "LeakyReLU",
    "Linear",
    "LoopConv2d",
    "LoopMaxPool2d",
    "MaxPool2d",
    "ReLU",
}
STAGES = ("forward", "backward", "gradient")
# On a device integers of 13 bits, where sums leave room for them: TF32 and float16 keep eleven of each factor.
WIDE = 2**11


def exact(trial: Trial) -> Iterator[Quantity]:
    """Small integers everywhere: sums are exact in any order, ties and zeros are real, nothing is pinned."""
    whole, bound = signed(trial), integers(trial, signed=False)
    most, exact_to = largest(bound.observe(bound.reference("float64"))), 2.0 ** np.finfo(trial.dtype).nmant
    if most > exact_to / 4:
        reason = f"partial sums up to {most:.3g} may exceed the exact integers of {trial.dtype}"
        yield Quantity("bound", most, 0.0, 0.0, Verdict.INCONCLUSIVE, reason=reason)
        return
    for stage, judged in compared(whole).items():
        yield from (replace(quantity, name=f"{stage} {quantity.name}") for quantity in judged)
    if trial.device != "cpu":
        yield from on_device(trial, 1 if most * WIDE > exact_to / 4 else WIDE)


def on_device(trial: Trial, wide: int) -> Iterator[Quantity]:
    """The reference's run on the device beside its run on the CPU, on inputs that are so many times as large."""
    whole = integers(trial, signed=True, wide=wide)
    away, here = whole.observe(whole.away()), whole.observe(whole.reference())
    for stage in STAGES if whole.shows_modules else ("gradient",):
        for quantity in bitwise(away[stage], here[stage]):
            yield on(trial.device, replace(quantity, name=f"{stage} {quantity.name} on {trial.device}"))


@lru_cache(maxsize=1)
def runs(whole: Trial) -> tuple[Reading, Reading]:
    """Scratch's pass on integers, and the reference's."""
    return whole.observe(whole.scratch()), whole.observe(whole.reference())


def compared(whole: Trial) -> dict[str, list[Quantity]]:
    scratch, reference = runs(whole)
    stages = STAGES if whole.shows_modules else ("gradient",)
    shown = {stage: whole.called(scratch[stage], reference) for stage in ("forward", "backward")}
    return {stage: list(bitwise((scratch | shown)[stage], reference[stage])) for stage in stages}


def bitwise(scratch: dict[str, Array], reference: dict[str, Array]) -> Iterator[Quantity]:
    for name in dict.fromkeys((*scratch, *reference)):
        if name not in reference and not scratch[name].any():
            yield idle(name)
            continue
        if name not in scratch or name not in reference:
            yield exactly(name, False, "missing on one side")
            continue
        ours, theirs = scratch[name], reference[name]
        yield (ours.shape == theirs.shape and not_finite(name, ours, theirs)) or rounded(name, ours, theirs)


def rounded(name: str, ours: Array, theirs: Array) -> Quantity:
    """Bit for bit equal, or as near as a sum that rounds comes, by FFT for instance: a mistake moves integers by more.

    The floor is 8 eps of the tensor's largest entry, for where the result is 0 the terms were as large as elsewhere.
    """
    equal = bit_for_bit(name, [ours], [theirs], "not bit for bit equal")
    if equal.verdict is Verdict.PASS or ours.shape != theirs.shape or not theirs.size:
        return equal
    unequal = ours != theirs
    error = float(np.abs(ours[unequal] - theirs[unequal]).max())
    floor = 8 * float(np.finfo(theirs.dtype).eps) * float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0))
    near = ours.dtype == theirs.dtype and error <= LIMIT * floor
    if near:
        return Quantity(name, error, floor, error / floor, Verdict.PASS)
    most = floor / (8 * float(np.finfo(theirs.dtype).eps))
    failed = replace(equal, relative=error / most if most else None)
    return beside(failed, ours, theirs, first_place(distance(ours, theirs)))


@lru_cache(maxsize=1)
def signed(trial: Trial) -> Trial:
    return integers(trial, signed=True)


def integers(trial: Trial, signed: bool, wide: int = 1) -> Trial:
    """The trial with weights in {-1, 0, 1}, inputs up to 3, cotangents up to 2; unsigned: their absolute values.

    `wide` inputs and cotangents reach so many times as far.
    """
    whole = Trial(trial.case, trial.dtype, trial.device, trial.seed)
    whole.integral = True
    vars(whole)["rehearsal"] = trial.rehearsal  # among few integers many are equal by chance
    rng = trial.rng("integers")

    def draw(array: Array, most: int) -> Array:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        drawn = rng.integers(-most, most + 1, array.shape).astype(array.dtype)
        return drawn if signed else np.abs(drawn)

    whole.state = {name: draw(array, 1) for name, array in trial.state.items()}
    whole.inputs = nest.apply(lambda array: draw(array, 3 * wide), trial.inputs)
    whole.cotangents = nest.apply(lambda array: draw(array, 2 * wide), trial.cotangents)
    return whole


def largest(reading: Reading) -> float:
    finite = (array[np.isfinite(array)] for stage in STAGES for array in reading[stage].values())
    return max(float(np.abs(array).max(initial=0)) for array in finite)


def inexact(trial: Trial) -> str:
    others = sorted({type(module).__name__ for module in leaves(trial.scratch().model) if not keeps_integers(module)})
    return f"{', '.join(others)} rounds even integers" if others else ""


def keeps_integers(module: Module) -> bool:
    """Whether products of small integers stay exact; a leaky ReLU's do where its slope is a power of two."""
    slope = getattr(module, "negative_slope", 1)
    kinds = {kind.__name__ for kind in type(module).__mro__}  # a user's form of one counts as well
    return bool(kinds & EXACT_LAYERS) and abs(math.frexp(slope)[0]) in (0, 0.5)
