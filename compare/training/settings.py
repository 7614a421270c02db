"""The settings of a pair: every argument that `--set` takes, read, written and put in its place."""

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args, get_origin

from twofold import scratch
from twofold.compare.errors import BadInput
from twofold.compare.names import meant
from twofold.compare.pair import Pair, Twin
from twofold.scratch.optim import Optimizer

OPTIMIZERS = [
    name
    for name, kind in vars(scratch).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
]
COMMAS = "a comma parts the values that a sweep tries"
WHOLE = r"[-+]?\d{1,18}"
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
# Of the recipe: whether each may be None, and a value of its type. Whole numbers are at least 1.
RECIPE = {
    "batch": (False, 1),
    "epochs": (False, 1),
    "records": (True, 1),
    "stop_below": (True, 0.0),
    "patience": (True, 1),
}
NONE = "none"  # how no value is written where there may be several
Point = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """A setting: the part of the pair it belongs to, and the default, whose type its values have, or that of `like`.

    Where there are several, as in Adam's betas, `length` is how many; None where that is free, as of hidden layers.
    """

    part: str
    name: str
    default: Any
    optional: bool = False
    like: Any = None
    length: int | None = None

    def parse(self, text: str) -> Any:
        """The value that `text` means; raises BadInput naming key, what was expected and what was found."""
        if text == "None" and (self.optional or self.default is None):
            return None
        try:
            value = parsed(text, self.default if self.like is None else self.like)
        except ValueError as error:
            raise BadInput(f"--set {self.name}: expected {error}, found {text!r}") from None
        if self.length is not None and isinstance(value, tuple) and len(value) != self.length:
            wanted = f"{self.length} values joined by x, such as {written(self.default)}"
            raise BadInput(f"--set {self.name}: expected {wanted}, found {text!r}; {COMMAS}")
        return value


def parsed(text: str, default: Any) -> Any:
    """`text` as a value of the type of `default`; raises ValueError saying what was expected."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return text.lower() == "true"
    if isinstance(default, int):
        if not re.fullmatch(WHOLE, text, re.ASCII):
            raise ValueError("a whole number")
        return int(text)
    if isinstance(default, float):
        if not re.fullmatch(NUMBER, text, re.IGNORECASE | re.ASCII):
            raise ValueError("a number")
        if not math.isfinite(value := float(text)):
            raise ValueError("a finite number")
        return value
    if isinstance(default, tuple):
        if text == NONE:
            return ()
        try:
            return tuple(parsed(part, default[0] if default else 0) for part in text.split("x"))
        except ValueError as error:
            raise ValueError(f"{error}, or several such as {'x'.join(map(str, default)) or '512x64'}") from None
    if isinstance(default, str):
        return text
    if default is None:
        return guessed(text)
    raise ValueError(f"nothing, because a {type(default).__name__} cannot be written here")


def guessed(text: str) -> Any:
    """A value whose default says nothing: a number, several as 512x64, or a word."""
    for default in (0, 0.0, (0,), False):
        try:
            return parsed(text, default)
        except ValueError:
            continue
    return text


def arguments(twin: Twin) -> dict[str, inspect.Parameter]:
    """What the scratch side's class or function takes by name."""
    parameters = inspect.signature(twin.named("scratch")).parameters
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    hidden = ("rng", "params", "named_parameters")
    return {name: p for name, p in parameters.items() if name not in hidden and p.kind not in kinds}


def parts(pair: Pair) -> dict[str, Twin]:
    """What has arguments of its own."""
    found = {part: getattr(pair, part, None) for part in ("model", "optimizer", "loss", "penalty")}
    return {part: twin for part, twin in found.items() if isinstance(twin, Twin)}


def keys(pair: Pair) -> dict[str, Key]:
    """All settings of a pair; where two parts share a name it is written as "model.name"."""
    found = [Key("recipe", name, getattr(pair.recipe, name), *more) for name, more in RECIPE.items()]
    found += [Key("pair", "optimizer", class_name(pair.optimizer)), Key("pair", "clip", pair.clip, True, 1.0)]
    for part, twin in parts(pair).items():
        for name, parameter in arguments(twin).items():
            default = None if parameter.default is inspect.Parameter.empty else parameter.default
            given, optional = twin.arguments.get(name, default), parameter.default is None
            found.append(Key(part, name, given, optional, length=length(parameter.annotation)))
    names = [key.name for key in found]
    return {key.name if names.count(key.name) == 1 else f"{key.part}.{key.name}": key for key in found}


def length(annotation: Any) -> int | None:
    """How many values a tuple of this type has; None where that is free."""
    inner = get_args(annotation) if get_origin(annotation) is tuple else (Ellipsis,)
    return None if Ellipsis in inner else len(inner)


def class_name(twin: Twin) -> str:
    return twin.scratch.partition(":")[2]


def with_optimizer(pair: Pair, name: str) -> Pair:
    """The pair with another optimizer, which gets those of the arguments that it takes too."""
    if name == class_name(pair.optimizer):
        return pair
    if name not in OPTIMIZERS:
        raise BadInput(f"--set optimizer: expected {', '.join(OPTIMIZERS)}, found {name!r}{meant(name, OPTIMIZERS)}")
    other = Twin(f"twofold.scratch:{name}", f"torch.optim:{name}")
    taken = arguments(other)
    kept = {key: value for key, value in pair.optimizer.arguments.items() if key in taken}
    second = pair.recipe.second_stage
    if second is not None:
        second = {key: value for key, value in second.items() if key in taken}
    return replace(pair, optimizer=other.given(**kept), recipe=replace(pair.recipe, second_stage=second))


