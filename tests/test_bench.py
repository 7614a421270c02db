"""The bench: what it measures and what it refuses to measure. No time is asserted."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planting import plant
from threadpoolctl import threadpool_info

import scratch
from compare.bench import goals, layers, memory, rows, steps, timing
from compare.bench.environment import described, environment
from compare.bench.layers import adam_row, both_ways, layer_rows, loop_rows
from compare.bench.products import Passes, Product, of_layer
from compare.bench.rows import Peak, Row, geometric_means
from compare.bench.steps import Step, growth_rows, recipe_rows, step_time
from compare.bench.timing import Timing, goes_on, interleaved
from compare.cli import main
from compare.data import Dataset, Split
from compare.pair import Case, Draw, Twin
from compare.pairs import MAIN, PAIRS
from compare.pairs.layers import FORMS
from compare.report.pictures.growth import growth_curves
from compare.sides import Scratch
from compare.threads import threads
from scratch.layers import loops

DTYPES = ("float32", "float64")
CATCAR = PAIRS["catcar-mlp"]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round a row."""
    for module, name in ((timing, "BUDGET"), (layers, "BUDGET"), (steps, "GROWTH_BUDGET"), (timing, "SAMPLE")):
        monkeypatch.setattr(module, name, 0.0)
    for name in ("ROUNDS", "FEWEST"):
        monkeypatch.setattr(timing, name, 1)
    monkeypatch.setattr(steps, "BATCHES", (1, 3))
    monkeypatch.setenv("COLUMNS", "200")


def records(shape: tuple[int, ...], count: int = 7) -> Dataset:
    rng = np.random.default_rng(0)
    split = Split(rng.standard_normal((count, *shape)).astype(np.float32), np.ones((count, 1), np.float32))
    return Dataset("drawn", "embedded", split, None, split, ())


CARS = records((1024,))


def twofold(*arguments: object) -> int:
    sys.argv = ["twofold", *map(str, arguments)]
    with pytest.raises(SystemExit) as exit:
        main()
    return int(exit.value.code or 0)


def form(name: str) -> Case:
    return next(case for case in FORMS if case.name == name)


# Timing


def test_rounds_are_interleaved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "FEWEST", 2)
    calls: list[str] = []
    found = interleaved(lambda: calls.append("a"), lambda: calls.append("b"), lambda: calls.append("p"))
    assert "".join(calls) == "aabbpp" + 2 * "abbap"
    assert found.rounds == 2
    assert found.alone is not None


def test_the_ratio_is_the_median_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "FEWEST", 3)
    script = iter([1.0] * 2 + [1.0, 2.0, 2.0, 3.0] + [6.0, 1.0, 3.0, 2.0] + [3.0, 1.0, 1.0, 3.0])
    monkeypatch.setattr(timing, "seconds", lambda work, calls: next(script))
    found = interleaved(lambda: None, lambda: None)
    # rounds of (2, 2), (4, 2) and (3, 1)
    assert (found.first, found.second, found.ratio) == (3.0, 2.0, 2.0)
    assert (found.low, found.high, found.rounds) == (1.5, 2.5, 3)


@pytest.mark.parametrize(
    ("rounds", "spent", "more"), [(2, 99.0, True), (3, 4.0, True), (3, 6.0, False), (5, 2.0, False), (9, 0.5, True)]
)
def test_slow_rows_have_fewer_rounds(rounds: int, spent: float, more: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 5)
    monkeypatch.setattr(timing, "FEWEST", 3)
    assert goes_on(rounds, spent, budget=1.0) is more


@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_set_on_both_sides_and_given_back(fails: bool) -> None:
    import torch

    def counts() -> list[int]:
        return [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]

    before = counts()
    try:
        with threads(2):
            assert set(counts()) == {2}
            assert environment()["threads"] == {"torch": 2, "numpy": 2}
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert counts() == before


# Goals and means


