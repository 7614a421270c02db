"""What one side has learned in a report's training, as pictures of the page."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from twofold import scratch
from twofold.compare.names import plain
from twofold.compare.report.page.plate import Plate, plate
from twofold.compare.report.pictures import samples
from twofold.compare.report.pictures.confusion import classes_of, confusion_matrices
from twofold.compare.report.pictures.gallery import (
    TRANSPOSED,
    Weighted,
    has_few_classes,
    images_of,
    predicted,
    reconstructed,
    sees_pixels,
    way,
    weighted_layers,
)
from twofold.compare.report.pictures.mistakes import mistakes, mistakes_picture
from twofold.compare.report.pictures.predictions import NextWord, next_words, waves
from twofold.compare.report.pictures.weights import filters, hidden_units
from twofold.compare.report.plots.bitmaps import EXACT
from twofold.compare.report.plots.gradients import gradient_curves
from twofold.compare.report.plots.sheet import Drawing
from twofold.compare.training.gradients import Watched
from twofold.compare.training.metrics import confusion
from twofold.compare.training.train import Training
from twofold.scratch.module import Array

IMAGES, UNITS, WORDS, SAYINGS = 8, 32, 4, 3
WIDEST = 4.8  # inches
SEEN = 0.25  # of itself that a weight has moved: with less it shows the noise that it began as
Plates = Iterator[Plate]


def learned(training: Training) -> list[Plate]:
    makers = [*MAKERS, *([OF_DATA[training.dataset.name]] if training.dataset.name in OF_DATA else [])]
    return [one for make in makers for one in make(training)]


def classified(training: Training) -> Plates:
    """Which class is taken for which in the test set, and some images that are."""
    data = training.dataset
    if not has_few_classes(data):
        return
    named = predicted(training, "test", data.test)
    _, outs, targets = named
    counts = confusion(classes_of(outs), classes_of(targets), len(data.classes))
    drawing = confusion_matrices([named], data.classes, "")
    drawing.axes[0].set_title("")
    drawing.set_size_inches(*np.minimum(drawing.get_size_inches(), WIDEST))
    yield plate("Confusion on the test set", told_confusion(counts, data.classes), drawing)
    if (images := images_of(data, data.test)) is not None:
        found = mistakes(outs, targets, data.classes, IMAGES)
        title = "Misclassified" if (classes_of(outs) != classes_of(targets)).any() else "Nearly misclassified"
        drawing = mistakes_picture(images, found, "", columns=4)
        drawing.suptitle("")
        alt = f"{found.title}: {'; '.join(found.captions)}."
        yield plate(title, f"{found.title}.", drawing, [alt], together=True)


def told_confusion(counts: Array, classes: Sequence[str]) -> str:
    right, off = int(np.trace(counts)), counts - np.diag(np.diag(counts))
    told = f"{right:,} of {counts.sum():,} test records are right, on the diagonal"
    if not off.any():
        return f"{told}; none is off it."
    actual, said = divmod(int(off.argmax()), len(classes))
    return f"{told}; most often, {off.max()} times, {plain(classes[actual])} is taken for {plain(classes[said])}."


def weights(training: Training) -> Plates:
    """Of the first layer, and of an autoencoder's last, where they are images."""
    layers, data = weighted_layers(training), training.dataset
    first, last = layers[0], layers[-1]
    if isinstance(first.module, scratch.Conv2d):
        yield weight_plate(training, first, "Filters", filters_of, first.weight)
    elif isinstance(first.module, scratch.Linear) and sees_pixels(first, data):
        turned = data.name in TRANSPOSED
        yield weight_plate(training, first, "Hidden units", units_of(turned), first.weight)
        if data.train.inputs.shape == data.train.targets.shape and last.weight.shape == first.weight.shape[::-1]:
            yield weight_plate(training, last, "What hidden units add", units_of(turned), last.weight.T)