def label(point: Point) -> str:
    return ", ".join(value if key == "pair" else f"{key}={written(value)}" for key, value in point.items())


def written(value: Any) -> str:
    """As it is given on the command line."""
    return ("x".join(map(written, value)) or NONE) if isinstance(value, tuple | list) else str(value)


def parse(pair: Pair, settings: Sequence[str]) -> Point:
    """The point that KEY=VALUE of each setting says. Raises BadInput in one line."""
    for setting in settings:
        if "," in setting:
            joined = "`sweep` takes several, and the parts of one are joined by x, as 512x64"
            raise BadInput(f"--set: expected KEY=VALUE with one value, found {setting!r}; {joined}")
    (point,) = points(pair, settings)
    return point


def in_full(settings: Sequence[str], records: int | None, epochs: int | None, stop: bool) -> list[str]:
    """What --records, --epochs and --no-stop say as settings. Raises BadInput where `settings` say it too."""
    keys = {key for setting in settings for key in setting.partition("=")[0].split("+")}
    given = {key: value for key, value in (("records", records), ("epochs", epochs)) if value is not None}
    for key in given:
        if key in keys:
            raise BadInput(f"--{key}: expected here or as --set {key}, found both")
    rules = [] if stop else [f"{rule}=None" for rule in ("stop_below", "patience") if rule not in keys]
    return [f"{key}={value}" for key, value in given.items()] + rules


def points(pair: Pair, settings: Sequence[str]) -> list[Point]:
    """Every combination of KEY=V1,V2 settings, the last one's values changing first. Raises BadInput in one line.

    Coupled keys change together: optimizer+lr=SGD:0.01,Adam:0.001.
    """
    axes: dict[str, list[dict[str, str]]] = {}
    for setting in settings:
        name, equals, values = setting.partition("=")
        if not equals or not all(values.split(",")):
            raise BadInput(f"--set: expected KEY=V1,V2, found {setting!r}")
        coupled = name.split("+")
        before = [key for axis in axes for key in axis.split("+")]
        for place, key in enumerate(coupled):
            if key in before or key in coupled[:place]:
                raise BadInput(f"--set {key}: expected once, with all its values, found twice")
        axes[name] = [dict(zip(coupled, together(name, value), strict=True)) for value in values.split(",")]
    found = [at(pair, {key: text for part in parts for key, text in part.items()}) for parts in product(*axes.values())]
    for name, axis in axes.items():
        if len({label({key: point[key] for key in name.split("+")}) for point in found}) < len(axis):
            given = ",".join(":".join(part.values()) for part in axis)
            raise BadInput(f"--set {name}: expected each value once, found {given}")
    return found


def together(name: str, value: str) -> list[str]:
    """The values of coupled keys. Raises BadInput where there are more or fewer."""
    keys = name.split("+")
    values = value.split(":") if len(keys) > 1 else [value]
    if len(values) != len(keys) or not all(values):
        raise BadInput(f"--set {name}: expected {':'.join(key.upper() for key in keys)} for each, found {value!r}")
    return values


def at(pair: Pair, texts: Mapping[str, str]) -> Point:
    """The values that texts mean, by key. Raises BadInput naming the keys that there are."""
    known = keys(with_optimizer(pair, texts.get("optimizer", class_name(pair.optimizer))))
    point = {}
    for key, text in texts.items():
        if key not in known:
            where = f"{pair.name} with {texts['optimizer']}" if "optimizer" in texts else pair.name
            raise BadInput(f"--set {key}: {where} has no such setting; there are {', '.join(known)}{meant(key, known)}")
        point[key] = known[key].parse(text)
        if known[key].part == "recipe" and isinstance(point[key], int) and point[key] < 1:
            raise BadInput(f"--set {key}: expected at least 1, found {point[key]}")
    return point


def pair_at(pair: Pair, point: Mapping[str, Any]) -> Pair:
    """The pair with the settings of one point. A second stage goes with the rules that begin it."""
    pair = with_optimizer(pair, point.get("optimizer", class_name(pair.optimizer)))
    known, recipe = keys(pair), {}
    for key, value in point.items():
        part, name = known[key].part, known[key].name
        if part == "recipe":
            recipe[name] = value
        elif name == "clip":
            pair = replace(pair, clip=value)
        elif part != "pair":
            pair = replace(pair, **{part: getattr(pair, part).given(**{name: value})})
    rules = {name: recipe.get(name, getattr(pair.recipe, name)) for name in ("stop_below", "patience")}
    if set(rules.values()) == {None}:
        recipe["second_stage"] = None
    return replace(pair, recipe=replace(pair.recipe, **recipe))


def all_of(pair: Pair) -> Point:
    """Every setting of a pair as it stands."""
    values = {"optimizer": class_name(pair.optimizer), "clip": pair.clip}
    return {key: values[known.name] if known.part == "pair" else known.default for key, known in keys(pair).items()}
