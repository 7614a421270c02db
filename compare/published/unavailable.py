"""Figures that nothing here brings out: listed with the reason, never left out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twofold.compare.data.readers.files import Alternatives
from twofold.compare.published.figure import Curves, Entry, Run, Series
from twofold.compare.published.sources import read

CIFAR10: tuple[Alternatives, ...] = tuple((f"cifar-10-batches-bin/data_batch_{n}.bin",) for n in range(1, 6))
NEEDS: dict[str, tuple[Alternatives, ...]] = {
    "fc-net": CIFAR10,
    "three-layer-convnet": CIFAR10,
    "two-layer-fc": CIFAR10,
    "two-conv-net": CIFAR10,
    "bn-convnet": CIFAR10,
    "trigram-lm": (("eee443/assign2_data2.h5",),),
    "activity-rnn": (("eee443/assign3_data3.h5",),),
    "activity-lstm": (("eee443/assign3_data3.h5",),),
    "activity-gru": (("eee443/assign3_data3.h5",),),
    "notmnist-mlp": (("notmnist/notMNIST.npz",),),
}
LOST = "its draws or a hyper-parameter are lost in the source: no recipe brings it out"


def runs() -> list[Run]:
    """One for each table of the source, by pair."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for system, content in read("unavailable").items():
        if system == "reason":
            continue
        for path, published in leaves(content, ()):
            pair, rest = owner(system, path)
            run, name = (" / ".join(rest[:-1]) or "as published"), rest[-1]
            found.setdefault((pair, run), []).append(Entry(name, published, 0))
    return [
        Run(pair, run, (Series(run, tuple(entries)),), nothing, NEEDS[pair], unavailable=LOST)
        for (pair, run), entries in found.items()
    ]


def nothing(directory: Path) -> dict[str, Curves]:
    raise NotImplementedError(LOST)


def leaves(content: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every published text with the names above it; lists are numbered from 1, a matrix row stays one text."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from leaves(value, (*path, name))
    elif isinstance(content, list) and not all(isinstance(value, int) for value in content):
        for n, value in enumerate(content, 1):
            yield from leaves(value, (*path, str(n)))
    else:
        yield path, " ".join(map(str, content)) if isinstance(content, list) else str(content)


def owner(system: str, path: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The pair's name and what is left of the path: the activity tables hold one entry for each cell."""
    for cell in ("rnn", "lstm", "gru"):
        if system == "activity" and cell in path:
            return f"activity-{cell}", tuple(name for name in path if name != cell)
    return system, path
