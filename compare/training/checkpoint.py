"""A training's whole state in one HDF5 file: resuming from it goes on exactly as if there had been no stop.

/weights/NAME and /optimizer/NAME/KEY hold arrays, and /best/NAME the best epoch's weights where they are kept;
/curves/steps, /curves/within and /curves/epochs hold one array a figure; the attributes `configuration`, `generator`
and `position` hold JSON.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import DataError
from twofold.compare.sides import States
from twofold.scratch.module import Array

SCHEMA = 3
Curves = dict[str, list[float]]
CURVES = ("steps", "epochs", "within")


@dataclass
class Checkpoint:
    """`generator` is the batch generator's state at the start of the epoch in which `position` lies."""

    configuration: Mapping[str, Any]
    weights: dict[str, Array]
    optimizer: States
    generator: Mapping[str, Any]
    position: Mapping[str, float]
    best: dict[str, Array] = field(default_factory=dict)
    steps: Curves = field(default_factory=dict)
    epochs: Curves = field(default_factory=dict)
    within: Curves = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Written aside and then put in place, so that an interruption leaves the old one whole."""
    import h5py

    aside = path.with_name(path.name + ".part")
    with h5py.File(aside, "w") as file:
        file.attrs["schema"] = SCHEMA
        for name in ("configuration", "generator", "position"):
            file.attrs[name] = json.dumps(getattr(checkpoint, name))
        for kind in ("weights", "best"):
            for name, weight in getattr(checkpoint, kind).items():
                file[f"{kind}/{name}"] = weight
        for name, entry in checkpoint.optimizer.items():
            group = file.require_group(f"optimizer/{name}")
            for key, value in entry.items():
                group[key] = value
        for kind in CURVES:
            for name, figures in getattr(checkpoint, kind).items():
                file[f"curves/{kind}/{name}"] = np.array(figures, np.float64)
    os.replace(aside, path)


def load(path: Path) -> Checkpoint:
    """Raises DataError in one line if the file is missing or is no checkpoint."""
    import h5py

    if not path.is_file():
        raise DataError(f"{path}: expected a checkpoint to resume from, found no file")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("schema") != SCHEMA:
                raise DataError(f"{path}: expected a checkpoint of schema {SCHEMA}, found {file.attrs.get('schema')}")
            curves: dict[str, Any] = {
                kind: {name: list(map(float, values[()])) for name, values in file[f"curves/{kind}"].items()}
                if f"curves/{kind}" in file
                else {}
                for kind in CURVES
            }
            return Checkpoint(
                **{name: json.loads(file.attrs[name]) for name in ("configuration", "generator", "position")},
                weights={name: weight[()] for name, weight in file["weights"].items()},
                best={name: weight[()] for name, weight in file["best"].items()} if "best" in file else {},
                optimizer={
                    name: {key: np.asarray(value[()]) for key, value in entry.items()}
                    for name, entry in file["optimizer"].items()
                },
                **curves,
            )
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: expected a checkpoint, found {' '.join(str(error).split())}") from error


def differing(wanted: Mapping[str, Any], stored: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What is not stored as it is wanted, by its path, with both values."""
    for key, value in wanted.items():
        found, path = stored.get(key), f"{within}{key}"
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            yield from differing(value, found, f"{path} ")
        elif value != found:
            yield path, value, found
