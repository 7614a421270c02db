"""Torch's update formulae as data, variations with one thing changed at a time, and what each leaves behind.

A rule is expressions in order, each a name's new value. They know p, g, the optimizer's arguments, the state's
entries, `step` after it was raised, `first` in a parameter's first step, and `count` of the steps of all parameters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from twofold.compare.judge.evidence.floor import distance, largest, rows_of
from twofold.compare.judge.gates import LIMIT
from twofold.compare.sides import States
from twofold.scratch.module import Array

Rule = Mapping[str, str]  # by name the expression of its new value, in order

FUNCTIONS = {name: getattr(np, name) for name in ("sqrt", "clip", "minimum", "maximum", "sign", "abs")}
CLIPPED, DECAYED = "clip(g, -bound, bound)", "g + weight_decay * p"
BEGIN = {"g": CLIPPED, "d": DECAYED}  # g stays, as clipped, and d goes on

# Sources: torch.optim's documentation of each class.
RULES: Mapping[str, Rule] = {
    "SGD": BEGIN
    | {
        "momentum_buffer": "d if first else momentum * momentum_buffer + (1 - dampening) * d",
        "change": "d + momentum * momentum_buffer if nesterov else momentum_buffer if momentum else d",
        "p": "p - lr * change",
    },
    "Adam": BEGIN
    | {
        "exp_avg": "betas[0] * exp_avg + (1 - betas[0]) * d",
        "exp_avg_sq": "betas[1] * exp_avg_sq + (1 - betas[1]) * d * d",
        "m": "exp_avg / (1 - betas[0] ** step)",
        "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] ** step) + eps",
        "p": "p - lr * m / root",
    },
    "RMSprop": BEGIN
    | {
        "square_avg": "alpha * square_avg + (1 - alpha) * d * d",
        "change": "d / (sqrt(square_avg) + eps)",
        "momentum_buffer": "momentum * momentum_buffer + change",
        "p": "p - lr * momentum_buffer",
    },
    "Adagrad": BEGIN
    | {
        "sum": "sum + d * d",
        "change": "d / (sqrt(sum) + eps)",
        "p": "p - lr / (1 + (step - 1) * lr_decay) * change",
    },
}

# What any of them may have wrong.
COMMON: Mapping[str, Rule] = {
    "gradients are clipped by their norm, each parameter's by itself, not by value": {
        "g": "g * minimum(1, bound / (sqrt((g * g).sum()) + 1e-6))"
    },
    "gradients are clipped by the norm of all together, not by value": {"g": "g * minimum(1, bound / (total + 1e-6))"},
    "gradients are not clipped": {"g": "g"},
    "gradients are clipped at half the bound": {"g": "clip(g, -bound / 2, bound / 2)"},
    "gradients are clipped at twice the bound": {"g": "clip(g, -bound * 2, bound * 2)"},
    "the decay is decoupled from the gradient, as AdamW's": {"d": "g", "p": "({p}) - lr * weight_decay * p"},
    "the decay is forgotten": {"d": "g"},
    "the decay has the wrong sign": {"d": "g - weight_decay * p"},
    "the decay is counted twice": {"d": "g + 2 * weight_decay * p"},
    "the decay is written into the gradient": {"g": "({g}) + weight_decay * p", "d": "g"},
    "the decay of biases is left out": {"d": "g + (weight_decay * p if p.ndim > 1 else 0)"},
    "it goes up, not down": {"p": "p - (({p}) - p)"},
    "the gradient's sign alone is taken": {"d": "sign(g + weight_decay * p)"},
}

VARIATIONS: Mapping[str, Mapping[str, Rule]] = {
    "SGD": {
        "momentum is forgotten": {"change": "d"},
        "momentum is a running mean": {
            "momentum_buffer": "d if first else momentum * momentum_buffer + (1 - momentum) * d"
        },
        "momentum begins with a running mean's first": {
            "momentum_buffer": "(1 - momentum) * d if first else momentum * momentum_buffer + (1 - dampening) * d"
        },
        "the first step is dampened too": {
            "momentum_buffer": "(1 - dampening) * d + (0 if first else momentum * momentum_buffer)"
        },
        "dampening is forgotten": {"momentum_buffer": "d + (0 if first else momentum * momentum_buffer)"},
        "the rate is kept inside the velocity, v = momentum v + lr g": {
            "momentum_buffer": "lr * d if first else momentum * momentum_buffer + lr * (1 - dampening) * d",
            "change": "lr * d + momentum * momentum_buffer if nesterov else momentum_buffer if momentum else lr * d",
            "p": "p - change",
        },
        "the velocity has the wrong sign, v = momentum v - lr g": {
            "momentum_buffer": "-lr * d if first else momentum * momentum_buffer - lr * (1 - dampening) * d",
            "change": "-lr * d + momentum * momentum_buffer if nesterov else momentum_buffer if momentum else -lr * d",
            "p": "p + change",
        },
        "nesterov's look-ahead is missing": {"change": "momentum_buffer if momentum else d"},
        "it always looks ahead, as nesterov": {"change": "d + momentum * momentum_buffer if momentum else d"},
        "it steps before the velocity is new": {
            "change": "d if first else before['momentum_buffer'] if momentum else d"
        },
        "momentum begins anew in every step": {"momentum_buffer": "d"},
        "biases go without momentum": {
            "momentum_buffer": "momentum_buffer if p.ndim < 2 else ({momentum_buffer})",
            "change": "({change}) if p.ndim > 1 else d",
        },
    },
    "Adam": {
        "no bias correction": {"m": "exp_avg", "root": "sqrt(exp_avg_sq) + eps"},
        "no bias correction of the first moment": {"m": "exp_avg"},
        "no bias correction of the second moment": {"root": "sqrt(exp_avg_sq) + eps"},
        "the bias correction without its root": {"root": "sqrt(exp_avg_sq) / (1 - betas[1] ** step) + eps"},
        "the bias corrected by the step before": {
            "m": "exp_avg / (1 - betas[0] ** maximum(step - 1, 1))",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] ** maximum(step - 1, 1)) + eps",
        },
        "the bias corrected by the step after": {
            "m": "exp_avg / (1 - betas[0] ** (step + 1))",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] ** (step + 1)) + eps",
        },
        "one step count for all parameters, which each of them raises": {
            "step": "",
            "m": "exp_avg / (1 - betas[0] ** count)",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] ** count) + eps",
        },
        "eps inside the root": {"root": "sqrt(exp_avg_sq / (1 - betas[1] ** step) + eps)"},
        "eps inside the root, before the bias correction": {
            "root": "sqrt(exp_avg_sq + eps) / sqrt(1 - betas[1] ** step)"
        },
        "eps before the bias correction": {"root": "(sqrt(exp_avg_sq) + eps) / sqrt(1 - betas[1] ** step)"},
        "eps is forgotten": {"root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] ** step)"},
        "the root is forgotten": {"root": "exp_avg_sq / (1 - betas[1] ** step) + eps"},
        "the betas are exchanged": {
            "exp_avg": "betas[1] * exp_avg + (1 - betas[1]) * d",
            "exp_avg_sq": "betas[0] * exp_avg_sq + (1 - betas[0]) * d * d",
            "m": "exp_avg / (1 - betas[1] ** step)",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[0] ** step) + eps",
        },
        "the gradient in the first moment's place": {"m": "d"},
        "the second moment of the first one": {"exp_avg_sq": "betas[1] * exp_avg_sq + (1 - betas[1]) * exp_avg ** 2"},
        "the second moment never falls, as amsgrad's": {
            "exp_avg_sq": "maximum(exp_avg_sq, betas[1] * exp_avg_sq + (1 - betas[1]) * d * d)"
        },
        "moments that are sums, without 1 - beta": {
            "exp_avg": "betas[0] * exp_avg + d",
            "exp_avg_sq": "betas[1] * exp_avg_sq + d * d",
        },
        "moments begin anew in every step": {
            "exp_avg": "(1 - betas[0]) * d",
            "exp_avg_sq": "(1 - betas[1]) * d * d",
            "step": "1",
            "m": "d",
            "root": "sqrt(d * d) + eps",
        },
    },
    "RMSprop": {
        "eps inside the root": {"change": "d / sqrt(square_avg + eps)"},
        "eps is forgotten": {"change": "d / sqrt(square_avg)"},
        "the root is forgotten": {"change": "d / (square_avg + eps)"},
        "it divides by the mean before its update": {"change": "d / (sqrt(before['square_avg']) + eps)"},
        "alpha and 1 - alpha are exchanged": {"square_avg": "(1 - alpha) * square_avg + alpha * d * d"},
        "a sum in the mean's place": {"square_avg": "square_avg + d * d"},
        "the new square counts in full, not 1 - alpha of it": {"square_avg": "alpha * square_avg + d * d"},
        "the rate is kept inside the momentum": {
            "momentum_buffer": "momentum * momentum_buffer + lr * change",
            "p": "p - momentum_buffer",
        },
        "momentum is forgotten": {"p": "p - lr * change"},
        "momentum is a running mean": {"momentum_buffer": "momentum * momentum_buffer + (1 - momentum) * change"},
        "the mean is taken off, as centered": {"change": "d / (sqrt(maximum(square_avg - d * d, 0)) + eps)"},
    },
    "Adagrad": {
        "eps inside the root": {"change": "d / sqrt(sum + eps)"},
        "eps is forgotten": {"change": "d / sqrt(sum)"},
        "the root is forgotten": {"change": "d / (sum + eps)"},
        "the sum is overwritten": {"sum": "d * d"},
        "it divides by the sum before its update": {"change": "d / (sqrt(before['sum']) + eps)"},
        "the rate decays from the first step on": {"p": "p - lr / (1 + step * lr_decay) * change"},
        "the rate's decay is forgotten": {"p": "p - lr * change"},
        "one step count for all parameters, which each of them raises": {
            "step": "",
            "p": "p - lr / (1 + (count - 1) * lr_decay) * change",
        },
    },
}


@dataclass(frozen=True)
class Round:
    """Some steps of scratch's optimizer: what they began from, the gradients of each, and what each left behind."""

    arguments: Mapping[str, Any]
    start: Mapping[str, Array]
    state: States
    gradients: list[dict[str, Array]]
    left: list[dict[str, Array]]


