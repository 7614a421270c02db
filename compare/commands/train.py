"""`twofold train`: one side, with progress, a checkpoint after each epoch, and pictures of what was learned."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from twofold.compare.commands.planning import Plan, Wanted, plan, started_by_others
from twofold.compare.data import Dataset
from twofold.compare.errors import BadInput
from twofold.compare.interrupts import Asked, Interrupted, between_steps
from twofold.compare.output import alone, write
from twofold.compare.screen import Screen, Words
from twofold.compare.sharding import ENVIRONMENT
from twofold.compare.sides.steady import repeatable
from twofold.compare.training import checkpoint, files, resuming
from twofold.compare.training.divergence import Diverged
from twofold.compare.training.gradients import Watched
from twofold.compare.training.metrics import spoken
from twofold.compare.training.settings import written
from twofold.compare.training.train import Training

if TYPE_CHECKING:
    from twofold.compare.training.crew import Crew

WATCHED = 60  # steps at which gradients are measured, spread over a training


class Progressing:
    """A bar over the steps of each epoch, a line for each epoch done; the checkpoint, also every so many seconds."""

    def __init__(
        self, progress: Progress, path: Path, save_every: float, watched: Watched | None = None, interval: int = 1
    ) -> None:
        self.progress, self.path, self.watched, self.interval = progress, path, watched, interval
        self.save_every, self.saved, self.stopped = save_every, time.monotonic(), False
        self.running = Running()
        self.task = progress.add_task("", total=None, figures="", rate="")

    def begins(self, training: Training) -> None:
        if self.watched and len(training.steps.get("loss", ())) % self.interval == 0:
            self.watched.record(*training.batch(training.step_in_epoch))

    def step(self, training: Training) -> None:
        if self.watched:
            self.watched.stepped()
        self.running.add(training)
        figures = [spoken(name, value) for name, value in self.running.means().items()]
        self.progress.update(
            self.task,
            description=f"epoch {training.done + 1}",
            completed=training.step_in_epoch,
            total=training.steps_an_epoch,
            figures=", ".join(figures),
            rate=f"{training.step_in_epoch / training.seconds:.0f} steps/s",
        )

    def evaluated(self, training: Training) -> None:
        self.progress.console.print(within_line(training), highlight=False)

    def epoch(self, training: Training) -> None:
        self.running = Running()
        self.progress.console.print(epoch_line(training), highlight=False)
        if training.pair.recipe.second_stage is not None and training.stopped == training.done:
            self.progress.console.print(second_stage_line(training), highlight=False)
        self.progress.reset(self.task, total=training.steps_an_epoch)
        self.save(training)

    def save(self, training: Training) -> None:
        training.save(self.path)
        self.saved = time.monotonic()

    def whole(self, training: Training, asked: Asked) -> None:
        """After a whole step: saves where that is due; stops, once it has saved, where that was asked for."""
        if asked.number is None:
            asked.number = getattr(training.side, "asked", 0) or None  # of another worker
        due = time.monotonic() - self.saved >= self.save_every
        if due or asked.number is not None:
            self.save(training)
        if asked.number is not None:
            self.stopped = True
            asked.check()


class Running:
    """Loss and metrics of the epoch so far, before each update: means over the records."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.records = 0.0

    def add(self, training: Training) -> None:
        """The last step."""
        count = training.steps["records"][-1]
        self.records += count
        for name in ("loss", *training.pair.metrics):
            self.sums[name] = self.sums.get(name, 0.0) + training.steps[name][-1] * count

    def means(self) -> dict[str, float]:
        return {name: total / self.records for name, total in self.sums.items()}


def epoch_line(training: Training, epoch: int | None = None) -> str:
    """The figures after an epoch, the last by default: training, validation where there is one, and test."""
    epoch = epoch or training.done
    figures = {name: values[epoch - 1] for name, values in training.epochs.items()}
    return f"epoch {epoch}  {sets_line(training, figures)}  {figures['seconds']:.1f} s"


