"""The right rules with one line changed: mistakes, and what others define in another way."""

import inspect
import textwrap
from typing import Any, NamedTuple

import torch

from tests.own.rules import forms
from tests.own.rules.forms import ADAM, MOMENTUM, SGD


class Case(NamedTuple):
    """A form with one text in the place of another, torch's optimizer, and words of the cause that is expected."""

    form: Any
    old: str
    new: str
    reference: Any
    cause: str
    go_on: str = ""


def changed(form: Any, old: str, new: str) -> Any:
    """The function or class again, with the text exchanged."""
    source = textwrap.dedent(inspect.getsource(form))
    assert old in source
    scope = dict(vars(forms))
    exec(source.replace(old, new), scope)
    return scope[form.__name__]


def momentum(parameters: Any) -> Any:
    return SGD(parameters, **MOMENTUM)


def sgd(parameters: Any) -> Any:
    return SGD(parameters, lr=0.01)


def decayed(parameters: Any) -> Any:
    return torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.1)


M, V = 'config["m"] / (1 - 0.9 ** config["t"])', 'config["v"] / (1 - 0.999 ** config["t"])'
MISTAKES: dict[str, Case] = {
    "no eps": Case(forms.adam, " + 1e-8", "", ADAM, "eps is forgotten"),
    "no eps in RMSprop": Case(forms.rmsprop, '+ config["epsilon"]', "", torch.optim.RMSprop, "eps is forgotten"),
    "counted from 0": Case(forms.PerTensor, "self.t += 1", "self.t += self.m.any()", ADAM, "counted from 0"),
    "no correction": Case(
        forms.adam, f"m, v = {M}, {V}", 'm, v = config["m"], config["v"]', ADAM, "no bias correction"
    ),
    "no correction of the first": Case(forms.adam, M, 'config["m"]', ADAM, "of the first moment"),
    "no correction of the second": Case(forms.adam, V, 'config["v"]', ADAM, "of the second moment"),
    "the step before": Case(
        forms.arrays_with_adam, "m = 0.9 * m", "t = max(t - 1, 1)\n    m = 0.9 * m", ADAM, "by the step before"
    ),
    "the step after": Case(forms.arrays_with_adam, "m = 0.9 * m", "t += 1\n    m = 0.9 * m", ADAM, "by the step after"),
    "a count for all": Case(
        forms.AdamW,
        "self.t += 1\n        for key, param in self.params.items():",
        "for key, param in self.params.items():\n            self.t += 1",
        torch.optim.AdamW,
        "one step count for all",
    ),
    "betas exchanged": Case(
        forms.adam,
        '0.9 * config["m"] + 0.1 * dw',
        '0.999 * config["m"] + (1 - 0.999) * dw',
        ADAM,
        "first moment decays by the second beta",
    ),
    "both betas exchanged": Case(
        forms.PerTensor,
        "def update(self, w: Any, grad_wrt_w: Any) -> Any:",
        "def update(self, w, grad_wrt_w):\n        return self.other(w, grad_wrt_w, 0.999, 0.9)\n\n"
        "    def other(self, w, g, b1, b2):\n        self.t += 1\n"
        "        self.m = (0 if self.m is None else b1 * self.m) + (1 - b1) * g\n"
        "        self.v = (0 if self.v is None else b2 * self.v) + (1 - b2) * g * g\n"
        "        m, v = self.m / (1 - b1 ** self.t), self.v / (1 - b2 ** self.t)\n"
        "        return w - self.learning_rate * m / (np.sqrt(v) + 1e-8)\n\n"
        "    def old(self, w, grad_wrt_w):",
        ADAM,
        "betas are exchanged",
    ),
    "no root": Case(forms.adam, "np.sqrt(v)", "v", ADAM, "the root is forgotten"),
    "no root of RMSprop": Case(forms.rmsprop, "np.sqrt", "", torch.optim.RMSprop, "the root is forgotten"),
    "upwards": Case(forms.plain, "w - 0.01", "w + 0.01", sgd, "up, not down"),
    "Adam upwards": Case(forms.adam, "return w -", "return w +", ADAM, "up, not down"),
    "adamax upwards": Case(forms.adamax, "return w -", "return w +", torch.optim.Adamax, "up, not down"),
    "momentum forgotten": Case(
        forms.momentum, "return w + v", 'return w - config["learning_rate"] * dw', momentum, "momentum is forgotten"
    ),
    "a sum for a mean": Case(
        forms.rmsprop, '(1 - config["decay_rate"]) * dw**2', "dw**2", torch.optim.RMSprop, "counts in full"
    ),
    "sums for means": Case(
        forms.arrays_with_adam,
        "m = 0.9 * m + 0.1 * dw\n    v = 0.999 * v + 0.001 * dw * dw",
        "m = 0.9 * m + dw\n    v = 0.999 * v + dw * dw",
        ADAM,
        "moments that are sums",
    ),
    "a velocity that is late": Case(
        forms.DictMomentum,
        "self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]\n            params[key] += self.v[key]",
        "params[key] += self.v[key] if self.v[key].any() else -self.lr * grads[key]\n"
        "            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]",
        momentum,
        "before the velocity is new",
    ),
    "a velocity kept for all": Case(
        forms.Named,
        "v = 0.9 * self.cache.get(param_name, 0) + param_grad\n        self.cache[param_name] = v",
        'v = 0.9 * self.cache.get("v", 0) + param_grad\n        self.cache["v"] = v',
        momentum,
        "all tensors",
    ),
    "a state that is not kept": Case(
        forms.momentum, 'config.get("velocity", np.zeros_like(w))', "0 * w", momentum, "momentum is forgotten"
    ),
    "second moment of the first": Case(forms.adam, "dw * dw", 'config["m"] ** 2', ADAM, "of the first one"),
    "the sum is overwritten": Case(forms.ListAdagrad, "] += grads", "] = grads", torch.optim.Adagrad, "overwritten"),
    "a bias that does not learn": Case(
        forms.DictMomentum, "params[key] +=", 'params[key] += (key[0] == "W") *', momentum, "bias never moves"
    ),
    "adadelta without its root": Case(
        forms.adadelta,
        "np.sqrt(delta + 1e-6) / np.sqrt(cache + 1e-6)",
        "(delta + 1e-6) / (cache + 1e-6)",
        torch.optim.Adadelta,
        "roots are forgotten",
    ),
    "a largest that is lost": Case(
        forms.amsgrad,
        'np.maximum(state.get("top", 0), v)',
        "v",
        lambda p: ADAM(p, amsgrad=True),
        "largest second moment is not kept",
    ),
    "a late mistake": Case(forms.counting_itself, "t = t + 1", "t = min(t + 1, 7)", ADAM, ""),
    "a decay of the wrong sign": Case(
        forms.AdamW, "1 - self.lr * self.wd", "1 + self.lr * self.wd", torch.optim.AdamW, "decay has the wrong sign"
    ),
    "a layer counted before": Case(
        forms.LayerAdam,
        "(self.iterations + 1), 1 - 0.999 ** (self.iterations + 1)",
        "max(self.iterations, 1), 1 - 0.999 ** max(self.iterations, 1)",
        ADAM,
        "by the step before",
    ),
    "a short step": Case(forms.nadam, "t + 1))", "t + 2))", torch.optim.NAdam, ""),
}
CONVENTIONS: dict[str, Case] = {
    "eps in the root": Case(
        forms.adam, "np.sqrt(v) + 1e-8", "np.sqrt(v + 1e-8)", ADAM, "eps inside the root", "sqrt(v) + eps"
    ),
    "eps in RMSprop's root": Case(
        forms.rmsprop,
        '(np.sqrt(config["cache"]) + config["epsilon"])',
        'np.sqrt(config["cache"] + config["epsilon"])',
        torch.optim.RMSprop,
        "eps inside the root",
    ),
    "eps in Adagrad's root": Case(
        forms.ListAdagrad,
        "(np.sqrt(self.h[i]) + 1e-10)",
        "np.sqrt(self.h[i] + 1e-10)",
        torch.optim.Adagrad,
        "eps inside the root",
    ),
    "TensorFlow's eps": Case(
        forms.arrays_with_adam,
        "1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)",
        "1e-3 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)",
        ADAM,
        "eps before the bias correction",
        "TensorFlow",
    ),
    "another eps": Case(forms.adam, "+ 1e-8", "+ 1e-7", ADAM, "eps 1e-07 against 1e-08", "eps=1e-07"),
    "decoupled": Case(
        forms.AdamW, "", "", lambda p: ADAM(p, weight_decay=0.01), "decay is decoupled", "torch.optim.AdamW(lr=0.001"
    ),
    "not decoupled": Case(
        forms.adam,
        'config["t"] += 1\n',
        'config["t"] += 1\n    dw = dw + 0.01 * w\n',
        torch.optim.AdamW,
        "the decay is in the gradient",
        "torch.optim.Adam(lr=0.001, weight_decay=0.01)",
    ),
    "a decay by itself": Case(
        forms.AdamW,
        "1 - self.lr * self.wd",
        "1 - self.wd",
        torch.optim.AdamW,
        "weight_decay 10 against 0.01",
        "weight_decay=10",
    ),
    "no decay": Case(forms.adam, "", "", torch.optim.AdamW, "weight_decay 0", "weight_decay=0"),
    "a running mean from 0": Case(
        forms.moments_first,
        "0.9 * m + grad",
        "0.9 * m + (1 - 0.9) * grad",
        momentum,
        "running mean that begins with 0",
        "lr=0.001, momentum=0.9",
    ),
    "a running mean from g": Case(
        forms.momentum,
        'config["learning_rate"] * dw\n',
        'config["learning_rate"] * dw * (0.1 if "velocity" in config else 1)\n',
        momentum,
        "running mean",
        "dampening=0.9",
    ),
    "another rate": Case(
        forms.adam, 'config["learning_rate"] *', 'config["learning_rate"] * 10 *', ADAM, "10 times", "lr=0.01"
    ),
    "a rate that falls": Case(
        forms.arrays_with_adam,
        "return w - 1e-3 *",
        "return w - 1e-3 / (1 + 0.1 * (t - 1)) *",
        ADAM,
        "the rate falls",
        "lr_scheduler",
    ),
    "clipped by value": Case(
        forms.plain, "* dw", "* np.clip(dw, -5, 5)", sgd, "by their value at 5", "clip_grad_value_(params, 5.0)"
    ),
    "clipped by norm": Case(
        forms.plain, "* dw", "* dw * min(1, 1 / np.sqrt(np.sum(dw**2)))", sgd, "by itself, at 1", "clip_grad_norm_"
    ),
    "eps in the root and another": Case(
        forms.adam,
        "np.sqrt(v) + 1e-8",
        "np.sqrt(v + 1e-7)",
        ADAM,
        "eps inside the root, and another option: eps 1e-07",
        "eps=1e-07",
    ),
    "another momentum": Case(
        forms.momentum, '"momentum": 0.9', '"momentum": 0.85', momentum, "momentum 0.85", "momentum=0.85"
    ),
    "other betas": Case(forms.adam, "0.999", "0.99", ADAM, "betas (0.9, 0.99)", "betas=(0.9, 0.99)"),
    "another alpha and eps": Case(
        forms.rmsprop,
        '"decay_rate", 0.99)\n    config.setdefault("epsilon", 1e-8)',
        '"decay_rate", 0.9)\n    config.setdefault("epsilon", 1e-7)',
        torch.optim.RMSprop,
        "alpha 0.9 against 0.99",
        "alpha=0.9, eps=1e-07",
    ),
    "an initial sum": Case(
        forms.ListAdagrad,
        "np.zeros_like(param)",
        "np.full_like(param, 0.1)",
        torch.optim.Adagrad,
        "initial_accumulator_value 0.1",
        "initial_accumulator_value=0.1",
    ),
    "without nesterov": Case(
        forms.momentum, "", "", lambda p: SGD(p, nesterov=True, **MOMENTUM), "look-ahead", "nesterov"
    ),
    "with nesterov": Case(forms.nesterov, "", "", momentum, "nesterov", "nesterov=True"),
    "centered": Case(forms.centered, "", "", torch.optim.RMSprop, "centered True", "centered=True"),
    "amsgrad": Case(forms.amsgrad, "", "", ADAM, "amsgrad True", "amsgrad=True"),
    "a constant momentum": Case(
        forms.nadam,
        "((1 - mu) * g / (1 - product) + ahead * m / (1 - product * ahead))",
        "(0.9 * m / (1 - 0.9**t) + 0.1 * g / (1 - 0.9**t))",
        torch.optim.NAdam,
        "constant momentum",
    ),
}
