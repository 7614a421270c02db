"""Formulae of more of torch's optimizers, and variations that strangers' rules have, beside those of our own.

A variation is a mistake, unless CONVENTIONS says that others define it so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twofold.compare.judge.diagnosis.formulae import BEGIN, COMMON, RULES, VARIATIONS, Rule, with_changes

DECOUPLED: Rule = {"d": "g", "p": "p * (1 - lr * weight_decay) - lr * m / root"}
AMSGRAD: Rule = {
    "max_exp_avg_sq": "maximum(max_exp_avg_sq, exp_avg_sq)",
    "root": "sqrt(max_exp_avg_sq) / sqrt(1 - betas[1] ** step) + eps",
}
FIRST, SECOND = RULES["Adam"]["exp_avg"], RULES["Adam"]["exp_avg_sq"]

# Sources: torch.optim's documentation of each class.
MORE: Mapping[str, Rule] = {
    **RULES,
    "AdamW": {**RULES["Adam"], **DECOUPLED},
    "Adam amsgrad": {
        **BEGIN,
        "exp_avg": FIRST,
        "exp_avg_sq": SECOND,
        "m": RULES["Adam"]["m"],
        **AMSGRAD,
        "p": RULES["Adam"]["p"],
    },
    "RMSprop centered": BEGIN
    | {
        "square_avg": RULES["RMSprop"]["square_avg"],
        "grad_avg": "alpha * grad_avg + (1 - alpha) * d",
        "change": "d / (sqrt(square_avg - grad_avg ** 2) + eps)",
        "momentum_buffer": RULES["RMSprop"]["momentum_buffer"],
        "p": RULES["RMSprop"]["p"],
    },
    "Adadelta": BEGIN
    | {
        "square_avg": "rho * square_avg + (1 - rho) * d * d",
        "change": "sqrt(acc_delta + eps) / sqrt(square_avg + eps) * d",
        "acc_delta": "rho * acc_delta + (1 - rho) * change * change",
        "p": "p - lr * change",
    },
    "NAdam": BEGIN
    | {
        "mu": "betas[0] * (1 - 0.5 * 0.96 ** (step * momentum_decay))",
        "ahead": "betas[0] * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))",
        "mu_product": "mu if first else mu_product * mu",
        "exp_avg": FIRST,
        "exp_avg_sq": SECOND,
        "root": RULES["Adam"]["root"],
        "m": "(1 - mu) / (1 - mu_product) * d + ahead / (1 - mu_product * ahead) * exp_avg",
        "p": "p - lr * m / root",
    },
    "Adamax": BEGIN
    | {
        "exp_avg": FIRST,
        "exp_inf": "maximum(betas[1] * exp_inf, abs(d) + eps)",
        "p": "p - lr / (1 - betas[0] ** step) * exp_avg / exp_inf",
    },
}

OF_ADAM = VARIATIONS["Adam"]
IN_BOTH = {told: change for told, change in OF_ADAM.items() if not {"m", "root"} & change.keys()}
STRANGERS: Mapping[str, Mapping[str, Rule]] = {
    **VARIATIONS,
    "SGD": {
        **VARIATIONS["SGD"],
        "the velocity is not kept: each step begins with v = (1 - momentum) g": {
            "momentum_buffer": "(1 - momentum) * d"
        },
        "it adds momentum times the gradient, not the velocity": {"momentum_buffer": "d + momentum * d"},
        "momentum and 1 - momentum are exchanged": {
            "momentum_buffer": "(1 - momentum) * momentum_buffer + momentum * d"
        },
    },
    "Adam": {
        **OF_ADAM,
        "the first moment's bias correction for both": {
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[0] ** step) + eps",
        },
        "the second moment's bias correction for both": {"m": "exp_avg / (1 - betas[1] ** step)"},
        "the bias correction by beta times the step, not to its power": {
            "m": "exp_avg / (1 - betas[0] * step)",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] * step) + eps",
        },
        "the corrected moments are kept as the moments": {
            "exp_avg": "(betas[0] * exp_avg + (1 - betas[0]) * d) / (1 - betas[0] ** step)",
            "exp_avg_sq": "(betas[1] * exp_avg_sq + (1 - betas[1]) * d * d) / (1 - betas[1] ** step)",
            "m": "exp_avg",
            "root": "sqrt(exp_avg_sq) + eps",
        },
        "the bias correction stays that of the first step": {
            "m": "exp_avg / (1 - betas[0])",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1]) + eps",
        },
        "steps are counted from 0: the first divides by 0": {
            "m": "exp_avg / (1 - betas[0] ** (step - 1))",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[1] ** (step - 1)) + eps",
        },
        "both moments decay by the first beta": {
            "exp_avg_sq": "betas[0] * exp_avg_sq + (1 - betas[0]) * d * d",
            "root": "sqrt(exp_avg_sq) / sqrt(1 - betas[0] ** step) + eps",
        },
        "both moments decay by the second beta": {
            "exp_avg": "betas[1] * exp_avg + (1 - betas[1]) * d",
            "m": "exp_avg / (1 - betas[1] ** step)",
        },
        "the first moment decays by the second beta": {"exp_avg": "betas[1] * exp_avg + (1 - betas[1]) * d"},
        "the second moment decays by the first beta": {"exp_avg_sq": "betas[0] * exp_avg_sq + (1 - betas[0]) * d * d"},
        "the second moment is of the gradient itself, not of its square": {
            "exp_avg_sq": "betas[1] * exp_avg_sq + (1 - betas[1]) * abs(d)"
        },
    },
    "AdamW": {
        **OF_ADAM,
        "the decay of biases is left out": {"p": "p * (1 - (lr * weight_decay if p.ndim > 1 else 0)) - lr * m / root"},
        "the decay has the wrong sign": {"p": "p * (1 + lr * weight_decay) - lr * m / root"},
        "the decay is taken off after the step, of the new weights": {
            "p": "(p - lr * m / root) * (1 - lr * weight_decay)"
        },
    },
    "Adam amsgrad": {
        **IN_BOTH,
        "the largest second moment is not kept, as without amsgrad": {"max_exp_avg_sq": "exp_avg_sq"},
        "the largest of the corrected second moments": {
            "max_exp_avg_sq": "maximum(max_exp_avg_sq, exp_avg_sq / (1 - betas[1] ** step))",
            "root": "sqrt(max_exp_avg_sq) + eps",
        },
        "no bias correction": {"m": "exp_avg", "root": "sqrt(max_exp_avg_sq) + eps"},
    },
    "RMSprop centered": {
        "eps inside the root": {"change": "d / sqrt(square_avg - grad_avg ** 2 + eps)"},
        "the mean is not taken off, as without centered": {"change": "d / (sqrt(square_avg) + eps)"},
        "momentum is forgotten": {"p": "p - lr * change"},
    },
    "Adadelta": {
        "eps outside the roots": {"change": "(sqrt(acc_delta) + eps) / (sqrt(square_avg) + eps) * d"},
        "the squares of gradients in the place of those of updates": {
            "acc_delta": "rho * acc_delta + (1 - rho) * d * d"
        },
        "the squares of updates are not kept": {"acc_delta": "0 * acc_delta"},
        "the updates' squares are raised before they are used": {
            "change": "sqrt(rho * acc_delta + (1 - rho) * d * d + eps) / sqrt(square_avg + eps) * d"
        },
        "the roots are forgotten": {"change": "(acc_delta + eps) / (square_avg + eps) * d"},
    },
    "NAdam": {
        "a constant momentum, without the schedule": {
            "m": "betas[0] * exp_avg / (1 - betas[0] ** (step + 1)) + (1 - betas[0]) * d / (1 - betas[0] ** step)"
        },
        "a constant momentum, without the schedule, corrected by one step": {
            "m": "(betas[0] * exp_avg + (1 - betas[0]) * d) / (1 - betas[0] ** step)"
        },
    },
    "Adamax": {
        "eps is added where it divides": {
            "exp_inf": "maximum(betas[1] * exp_inf, abs(d))",
            "p": "p - lr / (1 - betas[0] ** step) * exp_avg / (exp_inf + eps)",
        },
        "eps is forgotten": {"exp_inf": "maximum(betas[1] * exp_inf, abs(d))"},
        "no bias correction": {"p": "p - lr * exp_avg / exp_inf"},
    },
}

WRITE = "0 options of torch's do so: write {} in scratch, or take a reference that does as scratch does"
# By the variation what to do to go on; {kind}, {options} and those of an option stand for themselves.
CONVENTIONS: Mapping[str, str] = {
    "eps inside the root": WRITE.format("sqrt(v) + eps"),
    "eps inside the root, before the bias correction": WRITE.format("sqrt(v / (1 - beta2**t)) + eps"),
    "eps before the bias correction": "TensorFlow's epsilon; " + WRITE.format("sqrt(v / (1 - beta2**t)) + eps"),
    "eps outside the roots": WRITE.format("sqrt(delta + eps) / sqrt(v + eps)"),
    "eps is added where it divides": WRITE.format("u = maximum(beta2 * u, abs(g) + eps)"),
    "the largest of the corrected second moments": WRITE.format("maximum(vmax, v) and correct the bias afterwards"),
    "the decay is decoupled from the gradient, as AdamW's": WRITE.format("g + weight_decay * w"),
    "the decay of biases is left out": "groups: [{'params': [weight]}, {'params': [bias], 'weight_decay': 0}]",
    "the decay is taken off after the step, of the new weights": WRITE.format(
        "w * (1 - lr * weight_decay) before the step"
    ),
    "a constant momentum, without the schedule": WRITE.format("NAdam's schedule of momentum"),
    "a constant momentum, without the schedule, corrected by one step": WRITE.format("NAdam's schedule of momentum"),
}

# By the variation the options with which torch does the same.
BY_OPTION: Mapping[str, Mapping[str, str]] = {
    "momentum is a running mean": {"dampening": "momentum"},
    "nesterov's look-ahead is missing": {"nesterov": "False"},
    "it always looks ahead, as nesterov": {"nesterov": "True"},
}


@dataclass(frozen=True)
class Known:
    """A kind of update: its rule and its variations."""

    rule: Rule
    variations: Mapping[str, Rule]

    def changed(self, change: Rule) -> Rule:
        return with_changes(self.rule, change)


def known_of(kind: type, options: Mapping[str, Any]) -> Known | None:
    """The formula of one of torch's classes with these options, None where there is none here."""
    name = kind.__name__
    name += " amsgrad" if options.get("amsgrad") else ""
    name += " centered" if options.get("centered") else ""
    if name not in MORE or options.get("decoupled_weight_decay", False) is not (name == "AdamW"):
        return None
    return Known(MORE[name], {**common_of(name), **STRANGERS.get(name, {})})


def common_of(name: str) -> dict[str, Rule]:
    """What any may have wrong, but for what an option or another class of torch's says as well."""
    dropped = {"the decay is forgotten", "the decay is counted twice"}
    if name.startswith("Adam"):
        dropped |= {told for told in COMMON if "decay" in told and (name == "AdamW" or "decoupled" in told)}
    return {told: change for told, change in COMMON.items() if "clipped" not in told and told not in dropped}