def within_line(training: Training) -> str:
    """The figures of the last evaluation within an epoch."""
    figures = {name: values[-1] for name, values in training.within.items()}
    return f"step {figures['step']} of {training.steps_an_epoch * (training.done + 1)}  {sets_line(training, figures)}"


def sets_line(training: Training, figures: Mapping[str, float]) -> str:
    sets, measured = [], training.pair.recipe.measured
    for split in ("train", "validation", "test"):
        if f"{split}_loss" in figures:
            part = measured is not None and split == "train" and measured < len(training.dataset.train)
            names = ("loss", *training.pair.metrics)
            told = ", ".join(spoken(name, figures[f"{split}_{name}"]) for name in names)
            sets.append(f"{split}{f' (first {measured:,})' if part else ''}: {told}")
    return "  ".join(sets)


def second_stage_line(training: Training) -> str:
    stage = training.pair.recipe.second_stage or {}
    values = ", ".join(f"{key} {value}" for key, value in stage.items())
    return f"{stopping_rule(training)}: second stage from the weights of epoch {training.kept_epoch}, {values}"


def stopping_rule(training: Training) -> str:
    """Which of the recipe's rules ended the first stage."""
    recipe, loss = training.pair.recipe, training.epochs["validation_loss"][(training.stopped or 0) - 1]
    if recipe.stop_below is not None and loss <= recipe.stop_below:
        return f"validation loss at or below {recipe.stop_below:g}"
    return f"{recipe.patience} epoch{'' if recipe.patience == 1 else 's'} without a better validation loss"


def kept_line(training: Training) -> str:
    """Why the training ended early, if it did, and which epoch's weights are kept."""
    ended = f"stopped after epoch {training.done}, {stopping_rule(training)}; " if training.over else ""
    return f"{ended}best by validation loss, and kept: {epoch_line(training, training.kept_epoch)}"


def run(wanted: Wanted) -> None:
    """Raises BadInput in one line for what cannot be used."""
    console = Screen(soft_wrap=True)
    if wanted.workers and (wanted.workers == ENVIRONMENT or started_by_others()):
        from twofold.compare.training.crew import joined
        from twofold.compare.training.workers import serve

        with joined() as crew:
            if crew.rank:
                raise SystemExit(serve(crew))
            together(console, None, wanted, crew)
        return
    made = plan(wanted, console)
    if made.configuration.workers:
        from twofold.compare.training.crew import started
        from twofold.compare.training.workers import serve

        with started(made.configuration.workers, serve) as crew:
            together(console, made, wanted, crew)
        return
    with alone(made.out):
        trained(console, Training(made.pair, made.dataset, made.configuration), made, wanted)


def together(console: Screen, made: Plan | None, wanted: Wanted, crew: "Crew") -> None:
    """Rank 0 of several: it plans, unless it has, trains and writes; the others end with it."""
    from twofold.compare.training.workers import commanding, leader

    with commanding(crew):
        made = made or plan(wanted, console)
        with alone(made.out):
            side = leader(made.pair, made.configuration, crew)
            trained(console, Training(made.pair, made.dataset, made.configuration, side), made, wanted)