def test_geometric_mean() -> None:
    assert goals.geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert goals.geometric_mean([0.1, 0.4, 0.5]) == pytest.approx(0.02 ** (1 / 3))
    with pytest.raises(ValueError, match="at least one"):
        goals.geometric_mean([])


def test_means_are_of_training_steps_by_dtype() -> None:
    def row(kind: str, dtype: str, ratio: float | None) -> Row:
        return Row(kind, "some", "step", dtype, 1, Timing(1, 1, ratio, 1, 1, 5) if ratio else None)

    found = [row("step", "float32", 4.0), row("step", "float32", 1.0), row("step", "float64", 3.0)]
    found += [row("layer", "float32", 100.0), row("growth", "float64", 100.0), row("step", "float64", None)]
    assert geometric_means(found) == pytest.approx({"float32": 2.0, "float64": 3.0})


def test_goals_are_of_pairs() -> None:
    assert goals.STEPS.keys() <= set(MAIN)
    assert [goals.of_step("activity-lstm", dtype) for dtype in DTYPES] == [1.5, 0.5]
    assert goals.of_step("two-layer-fc", "float32") is None


# Products


def test_products_of_layers() -> None:
    linear = of_layer(scratch.Linear(5, 7), (2, 3, 5))
    assert linear == Passes([Product(6, 5, 7)], [Product(7, 6, 5)], [Product(6, 7, 5)])
    conv = of_layer(scratch.Conv2d(2, 6, (4, 3), padding=1), (8, 2, 9, 11))
    assert conv == Passes([Product(6, 24, 88, 8)], [Product(6, 88, 24, 8)], [Product(24, 6, 88, 8)])
    assert of_layer(scratch.Tanh(), (2, 3)) == Passes([], [], [])


@pytest.mark.parametrize("batch_first", [False, True])
def test_products_of_a_recurrent_layer(batch_first: bool) -> None:
    layer = scratch.LSTM(3, 10, batch_first=batch_first)
    found = of_layer(layer, (5, 7, 3) if batch_first else (7, 5, 3))
    assert found.forward == [Product(35, 3, 40), Product(5, 10, 40, 7)]
    assert found.weights == [Product(40, 35, 3), Product(5, 40, 10, 7), Product(40, 35, 10)]
    assert found.inputs == [Product(35, 40, 3)]


def test_products_of_a_step_count_every_call() -> None:
    """Of a truncated pair the first steps have no backward pass."""
    pair = PAIRS["activity-rnn-linear"]
    small = replace(pair, model=pair.model.given(truncate=4, hidden=10))
    signals = Split(np.ones((5, 7, 3), np.float32), np.zeros(5, int))
    step = Step(small, Dataset("drawn", "embedded", signals, None, signals, ()), 5)
    before, after = (of_layer(scratch.RNN(3, 10, batch_first=True), (5, steps, 3)) for steps in (3, 4))
    last = of_layer(scratch.Linear(10, 6), (5, 10))
    assert step.products == [
        *before.forward,
        *(after.forward + after.weights + after.inputs),
        *(last.forward + last.weights + last.inputs),
    ]


def test_a_first_linear_layer_sends_nothing_back_while_training() -> None:
    first, second = of_layer(scratch.Linear(1024, 20), (38, 1024)), of_layer(scratch.Linear(20, 1), (38, 20))
    found = first.forward + first.weights + second.forward + second.weights + second.inputs
    assert Step(CATCAR, CARS, 38).products == found


def test_products_of_a_step_in_chunks() -> None:
    """The calls of every chunk, and of the first layer no gradient of its input."""
    whole, chunked = (Step(replace(CATCAR, chunk=chunk), CARS, 8) for chunk in (None, 5))

    def operations(step: Step) -> int:
        return sum(product.rows * product.inner * product.columns * product.count for product in step.products)

    assert len(chunked.products) == 2 * len(whole.products)
    assert operations(chunked) == operations(whole)


# Rows


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
    found = loop_rows(form(name), f"scratch:{loop.__name__}", "float32")
    assert all(row.timing and not row.differences for row in found)
    assert {"fast_ms", "loops_ms"} <= found[0].as_json().keys()
    plant(monkeypatch, loop, part, right, wrong)
    assert all(row.differences for row in loop_rows(form(name), f"scratch:{loop.__name__}", "float32"))


