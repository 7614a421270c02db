"""`twofold data`."""

from pathlib import Path

from rich.table import Table

from twofold.compare.data import Entry, fetch, found, known
from twofold.compare.names import plain
from twofold.compare.screen import Screen


def show(directory: Path | None) -> None:
    """Every data set, and for each of its files whether it is there."""
    table = Table(box=None, pad_edge=False)
    for column in ("data set", "what it is", "file", *(["found"] if directory else ())):
        table.add_column(column)
    for entry in known():
        rows = rows_of(entry, directory) or [("none: it is generated", "")]
        for n, row in enumerate(rows):
            table.add_row(*(("", "") if n else (entry.name, entry.description)), *row[: 2 if directory else 1])
    console = Screen(soft_wrap=True)
    console.table(table)
    console.lines(
        f"\nLooked in {directory}."
        if directory
        else "\nNo --data DIR given: the embedded data sets serve. DIR is to hold the files above."
    )


def rows_of(entry: Entry, directory: Path | None) -> list[tuple[str, str]]:
    """Each file of a data set, and its size or why there is none; without a folder what is to be there."""
    if directory is None:
        optional = [(f"{name} (optional)", "") for name in entry.more]
        return [(" or ".join(names), "") for names in dict.fromkeys(entry.files)] + optional
    files = found(entry.name, directory)
    return [(file.path, f"{file.size:,} bytes" if file.size is not None else file.reason) for file in files]


def download(name: str, directory: Path) -> None:
    for path in fetch(name, directory):
        print(f"fetched {plain(path)}")
