"""What a line names, for lines by hand, for this project's own files, and for any text at all."""

import linecache
import sys
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.compare.watch.current import is_current
from twofold.compare.watch.statements import Statement, statements_of

NUMBERS = count()
HERE = Path(__file__).parents[2]


def read(text: str) -> dict[int, Statement]:
    file = f"<statements {next(NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    return statements_of(file)


def shown(chains: object) -> list[str]:
    found = []
    for name, keys in chains:  # type: ignore[attr-defined]
        for kind, key in keys:
            name += {"attribute": f".{key}", "any": "[*]", "key": f"[{key!r}]"}.get(kind, f"[<{key}>]")
        found.append(name)
    return found


# One line each: the variables that it names, and those that it only stores to.
LINES: dict[str, tuple[list[str], list[str]]] = {
    "a = x @ self.w": (["a", "x", "self.w"], ["a"]),
    "a += x": (["a", "x"], []),
    "a = a + 1": (["a"], []),
    'grads["dW" + str(k)] = d': (["grads[*]", "str", "k", "d"], ["grads[*]"]),
    'grads["dW"] = cache[t - 1]': (["grads['dW']", "cache[<t - 1>]", "t"], ["grads['dW']"]),
    "a, (b, *c) = f(x)": (["a", "b", "c", "f", "x"], ["a", "b", "c"]),
    "a = f(x); b = g(a)": (["a", "f", "x", "b", "g"], ["a", "b"]),
    "if c: return x": (["c", "x"], []),
    "for k in range(3): h = h * k": (["k", "range", "h"], ["k"]),
    "with f(x) as y: pass": (["f", "x", "y"], ["y"]),
    "while (n := step(n)) > 0: pass": (["n", "step"], []),
    "h = [node.h for node in nodes]": (["h", "nodes[*].h"], ["h"]),
    "h = [own[name] for name in names]": (["h", "own[*]", "names[*]"], ["h"]),
    'h = {k: g["d" + k][t] for k in names}': (["h", "names[*]", "g[*][<t>]", "t"], ["h"]),
    "h = [getattr(net, k) for k in names]": (["h", "net[*]", "names[*]"], ["h"]),
    "s = sum(a * b for a, b in zip(u, v))": (["s", "sum", "u[*]", "v[*]"], ["s"]),
    'setattr(p, "w", x)': (["p[<'w'>]", "x"], ["p[<'w'>]"]),
    'y = getattr(p, "w" + g)': (["y", "p[<'w' + g>]", "g"], ["y"]),
    "f = lambda x: x @ w": (["f", "x", "w"], ["f"]),
    "n: float = x": (["n", "float", "x"], ["n"]),
    "assert x, y": (["x", "y"], []),
    "del x": (["x"], []),
}


@pytest.mark.parametrize("text", LINES)
def test_what_a_line_names(text: str) -> None:
    one = read(f"def run():\n    {text}\n" if "return" in text else f"{text}\n")[2 if "return" in text else 1]
    chains, stored = LINES[text]
    assert [name for name in shown(one.chains) if name not in ("str",)] == [name for name in chains if name != "str"]
    assert shown(one.stored) == stored
    assert one.text == text


SHAPES: dict[str, tuple[str, dict[int, tuple[int, int, str]]]] = {  # by line: first, last, text
    "several lines": ("a = f(\n    x,\n    y,\n)\n", dict.fromkeys((1, 2, 3, 4), (1, 4, "a = f( x, y, )"))),
    "a try's lines": (
        "try:\n    a = f(x)\nexcept ValueError:\n    a = g(x)\nfinally:\n    b = 1\n",
        {1: (1, 1, "try:"), 2: (2, 2, "a = f(x)"), 4: (4, 4, "a = g(x)"), 6: (6, 6, "b = 1")},
    ),
    "a match": (
        "match f(x):\n    case [a, b]:\n        c = a\n    case _:\n        c = x\n",
        {1: (1, 1, "match f(x):"), 3: (3, 3, "c = a"), 5: (5, 5, "c = x")},
    ),
    "a head of two lines": ("if (a and\n        b):\n    c = d\n", {1: (1, 2, "if (a and b):"), 3: (3, 3, "c = d")}),
    "a form feed": ("a = 1\n\x0c\nb = 2\n", {1: (1, 1, "a = 1"), 3: (3, 3, "b = 2")}),
    "a number that is no float": (f"a = {10**400}\n", {1: (1, 1, f"a = {10**400}")}),
    "no Python": ("def run(\n", {}),
    "a null": ("a = '\0'\n", {}),
    "too deep": ("a = " + "(" * 500 + "1" + ")" * 500 + "\n", {}),
    "a long sum": ("a = " + " + ".join(["x"] * 20_000) + "\n", {}),
    "an odd escape": ("a = '\\d'\n", {1: (1, 1, "a = '\\d'")}),
}


