"""`twofold check`: the battery over pairs, dtypes and devices."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from twofold.compare.faults.suspects import suspects
from twofold.compare.judge import battery
from twofold.compare.output import write_json
from twofold.compare.pair import Pair
from twofold.compare.report.console import print_check
from twofold.compare.report.results import as_json
from twofold.compare.sides import devices


def run(pairs: Sequence[Pair], dtype: str | None, device: str, seed: int, jobs: int, json_file: Path | None) -> int:
    """Prints the table and what differs; without a dtype both are judged.

    0 if every trial agrees, 1 if one does not, 2 if a pair is wrong.
    """
    console = Console(stderr=json_file == Path("-"))
    work = [
        (pair.case(), kind, place)
        for pair in pairs
        for place in devices(device)
        for kind in ([dtype] if dtype else battery.DTYPES)
    ]
    with console.status(f"importing torch for {len(work)} trials") as status:
        results = battery.run_all(work, seed, jobs, status.update, suspects)
    print_check(console, results)
    if json_file:
        write_json(json_file, as_json(results))
    if any(result.pair_is_wrong for result in results):
        return 2
    return 0 if all(result.passed for result in results) else 1
