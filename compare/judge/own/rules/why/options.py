"""torch's own optimizers with other options: what may be tried, and one option solved for."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.own.rules.calling.bags import Arrays
from twofold.compare.judge.own.rules.runs import Tape
from twofold.compare.judge.own.rules.torchs import Facts, of_class, replay
from twofold.scratch.module import Array

EPS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-10, 0.0, 1e-4, 1e-3, 1e-12, 1e-16)
START, SUMS = "initial_accumulator_value", (0.1, 1.0, 0.01, 1e-3, 1e-6, 0.0)
FLAGS = ("nesterov", "amsgrad", "centered", "maximize", "decoupled_weight_decay")
KINDS = ("AdamW", "Adam", "NAdam", "RAdam", "Adamax", "SGD", "RMSprop", "Adagrad", "Adadelta")
ROUNDS = 12  # of solving one option
DIGITS = 6  # that a solved option is rounded to, if that explains as well
DECAYS = {
    "AdamW": ": the decay is decoupled from the gradient",
    "Adam": ": the decay is in the gradient",
}


def on(kind: type, options: Mapping[str, Any], tape: Tape) -> list[Arrays]:
    return replay(partial(of_class, kind, options), tape.before, tape.gradients)


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
            return value
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


def rounded(value: float, digits: int = DIGITS) -> float:
    """To some digits, where that changes little."""
    short = float(f"{value:.{digits}g}")
    return short if abs(short - value) <= 10.0**-digits * abs(value) else value


def roundings(value: float | None) -> list[float]:
    """A solved value as one might have written it, and as it is."""
    return [] if value is None else list(dict.fromkeys((rounded(value, 3), rounded(value), value)))
