"""`twofold sweep`: trainings over each other, then a table and one picture of all curves, and the best one kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TimeRemainingColumn
from rich.table import Table

from twofold.compare.commands.choosing import trainable
from twofold.compare.commands.planning import place_of
from twofold.compare.commands.train import write_pictures
from twofold.compare.data import Dataset, load
from twofold.compare.errors import BadInput
from twofold.compare.interrupts import Interrupted
from twofold.compare.names import meant
from twofold.compare.output import alone, make_folder, write
from twofold.compare.pair import Pair, SideName
from twofold.compare.screen import Screen, Words
from twofold.compare.training import files, sweep
from twofold.compare.training.metrics import LABELS
from twofold.compare.training.settings import Point, all_of, in_full, label, pair_at, parse, points, written
from twofold.compare.training.sweep import Trained, decisive
from twofold.compare.training.train import Configuration, Training

TRIGRAMS, WORDS = 5, 10  # shown of a net that predicts words


@dataclass(frozen=True)
class Wanted:
    """What the command line says; None is what the recipes say."""

    pairs: Sequence[str]
    backend: SideName
    settings: Sequence[str] = ()
    best_by: str = "loss"
    records: int | None = None
    epochs: int | None = None
    stop: bool = True
    data: Path | None = None
    dtype: str | None = None
    device: str | None = None
    seed: int | None = None
    out: Path | None = None
    watch: bool = False
    threads: int | None = None


class Progressing:
    """One bar over the steps of all combinations."""

    def __init__(self, progress: Progress, steps: Sequence[int]) -> None:
        self.progress, self.steps, self.before = progress, steps, 0
        self.task = progress.add_task("", total=sum(steps))

    def begin(self, number: int, point: Point) -> None:
        self.before = sum(self.steps[:number])
        description = f"{number + 1} of {len(self.steps)}: {label(point)}"
        self.progress.update(self.task, description=description, completed=self.before)

    def begins(self, training: Training) -> None:
        pass

    def step(self, training: Training) -> None:
        self.progress.update(self.task, completed=self.before + len(training.steps["loss"]))

    def evaluated(self, training: Training) -> None:
        pass

    def epoch(self, training: Training) -> None:
        pass


def run(wanted: Wanted) -> None:
    """Raises BadInput in one line for what cannot be used."""
    console = Screen(soft_wrap=True)
    pairs = recipes(wanted)
    first = next(iter(pairs.values()))
    if wanted.best_by not in (known := ("loss", *first.metrics)):
        found = f"{wanted.best_by!r}{meant(wanted.best_by, known)}"
        raise BadInput(f"--best-by: expected {' or '.join(known)}, found {found}")
    label_of: dict[str, Point] = {name: {"pair": name} if len(pairs) > 1 else {} for name in pairs}
    grid = [label_of[name] | point for name, pair in pairs.items() for point in points(pair, wanted.settings)]
    if not any(grid):
        raise BadInput("sweep: expected several pairs, or --set KEY=V1,V2, found neither")
    seed = first.recipe.seed if wanted.seed is None else wanted.seed
    place = place_of(wanted.backend, wanted.device or "auto")
    with console.status(f"preparing the data of {first.name}"):
        dataset = load(first.dataset, wanted.data)
    source = dataset.source if wanted.data else "embedded"
    configuration = Configuration(first.name, wanted.backend, wanted.dtype or "float32", place, seed, source)
    configuration = replace(configuration, threads=wanted.threads or 1)
    with console.status("trying the settings"):
        plans = [sweep.planned(pairs, point, configuration, dataset) for point in grid]
    whole = vars(configuration) | {
        "pair": list(pairs),
        "settings": {name: all_of(pair) for name, pair in pairs.items()},
        "points": [label(point) for point in grid],
    }
    out = wanted.out or Path("runs") / f"{'-'.join(pairs)[:80]}-{wanted.backend}-sweep"
    with alone(out):
        swept(console, wanted, plans, dataset, out, whole)


def swept(
    console: Screen,
    wanted: Wanted,
    plans: Sequence[sweep.Planned],
    dataset: Dataset,
    out: Path,
    whole: Mapping[str, Any],
) -> None:
    first, place = plans[0].pair, plans[0].configuration
    finished = sweep.load(out / "sweep.json", whole)
    console.print(
        f"{', '.join(whole['pair'])}, {wanted.backend} in {place.dtype} on {place.device}: {len(plans)} combinations, "
        f"{len(dataset.train):,} records for training and {len(dataset.test):,} for testing from {dataset.source}; "
        f"each from seed {place.seed}"
    )
    if dataset.note:
        console.print(dataset.note)
    if finished:
        console.print(f"{len(finished)} finished before, read from {out / 'sweep.json'}")
    if wanted.watch:
        write_norms(plans, dataset, out / "gradients.png")
    train_all(console, plans, dataset, finished, wanted.best_by, out, whole)
    conclude(console, first, finished, wanted.best_by, out)


def write_norms(plans: Sequence[sweep.Planned], dataset: Dataset, path: Path) -> None:
    """How large gradients are on their way back at the first batch, layer by layer, a line a net."""
    from twofold.compare.report.plots.gradients import layer_norms
    from twofold.compare.report.plots.sheet import png
    from twofold.compare.training.gradients import first_batch

    nets = [(label(plan.point), Training(plan.pair, dataset, plan.configuration)) for plan in plans]
    write(path, png(layer_norms(first_batch(nets), "gradients by layer, first batch")))


def recipes(wanted: Wanted) -> dict[str, Pair]:
    """The pairs by name, with what holds for all points. Raises BadInput where they cannot be laid over each other."""
    pairs = [trainable(name, wanted.backend) for name in dict.fromkeys(wanted.pairs)]
    for pair in pairs[1:]:
        if (pair.dataset, pair.metrics) != (pairs[0].dataset, pairs[0].metrics):
            expected = f"{pairs[0].dataset} and {', '.join(pairs[0].metrics)} as {pairs[0].name} has them"
            raise BadInput(f"{pair.name}: expected {expected}, found {pair.dataset} and {', '.join(pair.metrics)}")
    given = in_full(wanted.settings, wanted.records, wanted.epochs, wanted.stop)
    embedded = wanted.data is None
    return {pair.name: pair_at(pair, {**(pair.embedded if embedded else {}), **parse(pair, given)}) for pair in pairs}


def train_all(
    console: Screen,
    plans: Sequence[sweep.Planned],
    dataset: Dataset,
    finished: list[Trained],
    by: str,
    out: Path,
    whole: Mapping[str, Any],
) -> None:
    """Trains what is not finished yet; each finished one is kept at once, and the best so far with all it has."""
    columns = (Words("{task.description}"), BarColumn(), Words("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        recipes = [(plan.pair.recipe, plan.pair.recipe.records or len(dataset.train)) for plan in plans]
        watcher = Progressing(progress, [-(-count // recipe.batch) * recipe.epochs for recipe, count in recipes])
        try:
            for number in sweep.remaining([plan.point for plan in plans], finished):
                plan = plans[number]
                watcher.begin(number, plan.point)
                one, training = sweep.train_point(plan, dataset, watcher)
                one.words = {} if one.diverged else words_of(training)
                finished.append(one)
                if sweep.best(finished, by) == len(finished) - 1:
                    keep(training, out / "best")
                sweep.save(out / "sweep.json", whole, finished)
                console.print(line(plan.pair, one))
        except (Interrupted, KeyboardInterrupt):
            kept = f"{len(finished)} of {len(plans)} are kept in {out / 'sweep.json'}"
            console.print(f"interrupted; {kept}, the same command goes on")
            raise


def keep(training: Training, folder: Path) -> None:
    """Checkpoint, configuration and pictures."""
    make_folder(folder)
    training.save(folder / "checkpoint.h5")
    files.write(folder, training.configuration)
    write_pictures(training, folder)


def words_of(training: Training) -> dict[str, list[str]]:
    """Of a net that predicts words the most probable ones after a few trigrams of the test set."""
    if training.dataset.name != "trigrams":
        return {}
    from twofold.compare.report.pictures.predictions import next_words

    test, words = training.dataset.test, training.dataset.classes
    chosen = [n * (len(test) - 1) // (TRIGRAMS - 1) for n in range(TRIGRAMS)]
    found = next_words(training.side, test, chosen, words)
    return {f"{' '.join(one.context)} ... {one.true}": [word for word, _ in one.predicted[:WORDS]] for one in found}


def conclude(console: Screen, pair: Pair, finished: Sequence[Trained], by: str, out: Path) -> None:
    """Table and picture, words side by side, and the best with its figures on the test set."""
    console.table(table(pair, finished, by))
    spoken = [one for one in finished if one.words]
    for context in spoken[0].words if spoken else ():
        console.table(word_table(context, spoken))
    write_picture(pair, finished, by, out / "sweep.png")
    if (winner := sweep.best(finished, by)) is not None:
        one = finished[winner]
        names = ("loss", *pair.metrics)
        tested = ", ".join(f"{LABELS[n][0]} {figure(one, 'test', n)}" for n in names)
        told = f"best by {decisive(one)} {LABELS[by][0]}: {label(one.settings)}, epoch {one.epoch}; test: {tested}"
        console.print(f"{told}; kept in {out / 'best'}")
    else:
        console.print(f"none is the best by {LABELS[by][0]}: no figure is a number")
    watched = f", {out / 'gradients.png'}" if (out / "gradients.png").is_file() else ""
    console.print(f"wrote {out / 'sweep.json'} and {out / 'sweep.png'}{watched}")


def line(pair: Pair, one: Trained) -> str:
    cells = [f"{name} {value}" for name, value in zip(columns_of(pair, [one]), figures(pair, one, [one]), strict=True)]
    return f"{label(one.settings)}: {one.diverged or ', '.join(cells)}"


def splits(finished: Sequence[Trained]) -> list[str]:
    return [split for split in ("train", "validation", "test") if f"{split}_loss" in finished[0].figures]


def columns_of(pair: Pair, finished: Sequence[Trained]) -> list[str]:
    names = [f"{split} {LABELS[name][0]}" for name in ("loss", *pair.metrics) for split in splits(finished)]
    return ["epoch", *names]


def figures(pair: Pair, one: Trained, finished: Sequence[Trained]) -> list[str]:
    shown = [figure(one, split, name) for name in ("loss", *pair.metrics) for split in splits(finished)]
    return [str(one.epoch), *shown]


def figure(one: Trained, split: str, name: str) -> str:
    value, unit = one.figures[f"{split}_{name}"], LABELS[name][1]
    if one.diverged:
        return "diverged"
    return f"{value:.2f}{unit}" if unit else f"{value:.4f}"


def table(pair: Pair, finished: Sequence[Trained], by: str) -> Table:
    """A row for each combination with the figures after its last epoch, or of the best one where that is kept."""
    winner = sweep.best(finished, by)
    decided = f"best: the {decisive(finished[0])} {LABELS[by][0]}"
    drawn = Table(box=None, pad_edge=False, caption=decided, caption_justify="left")
    keys = list(dict.fromkeys(key for one in finished for key in one.settings))
    for key in keys:
        drawn.add_column(key)
    for name in columns_of(pair, finished):
        drawn.add_column(name, justify="right")
    drawn.add_column("")
    for number, one in enumerate(finished):
        mark: dict[str, Any] = {"style": "bold green"} if number == winner else {}
        values = [written(one.settings[key]) if key in one.settings else "" for key in keys]
        drawn.add_row(*values, *figures(pair, one, finished), "best" if mark else "", **mark)
    return drawn


def word_table(context: str, finished: Sequence[Trained]) -> Table:
    """The most probable words after one trigram, a column a net; the true one stands behind the dots."""
    drawn = Table(title=context, title_justify="left", box=None, pad_edge=False)
    for one in finished:
        drawn.add_column(label(one.settings))
    for row in zip(*(one.words[context] for one in finished), strict=True):
        drawn.add_row(*row)
    return drawn


def write_picture(pair: Pair, finished: Sequence[Trained], by: str, path: Path) -> None:
    from twofold.compare.report.plots.sheet import png
    from twofold.compare.report.plots.sweep import sweep_curves

    write(path, png(sweep_curves(pair, finished, sweep.best(finished, by))))
