"""How the bench takes time, which goals stand beside it, and which products it counts. No time is asserted."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tests.bench.small import CARS, CATCAR, DTYPES
from twofold import scratch
from twofold.compare.bench import goals, timing
from twofold.compare.bench.environment import environment
from twofold.compare.bench.products import Passes, Product, of_layer
from twofold.compare.bench.rows import Row, geometric_means
from twofold.compare.bench.steps import Step
from twofold.compare.bench.timing import Timing, goes_on, interleaved
from twofold.compare.data import Dataset, Split
from twofold.compare.pairs import MAIN, PAIRS
from twofold.compare.threads import threads

pytestmark = pytest.mark.usefixtures("brief")


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
