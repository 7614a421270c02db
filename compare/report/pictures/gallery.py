"""Which pictures a training gets: by what its model and data have, and some by its data set."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from twofold import scratch
from twofold.compare.data import Dataset, Split
from twofold.compare.report.pictures import samples
from twofold.compare.report.pictures.confusion import classes_of, confusion_matrices
from twofold.compare.report.pictures.filtering import filtered_picture, photograph
from twofold.compare.report.pictures.mistakes import mistakes, mistakes_picture
from twofold.compare.report.pictures.predictions import as_text, next_words, waves
from twofold.compare.report.pictures.weights import filters, hidden_units, plane_shape
from twofold.compare.report.plots.sheet import Drawing, png
from twofold.compare.report.plots.training import training_curves
from twofold.compare.training.gradients import update_ratios
from twofold.compare.training.train import Training, outputs
from twofold.scratch.module import Array, Parameter

MOST_CLASSES = 12
PATCH = 92
TRIGRAMS = 10
TRANSPOSED = ("catcar",)  # data sets whose images are stored turned about their diagonal
Drawings = Iterator[tuple[str, Drawing | str]]  # by name; a text is one


def gallery(training: Training) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all files; predictions are those of the weights that the training now has."""
    for name, drawing in drawings(training):
        yield (f"{name}.txt", drawing.encode()) if isinstance(drawing, str) else (f"{name}.png", png(drawing))


def drawings(training: Training) -> Drawings:
    backend = training.configuration.backend
    if training.steps:
        yield "curves", training_curves(training.pair, backend, training.steps, training.epochs, training.within)
    for make in (*ANY, *OF_DATA.get(training.dataset.name, ())):
        yield from make(training)


def heading(training: Training, what: str) -> str:
    return f"{training.pair.name}, {training.configuration.backend}, {trained(training)}: {what}"


def trained(training: Training) -> str:
    """How far the weights that the training now has have come."""
    epoch = training.kept_epoch
    steps = epoch * training.steps_an_epoch if training.best else len(training.steps.get("loss", ()))
    if not steps:
        return "untrained"
    return ", ".join([*([f"epoch {epoch}"] if epoch else []), f"{steps:,} step{'' if steps == 1 else 's'}"])


def predicted(training: Training, name: str, split: Split) -> tuple[str, Array, Array]:
    """A set's name, outputs and targets."""
    return name, outputs(training.side, split)[1], split.targets


def has_few_classes(data: Dataset) -> bool:
    """Where records have one of a few classes, as an index or as the sign of one output."""
    targets = data.train.targets
    indices = np.issubdtype(targets.dtype, np.integer) and targets.ndim == 1
    signs = targets.shape[1:] == (1,) and len(data.classes) == 2
    return 2 <= len(data.classes) <= MOST_CLASSES and (indices or signs)


def confusions(training: Training) -> Drawings:
    data = training.dataset
    if has_few_classes(data):
        sets = [predicted(training, "training", data.train), predicted(training, "test", data.test)]
        yield "confusion", confusion_matrices(sets, data.classes, heading(training, "confusion"))


def images_of(data: Dataset, split: Split) -> Array | None:
    """Inputs as upright images, (N, H, W) or (N, 3, H, W); None where they are none."""
    shape = split.inputs.shape[1:]
    planes = plane_shape(shape[0]) if len(shape) == 1 else shape if len(shape) == 3 and shape[0] in (1, 3) else None
    if planes is None:
        return None
    images = split.inputs.reshape(-1, *(planes[1:] if planes[0] == 1 else planes))
    return images.swapaxes(-1, -2) if data.name in TRANSPOSED else images


def misclassified(training: Training) -> Drawings:
    """Where images have one of a few classes."""
    data = training.dataset
    if has_few_classes(data) and (images := images_of(data, data.test)) is not None:
        _, outs, targets = predicted(training, "test", data.test)
        found = mistakes(outs, targets, data.classes)
        yield "misclassified", mistakes_picture(images, found, heading(training, "what it said, and what is right"))


def examples(training: Training) -> Drawings:
    data, rng = training.dataset, np.random.default_rng(training.configuration.seed)
    images, labels = images_of(data, data.train), classes_of(data.train.targets)
    if images is not None:
        heading = f"{data.name}, random training records of each class"
        yield "samples", samples.examples(images, labels, data.classes, rng, heading)


class Weighted(NamedTuple):
    """A module with a weight of its own, and that weight as the side, whichever it is, now has it."""

    path: str
    module: scratch.Module
    weight: Array


def weighted_layers(training: Training) -> list[Weighted]:
    """In order."""
    model, state = training.pair.model.build("scratch"), training.side.state()
    return [
        Weighted(path, module, state[f"{path}.weight" if path else "weight"])
        for path, module in model.named_modules()
        if isinstance(getattr(module, "weight", None), Parameter)
    ]


