"""What the bench measures, and what it refuses to: what differs is not timed. No time is asserted."""

from typing import Any

import numpy as np
import pytest

from tests.bench.small import CARS, CATCAR, DTYPES
from tests.judge.planting import plant
from twofold import scratch
from twofold.compare.bench import layers
from twofold.compare.bench.layers import adam_row, both_ways, layer_rows, loop_rows
from twofold.compare.bench.steps import Step, recipe_rows, step_time
from twofold.compare.layers import FORMS
from twofold.compare.pair import Case, Draw, Twin
from twofold.compare.sides import Scratch
from twofold.scratch.layers import loops

pytestmark = pytest.mark.usefixtures("brief")


def form(name: str) -> Case:
    return next(case for case in FORMS if case.name == name)


def test_a_training_step() -> None:
    found = list(recipe_rows(CATCAR, CARS))
    assert [(row.kind, row.name, row.part, row.dtype, row.batch) for row in found] == [
        ("step", "catcar-mlp", "step", dtype, 38) for dtype in DTYPES
    ]
    assert [row.goal for row in found] == [0.4, 0.5]
    for row in found:
        assert row.differences == ()
        assert row.timing
        assert row.products
        assert min(row.timing.first, row.timing.second, row.timing.ratio, row.products) > 0
        assert row.least == pytest.approx(row.products * row.timing.first / row.timing.second)


def test_the_batch_is_the_first_records_over_again() -> None:
    inputs, _ = Step(CATCAR, CARS, 16).batch
    assert np.array_equal(inputs, np.concatenate([CARS.train.inputs, CARS.train.inputs, CARS.train.inputs[:2]]))


def test_the_report_has_the_same_measure() -> None:
    time = step_time(CATCAR, CARS, "float64")
    assert time.dtype == "float64"
    assert min(time.scratch, time.reference, time.ratio) > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["conv-strided", "pool", "relu", "lstm", "gru-batch-first", "embedding", "cross-entropy-mean", "mse-mean"]
)
def test_a_layer(name: str, dtype: str) -> None:
    found = layer_rows(form(name), dtype)
    assert [row.part for row in found] == ["forward", "backward"]
    assert all(row.timing and not row.differences for row in found)
    assert all(bool(row.products) == (name in ("conv-strided", "lstm", "gru-batch-first")) for row in found)


def test_the_layers_are_named_once_and_their_batches_known() -> None:
    names = [case.name for case in layers.LAYERS]
    assert len(set(names)) == len(names)
    assert layer_rows(layers.recurrent("RNN"), "float32")[0].batch == 32


def test_adam_alone() -> None:
    row = adam_row((3, 4), "float32")
    assert (row.name, row.part) == ("Adam, 12 parameters", "update")
    assert row.timing


# What differs is not timed. Tanh and the loops are as short as they will stay; other faults are put around the code.


def scaled(patch: pytest.MonkeyPatch, layer: type[scratch.Module], name: str) -> None:
    right = getattr(layer, name)
    patch.setattr(layer, name, lambda self, *arrays: 1.001 * right(self, *arrays))


def too_far(patch: pytest.MonkeyPatch, optimizer: type) -> None:
    """Every parameter goes a thousandth too far."""
    right = optimizer.step

    def step(self: Any) -> None:
        before = {name: parameter.data.copy() for name, parameter in self.parameters.items()}
        right(self)
        for name, parameter in self.parameters.items():
            parameter.data += 0.001 * (parameter.data - before[name])

    patch.setattr(optimizer, "step", step)


def test_a_wrong_gradient_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "1 - out * out", "1.0001 - out * out")
    for row in recipe_rows(CATCAR, CARS):
        assert row.timing is None
        assert any(line.startswith("fc1.weight: error") for line in row.differences)
        assert row.as_json()["equal"] is False


def test_a_wrong_update_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    too_far(monkeypatch, scratch.SGD)
    (row, _) = recipe_rows(CATCAR, CARS)
    assert row.timing is None
    assert {line.partition(":")[0].rpartition(" ")[2] for line in row.differences} == {"updated"}


def test_what_raises_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, scratch.Tanh, "forward", "np.tanh(x)", "np.tanh(x, x[0])")
    (row, _) = recipe_rows(CATCAR, CARS)
    assert row.timing is None
    assert row.differences[0].startswith("ValueError")


def test_a_wrong_layer_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    scaled(monkeypatch, scratch.MaxPool2d, "backward")
    found = layer_rows(form("pool"), "float64")
    assert [row.timing for row in found] == [None, None]
    assert found[0].differences[0].startswith("<input>: error")


def test_a_wrong_adam_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    too_far(monkeypatch, scratch.Adam)
    assert adam_row((3, 4), "float64").differences


@pytest.mark.parametrize(
    ("name", "loop", "part", "right", "wrong"),
    [
        ("conv-oblong", loops.LoopConv2d, "forward", ".sum()", ".max()"),
        ("pool-overlapping", loops.LoopMaxPool2d, "backward", "+= dout", "-= dout"),
    ],
)
def test_loops_against_the_fast_form(
    name: str, loop: type, part: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = loop_rows(form(name), f"twofold.scratch:{loop.__name__}", "float32")
    assert all(row.timing and not row.differences for row in found)
    assert {"fast_ms", "loops_ms"} <= found[0].as_json().keys()
    plant(monkeypatch, loop, part, right, wrong)
    assert all(row.differences for row in loop_rows(form(name), f"twofold.scratch:{loop.__name__}", "float32"))


def test_forms_of_other_models_differ() -> None:
    """A reference with another argument is another layer."""
    pool = Case(
        "pool", Twin("twofold.scratch:MaxPool2d", "torch.nn:MaxPool2d", {"kernel_size": 2}), (Draw((2, 3, 8, 8)),)
    )
    (row, _) = both_ways("loops", pool, "float64", lambda dtype: Scratch(pool.model.given(stride=1), dtype=dtype))
    assert row.differences


# Growth, memory, environment
