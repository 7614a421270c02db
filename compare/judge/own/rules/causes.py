"""Why a rule differs: variations of torch's formula, and torch's own optimizers with other options.

A cause is told only if it gives what scratch gave in every step, to the least floor that there is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.diagnosis.formulae import Round, Rule, followed, near
from twofold.compare.judge.own.rules.bags import Arrays
from twofold.compare.judge.own.rules.formulae import BY_OPTION, CONVENTIONS, Known, known_of
from twofold.compare.judge.own.rules.runs import Tape
from twofold.compare.judge.own.rules.torchs import Facts, named, of_class, replay
from twofold.scratch.module import Array

EPS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-10, 0.0, 1e-4, 1e-3, 1e-12, 1e-16)
START, SUMS = "initial_accumulator_value", (0.1, 1.0, 0.01, 1e-3, 1e-6, 0.0)
FLAGS = ("nesterov", "amsgrad", "centered", "maximize", "decoupled_weight_decay")
KINDS = ("AdamW", "Adam", "NAdam", "RAdam", "Adamax", "SGD", "RMSprop", "Adagrad", "Adadelta")
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
ROUNDS = 12  # of solving one option
DIGITS = 6  # that a solved option is rounded to, if that explains as well


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
        return by_formula(tape, facts, dtype) or by_factor(tape, facts, dtype) or by_options(tape, facts, dtype)


def explains(tape: Tape, made: Sequence[Arrays], dtype: str) -> bool:
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
        rule = {
            **known.rule,
            **{key: text.replace(f"{{{key}}}", known.rule.get(key, "")) for key, text in change.items()},
        }
        if explains(tape, rule_on(rule, tape, facts), dtype):
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


def rule_on(rule: Rule, tape: Tape, facts: Facts, shared: bool = False, bound: float | None = None) -> list[Arrays]:
    sign = -1 if facts.options.get("maximize") else 1
    gradients = [{name: sign * array for name, array in given.items()} for given in tape.gradients]
    names = list(tape.before[0])
    state: Any = {name: {} for name in names}
    if initial := facts.options.get("initial_accumulator_value"):
        state = {name: {"sum": np.full(tape.before[0][name].shape, initial)} for name in names}
    return list(followed(rule, Round(facts.options, tape.before[0], state, gradients, tape.left), bound, shared))


# By torch's own optimizers.


def on(kind: type, options: Mapping[str, Any], tape: Tape) -> list[Arrays]:
    return replay(partial(of_class, kind, options), tape.before, tape.gradients)


def by_factor(tape: Tape, facts: Facts, dtype: str) -> Cause | None:
    """Whether every update is one factor times torch's."""
    golden = replay(facts.make, tape.before, tape.gradients)
    factor = None
    for before, left, theirs in zip(tape.before, tape.left, golden, strict=True):
        for name in left:
            change, wanted = left[name] - before[name], theirs[name] - before[name]
            place = np.abs(wanted).argmax()
            if factor is None and wanted.flat[place]:
                factor = rounded(float(change.flat[place] / wanted.flat[place]))
    if factor is None or not np.isfinite(factor) or factor in (0.0, 1.0):
        return None
    made = [
        {name: before[name] + factor * (theirs[name] - before[name]) for name in theirs}
        for before, theirs in zip(tape.before, golden, strict=True)
    ]
    if not explains(tape, made, dtype):
        return None
    if factor < 0:
        return Cause(f"the sign is wrong: every update is {factor:.6g} times torch's")
    return factored(facts, factor)


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
            for tried in dict.fromkeys((None if value is None else rounded(value), value)):
                if tried is None:
                    continue
                changed = {**options, key: put(options[key], place, tried)}
                if works(facts.plain, changed, tape, dtype):
                    return Cause(different(facts.options, changed), True, named(facts.plain, changed))
    return None


def works(kind: type, options: Mapping[str, Any], tape: Tape, dtype: str) -> bool:
    try:
        return explains(tape, on(kind, options, tape), dtype)
    except Exception:
        return False


