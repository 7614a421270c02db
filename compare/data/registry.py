"""The table of data sets, and what can be asked of it by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from twofold.compare.data import (
    activity,
    catcar,
    cifar10,
    cifar10_mean_image,
    mnist,
    notmnist,
    patches,
    trigrams,
    waves,
)
from twofold.compare.data.errors import mismatch
from twofold.compare.data.readers.bound import bounded
from twofold.compare.data.readers.files import Alternatives, first, missing
from twofold.compare.data.splits import Dataset


@dataclass(frozen=True)
class Entry:
    """One data set: its files relative to the user's directory, and its two sources."""

    name: str
    description: str
    files: tuple[Alternatives, ...]  # all are needed; of each, any one of the alternatives
    read: Callable[[Path], Dataset]
    embedded: Callable[[], Dataset]
    more: tuple[str, ...] = ()  # files that are used where they are there
    gb: float = 0.25  # that may be read, unless --max-gb says otherwise: four times what was published, or more


class Found(NamedTuple):
    """One file: its path relative to the directory, and its size in bytes or the reason why it has none."""

    path: str
    size: int | None
    reason: str = ""


ENTRIES = (
    Entry("mnist", "handwritten digits, 28x28, 10 classes", mnist.FILES, mnist.read, mnist.embedded),
    Entry("catcar", "grey images of cats and cars, 32x32", catcar.FILES, catcar.read, catcar.embedded, gb=0.02),
    Entry(
        "trigrams", "three words and the next, of 250 words", trigrams.FILES, trigrams.read, trigrams.embedded, gb=0.02
    ),
    Entry(
        "activity", "accelerometer signals, 150x3, 6 classes", activity.FILES, activity.read, activity.embedded, gb=0.06
    ),
    Entry(
        "cifar10",
        "colour photographs, 32x32, 10 classes",
        cifar10.FILES,
        cifar10.read,
        cifar10.embedded,
        cifar10.MORE,
        1.0,
    ),
    Entry(
        cifar10_mean_image.NAME,
        "the same photographs minus their mean image",
        cifar10.FILES,
        cifar10_mean_image.read,
        cifar10_mean_image.embedded,
        cifar10_mean_image.MORE,
        1.0,
    ),
    Entry("notmnist", "letters A to J, 28x28, 10 classes", notmnist.FILES, notmnist.read, notmnist.embedded, gb=0.06),
    Entry("patches", "patches of natural images, 16x16", patches.FILES, patches.read, patches.embedded),
    Entry("sine", "a sine wave's next value, generated", (), waves.read_sine, waves.sine),
    Entry("triangle", "a triangle wave's next value, generated", (), waves.read_triangle, waves.triangle),
)

PATHS = frozenset(path for entry in ENTRIES for path in (*chain.from_iterable(entry.files), *entry.more))


def known() -> tuple[Entry, ...]:
    """All data sets, in the order of the table."""
    return ENTRIES


def load(name: str, directory: Path | None) -> Dataset:
    """The data set `name` from the files under `directory`, or the embedded one where `directory` is None.

    Raises DataError for an unknown name and for a missing or malformed file; it never turns to the embedded set then.
    """
    entry = _entry(name)
    if directory is None:
        return entry.embedded()
    for alternatives in entry.files:
        if first(directory, alternatives) is None:
            raise mismatch(directory, " or ".join(alternatives), missing(directory, alternatives, PATHS))
    with bounded(name, entry.gb):
        return entry.read(directory)


def found(name: str, directory: Path) -> list[Found]:
    """One row for each file that `name` needs, and for each further one that is there, by a look at the directory.

    DataError for an unknown name.
    """
    entry = _entry(name)
    more = [(path,) for path in entry.more if first(directory, (path,))]
    rows = [_look(directory, alternatives) for alternatives in (*entry.files, *more)]
    return list(dict.fromkeys(rows))  # one file may serve for two


def _look(directory: Path, alternatives: Alternatives) -> Found:
    name = first(directory, alternatives)
    if name is None:
        return Found(" or ".join(alternatives), None, missing(directory, alternatives, PATHS))
    return Found(name, os.path.getsize(directory / name))


def _entry(name: str) -> Entry:
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    raise mismatch("data set", " or ".join(entry.name for entry in ENTRIES), repr(name))
