"""Pictures of gradients and updates: a curve a layer, time step or parameter, named, on powers of ten."""

from typing import Any

import numpy as np
import pytest

from tests.training.small import at_check_size
from twofold.compare.report.plots.gradients import gradient_curves, layer_norms
from twofold.compare.training.gradients import Row, Watched, first_batch


def watched(name: str, steps: int, every: int = 1) -> Watched:
    training = at_check_size(name, records=60)
    found = Watched(training)
    for step in range(steps):
        if step % every == 0:
            found.record(*training.batch(step))
        training.one_step()
        found.stepped()
    return found


def labels(axis: Any) -> list[str]:
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_layers_and_updates_over_the_steps() -> None:
    found = watched("fc-net-adagrad", 5, every=2)
    drawing = gradient_curves(found)
    first, last = drawing.axes
    assert labels(first) == ["fc1", "fc2", "fc3"]
    assert labels(last) == [f"fc{n}.{kind}" for n in (1, 2, 3) for kind in ("weight", "bias")]
    assert [axis.get_yscale() for axis in (first, last)] == ["log", "log"]
    assert [axis.get_xlabel() for axis in (first, last)] == ["step", "step"]
    norms = [row.value for row in found.rows if (row.kind, row.name) == ("output", "fc2")]
    curve = first.get_lines()[1]
    assert list(curve.get_xdata()) == [1, 3, 5]
    np.testing.assert_array_equal(curve.get_ydata(), norms)
    bias = last.get_lines()[1].get_ydata()
    assert np.isnan(bias[0]), "a bias leaves 0 by no ratio"
    assert np.isfinite(bias[1:]).all()
    assert drawing.get_suptitle() == "fc-net-adagrad, scratch: gradients and updates"
    for axis in (first, last):
        assert all(np.log10(limit) == pytest.approx(round(np.log10(limit))) for limit in axis.get_ylim())


def test_time_steps_at_a_few_training_steps() -> None:
    drawing = gradient_curves(watched("activity-gru", 9))
    _, middle, _ = drawing.axes
    assert labels(middle) == ["step 1", "step 3", "step 5", "step 7", "step 9"]
    assert middle.get_xlabel() == "time step t"
    assert middle.get_title() == "recurrent: gradient of its state through time"
    assert all(list(line.get_xdata()) == list(range(7)) for line in middle.get_lines())
    assert not middle.texts


def test_where_a_truncation_cuts() -> None:
    drawing = gradient_curves(watched("activity-rnn-truncated-clipped", 2))
    first, middle, _ = drawing.axes
    assert labels(first)[0] == "recurrent", "the second call's output under the layer's name"
    assert [text.get_text() for text in middle.texts] == ["exactly 0\nup to t = 2"]
    for line in middle.get_lines():
        assert np.isnan(line.get_ydata()).tolist() == [True] * 3 + [False] * 4


def test_what_is_zero_throughout_says_so() -> None:
    found = Watched(at_check_size("fc-net"))
    found.rows = [Row(n, kind, name, None, v) for n in (1, 2) for kind, name, v in VALUES]  # type: ignore[arg-type]
    drawing = gradient_curves(found)
    assert labels(drawing.axes[0]) == ["fc1: 0 throughout", "fc2"]
    assert drawing.axes[0].get_ylim() == (0.1, 1)


VALUES = (
    ("parameter", "fc1.weight", 0.0),
    ("parameter", "fc2.weight", 3.0),
    ("output", "fc1", 0.0),
    ("output", "fc2", 0.5),
    ("update", "fc2.weight", 0.01),
)


def test_a_single_step_is_dots() -> None:
    drawing = gradient_curves(watched("fc-net-adam", 1))
    assert all(line.get_marker() for line in drawing.axes[0].get_lines())


def test_a_line_a_net_over_its_layers() -> None:
    nets = first_batch([(name, at_check_size(name)) for name in ("fc-net-sigmoid", "fc-net-two-layer")])
    drawing = layer_norms(nets, "by activation")
    (axis,) = drawing.axes
    assert labels(axis) == ["fc-net-sigmoid", "fc-net-two-layer"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["fc1", "fc2", "fc3", "fc4"]
    np.testing.assert_array_equal(axis.get_lines()[0].get_ydata(), list(nets[0][1].values()))
    assert len({line.get_marker() for line in axis.get_lines()}) == 2
    assert drawing.get_suptitle() == "by activation"
    drawing = layer_norms([*nets, *first_batch([("rnn", at_check_size("activity-rnn"))])], "others")
    assert [text.get_text() for text in drawing.axes[0].get_xticklabels()] == ["1", "2", "3", "4"]
