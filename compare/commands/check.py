"""`twofold check`: the battery over pairs, dtypes and devices."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from twofold.compare.data import load
from twofold.compare.errors import Status
from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import ON_DEVICE
from twofold.compare.judge.finding import status_of
from twofold.compare.judge.full import CHECKS, full_trial
from twofold.compare.output import write_json
from twofold.compare.pair import Pair
from twofold.compare.report.console import print_check
from twofold.compare.report.results import as_json
from twofold.compare.screen import Screen
from twofold.compare.sides import devices


def run_full(
    pairs: Sequence[Pair], dtype: str | None, device: str, seed: int, data: Path | None, json_file: Path | None
) -> Status:
    """The same at recipe size on the data's own records, one trial after the other."""
    console = Screen(stderr=json_file == Path("-"))
    work = [(pair, kind, place) for pair in pairs for place in devices(device) for kind in kinds(dtype)]
    with console.status(f"importing torch for {len(work)} trials") as status:
        return told(console, full(work, seed, data, status.update), json_file)


def full(
    work: Sequence[tuple[Pair, str, str]], seed: int, data: Path | None, tell: Callable[[str], object]
) -> Iterator[battery.Result]:
    for n, (pair, kind, place) in enumerate(work, 1):

        def at(check: str, label: str = f"{n} of {len(work)}: {pair.name} {kind} {place}") -> None:
            tell(f"{label} at recipe size, {check}")

        at("reading the data")
        trial = full_trial(pair, load(pair.dataset, data).train, kind, place, seed)
        checks = CHECKS if place == "cpu" else (*CHECKS, ON_DEVICE)
        yield battery.run_trial(trial, checks, at, suspects)


def kinds(dtype: str | None) -> Sequence[str]:
    return [dtype] if dtype else battery.DTYPES


def run(pairs: Sequence[Pair], dtype: str | None, device: str, seed: int, jobs: int, json_file: Path | None) -> Status:
    """Prints the table and what differs; without a dtype both are judged.

    The status: bad input if a pair is wrong.
    """
    console = Screen(stderr=json_file == Path("-"))
    work = [(pair.case(), kind, place) for pair in pairs for place in devices(device) for kind in kinds(dtype)]
    with console.status(f"importing torch for {len(work)} trials") as status:
        return told(console, battery.run_all(work, seed, jobs, status.update, suspects), json_file)


def told(console: Screen, found: Iterable[battery.Result], json_file: Path | None) -> Status:
    results = print_check(console, found)
    if json_file:
        write_json(json_file, as_json(results))
    if any(result.pair_is_wrong for result in results):
        return Status.BAD_INPUT
    return status_of(result.verdict for result in results)
