"""`twofold train`: one side, with progress, a checkpoint after each epoch, and pictures of what was learned."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from twofold.compare.data import DataError, load
from twofold.compare.pair import Pair, SideName
from twofold.compare.sides import SideError, devices
from twofold.compare.training.metrics import spoken
from twofold.compare.training.train import Configuration, Training


class Progressing:
    """A bar over the steps of each epoch, a line for each epoch done, and the checkpoint."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self.progress, self.path = progress, path
        self.task = progress.add_task("", total=None, figures="", rate="")

    def step(self, training: Training) -> None:
        steps, figures = training.steps, [spoken("loss", training.steps["loss"][-1])]
        figures += [spoken(name, steps[name][-1]) for name in training.pair.metrics]
        self.progress.update(
            self.task,
            description=f"epoch {training.done + 1}",
            completed=training.step_in_epoch,
            total=training.steps_an_epoch,
            figures=", ".join(figures),
            rate=f"{training.step_in_epoch / training.seconds:.0f} steps/s",
        )

    def epoch(self, training: Training) -> None:
        self.progress.console.print(epoch_line(training), highlight=False)
        if training.pair.recipe.second_stage is not None and training.stopped == training.done:
            self.progress.console.print(second_stage_line(training), highlight=False)
        self.progress.reset(self.task, total=training.steps_an_epoch)
        training.save(self.path)


def epoch_line(training: Training, epoch: int | None = None) -> str:
    """The figures of an epoch, the last by default: training, validation where there is one, and test."""
    epoch = epoch or training.done
    figures = {name: values[epoch - 1] for name, values in training.epochs.items()}
    sets = []
    for split in ("train", "validation", "test"):
        if f"{split}_loss" in figures:
            names = ("loss", *training.pair.metrics)
            sets.append(f"{split}: {', '.join(spoken(name, figures[f'{split}_{name}']) for name in names)}")
    return f"epoch {epoch}  {'  '.join(sets)}  {figures['seconds']:.1f} s"


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


def run(
    pair: Pair,
    backend: SideName,
    epochs: int,
    data: Path | None,
    dtype: str,
    device: str,
    seed: int,
    out: Path,
    resume: bool,
) -> None:
    """Raises DataError or SideError in one line for what cannot be used."""
    console = Console(highlight=False, soft_wrap=True)
    place = place_of(backend, device)
    with console.status(f"preparing the data of {pair.name}"):
        dataset = load(pair.dataset, data)
    configuration = Configuration(pair.name, backend, dtype, place, seed, dataset.source if data else "embedded")
    training = Training(pair, dataset, configuration)
    path = out / "checkpoint.h5"
    make_folder(out)
    if resume:
        training.resume(path)
    console.print(
        f"{pair.name}, {backend} in {dtype} on {place}: {len(dataset.train):,} records for training and "
        f"{len(dataset.test):,} for testing from {dataset.source}; batch {pair.recipe.batch}, seed {seed}"
    )
    if dataset.note:
        console.print(dataset.note)
    if training.done >= epochs and not training.over:
        console.print(f"already trained for {training.done} epochs; more with --epochs")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        try:
            training.run(epochs, Progressing(progress, path))
        except KeyboardInterrupt:
            training.save(path)
            console.print(f"interrupted in epoch {training.done + 1}; saved to {path}, --resume goes on from there")
            raise
    if training.best:
        console.print(kept_line(training))
    with console.status("drawing"):
        written = write_pictures(training, out)
    if "words.txt" in written:
        console.print((out / "words.txt").read_text().rstrip(), markup=False)
    console.print(f"wrote {path}, {', '.join(written)}")


def place_of(backend: SideName, device: str) -> str:
    """Where a backend computes under --device; raises SideError where it cannot."""
    if backend == "scratch" and device == "cuda":
        raise SideError("--device cuda: scratch runs on the CPU alone; try --backend reference")
    return "cpu" if backend == "scratch" else devices(device)[-1]


def make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out}: expected a folder to write to, found {error.strerror}") from error


def write_pictures(training: Training, out: Path) -> list[str]:
    """The curves, and whatever else model and data have to show; the names of the files."""
    from twofold.compare.report.pictures import gallery

    names = []
    for name, content in gallery(training):
        (out / name).write_bytes(content)
        names.append(name)
    return names
