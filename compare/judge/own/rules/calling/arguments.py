"""What a rule's signature asks for: weights, gradients, a state, a count of steps, torch's options."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["weights", "gradients", "state", "count", "option", "name"]
Options = Mapping[str, Any]

COUNTS = {
    "t",
    "step",
    "steps",
    "i",
    "k",
    "n",
    "it",
    "iter",
    "iteration",
    "iterations",
    "epoch",
    "timestep",
    "time_step",
}
STATES = {"state", "states", "config", "cache", "memory", "mem", "opt_state", "optim_state", "s"}
LABELS = {"name", "key", "param_name", "label"}
GRADIENT = re.compile(
    r"^(g|gs|d[wbxp]?|d_?(w|b|x|p|theta|params?|weights?)|nablas?|derivs?|.*grads?|.*gradients?|grad_.*)$", re.I
)
# By the name that a rule has for an option, those that torch has for it, from the likeliest.
OPTIONS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("lr", "learning_rate", "eta", "rate", "step_size", "stepsize"), ("lr",)),
    **dict.fromkeys(("beta1", "beta_1", "b1"), ("betas 0", "momentum")),
    **dict.fromkeys(("beta2", "beta_2", "b2"), ("betas 1", "alpha", "rho")),
    **dict.fromkeys(("momentum", "mu", "beta"), ("momentum", "betas 0")),
    **dict.fromkeys(("rho", "decay_rate", "decay"), ("alpha", "rho")),
    **dict.fromkeys(("eps", "epsilon"), ("eps",)),
    **dict.fromkeys(("weight_decay", "wd", "reg", "l2"), ("weight_decay",)),
    "alpha": ("alpha", "lr"),
    "gamma": ("alpha", "rho", "momentum"),
    "betas": ("betas",),
}


@dataclass(frozen=True)
class Wanted:
    """One argument of a call: its role, the value that it begins with, and its name where it goes by that."""

    role: Role
    name: str
    value: Any = None
    keyword: bool = False
    given: bool = False  # whether `value` is a default of the rule's own
    optional: bool = False  # whether it has a default at all


def option(name: str, options: Options) -> Any:
    """What torch's optimizer has for an option of that name, None where it has none."""
    for entry in OPTIONS.get(name.lower(), ()):
        key, _, place = entry.partition(" ")
        if key in options:
            return options[key][int(place)] if place else options[key]
    return None


def wanted(call: Callable[..., Any], options: Options, roles: tuple[Role, ...]) -> list[Wanted]:
    """The arguments of a call in order; `roles` go to the first that are nothing else.

    Raises TypeError where the call has too few arguments for its roles.
    """
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except ValueError:
        return [Wanted(role, role) for role in roles]
    found: list[Wanted] = []
    left, by_name = list(roles), False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            found += [Wanted(role, role) for role in left]
            left, by_name = [], True
            continue
        by_name = by_name or parameter.kind is parameter.KEYWORD_ONLY
        one = as_wanted(parameter, options, left, by_name)
        if one is None:
            by_name = True
            continue
        found.append(one)
        left = left[1:] if left and one.role == left[0] else left
    if left:
        raise TypeError(f"it takes {len(parameters)} arguments")
    return in_order(found)


def as_wanted(parameter: inspect.Parameter, options: Options, left: Sequence[Role], keyword: bool) -> Wanted | None:
    """None for an argument that is left to its default."""
    name, default = parameter.name, parameter.default
    has, low = default is not parameter.empty, name.lower()
    if low in OPTIONS and (value := option(name, options)) is not None:
        return None if has and default is not None else Wanted("option", name, value, keyword)
    if low in COUNTS:
        return Wanted("count", name, keyword=keyword)
    if low in LABELS:
        return Wanted("name", name, keyword=keyword)
    if low in STATES and low != "s" and not has:
        return Wanted("state", name, keyword=keyword)
    if left and not has:
        return Wanted(left[0], name, keyword=keyword)
    if has and default is not None and not isinstance(default, dict | list):
        return None
    return Wanted("state", name, default, keyword, has and default is not None, has)


def in_order(found: list[Wanted]) -> list[Wanted]:
    """As it is, but for a gradient that comes before its weights by the names of both."""
    places = [n for n, one in enumerate(found) if one.role in ("weights", "gradients")]
    names = [found[n].name for n in places]
    if len(places) == 2 and GRADIENT.match(names[0]) and not GRADIENT.match(names[1]):
        found = list(found)
        for place, role in zip(places, ("gradients", "weights"), strict=True):
            found[place] = Wanted(role, found[place].name, keyword=found[place].keyword)  # type: ignore[arg-type]
    return found


def required(call: Callable[..., Any], options: Options) -> tuple[list[str], dict[str, Any]]:
    """The names of the positional arguments without a default that are no options, and the options by name."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except ValueError:
        return ["params", "grads"], {}
    names, known = [], {}
    for parameter in parameters:
        if (
            parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            or parameter.default is not parameter.empty
        ):
            continue
        value = option(parameter.name, options)
        if value is None:
            names.append(parameter.name)
        else:
            known[parameter.name] = value
    return names, known