def way(training: Training, layer: Weighted) -> float:
    """How far a weight has come from where it began, as a part of what it was."""
    name = f"{layer.path}.weight" if layer.path else "weight"
    first = training.pair.initial_state(training.configuration.seed)
    (ratio,) = update_ratios({name: first[name]}, {name: layer.weight}).values()
    return ratio


def moved(training: Training, layer: Weighted) -> str:
    """The same in words: what looks like noise may be just that."""
    ratio = way(training, layer)
    return f"{f'moved by {100 * ratio:.3g} % from' if ratio else 'still'} their random first values"


def first_filters(training: Training) -> Drawings:
    """Where the first layer is a convolution."""
    layers = weighted_layers(training)
    if layers and isinstance(layers[0].module, scratch.Conv2d):
        first = layers[0]
        what = f"{first.path}, the first layer"
        yield "filters", filters(first.weight, heading(training, what), moved(training, first))


def hidden(training: Training) -> Drawings:
    """Where the first layer is linear and its inputs are the pixels of an image; an autoencoder's last layer too."""
    layers, data = weighted_layers(training), training.dataset
    if not layers or not isinstance(layers[0].module, scratch.Linear):
        return
    first, last, turned = layers[0], layers[-1], data.name in TRANSPOSED
    if not sees_pixels(first, data):
        return
    above, what = heading(training, f"{first.path}, the first layer"), "units: what each weighs of the input"
    yield "hidden", hidden_units(first.weight, turned, what, above, moved(training, first))
    if data.train.inputs.shape == data.train.targets.shape and last.weight.shape == first.weight.shape[::-1]:
        above, what = heading(training, f"{last.path}, the last layer"), "units: what each adds to the output"
        yield "decoder", hidden_units(last.weight.T, turned, what, above, moved(training, last))


def sees_pixels(layer: Weighted, data: Dataset) -> bool:
    pixels = layer.weight.shape[1]
    return pixels == data.train.inputs[0].size and plane_shape(pixels) is not None


def patches(training: Training) -> Drawings:
    data, rng = training.dataset, np.random.default_rng(training.configuration.seed)
    if data.raw is not None:
        source = "of the embedded set" if data.source == "embedded" else f"from {data.source}"
        yield "patches", samples.patches(data.raw, data.train.inputs, rng, f"random training patches {source}")


def shown_patch(data: Dataset) -> tuple[int, str]:
    """The source's patch 92, or of the embedded set, where that one is nearly even, the one with the most contrast."""
    number, contrast = min(PATCH, len(data.train) - 1), data.train.inputs.std(axis=1)
    if data.source == "embedded" and contrast[number] < contrast.max() / 4:
        number = int(contrast.argmax())
        return number, f"training patch {number}, the one with the most contrast"
    return number, f"training patch {number}"


def reconstructed(training: Training) -> tuple[str, Array, Array]:
    """Which patch, the patch, and what the net makes of it."""
    split = training.dataset.train
    number, what = shown_patch(training.dataset)
    one = Split(split.inputs[number : number + 1], split.targets[number : number + 1])
    _, outs, targets = predicted(training, "training", one)
    return what, targets[0], outs[0, : targets.shape[1]]


def reconstruction(training: Training) -> Drawings:
    what, patch, out = reconstructed(training)
    yield "reconstruction", samples.reconstruction(patch, out, heading(training, what))


def wave(training: Training) -> Drawings:
    data = training.dataset
    others = ("validation", data.validation) if data.validation else ("test", data.test)
    sets = [predicted(training, *named) for named in (("training", data.train), others)]
    yield "predictions", waves(sets, heading(training, f"the next value of the {data.name} wave"))


def words(training: Training) -> Drawings:
    """The most probable next words for records spread over the test set."""
    test = training.dataset.test
    chosen = np.unique(np.linspace(0, len(test) - 1, TRIGRAMS).astype(int)).tolist()
    found = next_words(training.side, test, chosen, training.dataset.classes)
    yield "words", as_text(found)


def letters(training: Training) -> Drawings:
    data, rng = training.dataset, np.random.default_rng(training.configuration.seed)
    drawn = samples.letters(data.train.inputs, data.train.targets, data.classes, rng, f"{data.name}, training records")
    yield "letters", drawn


def filtered(training: Training) -> Drawings:
    """Where the first layer is a convolution over red, green and blue."""
    layers = weighted_layers(training)
    if layers and isinstance(layers[0].module, scratch.Conv2d) and layers[0].weight.shape[1] == 3:
        yield "filtered", filtered_picture(photograph(), "two filters set by hand, by scratch.Conv2d")


Maker = Callable[[Training], Drawings]
ANY: tuple[Maker, ...] = (confusions, misclassified, first_filters, hidden)
OF_DATA: dict[str, tuple[Maker, ...]] = {
    "trigrams": (words,),
    "patches": (patches, reconstruction),
    "sine": (wave,),
    "triangle": (wave,),
    "notmnist": (letters,),
    "mnist": (examples,),
    "catcar": (examples,),
    "cifar10": (examples, filtered),
    "cifar10-mean-image": (examples, filtered),
}
