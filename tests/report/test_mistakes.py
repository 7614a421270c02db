"""Pictures of data, mistakes, weights and waves: what stands in them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.report.test_pictures import GIVEN, trained
from twofold.compare.data import Split
from twofold.compare.report.pictures import mosaic, predictions, samples
from twofold.compare.report.pictures.gallery import first_filters, gallery, hidden, images_of, misclassified
from twofold.compare.report.pictures.mistakes import Mistakes, mistakes_picture
from twofold.compare.report.pictures.mistakes import mistakes as found_mistakes
from twofold.compare.training.train import Configuration, Training, outputs

DIGITS = tuple("0123456789")


def scores(said: list[int], classes: int = 10, sure: float = 1.0) -> np.ndarray:
    return sure * np.eye(classes)[said]


def test_mistakes_by_hand() -> None:
    found = found_mistakes(scores([3, 1, 2, 0]), np.array([8, 1, 2, 6]), DIGITS)
    assert found == Mistakes([0, 3], ["3, is 8", "0, is 6"], "2 of 4 test records misclassified")


def test_of_many_mistakes_some_are_shown_spread_over_all() -> None:
    found = found_mistakes(scores([1] * 9), np.zeros(9, int), DIGITS, most=3)
    assert found.places == [0, 4, 8]
    assert found.title == "9 of 9 test records misclassified, 3 of them, spread evenly"


def test_without_a_mistake_those_that_it_was_least_sure_of() -> None:
    outs = np.array([[5.0, 0, 1], [0, 2, 1.5], [0, 1, 4]])
    found = found_mistakes(outs, np.array([0, 1, 2]), ("a", "b", "c"), most=2)
    title = "none of 3 test records misclassified; the 2 that it was least sure of"
    assert found == Mistakes([1, 2], ["b, not c", "c, not b"], title)
    signs = found_mistakes(np.array([[0.9], [-0.1]]), np.array([[1.0], [-1.0]]), ("cat", "car"), most=1)
    assert (signs.places, signs.captions) == ([1], ["cat, not car"])


def test_captions_stand_over_their_images() -> None:
    images = np.random.default_rng(0).random((4, 5, 6))
    drawing = mistakes_picture(images, Mistakes([2, 0], ["3, is 8", "0, is 6"], "2 of 4"), "net")
    assert [axis.get_title() for axis in drawing.axes] == ["3, is 8", "0, is 6"]
    for axis, place in zip(drawing.axes, (2, 0), strict=True):
        np.testing.assert_array_equal(axis.get_images()[0].get_array(), mosaic.pixels(images)[place])
    assert drawing.get_suptitle() == "net\n2 of 4"
    other = mistakes_picture(
        np.random.default_rng(0).random((1, 3, 5, 6)), Mistakes([0], ["crescent, is house"], ""), ""
    )
    assert other.axes[0].get_title() == "crescent,\nis house"
    assert other.axes[0].get_images()[0].get_array().shape == (5, 6, 3)


@pytest.mark.parametrize("given", ["signs", "filters", "letters", "colour"])
def test_a_trained_net_s_mistakes_are_those_of_its_accuracy(given: str) -> None:
    training = trained(*GIVEN[given][:2])
    test, ((_, figure),) = training.dataset.test, misclassified(training)
    outs, targets = outputs(training.side, test)[1], test.targets
    right = outs.argmax(1) == targets if outs.shape[1] > 1 else ((outs > 0) == (targets > 0))[:, 0]
    count = f"{(~right).sum()} of 4" if not right.all() else "none of 4"
    assert f"{count} test records misclassified" in figure.get_suptitle()
    assert "epoch 1, 3 steps" in figure.get_suptitle()


def test_example_images_have_their_class_beside_them() -> None:
    labels = np.array([1, 0, 1, 1])
    images = np.stack([np.full((4, 4), 9.0 * n) for n in range(4)])
    images[:, 0, 0] -= 1  # each has two values
    drawing = samples.examples(images, labels, ("cat", "car", "none"), np.random.default_rng(0), "catcar")
    assert [[text.get_text() for text in axis.texts] for axis in drawing.axes] == [["cat"], ["car"], ["none"]]
    pictures = [axis.get_images() for axis in drawing.axes]
    assert [len(shown) for shown in pictures] == [1, 1, 0]
    (one,), (three,), _ = pictures
    places = [[bool(picture.get_array()[1, 1 + 5 * n, 0] == 0) for n in range(4)] for picture in (one, three)]
    assert places == [[True, False, False, False], [True, True, True, False]], "one cat and three cars"


def test_cats_and_cars_are_shown_upright() -> None:
    data = GIVEN["signs"][1]
    shown = images_of(data, data.test)
    assert shown is not None
    np.testing.assert_array_equal(shown, data.test.inputs.reshape(4, 4, 4).transpose(0, 2, 1))
    other = images_of(replace(data, name="mnist"), data.test)
    np.testing.assert_array_equal(other, data.test.inputs.reshape(4, 4, 4))


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1, 12, 11), (12, 11)),
        ((3, 8, 9), (3, 8, 9)),
        ((48,), (3, 4, 4)),
        ((7, 3), None),
        ((15,), None),
        ((2, 5, 5), None),
    ],
)
def test_what_can_be_shown_as_an_image(shape: tuple[int, ...], shown: tuple[int, ...] | None) -> None:
    found = images_of(GIVEN["filters"][1], Split(np.zeros((2, *shape)), np.zeros(2)))
    assert (None if found is None else found.shape[1:]) == shown


def below(figure: Any) -> str:
    return figure.get_supxlabel()


def test_weights_say_which_they_are_and_how_far_they_have_come() -> None:
    pair, data, _ = GIVEN["signs"]
    fresh = Training(pair, data, Configuration(pair.name, "scratch", "float64", "cpu", 0, "embedded"))
    ((_, first),), ((_, later),) = hidden(fresh), hidden(trained(pair, data))
    assert first.get_suptitle() == "catcar-mlp, scratch, untrained: fc1, the first layer"
    assert below(first).endswith("; still their random first values")
    assert later.get_suptitle() == "catcar-mlp, scratch, epoch 1, 3 steps: fc1, the first layer"
    weight, began = trained(pair, data).side.state()["fc1.weight"], fresh.side.state()["fc1.weight"]
    ratio = np.linalg.norm(weight - began) / np.linalg.norm(began)
    assert f"from {weight.min():.3g} to {weight.max():.3g}; moved by {100 * ratio:.3g} %" in below(later)
    assert later.axes[0].get_title() == "3 units: what each weighs of the input"


def test_filters_and_decoders_say_of_which_layer() -> None:
    drawn = [*first_filters(trained(*GIVEN["filters"][:2])), *hidden(trained(*GIVEN["autoencoder"][:2]))]
    assert [figure.get_suptitle().partition(": ")[2] for _, figure in drawn] == [
        "conv1, the first layer",
        "encoder, the first layer",
        "decoder, the last layer",
    ]
    assert all("moved by" in below(figure) for _, figure in drawn)


def test_a_wave_s_windows_follow_each_other_in_one_axis() -> None:
    sets = [("training", np.zeros((3, 1)), np.ones((3, 1))), ("validation", np.full((2, 1), 3.0), np.ones((2, 1)))]
    (axis,) = predictions.waves(sets, "wave").axes
    curves = [list(line.get_xdata()) for line in axis.get_lines() if len(set(line.get_xdata())) > 1]
    assert curves == [[0, 1, 2], [0, 1, 2], [3, 4], [3, 4]]
    assert [text.get_text() for text in axis.texts] == ["training: MSE 1", "validation: MSE 4"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["true", "predicted"]


def test_an_untrained_net_has_no_curves_and_all_else() -> None:
    pair, data, names = GIVEN["signs"]
    fresh = Training(pair, data, Configuration(pair.name, "scratch", "float64", "cpu", 0, "embedded"))
    assert [name for name, _ in gallery(fresh)] == names


def test_pictures_are_the_same_each_time() -> None:
    for given in ("signs", "filters", "letters", "colour", "wave"):
        first, second = (dict(gallery(trained(*GIVEN[given][:2]))) for _ in range(2))
        assert first == second
