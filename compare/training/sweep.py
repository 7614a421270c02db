"""Every combination of some settings, each a training of its own from the same seed; what is finished is kept."""

import inspect
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from twofold import scratch
from twofold.compare.data import Dataset
from twofold.compare.errors import BadInput
from twofold.compare.pair import Pair, Twin
from twofold.compare.training.checkpoint import Curves
from twofold.compare.training.train import Configuration, Training, Watcher
from twofold.scratch.optim import Optimizer

SCHEMA = 1
CURVE_POINTS = 400  # a curve over the steps is kept as the means of so many blocks
OPTIMIZERS = [
    name
    for name, kind in vars(scratch).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
]
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
Point = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """A setting: the part of the pair it belongs to, and the default, whose type its values have."""

    part: str
    name: str
    default: Any
    optional: bool = False

    def parse(self, text: str) -> Any:
        """The value that `text` means; raises BadInput naming key, what was expected and what was found."""
        if text == "None" and (self.optional or self.default is None):
            return None
        try:
            return parsed(text, self.default)
        except ValueError as error:
            raise BadInput(f"--set {self.name}: expected {error}, found {text!r}") from None


@dataclass
class Trained:
    """A finished combination: its settings, the kept epoch's figures, and curves over blocks of steps and epochs."""

    settings: Point
    figures: dict[str, float]
    epoch: int
    steps_a_block: int
    losses: list[float]
    epochs: Curves


def parsed(text: str, default: Any) -> Any:
    """`text` as a value of the type of `default`; raises ValueError saying what was expected."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return text.lower() == "true"
    if isinstance(default, int):
        if not re.fullmatch(r"[-+]?\d+", text):
            raise ValueError("a whole number")
        return int(text)
    if isinstance(default, float):
        if not re.fullmatch(NUMBER, text, re.IGNORECASE):
            raise ValueError("a number")
        return float(text)
    if isinstance(default, tuple):
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
    hidden = ("rng", "named_parameters")
    return {name: p for name, p in parameters.items() if name not in hidden and p.kind not in kinds}


def parts(pair: Pair) -> dict[str, Twin]:
    """What has arguments of its own."""
    found = {part: getattr(pair, part, None) for part in ("model", "optimizer", "loss", "penalty")}
    return {part: twin for part, twin in found.items() if isinstance(twin, Twin)}


def keys(pair: Pair) -> dict[str, Key]:
    """All settings of a pair; where two parts share a name it is written as "model.name"."""
    found = [Key("recipe", "batch", pair.recipe.batch), Key("recipe", "epochs", pair.recipe.epochs)]
    found.append(Key("pair", "optimizer", class_name(pair.optimizer)))
    for part, twin in parts(pair).items():
        for name, parameter in arguments(twin).items():
            default = None if parameter.default is inspect.Parameter.empty else parameter.default
            found.append(Key(part, name, twin.arguments.get(name, default), parameter.default is None))
    names = [key.name for key in found]
    return {key.name if names.count(key.name) == 1 else f"{key.part}.{key.name}": key for key in found}


def class_name(twin: Twin) -> str:
    return twin.scratch.partition(":")[2]


def with_optimizer(pair: Pair, name: str) -> Pair:
    """The pair with another optimizer, which gets those of the arguments that it takes too."""
    if name == class_name(pair.optimizer):
        return pair
    if name not in OPTIMIZERS:
        raise BadInput(f"--set optimizer: expected {', '.join(OPTIMIZERS)}, found {name!r}")
    other = Twin(f"twofold.scratch:{name}", f"torch.optim:{name}")
    taken = arguments(other)
    kept = {key: value for key, value in pair.optimizer.arguments.items() if key in taken}
    second = pair.recipe.second_stage
    if second is not None:
        second = {key: value for key, value in second.items() if key in taken}
    return replace(pair, optimizer=other.given(**kept), recipe=replace(pair.recipe, second_stage=second))


def grid(pair: Pair, settings: Sequence[str]) -> dict[str, list[Any]]:
    """KEY=V1,V2 of each setting, parsed; raises BadInput in one line."""
    texts: dict[str, list[str]] = {}
    for setting in settings:
        key, equals, values = setting.partition("=")
        if not equals or not all(values.split(",")):
            raise BadInput(f"--set: expected KEY=V1,V2, found {setting!r}")
        if key in texts:
            raise BadInput(f"--set {key}: expected once, with all its values, found twice")
        texts[key] = values.split(",")
    choices = texts.get("optimizer", [class_name(pair.optimizer)])
    found = {}
    for key, written_values in texts.items():
        for choice in choices:
            known = keys(with_optimizer(pair, choice))
            if key not in known:
                where = f"{pair.name} with {choice}" if len(choices) > 1 else pair.name
                raise BadInput(f"--set {key}: {where} has no such setting; there are {', '.join(known)}")
        found[key] = [known[key].parse(value) for value in written_values]
        if known[key].part == "recipe" and min(found[key]) < 1:
            raise BadInput(f"--set {key}: expected at least 1, found {min(found[key])}")
        if len(set(found[key])) < len(found[key]):
            raise BadInput(f"--set {key}: expected each value once, found {','.join(written_values)}")
    return found


def points(values: Mapping[str, Sequence[Any]]) -> list[Point]:
    """Every combination, the last key's values changing first."""
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


