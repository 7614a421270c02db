"""`twofold list`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from rich.table import Table

from twofold.compare.commands.choosing import chosen
from twofold.compare.names import plain
from twofold.compare.output import write_json
from twofold.compare.pair import Pair, Twin
from twofold.compare.pairs import MAIN, PAIRS
from twofold.compare.screen import Screen
from twofold.scratch import init


def run(as_json: bool) -> None:
    """The systems as a table and their variants' names, or all pairs as JSON."""
    rows = catalogue(chosen((), PAIRS if as_json else MAIN, sides=("scratch",)))
    if as_json:
        write_json(Path("-"), rows)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "layers", "parameters", "data", "loss", "optimizer"):
        table.add_column(column)
    for row in rows:
        del row["title"]
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
    console = Screen()
    console.table(table)
    variants = ", ".join(plain(name) for name in PAIRS if name not in MAIN)
    console.lines(fill(f"Variants: {variants}", console.width, break_on_hyphens=False, break_long_words=False))


def catalogue(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """One row a pair, from the scratch side alone: torch is not imported."""
    return [row(pair) for pair in pairs]


@contextmanager
def undrawn() -> Iterator[None]:
    """Weights stay zero meanwhile: twelve million draws a model would be the whole time of a listing."""
    uniform, normal = init.uniform, init.normal
    blank: Any = lambda shape, *_: np.zeros(shape, np.float32)  # noqa: E731
    init.uniform, init.normal = blank, blank
    try:
        yield
    finally:
        init.uniform = uniform
        init.normal = normal


def row(pair: Pair) -> dict[str, Any]:
    with undrawn():
        model = pair.model.build("scratch")
    leaves = [type(module).__name__ for path, module in model.named_modules() if path]
    return {
        "name": pair.name,
        "layers": " ".join(leaves),
        "parameters": sum(parameter.data.size for _, parameter in model.named_parameters()),
        "data": pair.dataset,
        "loss": called(pair.loss),
        "optimizer": called(pair.optimizer),
        "title": pair.title,
    }


def called(twin: Twin) -> str:
    """As it would be written: "SGD(lr=0.15, momentum=0.85)"."""
    name = twin.scratch.rpartition(":")[2]
    arguments = ", ".join(f"{key}={value}" for key, value in twin.arguments.items())
    return f"{name}({arguments})" if arguments else name
