"""What `twofold reproduce` has kept of the published runs, by the code, versions and files that made it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.compare import keeping
from twofold.compare.data.readers.files import first
from twofold.compare.published.figure import Figure, Run
from twofold.compare.published.judge import unavailable
from twofold.compare.published.table import missing, runs
from twofold.compare.records import read, written

OUT = Path("runs/reproduce")  # where each run is kept as soon as it is done
NOT_KEPT = f"this version has not reproduced it here: {OUT} has no such run"


def keep(out: Path, run: Run, data: Path | None, figures: Sequence[Figure]) -> None:
    keeping.keep(out, name_of(run), made_of(run, data), written(figures))


def finished(out: Path, table: Mapping[int, Run], data: Path | None) -> Iterator[tuple[int, list[Figure]]]:
    """What an earlier call kept of these runs, computed by the same code from the same files."""
    for place, run in table.items():
        if (content := keeping.kept(out, name_of(run), made_of(run, data))) is not None:
            try:
                yield place, read(list[Figure], content)
            except (ValueError, TypeError, KeyError):
                continue  # a file that somebody changed: it is computed again


def beside(names: Sequence[str], data: Path | None, out: Path = OUT) -> dict[str, list[Figure]]:
    """Every published figure of these pairs, with both sides' where it is kept; nothing is computed."""
    table = {place: run for place, run in enumerate(runs()) if run.pair in names}
    kept = dict(finished(out, table, data))
    found: dict[str, list[Figure]] = {name: [] for name in names}
    for place, run in table.items():
        found[run.pair] += kept.get(place) or unavailable(run, missing(run, data) or NOT_KEPT)
    return found


def name_of(run: Run) -> str:
    return f"{run.pair}, {run.name}"


def made_of(run: Run, data: Path | None) -> dict[str, Any]:
    """What a run's figures hang on."""
    found = [first(data, names) for names in run.files] if data else []
    files = {name: keeping.digest([(data / name).read_bytes()]) for name in found if data and name}
    return {"run": name_of(run), "files": files, "with": keeping.versions()}
