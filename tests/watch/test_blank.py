"""What stands in memory before anything is stored there is no value: two watched runs keep the same."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.watch.texts import watch, written
from twofold.compare.watch.watcher import Watcher

X = np.linspace(-1.0, 2.0, 6).reshape(2, 3)

# How an array is made that holds whatever stood there.
MADE = {
    "numpy.empty": "np.empty((3, 2, 3))",
    "of a kind": "np.empty((3, 2, 3), dtype=x.dtype, order='F')",
    "like another": "np.empty_like(x, shape=(3, 2, 3))",
    "by a name of its own": "blank((3, 2, 3))",
    "within a list": "[np.empty((2, 3)) for _ in range(3)]",
    "of a subclass": "np.empty_like(x.view(Kind), shape=(3, 2, 3))",
    "in a helper": "space(x)",
}
TEXT = """\
from numpy import empty as blank

class Kind(np.ndarray):
    pass

def space(x):
    return np.empty((3, *x.shape), x.dtype)

def run(x):
    h = MADE
    for t in range(2):
        h[t][...] = x * (t + 1)
    return h[0] + h[1]
"""


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    module = written(TEXT.replace("MADE", MADE[request.param]))
    monkeypatch.setitem(sys.modules, "stranger", module)
    yield module


def kept(watcher: Watcher) -> list[Any]:
    return [(value.shape, value.tobytes()) for value in watcher.trace.values]


@pytest.mark.parametrize("stranger", MADE, indirect=True)
def test_what_stood_in_memory_is_zeros(stranger: ModuleType) -> None:
    before = np.empty, np.empty_like, vars(stranger)["blank"]
    runs = []
    for dirt in (np.nan, 7.0):
        soiled = [np.full((3, 2, 3), dirt) for _ in range(64)]
        del soiled  # the next to ask for memory of that size is given this
        runs.append(watch(lambda: stranger.run(X.copy())))
    for result, watcher in runs:
        assert not watcher.dropped
        assert (result == 3 * X).all()
        assert all(np.isfinite(value).all() and (value != 7).all() for value in watcher.trace.values)
    assert kept(runs[0][1]) == kept(runs[1][1])
    assert (np.empty, np.empty_like, vars(stranger)["blank"]) == before


def test_what_holds_no_numbers_is_as_it_was() -> None:
    module = written("def run(x):\n    names = np.empty(2, object)\n    names[0] = x\n    return names\n")
    result, watcher = watch(lambda: module.run(X))
    assert not watcher.dropped
    assert result[0] is X and result[1] is None