def others(facts: Facts) -> Iterator[tuple[type, dict[str, Any], str]]:
    import torch

    assert facts.plain
    options = facts.options
    own = facts.plain.__name__ in KINDS
    changes: list[dict[str, Any]] = [{"eps": eps} for eps in EPS if isinstance(options.get("eps"), float)]
    changes += [{flag: not options[flag]} for flag in FLAGS if flag in options]
    changes += [{START: begun, "eps": eps} for begun in SUMS for eps in EPS if START in options]
    changes += [{"weight_decay": 0.0}] if options.get("weight_decay") else []
    changes += [{"dampening": options["momentum"]}] if options.get("momentum") and "dampening" in options else []
    for change in changes if own else []:
        changed = {**options, **change}
        if "decoupled_weight_decay" in change and facts.plain.__name__ in ("Adam", "AdamW"):
            continue
        yield facts.plain, changed, different(options, changed)
    for name in KINDS if options.get("weight_decay") else KINDS[1:]:
        kind = getattr(torch.optim, name)
        if kind is not facts.plain:
            decays = DECAYS.get(name, "")
            same = {key: value for key, value in options.items() if key != "decoupled_weight_decay"}
            yield (
                kind,
                same,
                f"it is {kind.__name__}, not {facts.plain.__name__}" + (decays if options.get("weight_decay") else ""),
            )


REMARKS = {
    "nesterov's look-ahead is missing": ", nesterov=False: so does Nesterov's own form, by gradients at w + momentum v"
}
DECAYS = {
    "AdamW": ": the decay is decoupled from the gradient",
    "Adam": ": the decay is in the gradient",
}


def different(options: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    keys = [key for key in changed if changed[key] != options.get(key)]
    return "another option: " + ", ".join(f"{key} {shown(changed[key])} against {shown(options[key])}" for key in keys)


def shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def solvable(options: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """Options that are numbers, and the places of those that are pairs of numbers."""
    for key in (
        "momentum",
        "dampening",
        "alpha",
        "rho",
        "weight_decay",
        "lr_decay",
        "momentum_decay",
        "lambd",
    ):
        if key in options:
            yield key, None
    for key in ("betas", "etas"):
        yield from ((key, place) for place in range(2) if key in options)


def put(value: Any, place: int | None, new: float) -> Any:
    return new if place is None else tuple(new if n == place else part for n, part in enumerate(value))


def solved(kind: type, options: Mapping[str, Any], key: str, place: int | None, tape: Tape) -> float | None:
    """The value with which torch comes nearest to scratch, by Gauss and Newton; None where that runs away."""

    def away(value: float) -> Array:
        try:
            made = on(kind, {**options, key: put(options[key], place, value)}, tape)
        except Exception:
            return np.full(1, np.nan)
        return np.concatenate(
            [
                ((left[name] - theirs[name]) / scale[name]).ravel()
                for left, theirs in zip(tape.left, made, strict=True)
                for name in left
            ]
        )

    scale = {}
    for name in tape.left[0]:
        changes = np.abs([left[name] - before[name] for left, before in zip(tape.left, tape.before, strict=True)])
        scale[name] = np.where(changes.max(axis=0) > 0, changes.max(axis=0), 1.0)
    value = float(options[key] if place is None else options[key][place])
    least = np.inf
    for n in range(ROUNDS):
        small = 1e-6 * (abs(value) or 1e-2)
        here = away(value)
        slope = (away(value + small) - here) / small if value < 1 - 2 * small else (here - away(value - small)) / small
        if not (np.isfinite(here).all() and np.isfinite(slope).all()) or not slope.any():
            return None
        if n > 2 and float(here @ here) > 0.5 * least:
            return None
        least = min(least, float(here @ here))
        step = float(-(here @ slope) / (slope @ slope))
        bounded = key in ("momentum", "alpha", "rho", "betas")
        new = value + step
        if bounded and not 0 <= new < 1:
            new = (value + (1.0 if new >= 1 else 0.0)) / 2
        if abs(new - value) <= 1e-13 * abs(new):
            return new
        value = new
    return value


def rounded(value: float) -> float:
    """To six digits, where that changes no more than rounding might."""
    short = float(f"{value:.{DIGITS}g}")
    return short if abs(short - value) <= 1e-6 * abs(value) else value
