"""Which pictures a training gets: by what its model and data have, and some by its data set."""

from collections.abc import Callable, Iterator

import numpy as np

from twofold import scratch
from twofold.compare.data import Dataset, Split
from twofold.compare.report import plots
from twofold.compare.report.pictures import samples
from twofold.compare.report.pictures.confusion import confusion_matrices
from twofold.compare.report.pictures.filtering import filtered_picture, photograph
from twofold.compare.report.pictures.predictions import as_text, next_words, waves
from twofold.compare.report.pictures.weights import filters, hidden_units, plane_shape
from twofold.compare.training.train import Training, outputs
from twofold.scratch.module import Array, Parameter

MOST_CLASSES = 12
PATCH = 92
TRIGRAMS = 10
TRANSPOSED = ("catcar",)  # data sets whose images are stored turned about their diagonal
Files = Iterator[tuple[str, bytes]]


def gallery(training: Training) -> Files:
    """Names and contents of all files; predictions are those of the weights that the training now has."""
    backend = training.configuration.backend
    yield "curves.png", plots.training_curves(training.pair, backend, training.steps, training.epochs)
    for make in (*ANY, *OF_DATA.get(training.dataset.name, ())):
        yield from make(training)


def heading(training: Training, what: str) -> str:
    place = training.configuration
    return f"{training.pair.name}, {place.backend}, epoch {training.kept_epoch}: {what}"


def predicted(training: Training, name: str, split: Split) -> tuple[str, Array, Array]:
    """A set's name, outputs and targets."""
    return name, outputs(training.side, split)[1], split.targets


def confusions(training: Training) -> Files:
    """Where records have one of a few classes, as an index or as the sign of one output."""
    data, targets = training.dataset, training.dataset.train.targets
    indices = np.issubdtype(targets.dtype, np.integer) and targets.ndim == 1
    signs = targets.shape[1:] == (1,) and len(data.classes) == 2
    if 2 <= len(data.classes) <= MOST_CLASSES and (indices or signs):
        sets = [predicted(training, "training", data.train), predicted(training, "test", data.test)]
        yield "confusion.png", confusion_matrices(sets, data.classes, heading(training, "confusion"))


def weighted_layers(training: Training) -> list[tuple[scratch.Module, Array]]:
    """In order the modules with a weight of their own, and that weight as the side, whichever it is, now has it."""
    model, state = training.pair.model.build("scratch"), training.side.state()
    found = []
    for path, module in model.named_modules():
        if isinstance(getattr(module, "weight", None), Parameter):
            found.append((module, state[f"{path}.weight" if path else "weight"]))
    return found


def first_filters(training: Training) -> Files:
    """Where the first layer is a convolution."""
    layers = weighted_layers(training)
    if layers and isinstance(layers[0][0], scratch.Conv2d):
        yield "filters.png", filters(layers[0][1], heading(training, "the first layer"))


def hidden(training: Training) -> Files:
    """Where the first layer is linear and its inputs are the pixels of an image; an autoencoder's last layer too."""
    layers, data = weighted_layers(training), training.dataset
    if not layers or not isinstance(layers[0][0], scratch.Linear):
        return
    weight, turned = layers[0][1], data.name in TRANSPOSED
    if weight.shape[1] != data.train.inputs[0].size or plane_shape(weight.shape[1]) is None:
        return
    what = "hidden units: what each weighs"
    yield "hidden.png", hidden_units(weight, turned, what, heading(training, "the first layer"))
    last = layers[-1][1]
    if data.train.inputs.shape == data.train.targets.shape and last.shape == weight.shape[::-1]:
        what = "hidden units: what each adds to the output"
        yield "decoder.png", hidden_units(last.T, turned, what, heading(training, "the last layer"))


def patches(training: Training) -> Files:
    data, rng = training.dataset, np.random.default_rng(training.configuration.seed)
    if data.raw is not None:
        source = "of the embedded set" if data.source == "embedded" else f"from {data.source}"
        yield "patches.png", samples.patches(data.raw, data.train.inputs, rng, f"random training patches {source}")


def shown_patch(data: Dataset) -> tuple[int, str]:
    """The source's patch 92, or of the embedded set, where that one is nearly even, the one with the most contrast."""
    number, contrast = min(PATCH, len(data.train) - 1), data.train.inputs.std(axis=1)
    if data.source == "embedded" and contrast[number] < contrast.max() / 4:
        number = int(contrast.argmax())
        return number, f"training patch {number}, the one with the most contrast"
    return number, f"training patch {number}"


def reconstruction(training: Training) -> Files:
    split = training.dataset.train
    number, what = shown_patch(training.dataset)
    one = Split(split.inputs[number : number + 1], split.targets[number : number + 1])
    _, outs, targets = predicted(training, "training", one)
    out = outs[0, : targets.shape[1]]
    yield "reconstruction.png", samples.reconstruction(targets[0], out, heading(training, what))


def wave(training: Training) -> Files:
    data = training.dataset
    others = ("validation", data.validation) if data.validation else ("test", data.test)
    sets = [predicted(training, *named) for named in (("training", data.train), others)]
    yield "predictions.png", waves(sets, heading(training, f"the next value of the {data.name} wave"))


def words(training: Training) -> Files:
    """The most probable next words for records spread over the test set."""
    test = training.dataset.test
    chosen = np.unique(np.linspace(0, len(test) - 1, TRIGRAMS).astype(int)).tolist()
    found = next_words(training.side, test, chosen, training.dataset.classes)
    yield "words.txt", as_text(found).encode()


def letters(training: Training) -> Files:
    data, rng = training.dataset, np.random.default_rng(training.configuration.seed)
    drawn = samples.letters(data.train.inputs, data.train.targets, data.classes, rng, f"{data.name}, training records")
    yield "letters.png", drawn


def filtered(training: Training) -> Files:
    """Where the first layer is a convolution over red, green and blue."""
    layers = weighted_layers(training)
    if layers and isinstance(layers[0][0], scratch.Conv2d) and layers[0][1].shape[1] == 3:
        yield "filtered.png", filtered_picture(photograph(), "two filters set by hand, by scratch.Conv2d")


Maker = Callable[[Training], Files]
ANY: tuple[Maker, ...] = (confusions, first_filters, hidden)
OF_DATA: dict[str, tuple[Maker, ...]] = {
    "trigrams": (words,),
    "patches": (patches, reconstruction),
    "sine": (wave,),
    "triangle": (wave,),
    "notmnist": (letters,),
    "cifar10": (filtered,),
    "cifar10-mean-image": (filtered,),
}
