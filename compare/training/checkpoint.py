"""A training's whole state in one HDF5 file: resuming from it goes on exactly as if there had been no stop.

Ahead of the HDF5 stands one line of text, in a user block that HDF5's tools skip: the schema, and the SHA-256 of all
that follows. /weights/NAME and /optimizer/NAME/KEY hold arrays, and /best/NAME the best epoch's weights where they are
kept; /curves/steps, /curves/within and /curves/epochs hold one array a figure; the attributes `configuration`,
`circumstances`, `generator` and `position` hold JSON.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from twofold.compare.data import DataError
from twofold.compare.output import write
from twofold.compare.sides import States
from twofold.scratch.module import Array

SCHEMA = 4
HEAD = 512  # bytes of the user block
Curves = dict[str, list[float]]
CURVES = ("steps", "epochs", "within")
WORDS = ("configuration", "circumstances", "generator", "position")


@dataclass
class Checkpoint:
    """`generator` is the batch generator's state at the start of the epoch in which `position` lies.

    `circumstances` are what the numbers hang on beside the configuration: the data's digest, versions.
    """

    configuration: Mapping[str, Any]
    weights: dict[str, Array]
    optimizer: States
    generator: Mapping[str, Any]
    position: Mapping[str, float]
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    best: dict[str, Array] = field(default_factory=dict)
    steps: Curves = field(default_factory=dict)
    epochs: Curves = field(default_factory=dict)
    within: Curves = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """The old file or the new one is there whole, whatever happens. Raises BadInput where it cannot be written."""
    body = hdf5(checkpoint)[HEAD:]
    write(path, head(body) + body)


def hdf5(checkpoint: Checkpoint) -> bytes:
    import h5py

    image = BytesIO()
    with h5py.File(image, "w", userblock_size=HEAD) as file:
        for name in WORDS:
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
    return image.getvalue()


def head(body: bytes) -> bytes:
    return f"twofold checkpoint, schema {SCHEMA}, sha256 {sha256(body).hexdigest()}\n".encode().ljust(HEAD, b"\0")


def load(path: Path) -> Checkpoint:
    """Raises DataError in one line if the file is missing, is no checkpoint, or is not as it was written."""
    content = checked(path)
    try:
        return of_hdf5(content)
    except Exception as error:  # whatever h5py makes of what is not ours
        raise DataError(f"{path}: expected a checkpoint, found {' '.join(str(error).split())}") from error


def checked(path: Path) -> bytes:
    """The file's bytes, as they were written: nothing is parsed of a file that was damaged or changed."""
    if not path.is_file():
        raise DataError(f"{path}: expected a checkpoint to resume from, found no file")
    try:
        with path.open("rb") as file:
            first = file.read(HEAD)
            if not first.startswith(f"twofold checkpoint, schema {SCHEMA}, ".encode()):
                other = "HDF5 without its head, as earlier versions wrote it" if b"HDF" in first[:8] else "another file"
                raise DataError(f"{path}: expected a checkpoint of schema {SCHEMA}, found {other}")
            body = file.read()
    except OSError as error:
        raise DataError(f"{path}: expected a checkpoint, found {error.strerror}") from error
    if first != head(body):
        raise DataError(f"{path}: expected a checkpoint as it was written, found its digest broken: damaged or changed")
    return first + body


def of_hdf5(content: bytes) -> Checkpoint:
    import h5py

    with h5py.File(BytesIO(content), "r") as file:
        curves: dict[str, Any] = {
            kind: {name: list(map(float, values[()])) for name, values in file[f"curves/{kind}"].items()}
            if f"curves/{kind}" in file
            else {}
            for kind in CURVES
        }
        return Checkpoint(
            **{name: json.loads(file.attrs[name]) for name in WORDS},
            weights={name: weight[()] for name, weight in file["weights"].items()},
            best={name: weight[()] for name, weight in file["best"].items()} if "best" in file else {},
            optimizer={
                name: {key: np.asarray(value[()]) for key, value in entry.items()}
                for name, entry in file["optimizer"].items()
            },
            **curves,
        )


def differing(wanted: Mapping[str, Any], stored: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What is not stored as it is wanted, by its path, with both values."""
    for key, value in wanted.items():
        found, path = stored.get(key), f"{within}{key}"
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            yield from differing(value, found, f"{path} ")
        elif value != found:
            yield path, value, found
