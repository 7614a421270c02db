"""Pictures and lists of predictions: what is in them, and which a training gets."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.judge.planting import plant
from tests.training.small import Silent
from twofold.compare.data import Dataset, Split
from twofold.compare.pair import Pair, Recipe
from twofold.compare.pairs import PAIRS
from twofold.compare.report.pictures import gallery, predictions
from twofold.compare.report.pictures.confusion import classes_of, confusion_matrices
from twofold.compare.report.pictures.filtering import filtered, photograph
from twofold.compare.report.pictures.gallery import PATCH, shown_patch
from twofold.compare.report.pictures.mosaic import GAP, mosaic, pixels, signed
from twofold.compare.report.pictures.predictions import NextWord, as_text, next_words
from twofold.compare.report.pictures.samples import patches
from twofold.compare.report.pictures.weights import columns_of, filters, hidden_units, plane_shape
from twofold.compare.report.plots.sheet import Drawing, png
from twofold.compare.report.plots.sides import step_times
from twofold.compare.report.plots.sweep import named, sweep_curves
from twofold.compare.training.metrics import confusion
from twofold.compare.training.sweep import Trained
from twofold.compare.training.train import Configuration, Training, evaluate

RNG = np.random.default_rng(0)
WORDS = tuple(f"w{n}" for n in range(13))


def size(drawing: Drawing | bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(io.BytesIO(drawing if isinstance(drawing, bytes) else png(drawing))) as image:
        image.load()
        return image.size


def test_confusion_by_hand() -> None:
    """Rows actual, columns predicted."""
    counts = confusion(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_classes_of_logits_signs_and_indices() -> None:
    assert classes_of(np.array([[0.1, 0.9], [0.8, 0.2]])).tolist() == [1, 0]
    assert classes_of(np.array([[-1.0], [0.0], [0.5]])).tolist() == [0, 0, 1]
    assert classes_of(np.array([2, 0])).tolist() == [2, 0]


def test_confusion_picture_names_its_axes() -> None:
    """The text is in the figure: seen through the same drawing without the PNG."""
    from matplotlib.figure import Figure

    from twofold.compare.report.pictures.confusion import draw

    axis = Figure().add_subplot()
    draw(axis, np.array([[3, 1], [0, 4]]), ("cat", "car"), "test")
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("actual", "predicted")
    assert [text.get_text() for text in axis.get_yticklabels()] == ["cat", "car"]
    assert [text.get_text() for text in axis.texts] == ["3", "1", "4"]
    assert axis.get_title() == "test: 87.50 % of 8 right"
    outs, targets = RNG.standard_normal((9, 3)), RNG.integers(0, 3, 9)
    assert size(confusion_matrices([("test", outs, targets)], ("a", "b", "c"), "heading"))[0] > 200


def test_mosaic_by_hand() -> None:
    images = np.arange(3.0).reshape(3, 1, 1) / 4  # 0, 0.25, 0.5 in two columns
    canvas = mosaic(images, 2)
    assert canvas.shape == (5, 5, 3)
    assert canvas[1::2, 1::2, 0].tolist() == [[0, 0.25], [0.5, GAP[0]]]  # the last place is empty
    np.testing.assert_array_equal(canvas[::2], np.broadcast_to(GAP, (3, 5, 3)))
    colour = mosaic(RNG.random((2, 3, 4, 4)), 1, gap=0)
    assert colour.shape == (8, 4, 3)


def test_signed_and_pixels_by_hand() -> None:
    assert signed(np.array([[-2.0, 0, 1], [0, 0, 0]])).tolist() == [[0, 0.5, 0.75], [0.5, 0.5, 0.5]]
    assert pixels(np.array([[1.0, 2, 3], [5, 5, 5]])).tolist() == [[0, 0.5, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("count", "shape"), [(784, (28, 28)), (3072, (3, 32, 32)), (256, (16, 16)), (50, None), (1, None), (800, None)]
)
def test_planes(count: int, shape: tuple[int, ...] | None) -> None:
    assert plane_shape(count) == shape


def test_images_that_are_stored_transposed_are_shown_upright() -> None:
    weight = RNG.standard_normal((6, 16))
    turned = weight.reshape(6, 4, 4).swapaxes(1, 2).reshape(6, 16)
    upright = png(hidden_units(weight, False, "hidden units", "heading"))
    assert png(hidden_units(turned, True, "hidden units", "heading")) == upright
    assert png(hidden_units(turned, False, "hidden units", "heading")) != upright


def test_filters_and_their_limit() -> None:
    for shape in ((4, 1, 5, 5), (4, 3, 7, 7), (4, 2, 3, 3), (200, 1, 3, 3)):
        assert size(filters(RNG.standard_normal(shape), "heading"))[0] > 300


def test_rows_leave_few_places_empty() -> None:
    assert [columns_of(count) for count in (1, 2, 3, 8, 20, 32, 64, 100, 104)] == [1, 2, 3, 4, 5, 8, 8, 10, 13]
    assert max(-count % columns_of(count) for count in range(1, 105)) <= 4


def test_the_two_filters_by_hand() -> None:
    """Grey 0.3 R + 0.6 G + 0.1 B; edges about 128, the row above minus the row below of the blue."""
    image = RNG.integers(0, 256, (3, 6, 5)).astype(np.uint8)
    grey, edges = filtered(image)
    np.testing.assert_allclose(grey, np.tensordot([0.3, 0.6, 0.1], image.astype(float), 1), rtol=1e-14)
    blue = np.pad(image[2].astype(float), 1)
    rows = blue[:, :-2] + 2 * blue[:, 1:-1] + blue[:, 2:]
    np.testing.assert_allclose(edges, 128 + rows[:-2] - rows[2:], rtol=1e-12)
    assert photograph().shape == (3, 200, 200)


def test_patches_are_the_same_in_colour_and_preprocessed() -> None:
    """The picture follows the records: other records after the chosen range change nothing."""
    raw, prepared = RNG.random((9, 3, 4, 4)), RNG.random((7, 16))
    first = png(patches(raw, prepared, np.random.default_rng(1), "heading"))
    raw[7:] = 0  # of the test split
    assert png(patches(raw, prepared, np.random.default_rng(1), "heading")) == first
    raw[0] = 0
    assert png(patches(raw, prepared, np.random.default_rng(1), "heading")) != first


def dataset(name: str, inputs: np.ndarray, targets: np.ndarray, classes: tuple[str, ...] = (), **more: Any) -> Dataset:
    train, validation, test = (Split(inputs[part], targets[part]) for part in (slice(12), slice(12, 16), slice(16, 20)))
    return Dataset(name, "embedded", train, validation, test, classes, **more)


FLOATS, LABELS = RNG.random((20, 16)), np.arange(20) % 3
SIGNS = np.where(RNG.random((20, 1)) > 0.5, 1.0, -1.0)
CLASSES = ("cat", "dog", "cow")


def small(pair: str, **arguments: Any) -> Pair:
    found = PAIRS[pair]
    return replace(found, model=found.model.given(**arguments), recipe=Recipe(batch=5, epochs=1, report_steps=1))


def trained(pair: Pair, data: Dataset, backend: str = "scratch") -> Training:
    training = Training(pair, data, Configuration(pair.name, backend, "float64", "cpu", 0, "embedded"))  # type: ignore[arg-type]
    training.run(1, Silent())
    return training


CATCAR = small("catcar-mlp", pixels=16, hidden=(3,))
CNN = small("mnist-cnn", image=(12, 12), hidden=4, classes=3, filters=(2, 3))
LM = small("trigram-lm", words=13, embedding=4, hidden=5)
LSTM = small("activity-lstm", hidden=4, classifier=(3, 3), classes=3)
CLASSED = ("confusion.png", "misclassified.png")
GIVEN = {
    "signs": (
        CATCAR,
        dataset("catcar", FLOATS, SIGNS, ("cat", "car")),
        [*CLASSED, "hidden.png", "samples.png"],
    ),
    "filters": (
        CNN,
        dataset("mnist", RNG.random((20, 1, 12, 12)), LABELS, CLASSES),
        [*CLASSED, "filters.png", "samples.png"],
    ),
    "signals": (LSTM, dataset("activity", RNG.random((20, 7, 3)), LABELS, CLASSES), ["confusion.png"]),
    "words": (LM, dataset("trigrams", RNG.integers(0, 13, (20, 3)), LABELS, WORDS), ["words.txt"]),
    "wave": (small("catcar-mlp", pixels=15), dataset("sine", FLOATS[:, :15], SIGNS), ["predictions.png"]),
    "many": (LM, dataset("none", RNG.integers(0, 13, (20, 3)), LABELS, WORDS), []),
    "autoencoder": (
        small("sparse-autoencoder", pixels=16, hidden=5),
        dataset("patches", FLOATS, FLOATS, raw=RNG.random((20, 3, 4, 4))),
        ["hidden.png", "decoder.png", "patches.png", "reconstruction.png"],
    ),
    "letters": (
        small("notmnist-mlp", pixels=16, hidden=5, classes=3),
        dataset("notmnist", FLOATS, LABELS, CLASSES),
        [*CLASSED, "hidden.png", "letters.png"],
    ),
    "colour": (
        small("three-layer-convnet", filters=4, kernel=3, image=(8, 8), hidden=4, classes=3),
        dataset("cifar10", RNG.random((20, 3, 8, 8)), LABELS, CLASSES),
        [*CLASSED, "filters.png", "samples.png", "filtered.png"],
    ),
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_training_gets_what_it_has_to_show(given: str) -> None:
    pair, data, names = GIVEN[given]
    found = dict(gallery(trained(pair, data)))
    assert list(found) == ["curves.png", *names]
    for name, content in found.items():
        if name.endswith(".png"):
            assert min(size(content)) > 150


def test_a_nearly_even_patch_gives_way_only_in_the_embedded_set() -> None:
    inputs = RNG.random((PATCH + 9, 16))
    inputs[7] = np.arange(16) % 2
    even = replace(dataset("patches", inputs, inputs), train=Split(inputs, inputs))
    assert shown_patch(even) == (PATCH, f"training patch {PATCH}")
    inputs[PATCH] = 0.5
    assert shown_patch(even) == (7, "training patch 7, the one with the most contrast")
    assert shown_patch(replace(even, source="data.h5"))[0] == PATCH


def test_both_backends_show_the_same() -> None:
    """The reference's weights, outputs and words by the same code; only headings and seconds differ."""
    pair, data, _ = GIVEN["words"]
    ours, theirs = (dict(gallery(trained(pair, data, backend))) for backend in ("scratch", "reference"))
    assert ours["words.txt"] == theirs["words.txt"]
    assert "hidden.png" in dict(gallery(trained(*GIVEN["signs"][:2], backend="reference")))