def trained(console: Screen, training: Training, made: Plan, wanted: Wanted) -> None:
    epochs, dataset, out = made.pair.recipe.epochs, made.dataset, made.out
    path = out / "checkpoint.h5"
    notes = training.resume(path) if wanted.resume else []
    if not wanted.resume and not wanted.overwrite:
        must_lose_nothing(path, training, epochs)
    files.write(out, made.configuration)
    console.print(heading(training, dataset))
    if made.changed:
        told = ", ".join(f"{key} {written(value)}" for key, value in made.changed.items())
        console.print(f"not as the recipe has it: {told}")
    if dataset.note:
        console.print(dataset.note)
    if wanted.resume:
        step = f"step {training.step_in_epoch} of {training.steps_an_epoch}"
        console.print(f"goes on after epoch {training.done}, {step}")
    for note in notes:
        console.print(note)
    if training.done >= epochs and not training.over:
        console.print(f"already trained for {training.done} epochs; more with --epochs")
    columns = (
        Words("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Words("{task.fields[figures]}  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    watched = Watched(training) if wanted.watch else None
    interval = max(1, epochs * training.steps_an_epoch // WATCHED)
    with Progress(*columns, console=console, transient=True) as progress, between_steps() as asked:
        watcher = Progressing(progress, path, 60 * wanted.save_every, watched, interval)
        try:
            training.run(epochs, watcher, wanted.every, partial(watcher.whole, training, asked))
        except (Interrupted, KeyboardInterrupt):
            told = f"saved to {path}, --resume goes on from there"
            if not watcher.stopped:
                told = f"at once, nothing was saved; {last_kept(path)}"
            console.print(f"interrupted in epoch {training.done + 1}; {told}")
            raise
        except Diverged as error:
            raise Diverged(f"{error}; {last_kept(path)}") from None
    if training.best:
        console.print(kept_line(training))
    kept = [path, out / files.NAME]
    if watched and watched.rows:
        kept.append(write_gradients(watched, out))
    finish(console, training, out, kept)


def must_lose_nothing(path: Path, training: Training, epochs: int) -> None:
    """Raises BadInput where a training is there that this one would take away: a longer one, or the same unfinished."""
    if not path.is_file():
        return
    stored = checkpoint.load(path)
    done, step = stored.position["epoch"], stored.position["step"]
    same = not list(resuming.differences(training.configuration, stored.configuration))
    unfinished = same and (0, 0) < (done, step) < (epochs, 0)
    if (done, step) > (epochs, 0) or unfinished:
        told = f"{done} epochs" + (f" and {step} steps" if step else "")
        expected = "a folder without a training that goes further"
        raise BadInput(f"{path}: expected {expected}, found {told}; --resume goes on, --overwrite begins anew")


def last_kept(path: Path) -> str:
    """What a checkpoint holds, for the one whose run ended."""
    if not path.is_file():
        return "no checkpoint was written yet"
    position = checkpoint.load(path).position
    return f"{path} holds epoch {position['epoch']}, step {position['step']}"


def write_gradients(watched: Watched, out: Path) -> Path:
    from twofold.compare.report.plots.gradients import gradient_curves
    from twofold.compare.report.plots.sheet import png

    path = out / "gradients.png"
    write(path, png(gradient_curves(watched)))
    return path


def heading(training: Training, whole: Dataset) -> str:
    """What is trained on what, in one line."""
    place, count, wanted = training.configuration, len(training.dataset.train), training.pair.recipe.records
    part = f"the first {count:,} of " if count < len(whole.train) else f"all {wanted:,}, " if wanted == count else ""
    if wanted is not None and wanted > count:
        part = f"{wanted:,} wanted and all there are, "
    return (
        f"{place.pair}, {place.backend} in {place.dtype} on {place.device}: {part}{len(whole.train):,} records for "
        f"training and {len(whole.test):,} for testing from {whole.source}; batch {training.pair.recipe.batch}, "
        f"seed {place.seed}, {place.threads} thread{'' if place.threads == 1 else 's'}"
        f"{f', {place.workers} worker' + 's' * (place.workers > 1) if place.workers else ''}"
    )


def finish(console: Screen, training: Training, out: Path, there: Sequence[Path] = ()) -> None:
    """The pictures, and the names of all files."""
    with console.status("drawing"), repeatable(training.configuration.device):
        written = write_pictures(training, out)
    if "words.txt" in written:
        console.lines((out / "words.txt").read_text().rstrip())
    names = [str(there[0]), *(path.name for path in there[1:]), *written] if there else written
    console.print(f"wrote {', '.join(names)}{'' if there else f' to {out}'}")


def write_pictures(training: Training, out: Path) -> list[str]:
    """The curves, and whatever else model and data have to show; the names of the files."""
    from twofold.compare.report.pictures import gallery

    names = []
    for name, content in gallery(training):
        write(out / name, content)
        names.append(name)
    return names