def pair_at(pair: Pair, point: Point) -> Pair:
    """The pair with the settings of one point."""
    pair = with_optimizer(pair, point.get("optimizer", class_name(pair.optimizer)))
    known = keys(pair)
    for key, value in point.items():
        part, name = known[key].part, known[key].name
        if part == "recipe":
            pair = replace(pair, recipe=replace(pair.recipe, **{name: value}))
        elif part != "pair":
            pair = replace(pair, **{part: getattr(pair, part).given(**{name: value})})
    return pair


def label(point: Point) -> str:
    return ", ".join(f"{key}={written(value)}" for key, value in point.items())


def written(value: Any) -> str:
    """As it is given on the command line."""
    return "x".join(map(written, value)) if isinstance(value, tuple | list) else str(value)


def try_out(pair: Pair, dataset: Dataset, configuration: Configuration, point: Point) -> Pair:
    """The pair at a point, once a first batch has gone through it; raises BadInput where the settings do not fit."""
    try:
        found = pair_at(pair, point)
        training = Training(found, dataset, configuration)
        training.side.evaluate(*training.batch(0))
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise BadInput(f"{label(point)}: {' '.join(str(error).split())}") from error
    return found


def train_point(pair: Pair, dataset: Dataset, configuration: Configuration, point: Point, watcher: Watcher) -> Trained:
    """A new net from the seed, trained by the recipe at this point."""
    training = Training(pair, dataset, configuration)
    training.run(pair.recipe.epochs, watcher)
    losses = training.steps["loss"]
    block = -(-len(losses) // CURVE_POINTS)
    blocks = [losses[start : start + block] for start in range(0, len(losses), block)]
    figures = {name: values[training.kept_epoch - 1] for name, values in training.epochs.items()}
    means = [math.fsum(part) / len(part) for part in blocks]
    return Trained(point, figures, training.kept_epoch, block, means, training.epochs)


def best(finished: Sequence[Trained]) -> int | None:
    """The place of the lowest validation loss, or test loss where there is no validation; NaN is never it."""
    losses = [(one.figures.get("validation_loss", one.figures["test_loss"]), n) for n, one in enumerate(finished)]
    numbers = [pair for pair in losses if not math.isnan(pair[0])]
    return min(numbers)[1] if numbers else None


def save(path: Path, configuration: Mapping[str, Any], finished: Sequence[Trained]) -> None:
    """Written aside and then put in place, so that an interruption leaves the old one whole."""
    aside = path.with_name(path.name + ".part")
    content = {"schema": SCHEMA, "configuration": configuration, "finished": [asdict(one) for one in finished]}
    aside.write_text(json.dumps(content))
    os.replace(aside, path)


def load(path: Path, configuration: Mapping[str, Any]) -> list[Trained]:
    """What an earlier call finished, none without a file; raises BadInput if it was another sweep."""
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text())
        stored, finished = dict(content["configuration"]), [Trained(**one) for one in content["finished"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: expected a sweep, found {' '.join(str(error).split())}") from error
    if content.get("schema") != SCHEMA:
        raise BadInput(f"{path}: expected a sweep of schema {SCHEMA}, found {content.get('schema')}")
    wanted = json.loads(json.dumps(configuration))
    for key in wanted:
        if stored.get(key) != wanted[key]:
            raise BadInput(f"{path}: expected {key} {wanted[key]}, found {stored.get(key)}; another --out keeps both")
    return finished


def remaining(combinations: Sequence[Point], finished: Sequence[Trained]) -> Iterator[int]:
    """The places of the points that are not finished yet."""
    done = [label(one.settings) for one in finished]
    return (number for number, point in enumerate(combinations) if label(point) not in done)
