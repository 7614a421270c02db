"""Whether a checkpoint is one that this very training could have written: checked, not trusted."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twofold.compare.data import DataError, Dataset
from twofold.compare.keeping import digest
from twofold.compare.training.checkpoint import Checkpoint, Curves, differing
from twofold.scratch.module import Array

if TYPE_CHECKING:
    from twofold.compare.training.train import Configuration, Training

LIBRARIES = {"scratch": ("twofold", "numpy"), "reference": ("twofold", "numpy", "torch")}


def circumstances(configuration: "Configuration", dataset: Dataset) -> dict[str, Any]:
    """What the numbers hang on beside the configuration: the records, by count and content, and the libraries."""
    return {
        "records": {name: len(split) for name, split in dataset.splits().items()},
        "data": digest(dataset.arrays()),
        "versions": {name: installed(name) for name in LIBRARIES[configuration.backend]},
    }


def installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


def must_fit(path: Path, training: "Training", stored: Checkpoint) -> list[str]:
    """Raises DataError in one line for what another training, or none, has written; what to know of it otherwise."""
    device, before = training.configuration.device, stored.configuration.get("device")
    must_agree(path, training.configuration, {**stored.configuration, "device": device})
    now, then = training.circumstances, stored.circumstances
    for part in ("records", "data"):
        if now[part] != then.get(part):
            told = "those that it was trained on" if part == "data" else f"{told_records(then.get(part))} as it had"
            found = "others in their place" if part == "data" else told_records(now[part])
            raise DataError(f"{path}: expected the records to be {told}, found {found}")
    weights = training.side.state()
    must_be_like(path, "weights", weights, stored.weights)
    if stored.best:
        must_be_like(path, "best", weights, stored.best)
    must_count(path, training, stored)
    must_be_optimizers(path, training, stored)
    moved = [f"made on {before}, now on {device}: the last bits may be others"] if before != device else []
    return [*moved, *other_workers(training.configuration, stored)] + [
        f"made with {name} {found}, now {value}: the last bits may be others"
        for name, value, found in differing(now["versions"], then.get("versions", {}))
    ]


def other_workers(configuration: "Configuration", stored: Checkpoint) -> Iterator[str]:
    """Where others share a batch its sums are split otherwise."""
    then = stored.configuration.get("workers", 0)
    if then != configuration.workers:
        told = [f"{n} workers" if n > 1 else "1 worker" if n else "no workers" for n in (then, configuration.workers)]
        yield f"made with {told[0]}, now with {told[1]}: the last bits may be others"


def told_records(counts: Any) -> str:
    return ", ".join(f"{n} ({name})" for name, n in counts.items()) if isinstance(counts, Mapping) else "not counted"


def must_agree(path: Path, wanted: "Configuration", stored: Mapping[str, Any]) -> None:
    """Raises DataError naming the first entry or setting that differs; of the epochs there may be more."""
    for what, value, found in differences(wanted, stored):
        raise DataError(f"{path}: expected {what} {value}, found {found}")


def differences(wanted: "Configuration", stored: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The entries and settings but epochs and workers in which two trainings differ, with both values."""
    ours = json.loads(json.dumps(asdict(wanted)))
    ours.pop("workers")
    settings = ours.pop("settings")
    settings.pop("epochs", None)
    yield from differing(ours, stored)
    yield from differing(settings, stored.get("settings", {}))


def must_be_like(path: Path, kind: str, wanted: Mapping[str, Array], stored: Mapping[str, Array]) -> None:
    """The same names, shapes and types, and finite."""
    for name in (*wanted, *stored):
        if name not in wanted or name not in stored:
            has = "no such tensor" if name in wanted else "one"
            raise DataError(f"{path}: expected {'' if name in wanted else 'no '}{kind}/{name}, found {has}")
        expected, found = wanted[name], stored[name]
        if (expected.shape, expected.dtype) != (found.shape, found.dtype):
            must = f"{expected.dtype} of shape {expected.shape}"
            raise DataError(f"{path}: expected {kind}/{name} in {must}, found {found.dtype} of shape {found.shape}")
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise DataError(f"{path}: expected finite numbers in {kind}/{name}, found {found[~np.isfinite(found)][0]}")


def must_count(path: Path, training: "Training", stored: Checkpoint) -> None:
    """Epochs, steps and the lengths of all curves fit each other."""
    position = stored.position
    epoch, step, seconds = (position.get(key) for key in ("epoch", "step", "seconds"))
    whole = training.steps_an_epoch
    if not (is_count(epoch) and is_count(step) and step <= whole):  # type: ignore[operator]
        raise DataError(f"{path}: expected whole epochs and up to {whole} steps, found epoch {epoch}, step {step}")
    if not isinstance(seconds, int | float) or not 0 <= seconds < np.inf:
        raise DataError(f"{path}: expected seconds from 0 up, found {seconds}")
    steps = int(epoch) * whole + int(step)  # type: ignore[arg-type]
    metrics = ("loss", *training.pair.metrics)
    names = {
        "steps": {*metrics, "records"},
        "epochs": {*(f"{split}_{name}" for split in training.circumstances["records"] for name in metrics), "seconds"},
    }
    for kind, count in (("steps", steps), ("epochs", int(epoch))):  # type: ignore[arg-type]
        curves: Curves = getattr(stored, kind)
        found = {name: len(values) for name, values in curves.items()}
        if found != (dict.fromkeys(names[kind], count) if count else {}):
            raise DataError(f"{path}: expected curves over {count} {kind}, found {found or 'none'}")
    if stored.generator != (wanted := training.generator_after(int(epoch))):  # type: ignore[arg-type]
        expected = f"the generator of batches after {epoch} epochs of seed {training.configuration.seed}"
        raise DataError(f"{path}: expected {expected}, {wanted['state']}, found {stored.generator}")
    if len({len(values) for values in stored.within.values()}) > 1 or max(stored.within.get("step", [0])) > steps:
        raise DataError(f"{path}: expected evaluations within {steps} steps, found others")


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def must_be_optimizers(path: Path, training: "Training", stored: Checkpoint) -> None:
    """What such an optimizer keeps after a step, finite and counted within the steps taken; or nothing before one."""
    wanted = training.optimizer_keeps()
    steps = len(stored.steps.get("loss", []))
    for name in (*wanted, *stored.optimizer):
        if name not in wanted or name not in stored.optimizer:
            raise DataError(f"{path}: expected the state of {', '.join(wanted)}, found {', '.join(stored.optimizer)}")
        entry = stored.optimizer[name]
        if not entry and (not steps or training.pair.recipe.second_stage is not None):
            continue
        must_be_like(path, f"optimizer/{name}", wanted[name], entry)
        count = entry.get("step")
        if count is not None and not (1 <= float(count) <= steps and float(count).is_integer()):
            raise DataError(f"{path}: expected optimizer/{name}/step from 1 to {steps}, found {count}")
