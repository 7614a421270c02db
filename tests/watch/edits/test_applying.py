"""An edit while it lasts: every function that has the statement runs with it, and then is what it was."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.watch.edits.files import edit_to, made
from twofold.compare.watch.edits.applying import applied, living
from twofold.compare.watch.edits.listing import edits_of

# By kind: a text, the line of a statement, what it becomes, how the function is called, before, with the edit.
Case = tuple[str, int, str, Callable[[dict[str, Any]], Any], Any, Any]
CASES: dict[str, Case] = {
    "function": (
        "def f(x):\n    y = 2 * x\n    return y\n",
        2,
        "y = x",
        lambda names: names["f"](3),
        6,
        3,
    ),
    "method": (
        "class A:\n    def f(self, x):\n        return x + 1\n\na = A()\n",
        3,
        "return x - 1",
        lambda names: names["a"].f(3),
        4,
        2,
    ),
    "staticmethod": (
        "class A:\n    @staticmethod\n    def f(x):\n        return x + 1\n",
        4,
        "return x - 1",
        lambda names: names["A"].f(3),
        4,
        2,
    ),
    "classmethod": (
        "class A:\n    n = 5\n    @classmethod\n    def f(cls, x):\n        return cls.n * x\n",
        5,
        "return x",
        lambda names: names["A"].f(3),
        15,
        3,
    ),
    "property": (
        "class A:\n    @property\n    def f(self):\n        return 2 + 3\n\na = A()\n",
        4,
        "return 2 - 3",
        lambda names: names["a"].f,
        5,
        -1,
    ),
    "super": (
        "class A:\n    def f(self, x):\n        return x\n\nclass B(A):\n    def f(self, x):\n"
        "        y = super().f(x) + 1\n        return y\n",
        7,
        "y = super().f(x) - 1",
        lambda names: names["B"]().f(3),
        4,
        2,
    ),
    "super dropped": (
        "class A:\n    def f(self, x):\n        return 9\n\nclass B(A):\n    def f(self, x):\n"
        "        return super().f(x)\n",
        7,
        "return x",
        lambda names: names["B"]().f(3),
        9,
        3,
    ),
    "closure that lives": (
        "def outer(a, b):\n    def f(x):\n        return a * x + b\n    return f\n\nf = outer(2, 1)\n",
        3,
        "return a * x",
        lambda names: names["f"](3),
        7,
        6,
    ),
    "closure that is made meanwhile": (
        "def outer(a, b):\n    def f(x):\n        return a * x + b\n    return f\n",
        3,
        "return b",
        lambda names: names["outer"](2, 1)(3),
        7,
        1,
    ),
    "around a closure": (
        "def outer(a):\n    c = a + 1\n    def f(x):\n        return c * x\n    return f(2)\n",
        2,
        "c = a - 1",
        lambda names: names["outer"](4),
        10,
        6,
    ),
    "nonlocal": (
        "def outer():\n    n = 0\n    def f(x):\n        nonlocal n\n        n += x\n        return n\n    return f\n\n"
        "f = outer()\n",
        5,
        "n = x",
        lambda names: names["f"](1) * 0 + names["f"](3) * 0 + 1,
        1,
        1,
    ),
    "comprehension": (
        "def f(xs):\n    return [2 * x for x in xs]\n",
        2,
        "return [x for x in xs]",
        lambda names: names["f"]([1, 2]),
        [2, 4],
        [1, 2],
    ),
    "generator": (
        "def f(xs):\n    for x in xs:\n        yield x + 1\n",
        3,
        "yield (x - 1)",
        lambda names: list(names["f"]([1, 2])),
        [2, 3],
        [0, 1],
    ),
    "lambda": (
        "f = lambda x: x + 1\n",
        1,
        "f = lambda x: x - 1",
        lambda names: names["f"](3),
        4,
        2,
    ),
    "decorated": (
        "from functools import wraps\n\ndef twice(f):\n    @wraps(f)\n    def inner(x):\n        return 2 * f(x)\n"
        "    return inner\n\n@twice\ndef f(x):\n    return x + 1\n",
        11,
        "return x - 1",
        lambda names: names["f"](3),
        8,
        4,
    ),
    "private": (
        "class A:\n    __n = 3\n    def f(self, x):\n        return self.__n + x\n",
        4,
        "return self.__n - x",
        lambda names: names["A"]().f(1),
        4,
        2,
    ),
    "under a condition": (
        "import sys\nif sys:\n    def f(x):\n        return x + 1\n",
        4,
        "return x - 1",
        lambda names: names["f"](3),
        4,
        2,
    ),
    "annotations": (
        "from __future__ import annotations\n\ndef f(x: Missing) -> Missing:\n    def g(y: Missing):\n"
        "        return y + 1\n    return g(x)\n",
        5,
        "return y - 1",
        lambda names: names["f"](3),
        4,
        2,
    ),
}


@pytest.fixture(autouse=True)
def what_was_there_before_is_not_looked_through() -> Iterator[None]:
    """Every search goes through all that lives, which in a process of many tests takes seconds."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("kind", CASES)
def test_an_edit_while_it_lasts(kind: str) -> None:
    text, line, after, call, before, with_it = CASES[kind]
    file, names = made(text)
    edit = edit_to(file, line, after)
    codes = codes_of(file)
    assert call(names) == before
    with applied(edit) as changed:
        assert changed
        assert call(names) == with_it
    assert call(names) == before
    assert same(codes, codes_of(file)), "the very code objects that there were"


def codes_of(file: str) -> dict[tuple[str, int], list[Any]]:
    gc.collect()
    return {key: [function.__code__ for function in found] for key, found in living(file).items()}


def same(one: dict[tuple[str, int], list[Any]], other: dict[tuple[str, int], list[Any]]) -> bool:
    return all(all(a is b for a, b in zip(codes, other[key], strict=True)) for key, codes in one.items())


def test_put_back_after_an_error() -> None:
    file, names = made("def f(x):\n    return x + 1\n")
    code = names["f"].__code__
    with pytest.raises(ZeroDivisionError), applied(edit_to(file, 2, "return x - 1")):
        1 / 0  # noqa: B018
    assert names["f"].__code__ is code


def test_every_edit_leaves_tree_and_code_as_they_were() -> None:
    text = "def f(x, y):\n    z = x * y + 1\n    for n in range(3):\n        z += n * x\n    return z / 2\n"
    file, names = made(text)
    code, value = names["f"].__code__, names["f"](3.0, 5.0)
    functions = living(file)
    seen = 0
    for line in range(1, 6):
        first = [edit.told for edit in edits_of(file, line)]
        for edit in edits_of(file, line):
            with applied(edit, functions) as changed:
                seen += changed
        assert [edit.told for edit in edits_of(file, line)] == first
    assert seen > 100
    assert names["f"].__code__ is code
    assert names["f"](3.0, 5.0) == value


def test_text_that_is_not_what_runs() -> None:
    """A file that was changed after it was read says nothing about the code."""
    file, names = made("def f(x):\n    return x + 1\n")
    exec(compile("def f(x):\n    return x * 7\n", file, "exec"), names)
    with applied(edit_to(file, 2, "return x - 1")) as changed:
        assert changed == 0
        assert names["f"](3) == 21


def test_code_that_ran_hot_is_still_known() -> None:
    """The interpreter rewrites the instructions of what runs often."""
    file, names = made("def f(x):\n    y = x + 1\n    return y\n")
    for _ in range(1000):
        names["f"](1.0)
    with applied(edit_to(file, 2, "y = x - 1")):
        assert names["f"](3.0) == 2.0
