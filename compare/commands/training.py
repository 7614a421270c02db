"""`twofold train`: one side, with progress, a checkpoint after each epoch and a picture of the curves."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from compare.data import DataError, load
from compare.metrics import spoken
from compare.pair import Pair, SideName
from compare.report.console import epoch_line
from compare.sides import SideError, devices
from compare.train import Configuration, Training


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
        self.progress.reset(self.task, total=training.steps_an_epoch)
        training.save(self.path)


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
    if backend == "scratch" and device == "cuda":
        raise SideError("--device cuda: scratch runs on the CPU alone; try --backend reference")
    place = "cpu" if backend == "scratch" else devices(device)[-1]
    with console.status(f"preparing the data of {pair.name}"):
        dataset = load(pair.dataset, data)
    configuration = Configuration(pair.name, backend, dtype, place, seed, dataset.source if data else "embedded")
    training = Training(pair, dataset, configuration)
    path = out / "checkpoint.h5"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out}: expected a folder to write to, found {error.strerror}") from error
    if resume:
        training.resume(path)
    console.print(
        f"{pair.name}, {backend} in {dtype} on {place}: {len(dataset.train):,} records for training and "
        f"{len(dataset.test):,} for testing from {dataset.source}; batch {pair.recipe.batch}, seed {seed}"
    )
    if dataset.note:
        console.print(dataset.note)
    if training.done >= epochs:
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
    write_curves(training, out / "curves.png")
    console.print(f"wrote {path} and {out / 'curves.png'}")


def write_curves(training: Training, path: Path) -> None:
    from compare.report.plots import training_curves

    path.write_bytes(training_curves(training.pair, training.configuration.backend, training.steps, training.epochs))
