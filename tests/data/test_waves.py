"""The sine and the triangle wave, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.data.test_readers import form
from twofold.compare import data
from twofold.compare.data import waves
from twofold.compare.data.embedded import series


def test_triangle_by_hand():
    np.testing.assert_allclose(series.triangle(7), [0, 0.8, 0.4, -0.4, -0.8, 0, 0.8], atol=1e-15)


def test_sine_by_hand():
    assert series.sine(3).tolist() == [0.0, math.sin(1), math.sin(2)]


def test_windows_by_hand():
    records = waves.windows(np.arange(52.0))
    assert records.inputs.shape == (2, 50) and records.targets.tolist() == [[50], [51]]
    assert records.inputs[0].tolist() == [*range(50)] and records.inputs[1].tolist() == [*range(1, 51)]
    assert records.inputs.flags.c_contiguous and records.inputs.flags.writeable


@pytest.mark.parametrize(("name", "value"), [("sine", math.sin), ("triangle", lambda x: series.triangle(200)[x])])
def test_waves_are_the_same_for_any_directory(tmp_path, name, value):
    loaded = [data.load(name, directory) for directory in (None, tmp_path, tmp_path / "none")]
    for one in loaded:
        assert form(one.train) == ((100, 50), "float64", (100, 1), "float64")
        assert form(one.validation) == ((50, 50), "float64", (50, 1), "float64") and one.test is one.validation
        for records, start in ((one.train, 0), (one.validation, 100)):
            for row in (0, 7, len(records) - 1):
                assert records.inputs[row].tolist() == [value(start + row + i) for i in range(50)]
                assert records.targets[row].tolist() == [value(start + row + 50)]
        assert "the test records are those of the validation" in one.note