def varied(kind: str, change: Rule) -> Rule:
    """The rule of a kind with some expressions replaced."""
    return with_changes(RULES[kind], change)


def with_changes(plain: Rule, change: Rule) -> Rule:
    """A rule with some expressions replaced; {p} in that of p is what stands there."""
    return {**plain, **{name: text.replace(f"{{{name}}}", plain.get(name, "")) for name, text in change.items()}}


@cache
def compiled(expression: str) -> CodeType:
    return compile(expression, "<formula>", "eval")


def near(ours: Array, theirs: Array, dtype: DTypeLike) -> bool:
    """Within the least floor of every row; NaN is near NaN, for a formula may give one as scratch does."""
    apart = np.where(np.isnan(ours) & np.isnan(theirs), 0, distance(ours, theirs))
    error = rows_of(apart).max(axis=1, initial=0)
    return bool((error <= LIMIT * 8 * float(np.finfo(dtype).eps) * largest(theirs)).all())


def followed(rule: Rule, one: Round, bound: float | None, shared: bool = False) -> Iterator[dict[str, Array]]:
    """In float64 what a rule leaves after each step: parameters, gradients, and the state that scratch keeps too.

    A step begins from what scratch left before it: rounding that a small gradient magnifies does not add up. A
    `shared` state is one for all parameters, as a mistake has it.
    """
    scopes: dict[str, dict[str, Any]] = {}
    for name in one.gradients[0]:
        state = {key: value.astype(np.float64) for key, value in one.state.get(name, {}).items()}
        scopes[name] = {**FUNCTIONS, **one.arguments, "step": 0, "first": not state, **state}
        scopes[name] |= {"p": one.start[name].astype(np.float64), "bound": np.inf if bound is None else bound}
    count = 0
    common: dict[str, Any] = {}
    for gradients, kept in zip(one.gradients, one.left, strict=True):
        wide = {name: gradient.astype(np.float64) for name, gradient in gradients.items()}
        left: dict[str, Array] = {}
        for name in scopes:
            count += 1
            scope = scopes[name] = {**dict.fromkeys(rule, 0.0), **scopes[name], **common}
            scope |= {"g": wide[name], "count": count, "step": scope["step"] + 1, "before": dict(scope)}
            scope["total"] = np.sqrt(sum((gradient**2).sum() for gradient in wide.values()))
            for key, expression in rule.items():
                scope[key] = eval(compiled(expression), {}, scope) if expression else scope[key]  # data of this file
            scope["first"] = False
            left |= {name: scope["p"], f"{name} gradient": scope["g"]}
            scope["p"] = kept[name].astype(np.float64)
            for key in (key for key in (*rule, "step") if f"{name} {key}" in kept):
                # an empty expression says nothing of what is kept
                theirs = kept[f"{name} {key}"].astype(np.float64)
                left[f"{name} {key}"] = theirs if rule.get(key) == "" else np.asarray(scope[key])
                scope[key] = theirs
            common = {key: scope[key] for key in ("first", *rule) if key not in ("p", "step")} if shared else {}
        yield left
