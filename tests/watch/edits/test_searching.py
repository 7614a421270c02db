"""The search by itself: any count of agreeing comparisons serves."""

import sys
import time
from typing import Any

import pytest

from tests.watch.edits.files import made
from twofold.compare.watch.edits.searching import search

WRONG = "def f(xs):\n    n = len(xs)\n    y = sum(xs) * 3\n    z = y + n\n    return z\n"


def agrees(names: dict[str, Any]) -> int | None:
    given = [1.0, 2.0, 4.0, 3.0], [2.5, 1.5, 0.5]
    return 2 if all(names["f"](xs) == (sum(xs) * 3 + len(xs)) / len(xs) for xs in given) else None


def test_the_first_line_that_can_be_mended() -> None:
    file, names = made(WRONG)
    found = search([(file, 3), (file, 4), (file, 5)], lambda: agrees(names))
    assert found is not None
    assert found.told == "with `/ n` put to `y + n` in line 4 all 2 comparisons agree"
    assert found.edit.line == 4
    assert found.tried > 1
    assert names["f"]([1.0]) == 4


def test_nothing_to_mend_and_nothing_that_mends() -> None:
    file, names = made(WRONG)
    assert search([(file, 2)], lambda: 3) is None, "all agrees as it is"
    assert search([(file, 2)], lambda: None) is None
    assert search([], lambda: agrees(names)) is None
    assert search([(file, 2), (file, 99)], lambda: 1 // 0) is None


@pytest.mark.parametrize(("runs", "seconds"), [(5, 60.0), (400, 0.2)])
def test_it_is_bounded(runs: int, seconds: float) -> None:
    file, _ = made(WRONG)
    count = 0

    def never() -> None:
        nonlocal count
        count += 1
        time.sleep(0.01)

    started = time.perf_counter()
    assert search([(file, 3), (file, 4)], never, runs=runs, seconds=seconds) is None
    assert 1 <= count <= runs + 1
    assert time.perf_counter() - started < seconds + 1


def test_a_run_that_does_not_end_is_given_up() -> None:
    text = "def f(n):\n    if n <= 0:\n        return 0\n    a = f(n - 1)\n    return a + f(n - 40)\n"
    file, names = made(text)
    assert search([(file, 5)], lambda: 1 if names["f"](40) == -1 else None, seconds=0.2) is None
    assert sys.getprofile() is None
