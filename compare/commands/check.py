"""`twofold check`: the battery over pairs, dtypes and devices."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.compare import sharding
from twofold.compare.data import load
from twofold.compare.errors import Status
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import ON_DEVICE
from twofold.compare.judge.finding import status_of
from twofold.compare.judge.full import CHECKS, full_trial
from twofold.compare.keeping import digest
from twofold.compare.output import STANDARD_OUTPUT, write, write_json
from twofold.compare.pair import Pair
from twofold.compare.report.console import print_check
from twofold.compare.report.junit import as_junit
from twofold.compare.report.results import as_json
from twofold.compare.screen import Screen
from twofold.compare.sharding import Part, Shard, made_with
from twofold.compare.sides import devices

Trial = tuple[Pair, str, str]  # with dtype and device


@dataclass(frozen=True)
class Wanted:
    """What the command line says; without a dtype both are judged, without a shard all."""

    pairs: Sequence[Pair]
    dtype: str | None = None
    device: str = "auto"
    seed: int = 0
    jobs: int = 1
    json_file: Path | None = None
    junit_file: Path | None = None
    full: bool = False
    data: Path | None = None
    shard: Shard | None = None


def run(wanted: Wanted) -> Status:
    """Prints the table and what differs. The status: bad input if a pair is wrong."""
    console = screen(wanted.json_file, wanted.junit_file)
    places = devices(wanted.device)
    kinds = [wanted.dtype] if wanted.dtype else list(battery.DTYPES)
    work = trials(wanted.pairs, places, kinds)
    mine = wanted.shard.deal(work) if wanted.shard else work
    part = wanted.shard and Part(wanted.shard, of_run(wanted, places, kinds), made_with())
    if not mine:
        console.print(f"no trial falls to shard {wanted.shard}: there are {len(work)}")
    with console.status(f"importing torch for {len(mine)} trials") as status:
        found = full(mine, wanted, status.update) if wanted.full else small(mine, wanted, status.update)
        results = print_check(console, found) if mine else []
    content = as_json(results)
    if part:
        content = {"schema": content.pop("schema"), "shard": sharding.as_json(part), **content}
        if wanted.full:
            content["shard"]["data"] = digests(mine, wanted.data)
    return finish(results, content, wanted.json_file, wanted.junit_file)


def screen(*files: Path | None) -> Screen:
    """Where people read: standard output, unless a file is written there."""
    return Screen(stderr=STANDARD_OUTPUT in files)


def trials(pairs: Sequence[Any], places: Sequence[str], kinds: Sequence[str]) -> list[tuple[Any, str, str]]:
    """Of every pair, in order: all dtypes on one device after the other."""
    return [(pair, kind, place) for pair in pairs for place in places for kind in kinds]


def of_run(wanted: Wanted, places: Sequence[str], kinds: Sequence[str]) -> dict[str, Any]:
    """What all shards of a run have in common."""
    return {
        "command": "check",
        "pairs": [pair.name for pair in wanted.pairs],
        "dtypes": list(kinds),
        "devices": list(places),
        "seed": wanted.seed,
        "full": wanted.full,
        "data": "files" if wanted.full and wanted.data else "embedded",
    }


def digests(work: Sequence[Trial], data: Path | None) -> dict[str, str]:
    """Of each data set that trials at recipe size are made of."""
    names = dict.fromkeys(pair.dataset for pair, _, _ in work)
    return {name: digest(load(name, data).arrays()) for name in names}


def small(work: Sequence[Trial], wanted: Wanted, tell: Callable[[str], object]) -> Iterator[battery.Result]:
    cases = [(pair.case(), kind, place) for pair, kind, place in work]
    return battery.run_all(cases, wanted.seed, wanted.jobs, tell, suspects)


def full(work: Sequence[Trial], wanted: Wanted, tell: Callable[[str], object]) -> Iterator[battery.Result]:
    """The same at recipe size on the data's own records, one trial after the other."""
    for n, (pair, kind, place) in enumerate(work, 1):

        def at(check: str, label: str = f"{n} of {len(work)}: {pair.name} {kind} {place}") -> None:
            tell(f"{label} at recipe size, {check}")

        at("reading the data")
        trial = full_trial(pair, load(pair.dataset, wanted.data).train, kind, place, wanted.seed)
        checks = CHECKS if place == "cpu" else (*CHECKS, ON_DEVICE)
        yield battery.run_trial(trial, checks, at, suspects)


def finish(
    results: Sequence[battery.Result], content: dict[str, Any], json_file: Path | None, junit_file: Path | None
) -> Status:
    """Writes what was asked for. A shard without a trial has nothing to prove."""
    if json_file:
        write_json(json_file, content)
    if junit_file == STANDARD_OUTPUT:
        print(as_junit(results), end="")
    elif junit_file:
        write(junit_file, as_junit(results))
    return status(results) if results else Status.DONE


def status(results: Iterable[battery.Result]) -> Status:
    results = list(results)
    if any(result.pair_is_wrong for result in results):
        return Status.BAD_INPUT
    return status_of(result.verdict for result in results)