@pytest.mark.parametrize("what", SHAPES)
def test_where_a_statement_stands(what: str) -> None:
    text, expected = SHAPES[what]
    found = read(text)
    assert {line: (found[line].line, found[line].end, found[line].text) for line in expected} == expected
    assert bool(found) == bool(expected)


def test_functions_and_parts() -> None:
    found = read(
        "class Net:\n    def back(self, d):\n        def inner(z):\n            return z * 2\n"
        "        return d @ self.w.T, {'dw': inner(self.x), **more}, {'db': d}\n"
    )
    assert (found[4].function, found[5].function) == ("Net.back.inner", "Net.back")
    assert (found[4].returns, found[5].returns, found[2].returns) == (True, True, False)
    assert [(path, shown(chains), sorted(called)) for path, chains, called in found[5].parts] == [
        ("return[0]", ["d", "self.w.T"], []),
        ("return[1]", ["inner", "self.x", "more"], ["<lambda>", "__call__", "__init__", "inner"]),
        ("return[2]['db']", ["d"], []),
    ]


OWN = sorted(HERE.rglob("compare/**/*.py")) + sorted(HERE.rglob("tests/own/styles/*.py"))
LIBRARY = [Path(sys.modules[name].__file__ or "") for name in ("ast", "dataclasses")]


def test_any_file_is_read() -> None:
    assert len(OWN) > 100
    for file in (*OWN[::8], *LIBRARY):
        found = statements_of(str(file))
        lines = file.read_text().split("\n")
        assert all(one.line <= line <= one.end <= len(lines) for line, one in found.items())
        assert all(one.text.startswith(lines[one.line - 1].strip()) for one in found.values())


PIECES = ["a", "b.c", "x[0]", "=", " ", "\n", "\n    ", "(", ")", "if ", ":", "for a in b:", "lambda: ", "def f():"]
PIECES += [
    "return ",
    "with a as b:",
    "f(",
    ", ",
    "*",
    "[",
    "]",
    "{",
    "}",
    '"k"',
    "0",
    "\\",
    "\t",
    "try:",
    "é",
    "#",
    "'",
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    assert all(one.line <= line <= one.end for line, one in read(text).items())


RUNS = """\
class Net:
    def step(self, x):
        y = [v * 2 for v in x]
        def inner(z): return z + len(y)
        assert x is not None, (
            "no x")
        return inner(3), lambda q: q * 0.5
"""
CHANGES = {  # what the text is now, and whether it may still be what runs
    "nothing": (RUNS, True),
    "a comment": (RUNS.replace("v in x]", "v in x]  # twice"), True),
    "a line before": ("\n" + RUNS, False),
    "a line within": (RUNS.replace("        assert", "\n        assert"), False),
    "a number": (RUNS.replace("v * 2", "v * 4"), False),
    "an operator": (RUNS.replace("z + len", "z - len"), False),
    "a name": (RUNS.replace("for v in x]", "for v in self.x]"), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whether_it_is_what_runs(change: str) -> None:
    text, expected = CHANGES[change]
    file = f"<current {next(NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, object] = {}
    exec(compile(RUNS, file, "exec"), names)
    left = [names["Net"].step.__code__]  # type: ignore[attr-defined]
    current = []
    while left:
        code = left.pop()
        left += [one for one in code.co_consts if hasattr(one, "co_code")]
        current.append(is_current(code))
    assert all(current) == expected


def test_rewritten_asserts_are_what_runs() -> None:
    def run(x: int) -> int:
        assert x > 2, "more"
        return x * 2

    assert is_current(run.__code__)
    assert is_current(test_whether_it_is_what_runs.__code__)
