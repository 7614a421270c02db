"""Why a rule differs: variations of torch's formula, and torch's own optimizers with other options.

A cause is told only if it gives what scratch gave in every step, to the least floor that there is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np

from twofold.compare.judge.diagnosis.formulae import Round, Rule, followed, near
from twofold.compare.judge.own.rules.calling.bags import Arrays
from twofold.compare.judge.own.rules.runs import Tape
from twofold.compare.judge.own.rules.torchs import Facts, named, replay
from twofold.compare.judge.own.rules.why.formulae import BY_OPTION, CONVENTIONS, Known, known_of
from twofold.compare.judge.own.rules.why.options import (
    EPS,
    KINDS,
    different,
    on,
    others,
    put,
    rounded,
    roundings,
    solvable,
    solved,
)

USUAL: Mapping[str, Sequence[Any]] = {
    "betas": ((0.9, 0.999), (0.9, 0.99), (0.9, 0.95), (0.95, 0.999), (0.5, 0.999), (0.9, 0.98)),
    "alpha": (0.9, 0.99, 0.95, 0.999),
    "rho": (0.9, 0.95, 0.99),
    "momentum": (0.9, 0.0, 0.5, 0.95, 0.99),
}
BOUNDS = (1.0, 5.0, 10.0, 0.1, 0.5, 0.25, 2.0, 3.0, 100.0, 0.01)
CLIPS: Mapping[str, Rule] = {
    "value": {},
    "norm, each tensor's by itself,": {"g": "g * minimum(1, bound / sqrt((g * g).sum()))"},
    "norm, that of all together,": {"g": "g * minimum(1, bound / total)"},
}
TORCHS_CLIP = {
    "value": "torch.nn.utils.clip_grad_value_(params, {})",
    "norm, each tensor's by itself,": "clip_grad_norm_([p], {}) for each p",
    "norm, that of all together,": "torch.nn.utils.clip_grad_norm_(params, {})",
}


@dataclass(frozen=True)
class Cause:
    """What explains every step, whether it is a convention, and what to do to go on."""

    told: str
    convention: bool = False
    go_on: str = ""


def cause_of(tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    """The first that explains; None where nothing does."""
    if facts.plain is None or facts.groups > 1:
        return None
    with np.errstate(all="ignore"):
        return (
            by_formula(tape, facts, dtype)
            or by_factor(tape, facts, dtype)
            or by_options(tape, facts, dtype)
            or by_both(tape, facts, dtype)
        )


def explains(tape: Tape, made: Iterable[Arrays], dtype: str) -> bool:
    return all(
        near(left[name].astype(np.float64), theirs[name], dtype)
        for left, theirs in zip(tape.left, made, strict=True)
        for name in left
    )


# By formula.


def by_formula(tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    assert facts.plain
    known = known_of(facts.plain, facts.options)
    if known is None:
        return None
    for told, change in known.variations.items():
        if explains(tape, rule_on(known.changed(change), tape, facts), dtype):
            return named_cause(told, facts)
    if cause := clipped(known, tape, facts, dtype):
        return cause
    if len({array.shape for array in tape.left[0].values()}) > 1:
        return None
    for told, first in (("state", {}), ("state and step count", {"step": "count"})):
        if explains(tape, rule_on({**first, **known.rule}, tape, facts, shared=True), dtype):
            return Cause(f"one {told} for all tensors: what {' and '.join(tape.left[0])} keep is not kept apart")
    return None


def clipped(known: Known, tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    """Whether the rule clips gradients, which torch leaves to others."""
    for bound in BOUNDS:
        for told, change in CLIPS.items():
            if explains(tape, rule_on({**known.rule, **change}, tape, facts, bound=bound), dtype):
                before = "clip in the reference too, before its step: " + TORCHS_CLIP[told].format(bound)
                return Cause(f"gradients are clipped by their {told} at {bound:g}", True, before)
    return None


def named_cause(told: str, facts: Facts) -> Cause:
    """A variation as a cause: with the options by which torch does the same, if it can."""
    if told not in BY_OPTION:
        return Cause(told, told in CONVENTIONS, CONVENTIONS.get(told, ""))
    assert facts.plain
    changed = {key: eval(text, {}, facts.options) for key, text in BY_OPTION[told].items()}  # data of formulae.py
    return Cause(told, True, named(facts.plain, {**facts.options, **changed}) + REMARKS.get(told, ""))


def rule_on(rule: Rule, tape: Tape, facts: Facts, shared: bool = False, bound: float | None = None) -> Iterator[Arrays]:
    sign = -1 if facts.options.get("maximize") else 1
    gradients = [{name: sign * array for name, array in given.items()} for given in tape.gradients]
    names = list(tape.before[0])
    state: Any = {name: {} for name in names}
    if initial := facts.options.get("initial_accumulator_value"):
        state = {name: {"sum": np.full(tape.before[0][name].shape, initial)} for name in names}
    return followed(rule, Round(facts.options, tape.before[0], state, gradients, tape.left), bound, shared)


def by_both(tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    """A variation, and other options than torch's besides."""
    assert facts.plain
    known = known_of(facts.plain, facts.options)
    if known is None:
        return None
    usual: list[dict[str, Any]] = [{}] + [
        {key: value} for key, values in USUAL.items() if key in facts.options for value in values
    ]
    eps: list[dict[str, Any]] = [{"eps": value} for value in EPS] if "eps" in facts.options else [{}]
    for one, another in product(usual, eps):
        options = {**facts.options, **one, **another}
        if options == facts.options:
            continue
        if explains(tape, rule_on(known.rule, tape, replace(facts, options=options)), dtype):
            return Cause(different(facts.options, options), True, named(facts.plain, options))
        for told, change in known.variations.items():
            if explains(tape, rule_on(known.changed(change), tape, replace(facts, options=options)), dtype):
                cause = named_cause(told, facts)
                go_on = f"{named(facts.plain, options)}; {cause.go_on}" if cause.convention else ""
                return replace(cause, told=f"{told}, and {different(facts.options, options)}", go_on=go_on)
    return None


