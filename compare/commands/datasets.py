"""`twofold data`."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from compare.data import fetch, found, known


def show(directory: Path | None) -> None:
    """Every data set, and for each of its files whether it is there."""
    table = Table(box=None, pad_edge=False)
    for column in ("data set", "what it is", "file", "found" if directory else ""):
        table.add_column(column, overflow="fold")
    for entry in known():
        rows = (
            [
                (file.path, f"{file.size:,} bytes" if file.size is not None else file.reason)
                for file in found(entry.name, directory)
            ]
            if directory
            else [(" or ".join(alternatives), "") for alternatives in entry.files]
        )
        for n, row in enumerate(rows):
            table.add_row(*(("", "") if n else (entry.name, entry.description)), *row)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        f"\nLooked in {directory}."
        if directory
        else "\nNo --data DIR given: the embedded data sets serve. DIR is to hold the files above."
    )


def download(name: str, directory: Path) -> None:
    for path in fetch(name, directory):
        print(f"fetched {path}")
