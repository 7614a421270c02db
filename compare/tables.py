"""The table of pairs is found by looking, and what is wrong with an entry is said in one line that names its file."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import known
from twofold.compare.data.errors import mismatch
from twofold.compare.pair import Case, Pair, SideName, Twin
from twofold.compare.training.metrics import METRICS

BOTH: tuple[SideName, ...] = ("scratch", "reference")


def look(package: str, folder: Path) -> tuple[dict[str, Pair], dict[str, Path]]:
    """The pairs of every file in a package's folder, and the file of each, by name. Raises BadInput."""
    pairs: dict[str, Pair] = {}
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("[!_]*.py")):
        for pair in read(f"{package}.{path.stem}", path):
            if pair.name in pairs:
                raise mismatch(
                    shown(path), "a name of its own for each pair", f"{pair.name!r} also in {shown(files[pair.name])}"
                )
            pairs[pair.name], files[pair.name] = pair, path
    for name, pair in pairs.items():
        if pair.variant_of is not None and pair.variant_of not in pairs:
            raise mismatch(shown(files[name]), f"{name} to be a variant of a pair", repr(pair.variant_of))
    return pairs, files


def read(module: str, path: Path) -> Sequence[Pair]:
    """The PAIRS of one file. Raises BadInput."""
    try:
        pairs = getattr(import_module(module), "PAIRS", None)
    except Exception as error:
        raise mismatch(shown(path), "a table of pairs", told(error)) from error
    if not isinstance(pairs, tuple | list) or not pairs:
        raise mismatch(shown(path), "PAIRS, a tuple of pairs", "none" if pairs is None else repr(pairs))
    for pair in pairs:
        if not isinstance(pair, Pair):
            raise mismatch(shown(path), "nothing but pairs in PAIRS", repr(pair))
    return pairs


def must_be_sound(pair: Pair, path: Path, sides: Sequence[SideName] = BOTH) -> None:
    """Raises BadInput if these sides of a pair cannot be built or trained, before anything runs.

    With both sides its check size is tried too: where both refuse it the pair is wrong. What one side alone refuses is
    a difference, and for the battery to find.
    """
    where = f"{shown(path)}: {pair.name}"
    for part in ("model", "loss", "optimizer", "penalty"):
        twin = getattr(pair, part)
        for side in sides if twin else ():
            must_take(where, part, side, twin, twin.arguments)
    if "scratch" in sides:
        must_take(where, "model at check size", "scratch", pair.model, pair.check.arguments)
        if "rng" not in (taken := parameters(pair.model, "scratch")):
            found = ", ".join(taken) or "no arguments"
            raise mismatch(where, f"{pair.model.scratch} to take rng, which draws its first weights", found)
    for metric in pair.metrics:
        if metric not in METRICS:
            raise mismatch(where, f"metrics among {', '.join(METRICS)}", repr(metric))
    if pair.dataset not in (names := [entry.name for entry in known()]):
        raise mismatch(where, f"a data set among {', '.join(names)}", repr(pair.dataset))
    if len(sides) == len(BOTH):
        must_fit(where, pair.case())


def must_take(where: str, part: str, side: SideName, twin: Twin, arguments: Any) -> None:
    """The named builder exists and takes these arguments. Raises BadInput."""
    name = getattr(twin, side)
    try:
        taken = parameters(twin, side)
    except Exception as error:
        raise mismatch(where, f"{part} {name!r} to be there", told(error)) from error
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    for argument in arguments:
        if argument not in taken:
            raise mismatch(where, f"{part} {name} with arguments among {', '.join(taken)}", repr(argument))


def parameters(twin: Twin, side: SideName) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(twin.named(side)).parameters)


def must_fit(where: str, case: Case) -> None:
    """Raises BadInput where both sides refuse a case's own inputs and target."""
    refusals = [refusal(partial(passed, case, side)) for side in BOTH]
    if all(refusals):
        raise mismatch(where, "a check size that model and loss take", refusals[0])


def passed(case: Case, side: SideName) -> None:
    """One forward pass and loss."""
    from twofold.compare import nest
    from twofold.compare.sides import Reference, Scratch

    rng = np.random.default_rng(0)
    made = (Scratch if side == "scratch" else Reference)(case.model, case.loss, dtype="float64")
    made.forward(nest.apply(lambda draw: draw(rng, "float64"), case.inputs))
    if case.target is not None:
        made.loss(case.target(rng, "float64"))


def refusal(run: Callable[[], object]) -> str:
    try:
        run()
    except Exception as error:
        return told(error)
    return ""


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def shown(path: Path) -> str:
    """As a user of this folder would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
