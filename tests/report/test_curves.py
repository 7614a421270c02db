"""The curves of a training: every figure once, one epoch or several, each set told apart without colour."""

from typing import Any

import numpy as np
import pytest

from twofold.compare.pairs import PAIRS
from twofold.compare.report.plots.sides import relative_distance
from twofold.compare.report.plots.sweep import sweep_curves
from twofold.compare.report.plots.training import caption, figures_of, training_curves
from twofold.compare.training.sweep import Trained
from twofold.compare.training.train import Curves

RNG = np.random.default_rng(0)
SPLITS = ("train", "validation", "test")


def figures(pair: str, steps: int, epochs: int, splits: tuple[str, ...] = SPLITS) -> tuple[Curves, Curves]:
    """Random ones from 1 to 2, of every step and epoch."""
    names = ("loss", *PAIRS[pair].metrics)
    of_steps = {name: (1 + RNG.random(steps)).tolist() for name in names}
    of_epochs = {f"{split}_{name}": (1 + RNG.random(epochs)).tolist() for split in splits for name in names}
    return of_steps, of_epochs


def labels(axis: Any) -> list[str]:
    return [text.get_text() for text in axis.get_legend().get_texts()]


def visible_ticks(axis: Any) -> list[float]:
    low, high = axis.get_xlim()
    return [tick for tick in axis.get_xticks() if low <= tick <= high]


@pytest.mark.parametrize("epochs", [2, 3, 7, 40])
def test_several_epochs_are_curves_over_whole_epochs(epochs: int) -> None:
    drawing = training_curves(PAIRS["mnist-cnn"], "scratch", *figures("mnist-cnn", 9 * epochs, epochs))
    drawing.draw_without_rendering()
    first, *others = drawing.axes
    assert [axis.get_xlabel() for axis in drawing.axes] == ["step", "epoch", "epoch"]
    assert [axis.get_ylabel() for axis in drawing.axes] == ["loss", "loss", "accuracy %"]
    assert labels(first)[0] == "each step"
    for axis in others:
        assert labels(axis) == list(SPLITS)
        assert all(tick == round(tick) for tick in visible_ticks(axis))
        assert all(len(line.get_xdata()) == epochs for line in axis.get_lines())
    assert drawing.get_suptitle() == f"mnist-cnn, scratch: {epochs} epochs"


def test_a_single_epoch_is_drawn_over_its_steps_with_its_figures_written_out() -> None:
    steps, epochs = figures("mnist-cnn", 9, 1)
    epochs["test_loss"], epochs["validation_accuracy"] = [0.25], [97.5]
    drawing = training_curves(PAIRS["mnist-cnn"], "scratch", steps, epochs)
    drawing.draw_without_rendering()
    loss, accuracy = drawing.axes
    for axis in (loss, accuracy):
        assert axis.get_xlabel() == "step"
        curve, *points = axis.get_lines()
        assert len(curve.get_xdata()) == 9, "the steps are a line"
        assert [list(point.get_xdata()) for point in points] == [[9]] * 3
        assert all(tick == round(tick) for tick in visible_ticks(axis))
    assert "test at its end: 0.25" in labels(loss)
    assert "validation at its end: 97.50 %" in labels(accuracy)
    assert [words.split(":")[0] for words in labels(loss)[1:]] == [
        "train at its end",
        "validation at its end",
        "test at its end",
    ]
    assert drawing.get_suptitle() == "mnist-cnn, scratch: 1 epoch"
    legend = loss.get_legend().get_window_extent()
    assert not legend.overlaps(loss.get_window_extent()), "the legend keeps clear of the points"


def test_steps_without_an_epoch() -> None:
    drawing = training_curves(PAIRS["mnist-cnn"], "scratch", *figures("mnist-cnn", 5, 0))
    assert [labels(axis) for axis in drawing.axes] == [["each step"]] * 2
    assert drawing.get_suptitle() == "mnist-cnn, scratch: 0 epochs"