# By torch's own optimizers.


def by_factor(tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    """Whether every update is a factor times torch's, one for all steps or one a step; or that of a tensor nothing."""
    golden = replay(facts.make, tape.before, tape.gradients)
    if still := standing_still(tape, golden, dtype):
        return still
    factors = [factor_at(*step) for step in zip(tape.before, tape.left, golden, strict=True)]
    if not all(map(np.isfinite, factors)) or not all(factors):
        return None
    one = all(abs(factor - factors[0]) <= 1e-6 * abs(factors[0]) for factor in factors)
    factors = [factors[0]] * len(factors) if one else factors
    if not explains(tape, scaled(tape.before, golden, factors), dtype) or (one and abs(factors[0] - 1) < 1e-6):
        return None
    if one:
        if factors[0] < 0:
            return Cause(f"the sign is wrong: every update is {factors[0]:.6g} times torch's")
        return factored(facts, factors[0])
    said = ", ".join(f"{factor:.4g}" for factor in factors[:4])
    falls = factors[0] <= 1 + 1e-6 and all(a >= b > 0 for a, b in pairwise(factors))
    told = f"{'the rate falls by itself: ' if falls else ''}updates are {said}, ... times torch's, step by step"
    go_on = "reference_step= with a torch.optim.lr_scheduler, or take the schedule out of scratch: lr x 1 in all steps"
    return Cause(told, falls, go_on if falls else "")


def factor_at(before: Arrays, left: Arrays, golden: Arrays) -> float:
    """How many times torch's an update is, by the entry that moves most."""
    name = max(golden, key=lambda name: float(np.nanmax(np.abs(golden[name] - before[name]))))
    change, wanted = left[name] - before[name], golden[name] - before[name]
    place = np.nanargmax(np.abs(wanted))
    return float(change.flat[place] / wanted.flat[place])


def scaled(before: Sequence[Arrays], golden: Sequence[Arrays], factors: Sequence[float]) -> Iterator[Arrays]:
    for start, theirs, factor in zip(before, golden, factors, strict=True):
        yield {name: start[name] + factor * (theirs[name] - start[name]) for name in theirs}


def standing_still(tape: Tape, golden: Sequence[Arrays], dtype: str) -> Cause | None:
    """Whether some tensors never move, and the others are right."""
    still = {
        name
        for name in tape.left[0]
        if all(np.array_equal(a[name], b[name]) for a, b in zip(tape.before, tape.left, strict=True))
    }
    made = (
        {name: before[name] if name in still else theirs[name] for name in theirs}
        for before, theirs in zip(tape.before, golden, strict=True)
    )
    told = " and ".join(name for name in tape.left[0] if name in still)
    return Cause(f"{told} never moves") if still and explains(tape, made, dtype) else None


def factored(facts: Facts, factor: float) -> Cause:
    assert facts.plain
    options = facts.options
    momentum, dampening = options.get("momentum", 0), options.get("dampening", 0)
    told = f"every update is {factor:.6g} times torch's"
    lr = rounded(options["lr"] * factor)
    if momentum and not dampening and abs(factor - (1 - momentum)) < 1e-9:
        told = f"momentum is a running mean that begins with 0, v = {momentum:g} v + {1 - momentum:.3g} g: {told}"
    else:
        told = f"another learning rate, {lr:.6g} against {options['lr']:.6g}: {told}"
    return Cause(told, True, named(facts.plain, {**options, "lr": lr}))


def by_options(tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    """Another option, another class, one solved option, and that with another eps."""
    assert facts.plain
    for kind, options, told in others(facts):
        try:
            made = on(kind, options, tape)
        except Exception:  # torch does not take every option
            continue
        if explains(tape, made, dtype):
            return Cause(told, True, named(kind, options))
    if facts.plain.__name__ not in KINDS:
        return None
    for eps in dict.fromkeys((facts.options.get("eps"), *(EPS if "eps" in facts.options else ()))):
        options = {**facts.options, **({} if eps is None else {"eps": eps})}
        for key, place in solvable(options):
            value = solved(facts.plain, options, key, place, tape)
            for tried in roundings(value):
                changed = {**options, key: put(options[key], place, tried)}
                if works(facts.plain, changed, tape, dtype):
                    return Cause(different(facts.options, changed), True, named(facts.plain, changed))
    return None


def works(kind: type, options: Mapping[str, Any], tape: Tape, dtype: str) -> bool:
    try:
        return explains(tape, on(kind, options, tape), dtype)
    except Exception:
        return False


REMARKS = {
    "nesterov's look-ahead is missing": ", nesterov=False: so does Nesterov's own form, by gradients at w + momentum v"
}