class FirstWordAgain:
    """A side that surely predicts each record's first word, next its second."""

    dtype = np.dtype(np.float64)
    criterion = None

    def train(self, mode: bool = True) -> None: ...

    def evaluate(self, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
        outs = np.zeros((len(x), len(WORDS)))
        outs[np.arange(len(x)), x[:, 1]] = 5
        outs[np.arange(len(x)), x[:, 0]] = 9
        return 0.0, outs


TOKENS = Split(np.array([[n, (n + 1) % 13, (n + 5) % 13] for n in range(13)]), np.arange(13)[::-1])


def assert_belong_together(places: list[int]) -> None:
    """Each record's words, true word and predictions, which are its own first two words."""
    found = predictions.next_words(FirstWordAgain(), TOKENS, places, WORDS)  # type: ignore[arg-type]
    for record, place in zip(found, places, strict=True):
        assert [word for word, _ in record.predicted[:2]] == list(record.context[:2]), "predictions of other records"
        assert record.context == tuple(WORDS[n] for n in TOKENS.inputs[place])
        assert record.true == WORDS[TOKENS.targets[place]]


def test_words_and_predictions_have_one_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """F31: every line is of one record; the first records' words beside the chosen ones' predictions are seen."""
    assert_belong_together([7, 2, 11])
    first = "split.inputs[:len(chosen)], split.targets[:len(chosen)],"
    plant(monkeypatch, predictions, "next_words", "some.inputs, some.targets,", first)
    with pytest.raises(AssertionError, match="predictions of other records"):
        assert_belong_together([7, 2, 11])


def test_ten_words_in_order_with_their_probabilities() -> None:
    (record,) = next_words(FirstWordAgain(), TOKENS, [3], WORDS)  # type: ignore[arg-type]
    probabilities = [p for _, p in record.predicted]
    assert len(probabilities) == 10
    assert probabilities == sorted(probabilities, reverse=True)
    total = np.exp(9) + np.exp(5) + 11
    np.testing.assert_allclose(probabilities, [np.exp(9) / total, np.exp(5) / total, *[1 / total] * 8], rtol=1e-12)


def test_words_as_text() -> None:
    record = NextWord(("in", "the", "big"), "house", (("room", 0.5), ("house", 0.25)))
    assert as_text([record]) == '"in" "the" "big" ... "house"\n    "room" 50.0 %, ["house"] 25.0 %\n'


def test_the_listed_words_are_those_of_the_measured_accuracy() -> None:
    """F11: the first word listed is right for as many records as the evaluation says."""
    pair, data, _ = GIVEN["words"]
    training = trained(pair, data)
    found = next_words(training.side, data.train, range(12), WORDS)
    right = np.mean([record.predicted[0][0] == record.true for record in found])
    assert evaluate(pair, training.side, data.train)["accuracy"] == pytest.approx(100 * right)


def test_sweep_curves_name_at_most_twelve() -> None:
    curves = {"test_loss": [1.0, 0.5], "test_mse": [1.0, 0.5], "test_sign_accuracy": [50.0, 60.0]}
    curves |= {name.replace("test", "train"): values for name, values in curves.items()}
    points = [Trained({"lr": n}, {"test_loss": 0.5}, 2, 1, [1.0, 0.9], curves) for n in range(30)]
    assert len(named(points, 17)) <= 12
    assert 17 in named(points, 17)
    assert named(points[:5], 2) == [0, 1, 2, 3, 4]
    for count, best in ((1, 0), (30, None)):
        assert size(sweep_curves(CATCAR, points[:count], best))[0] > 600


def test_times_of_a_step_are_written_out_beside_their_sides() -> None:
    (axis,) = step_times([("float64", 1103.2, 1380.4), ("float32", 0.0981, 559.6)]).axes
    assert [text.get_text() for text in axis.texts] == ["1,103 ms", "1,380 ms", "0.0981 ms", "560 ms"]
    sides = [f"{side}, {dtype}" for dtype in ("float64", "float32") for side in ("scratch", "reference")]
    assert [text.get_text() for text in axis.get_yticklabels()] == sides