@pytest.mark.parametrize("epochs", [1, 2])
def test_sets_are_told_apart_without_colour(epochs: int) -> None:
    drawing = training_curves(PAIRS["mnist-cnn"], "scratch", *figures("mnist-cnn", 9, epochs))
    lines = drawing.axes[-1].get_lines()[-3:]
    assert len({line.get_marker() for line in lines}) == 3
    if epochs > 1:
        assert (
            len({(line.get_linestyle(), line._dash_pattern[1] and tuple(line._dash_pattern[1])) for line in lines}) == 3
        )


@pytest.mark.parametrize(
    ("pair", "shown", "said"),
    [
        ("sine-rnn", ["mse"], "the loss is half of it"),
        ("triangle-rnn-100", ["mse"], "the loss is half of it"),
        ("catcar-mlp", ["mse", "sign_accuracy"], "the loss is half of it"),
        ("notmnist-mlp", ["cross_entropy", "accuracy"], "the loss is its sum over records"),
        ("mnist-cnn", ["loss", "accuracy"], ""),
        ("sparse-autoencoder", ["loss", "reconstruction_mse"], ""),
    ],
)
def test_a_loss_that_is_a_metric_but_for_a_factor_is_drawn_once(pair: str, shown: list[str], said: str) -> None:
    assert list(figures_of(PAIRS[pair])) == shown
    drawing = training_curves(PAIRS[pair], "scratch", *figures(pair, 4, 2))
    first, *others = drawing.axes
    assert first.get_ylabel().startswith("loss")
    assert [axis.get_ylabel() for axis in others] == [caption(PAIRS[pair], name) for name in shown]
    assert others[0].get_title() == said


def test_a_loss_of_zero_has_no_share() -> None:
    """Nor has one too small to be divided by: no infinity, which JSON and an axis cannot have."""
    found = relative_distance([1.5, 0.0, 1e-17, 1.0, 2e-310], [1.0, 0.0, 0.0, 5e-324, 2e-310])
    assert np.array_equal(found, [0.5, 0.0, np.nan, np.nan, 0.0], equal_nan=True)


def test_the_factor_is_right() -> None:
    """What is said over the axis, by the losses and metrics themselves."""
    from twofold.compare.training.metrics import METRICS

    out, target, classes = RNG.random((6, 1)), RNG.random((6, 1)), RNG.integers(0, 4, 6)
    half = PAIRS["sine-rnn"].loss.build("scratch")
    assert half(out, target) == pytest.approx(METRICS["mse"](out, target) / 2)
    total, scores = PAIRS["notmnist-mlp"].loss.build("scratch"), RNG.random((6, 4))
    assert total(scores, classes) == pytest.approx(6 * METRICS["cross_entropy"](scores, classes))


def test_a_loss_that_is_a_sum_says_so() -> None:
    names = ("notmnist-mlp", "catcar-mlp")
    drawn = [training_curves(PAIRS[name], "scratch", *figures(name, 2, 2)) for name in names]
    assert [drawing.axes[0].get_ylabel() for drawing in drawn] == ["loss, sum over records", "loss"]


def test_losses_over_orders_of_magnitude_are_logarithmic_and_percents_are_not() -> None:
    falling = {"train_mse": [900.0, 0.5], "test_mse": [9.0, 0.5], "train_sign_accuracy": [0.1, 99.0]}
    steps = {"loss": [3.0, 2.0]}
    drawing = training_curves(PAIRS["catcar-mlp"], "scratch", steps, falling | {"train_loss": [-1.0, 500.0]})
    assert [axis.get_yscale() for axis in drawing.axes] == ["linear", "log", "linear"]


def test_a_sweep_draws_a_figure_once_too() -> None:
    figures = {"loss": [1.0, 0.5], "mse": [2.0, 1.0], "sign_accuracy": [50.0, 60.0]}
    curves = {f"{split}_{name}": values for split in ("train", "test") for name, values in figures.items()}
    drawing = sweep_curves(PAIRS["catcar-mlp"], [Trained({"lr": 1}, {"test_loss": 0.5}, 2, 1, [1.0, 0.9], curves)], 0)
    assert [axis.get_ylabel() for axis in drawing.axes] == ["loss", *["MSE"] * 2, *["accuracy %"] * 3]
    titles = [axis.get_title() for axis in drawing.axes]
    assert titles[1:3] == [f"{split}, after each epoch; the loss is half of it" for split in ("train", "test")]
    assert titles[3] == "train (dashed) and test"
