"""What `twofold train` trains: the command line, a configuration file and the recipe, in this order."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.compare.commands.choosing import trainable
from twofold.compare.data import Dataset, load
from twofold.compare.errors import BadInput
from twofold.compare.pair import Pair, SideName
from twofold.compare.screen import Screen
from twofold.compare.sharding import ENVIRONMENT, number_in
from twofold.compare.sides import SideError, devices
from twofold.compare.training import files
from twofold.compare.training.settings import Point, all_of, in_full, pair_at, parse
from twofold.compare.training.sweep import try_out
from twofold.compare.training.train import Configuration

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Wanted:
    """What the command line says; None is what a configuration file or the recipe says."""

    pair: str | None = None
    backend: SideName | None = None
    settings: Sequence[str] = ()
    records: int | None = None
    epochs: int | None = None
    stop: bool = True
    every: int | None = None
    config: Path | None = None
    data: Path | None = None
    dtype: str | None = None
    device: str | None = None
    seed: int | None = None
    out: Path | None = None
    resume: bool = False
    watch: bool = False
    overwrite: bool = False
    save_every: float = 5.0  # minutes
    threads: int | None = None
    workers: str | None = None  # how many, or env


@dataclass(frozen=True)
class Plan:
    """What is trained, and where it goes; `changed` are the settings that are not the recipe's."""

    pair: Pair
    configuration: Configuration
    dataset: Dataset
    out: Path
    changed: Point


def plan(wanted: Wanted, console: Screen) -> Plan:
    """Command line, configuration file and recipe, in this order. Raises BadInput in one line for what cannot be used.

    Resuming takes the configuration that lies in the folder, unless another is given.
    """
    out = wanted.out or (usual_folder(wanted.pair, wanted.backend) if wanted.pair and wanted.backend else None)
    config = wanted.config
    if config is None and wanted.resume and out and (out / files.NAME).is_file():
        config = out / files.NAME
    entries, settings = files.read(config) if config else ({}, [])
    name, backend = wanted.pair or entries.get("pair"), wanted.backend or entries.get("backend")
    if name is None:
        raise BadInput("train: expected a PAIR, or --config FILE that names one")
    if backend not in ("scratch", "reference"):
        raise BadInput(f"--backend: expected scratch or reference, found {backend}")
    workers = workers_of(wanted.workers, entries.get("workers", 0))
    if workers and backend == "scratch":
        raise BadInput(f"--workers {workers}: expected --backend reference, found scratch, which is one process")
    out = out or usual_folder(name, backend)
    pair = trainable(name, backend)
    where = wanted.data is None and entries.get("data", "embedded")
    if where and where != "embedded":
        raise BadInput(f"{config}: expected --data DIR with {where}, found none")
    base = pair_at(pair, pair.embedded) if where else pair
    point = chosen_settings(base, wanted, settings)
    base = pair_at(base, point)
    dtype = wanted.dtype or entries.get("dtype", DTYPES[0])
    if dtype not in DTYPES:
        raise BadInput(f"dtype: expected {' or '.join(DTYPES)}, found {dtype}")
    place = place_of(backend, wanted.device or entries.get("device", "auto"))
    seed = wanted.seed if wanted.seed is not None else entries.get("seed", pair.recipe.seed)
    with console.status(f"preparing the data of {pair.name}"):
        dataset = load(pair.dataset, wanted.data)
    every = all_of(base)
    source = dataset.source if wanted.data else "embedded"
    threads = wanted.threads or entries.get("threads", 1)
    configuration = Configuration(pair.name, backend, dtype, place, seed, source, every, threads, workers)
    recipe = all_of(pair)
    if point:
        try_out(base, dataset, configuration, point)
    if workers:
        from twofold.compare.training.workers import must_share

        must_share(base, configuration, dataset.train)
    changed = {key: value for key, value in every.items() if recipe.get(key) != value and key != "epochs"}
    return Plan(base, configuration, dataset, out, changed)


def workers_of(text: str | None, kept: int) -> int:
    """How many share a batch, 0 for none: those that --workers says, that others have started, or that a file has."""
    if text is not None and text != ENVIRONMENT and not re.fullmatch(r"[1-9]\d{0,4}", text, re.ASCII):
        raise BadInput(f"--workers: expected a whole number from 1, or env, found {text!r}")
    if text == ENVIRONMENT or (text and started_by_others()):
        there = number_in("--workers", "WORLD_SIZE")
        if text != ENVIRONMENT and text != str(there):
            raise BadInput(f"--workers {text}: expected as many as WORLD_SIZE says were started, found {there}")
        return there
    return int(text) if text else kept


def started_by_others() -> bool:
    """Whether the environment says who is who, as torchrun sets it."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


def usual_folder(pair: str, backend: str) -> Path:
    return Path("runs") / f"{pair}-{backend}"


def chosen_settings(pair: Pair, wanted: Wanted, kept: Sequence[str]) -> Point:
    """Those of a file, and over them those of the command line."""
    given = [*in_full(wanted.settings, wanted.records, wanted.epochs, wanted.stop), *wanted.settings]
    keys = [setting.partition("=")[0] for setting in given]
    return parse(pair, [setting for setting in kept if setting.partition("=")[0] not in keys] + given)


def place_of(backend: SideName, device: str) -> str:
    """Where a backend computes under --device; raises SideError where it cannot."""
    if backend == "scratch" and device not in ("cpu", "auto"):
        raise SideError(f"--device {device}: scratch runs on the CPU alone; try --backend reference")
    return "cpu" if backend == "scratch" else devices(device)[-1]
