"""Of a re-run no more is held than how far each row strays, and that gives the very floors that whole copies gave."""

import weakref
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.evidence import trial as evidence
from twofold.compare.judge.evidence.branches import pinned
from twofold.compare.judge.evidence.floor import floors, largest, rows_of, strays
from twofold.compare.judge.evidence.reading import Measured, Reading, Unrepeatable
from twofold.compare.judge.evidence.trial import MORE_RERUNS, RERUNS, Trial
from twofold.compare.pairs import PAIRS
from twofold.compare.sides.trace import Copies, same_bits
from twofold.scratch.module import Array

SYSTEMS = ("catcar-mlp", "mnist-cnn", "activity-lstm", "fc-net-dropout", "bn-convnet")


def whole(trial: Trial, reruns: int) -> list[Reading]:
    """The re-runs as they are, every tensor of each copied."""
    side, pins = trial.reference(), (trial.actual["input"], trial.actual["masks"])

    def run(seed: int | None) -> Reading:
        with pinned(side, *pins):
            return trial.observe(side, seed)

    return [run(seed) for seed in (*range(reruns), *([None] if trial.dtype == "float32" else []))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_floors_are_bit_for_bit_those_of_whole_copies(name: str, dtype: str) -> None:
    trial = Trial(PAIRS[name].case(), dtype)
    moved = trial.measured.reruns - (dtype == "float32")
    assert moved in (RERUNS, RERUNS + MORE_RERUNS)
    copies, compared = whole(trial, moved), 0
    for stage in ("forward", "loss", "backward", "gradient", "input", "grad_input"):
        for tensor, golden in trial.golden[stage].items():
            axis = trial.axis_of(tensor, golden)
            away = np.abs(np.stack([run[stage][tensor] for run in copies]) - golden).max(axis=0)
            most = np.abs(rows_of(golden, axis)).max(axis=1)
            expected = rows_of(away, axis).max(axis=1) + 8 * float(np.finfo(dtype).eps) * most
            found = floors(largest(golden, axis), trial.measured.strayed[stage][tensor], dtype)
            np.testing.assert_array_equal(found, expected)
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_of_a_re_run_is_held_but_a_number_a_row(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[weakref.ref[Any]] = []

    def watched(array: Array, golden: Array, axis: int = 0) -> Array:
        met.append(weakref.ref(array))
        return strays(array, golden, axis)

    trial = Trial(PAIRS["mnist-cnn"].case(), dtype)
    monkeypatch.setattr(evidence, "strays", watched)
    measured = trial.measured
    assert len(met) > 100
    assert not [ref for ref in met if ref() is not None]
    assert [field.name for field in fields(Measured)] == ["golden", "flips", "strayed", "reruns", "off"]
    assert not measured.off
    for stage, tensors in measured.strayed.items():
        for tensor, rows in tensors.items():
            golden = measured.golden[stage][tensor]
            assert rows.shape == (len(rows_of(golden, trial.axis_of(tensor, golden))),)
            assert rows.base is None


def test_what_a_module_takes_is_held_once_where_the_one_before_gave_it() -> None:
    trial = Trial(PAIRS["mnist-cnn"].case(), "float64")
    for reading in (trial.actual, trial.golden):
        outputs, inputs, sent, back = (reading[stage] for stage in ("forward", "input", "backward", "grad_input"))
        assert inputs["relu1"] is outputs["conv1"]
        assert outputs["<output>"] is next(array for name, array in reversed(outputs.items()) if name != "<output>")
        assert back["relu1"] is sent["conv1"]


def test_what_is_equal_but_not_bit_for_bit_is_held_by_itself() -> None:
    keep = Copies()
    zero, nan = np.zeros(3), np.full(3, np.nan)
    first, minus, wide = (keep("forward", "", array) for array in (zero, -zero, zero.astype(np.longdouble)))
    assert np.signbit(minus).all() and not np.signbit(first).any()
    assert wide.dtype == np.longdouble
    assert keep("forward", "", nan) is keep("forward", "", nan.copy())
    kept = keep("forward", "", zero)
    zero += 1
    assert not kept.any()


def test_same_bits() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert same_bits(x, np.asfortranarray(x))
    assert not same_bits(x, x[:1])
    assert not same_bits(x, x.astype(np.float32))
    assert not same_bits(x, np.nextafter(x, 9))
    assert same_bits(np.array(np.nan), np.array(np.nan))


def test_a_reference_that_repeats_itself_but_for_one_tensor_is_no_measure() -> None:
    trial, plain = Trial(PAIRS["catcar-mlp"].case(), "float64"), []
    observe = trial.observe

    def drifting(side: Any, *given: Any, **named: Any) -> Reading:
        reading = observe(side, *given, **named)
        if side.name == "reference" and not plain:
            plain.append(reading)
            reading["gradient"]["fc1.bias"] = np.nextafter(reading["gradient"]["fc1.bias"], 1)
        return reading

    trial.observe = drifting  # type: ignore[method-assign]
    with pytest.raises(Unrepeatable):
        trial.measure(trial.actual)
