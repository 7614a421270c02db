"""`twofold sweep`: every combination of some settings trained, then a table and one picture of all curves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from twofold.compare.commands.train import make_folder, place_of
from twofold.compare.data import load
from twofold.compare.errors import BadInput
from twofold.compare.pair import Pair, SideName
from twofold.compare.training import sweep
from twofold.compare.training.metrics import LABELS
from twofold.compare.training.train import Configuration, Training


class Progressing:
    """One bar over the steps of all combinations."""

    def __init__(self, progress: Progress, steps: Sequence[int]) -> None:
        self.progress, self.steps, self.before = progress, steps, 0
        self.task = progress.add_task("", total=sum(steps))

    def begin(self, number: int, point: sweep.Point) -> None:
        self.before = sum(self.steps[:number])
        description = f"{number + 1} of {len(self.steps)}: {sweep.label(point)}"
        self.progress.update(self.task, description=description, completed=self.before)

    def step(self, training: Training) -> None:
        self.progress.update(self.task, completed=self.before + len(training.steps["loss"]))

    def epoch(self, training: Training) -> None:
        pass


def run(
    pair: Pair,
    settings: Sequence[str],
    backend: SideName,
    epochs: int | None,
    data: Path | None,
    dtype: str,
    device: str,
    seed: int,
    out: Path,
) -> None:
    """Raises BadInput in one line for what cannot be used."""
    console = Console(highlight=False, soft_wrap=True)
    values = sweep.grid(pair, settings)
    if "epochs" in values and epochs is not None:
        raise BadInput("--epochs: expected here or as --set epochs, found both")
    pair = replace(pair, recipe=replace(pair.recipe, epochs=epochs or pair.recipe.epochs))
    place, points = place_of(backend, device), sweep.points(values)
    with console.status(f"preparing the data of {pair.name}"):
        dataset = load(pair.dataset, data)
    configuration = Configuration(pair.name, backend, dtype, place, seed, dataset.source if data else "embedded")
    whole = {**vars(configuration), "epochs": pair.recipe.epochs, "settings": values}
    make_folder(out)
    path = out / "sweep.json"
    finished = sweep.load(path, whole)
    with console.status("trying the settings"):
        pairs = [sweep.try_out(pair, dataset, configuration, point) for point in points]
    console.print(
        f"{pair.name}, {backend} in {dtype} on {place}: {len(points)} combinations, {len(dataset.train):,} records for "
        f"training and {len(dataset.test):,} for testing from {dataset.source}; each from seed {seed}"
    )
    if dataset.note:
        console.print(dataset.note)
    if finished:
        console.print(f"{len(finished)} finished before, read from {path}")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        steps = [-(-len(dataset.train) // found.recipe.batch) * found.recipe.epochs for found in pairs]
        watcher = Progressing(progress, steps)
        try:
            for number in sweep.remaining(points, finished):
                watcher.begin(number, points[number])
                one = sweep.train_point(pairs[number], dataset, configuration, points[number], watcher)
                finished.append(one)
                sweep.save(path, whole, finished)
                console.print(line(pair, one))
        except KeyboardInterrupt:
            console.print(f"interrupted; {len(finished)} of {len(points)} are kept in {path}, the same command goes on")
            raise
    console.print(table(pair, finished))
    write_picture(pair, finished, out / "sweep.png")
    console.print(f"wrote {path} and {out / 'sweep.png'}")


def line(pair: Pair, one: sweep.Trained) -> str:
    cells = [f"{name} {value}" for name, value in zip(columns_of(pair, [one]), figures(pair, one, [one]), strict=True)]
    return f"{sweep.label(one.settings)}: {', '.join(cells)}"


def splits(finished: Sequence[sweep.Trained]) -> list[str]:
    return [split for split in ("train", "validation", "test") if f"{split}_loss" in finished[0].figures]


def columns_of(pair: Pair, finished: Sequence[sweep.Trained]) -> list[str]:
    names = [f"{split} {LABELS[name][0]}" for name in ("loss", *pair.metrics) for split in splits(finished)]
    return ["epoch", *names]


def figures(pair: Pair, one: sweep.Trained, finished: Sequence[sweep.Trained]) -> list[str]:
    cells = [str(one.epoch)]
    for name in ("loss", *pair.metrics):
        unit = LABELS[name][1]
        cells += [
            f"{one.figures[f'{split}_{name}']:.2f}{unit}" if unit else f"{one.figures[f'{split}_{name}']:.4f}"
            for split in splits(finished)
        ]
    return cells


def table(pair: Pair, finished: Sequence[sweep.Trained]) -> Table:
    """A row for each combination with the figures after its last epoch, or of the best one where that is kept."""
    winner = sweep.best(finished)
    decided = "validation" if "validation" in splits(finished) else "test"
    found = Table(box=None, pad_edge=False, caption=f"best: the lowest {decided} loss", caption_justify="left")
    for key in finished[0].settings:
        found.add_column(key, overflow="fold")
    for name in columns_of(pair, finished):
        found.add_column(name, justify="right", overflow="fold")
    found.add_column("")
    for number, one in enumerate(finished):
        mark: dict[str, Any] = {"style": "bold green"} if number == winner else {}
        values = map(sweep.written, one.settings.values())
        found.add_row(*values, *figures(pair, one, finished), "best" if mark else "", **mark)
    return found


def write_picture(pair: Pair, finished: Sequence[sweep.Trained], path: Path) -> None:
    from twofold.compare.report.pictures.curves import sweep_curves

    path.write_bytes(sweep_curves(pair, finished, sweep.best(finished)))