def test_forms_of_other_models_differ() -> None:
    """A reference with another argument is another layer."""
    pool = Case("pool", Twin("scratch:MaxPool2d", "torch.nn:MaxPool2d", {"kernel_size": 2}), (Draw((2, 3, 8, 8)),))
    (row, _) = both_ways("loops", pool, "float64", lambda dtype: Scratch(pool.model.given(stride=1), dtype=dtype))
    assert row.differences


# Growth, memory, environment


def test_growth_and_its_picture() -> None:
    found = list(growth_rows(CATCAR, CARS))
    assert [(row.kind, row.batch) for row in found] == [("growth", 1), ("growth", 3)]
    assert growth_curves([*found, *(replace(row, name="another") for row in found)]).startswith(b"\x89PNG")
    assert growth_curves([replace(found[0], timing=None), found[1]]).startswith(b"\x89PNG")


def test_a_child_measures_at_least_the_parameters_and_their_gradients(tmp_path: Path) -> None:
    pair, path = PAIRS["fc-net"], tmp_path / "batch.npz"
    np.savez(path, inputs=np.ones((100, 3, 32, 32), np.float32), target=np.zeros(100, np.int64))
    found = memory.in_child("fc-net", "scratch", "float32", path, threads=1)
    parameters = sum(array.nbytes for array in pair.initial_state(0).values())
    assert 2 * parameters < found < 20 * parameters


def test_too_little_memory_has_no_ratio() -> None:
    assert Peak("some", "float32", 1, 3 << 20, 2 << 20).ratio == 1.5
    assert Peak("some", "float32", 1, 3 << 20, rows.RESOLUTION - 1).ratio is None


def test_the_environment_says_what_multiplies() -> None:
    found = environment()
    assert found["cpu"]
    assert found["blas"][0]["library"]
    assert found["blas"][0]["core_type"] in described(found)[1]


# The command


def test_the_command_writes_schema_1_and_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "bench.json"
    assert twofold("bench", "trigram-lm", "--json", path, "--out", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "geometric mean over 1 pairs" in out
    assert "threads: 1 NumPy, 1 torch" in out
    assert (tmp_path / "out" / "growth.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert {"cpu", "threads", "blas", "numpy", "torch"} <= content["environment"].keys()
    assert [(row["kind"], row["dtype"], row["batch"]) for row in content["rows"]] == [
        ("step", "float32", 200),
        ("step", "float64", 200),
        ("growth", "float32", 1),
        ("growth", "float32", 3),
    ]
    keys = {"kind", "name", "part", "dtype", "batch", "equal", "scratch_ms", "reference_ms", "ratio", "quartiles"}
    assert all(row.keys() == keys | {"rounds", "products", "goal"} for row in content["rows"])
    assert content["geometric_means"].keys() == set(DTYPES)


def test_a_difference_is_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    plant(monkeypatch, scratch.Tanh, "backward", "1 - out * out", "1.001 - out * out")
    assert twofold("bench", "catcar-mlp") == 1
    out = capsys.readouterr().out
    assert "DIFFERENT" in out
    assert "catcar-mlp float32, batch 38: fc1.weight: error" in out
    assert "geometric mean" not in out


def test_json_alone_on_standard_output(capsys: pytest.CaptureFixture) -> None:
    assert twofold("bench", "catcar-mlp", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["name"] == "catcar-mlp"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--threads", 4096), "--threads 4096: expected at most"), (("catcar",), "unknown pair 'catcar'")],
)
def test_bad_usage_is_one_line(arguments: tuple, message: str, capsys: pytest.CaptureFixture) -> None:
    assert twofold("bench", *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_help_teaches(capsys: pytest.CaptureFixture) -> None:
    assert twofold("bench", "--help") == 0
    assert "Example: twofold bench" in capsys.readouterr().out
