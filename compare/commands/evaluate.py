"""`twofold evaluate`: the figures and pictures of a checkpoint, without training."""

from pathlib import Path

from twofold.compare.commands.choosing import trainable
from twofold.compare.commands.planning import place_of
from twofold.compare.commands.train import finish, heading, sets_line
from twofold.compare.data import DataError, Dataset, load
from twofold.compare.output import make_folder
from twofold.compare.screen import Screen
from twofold.compare.sides.steady import repeatable
from twofold.compare.training import checkpoint
from twofold.compare.training.settings import all_of, pair_at, parse, written
from twofold.compare.training.train import Configuration, Training


def run(path: Path, data: Path | None, device: str, out: Path | None) -> None:
    """Prints the figures on every set, of the best weights where they are kept. Raises DataError in one line."""
    console = Screen(soft_wrap=True)
    path = path / "checkpoint.h5" if path.is_dir() else path
    folder = out or path.parent / "evaluation"
    training, dataset = restored(path, data, device)
    make_folder(folder)
    with repeatable(training.configuration.device):
        figures = {**training.trained(), **training.validated(), **training.tested()}
    console.print(heading(training, dataset))
    console.print(f"after epoch {training.kept_epoch}  {sets_line(training, figures)}")
    finish(console, training, folder)


def restored(path: Path, data: Path | None, device: str) -> tuple[Training, Dataset]:
    """The training of a checkpoint as it stopped, with the weights that it keeps, and all of its data."""
    stored = checkpoint.load(path)
    entries = dict(stored.configuration)
    settings = entries.pop("settings", {})
    backend = entries["backend"]
    pair = trainable(entries["pair"], backend)
    pair = pair_at(pair, parse(pair, [f"{key}={written(value)}" for key, value in settings.items()]))
    entries["device"] = place_of(backend, device)
    if entries["data"] != "embedded" and data is None:
        raise DataError(f"{path}: expected --data DIR with {entries['data']}, found none")
    dataset = load(pair.dataset, data)
    if entries["data"] != (found := dataset.source if data else "embedded"):
        raise DataError(f"{path}: expected the data that it was trained on, {entries['data']}, found {found}")
    training = Training(pair, dataset, Configuration(**entries, settings=all_of(pair)))
    training.restore(stored, path)
    return training, dataset