def filters_of(weight: Array) -> Drawing:
    drawing = filters(weight, "")
    drawing.axes[0].images[0].set_gid(EXACT)
    return drawing


def units_of(turned: bool) -> Callable[[Array], Drawing]:
    return lambda weight: hidden_units(weight, turned, "units", "")


def weight_plate(
    training: Training, layer: Weighted, title: str, draw: Callable[[Array], Drawing], weight: Array
) -> Plate:
    """Without a picture where it would be one of noise."""
    far, shown = way(training, layer), weight[:UNITS]
    told = f"The weights of {layer.path} have moved by {100 * far:.3g} % from their random first values"
    if far < SEEN:
        return Plate(title, f"{told}: a picture would show the noise that they began as.")
    some = f"the first {len(shown)} of {len(weight)} are" if len(shown) < len(weight) else f"all {len(weight)} are"
    told += f"; {some} shown, each by its largest weight: white is positive, black negative."
    drawing = draw(shown)
    drawing.axes[0].set_title("")
    return plate(title, told, drawing)


def reconstruction(training: Training) -> Plates:
    what, patch, out = reconstructed(training)
    off = float(np.abs(out - patch).max())
    told = f"{what}, what the net makes of it, and their difference, up to {off:.3f} where the patch spans "
    drawing = samples.reconstruction(patch, out, "")
    yield plate("Reconstruction", f"{told}{np.ptp(patch):.3f}.", drawing, together=True)


def wave(training: Training) -> Plates:
    data = training.dataset
    others = ("validation", data.validation) if data.validation else ("test", data.test)
    sets = [predicted(training, *named) for named in (("training", data.train), others)]
    errors = [f"{float(np.mean(np.square(outs.ravel() - targets.ravel()))):.3g} in {n}" for n, outs, targets in sets]
    drawing = waves(sets, "")
    drawing.set_size_inches(5.2, 2.8)
    for line in drawing.axes[0].get_lines():
        line.set_marker("")
    yield plate("The next value", f"Mean squared error {' and '.join(errors)}.", drawing)


def words(training: Training) -> Plates:
    test = training.dataset.test
    chosen = np.unique(np.linspace(0, len(test) - 1, SAYINGS).astype(int)).tolist()
    found = next_words(training.side, test, chosen, training.dataset.classes)
    yield Plate("The most probable next words", f"{'. '.join(map(said, found))}.")


def said(record: NextWord) -> str:
    likely = ", ".join(f"{word} {100 * share:.0f} %" for word, share in record.predicted[:WORDS])
    return f"After {' '.join(record.context)}: {likely}; true is {record.true}"


def gradients(watched: Watched) -> Plate:
    """On their way back, over the steps that were watched."""
    drawing = gradient_curves(watched)
    legends_below(drawing)
    titles = [axis.get_title() for axis in drawing.axes]
    norms = [(row.value, row.name) for row in watched.rows if row.kind == "output" and row.value > 0]
    told = f"At {len({row.step for row in watched.rows})} of the steps"
    if norms:
        (low, least), (high, most) = min(norms), max(norms)
        told += f" norms lie between {low:.1e} ({least}) and {high:.1e} ({most})"
    return plate("Gradients and updates", f"{told}.", drawing, [f"{title}. {told}." for title in titles])


def legends_below(drawing: Drawing) -> None:
    """So that panels are as narrow as a phone."""
    most = max(len(axis.get_lines()) for axis in drawing.axes)
    drawing.set_size_inches(4.4 * len(drawing.axes), 3.1 + 0.1 * most)
    for axis in drawing.axes:
        legend = axis.get_legend()
        legend.set(loc="upper left", bbox_to_anchor=(0, -0.2))
        for text in legend.get_texts():
            text.set_fontsize(9)


MAKERS: tuple[Callable[[Training], Plates], ...] = (classified, weights)
OF_DATA: dict[str, Callable[[Training], Plates]] = {
    "trigrams": words,
    "patches": reconstruction,
    "sine": wave,
    "triangle": wave,
}
