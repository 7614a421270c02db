"""A watched run is the unwatched one, whatever the code does, and what is told of its lines is so."""

import linecache
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.watch.texts import bound, is_strangers, watch, written
from twofold.compare.watch.lines import watched
from twofold.compare.watch.trace import Dropped

X = np.linspace(-1.0, 2.0, 6).reshape(2, 3)

# What is run, and what is bound at which line; line 1 imports NumPy.
CODE: dict[str, tuple[str, list[tuple[int, str]]]] = {
    "statements on one line": (
        "def run(x):\n    a = x * 2; b = a + 1\n    return b\n",
        [(3, "a"), (3, "b")],
    ),
    "a branch with what stands behind its colon": (
        "def run(x):\n    h = x\n    for k in range(2): h = h * 3\n    if len(h) > 1: h = h + 1\n    return h\n",
        [(4, "h"), (4, "h"), (5, "h")],
    ),
    "a generator": (
        "def rows(x):\n    for row in x:\n        yield row * 2\n\n"
        "def run(x):\n    total = 0\n    for row in rows(x):\n        total = total + row\n    return total\n",
        [(4, "return"), (4, "return"), (9, "total")],
    ),
    "a generator on one line": (
        "def run(x):\n    a, b, c = (x * n for n in (2, 3, 4))\n    return a + b + c\n",
        [(3, "return"), (3, "return"), (3, "return"), (4, "return")],
    ),
    "recursion": (
        "def down(x, n):\n    if n == 0:\n        return x\n    return down(x * 2, n - 1)\n\n"
        "def run(x):\n    return down(x, 2)\n",
        [(5, "x"), (5, "x")],
    ),
    "an exception caught inside": (
        "def fails(x):\n    y = x * 3\n    raise ValueError(y)\n\n"
        "def run(x):\n    try:\n        return fails(x)\n    except ValueError:\n        z = x - 1\n"
        "    return z * 2\n",
        [(3, "y"), (10, "z"), (11, "return")],
    ),
    "a return in a with": (
        "from contextlib import nullcontext\n\ndef run(x):\n    with nullcontext(x + 1) as y:\n        return y * 2\n",
        [(5, "y"), (6, "return")],
    ),
    "a return before a finally": (
        "def run(x):\n    try:\n        return x * 2\n    finally:\n        y = x * 5\n",
        [(6, "y"), (4, "return")],
    ),
    "a name that begins with return": (
        "def run(x):\n    returned = x * 2\n    y = returned + 1\n    return y\n",
        [(3, "returned"), (4, "y")],
    ),
    "a statement of several lines": (
        "def f(x):\n    return x * 2\n\ndef run(x):\n    y = (\n        f(x)\n        + f(x + 1)\n    )\n"
        "    return y\n",
        [(3, "return"), (3, "return"), (6, "x"), (6, "y")],
    ),
    "a lambda": (
        "double = lambda x: x * 2\n\ndef run(x):\n    y = double(x)\n    return y\n",
        [(2, "return")],
    ),
    "a decorator": (
        "def twice(f):\n    def inner(x):\n        return f(x) * 2\n    return inner\n\n"
        "@twice\ndef run(x):\n    return x + 1\n",
        [(9, "return"), (4, "return")],
    ),
    "slots": (
        "class Layer:\n    __slots__ = ('w',)\n    def __init__(self, w):\n        self.w = w * 2\n\n"
        "def run(x):\n    layer = Layer(x)\n    y = layer.w + 1\n    return y\n",
        [(5, "self.w"), (9, "y")],
    ),
    "a comprehension over lines": (
        "def run(x):\n    h = [\n        row * 2\n        for row in x\n    ]\n    return h[0]\n",
        [(3, "[0]"), (3, "[1]")],
    ),
    "fields of a structured array": (
        "def run(x):\n    r = np.zeros(2, [('w', float)])\n    r['w'] = x[:, 0] * 3\n    y = r['w'] + 1\n"
        "    return y\n",
        [(3, "r['w']"), (4, "r['w']"), (5, "y")],
    ),
}


def same(one: Any, other: Any) -> bool:
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.parametrize("what", CODE)
def test_lines_are_told(what: str) -> None:
    text, expected = CODE[what]
    module = written(text)
    plain = module.run(X.copy())
    result, watcher = watch(lambda: module.run(X.copy()))
    assert not watcher.dropped
    assert same(plain, result)
    if what == "a comprehension over lines":  # up to 3.11 it has a frame of its own, and returns
        assert [(line, name.removeprefix("return").removeprefix("h")) for line, name in bound(watcher)] == expected
    else:
        names = {name for _, name in expected}
        assert [one for one in bound(watcher) if one[1] in names] == expected


# What must not be touched more often, or otherwise, than the code itself does: each leaves what happened in `seen`.
OBJECTS = {
    "a property that counts": (
        "class A:\n    @property\n    def w(self):\n        seen.append('w')\n        return np.ones(2)\n"
    ),
    "a property that raises": (
        "class A:\n    @property\n    def v(self):\n        seen.append('v')\n        raise ValueError\n"
        "    w = np.ones(2)\n"
    ),
    "__getattr__ that creates": (
        "class A:\n    def __getattr__(self, name):\n        seen.append(name)\n"
        "        setattr(self, name, np.ones(2))\n        return getattr(self, name)\n"
    ),
    "__getattr__ that raises": (
        "class A:\n    w = np.ones(2)\n    def __getattr__(self, name):\n        seen.append(name)\n"
        "        raise KeyError(name)\n"
    ),
    "__getattribute__": (
        "class A:\n    w = np.ones(2)\n    def __getattribute__(self, name):\n        seen.append(name)\n"
        "        return object.__getattribute__(self, name)\n"
    ),
    "a __class__ that is computed": (
        "class A:\n    w = np.ones(2)\n    @property\n    def __class__(self):\n        seen.append('class')\n"
        "        return int\n"
    ),
    "a __dict__ that is computed": (
        "class A:\n    w = np.ones(2)\n    @property\n    def __dict__(self):\n        seen.append('dict')\n"
        "        return {}\n"
    ),
    "a descriptor": (
        "class D:\n    def __get__(self, one, kind=None):\n        seen.append('get')\n        return np.ones(2)\n"
        "class A:\n    w = D()\n"
    ),
    "all of the operators": (
        "class A:\n    def __init__(self):\n        self.w = np.ones(2)\n"
        + "".join(
            f"    def {name}(self, *args):\n        seen.append('{name}')\n        {does}\n"
            for name, does in {
                "__eq__": "return True",
                "__hash__": "return 0",
                "__len__": "return 0",
                "__iter__": "return iter(())",
                "__bool__": "raise ValueError",
                "__repr__": "raise ValueError",
                "__getitem__": "return 1",
                "__contains__": "return True",
                "__array__": "return np.zeros(1)",
                "__float__": "return 1.0",
            }.items()
        )
    ),
    "a dict with a way of its own": (
        "class A(dict):\n    w = np.ones(2)\n"
        "    def items(self):\n        seen.append('items')\n        return []\n"
        "    def __iter__(self):\n        seen.append('iter')\n        return iter(())\n"
        "    def __getitem__(self, key):\n        seen.append(key)\n        return np.ones(2)\n"
        "    def __missing__(self, key):\n        seen.append('missing')\n        return np.ones(2)\n"
    ),
    "a list with a way of its own": (
        "class A(list):\n    w = np.ones(2)\n    def __iter__(self):\n        seen.append('iter')\n"
        "        return iter(())\n"
    ),
    "keys that are objects": (
        "class K:\n    def __repr__(self):\n        seen.append('repr')\n        return 'K'\n"
        "    def __eq__(self, other):\n        seen.append('eq')\n        return self is other\n"
        "    def __hash__(self):\n        return 3\n"
        "class A(dict):\n    def __init__(self):\n        super().__init__({K(): np.ones(2)})\n    w = np.ones(2)\n"
    ),
    "an array of another class": (
        "class A(np.ndarray):\n"
        "    def __new__(cls):\n        return np.ones(2).view(cls)\n"
        "    def __array_finalize__(self, other):\n        seen.append('finalize')\n"
        "    def tobytes(self):\n        seen.append('tobytes')\n        return b''\n    w = np.ones(2)\n"
    ),
    "a metaclass": (
        "class M(type):\n    def __getattr__(cls, name):\n        seen.append(name)\n        return np.ones(2)\n"
        "class A(metaclass=M):\n    def __init__(self):\n        self.w = np.ones(2)\n"
    ),
}
USES = """
def run(x):
    a = A()
    many = [a, {'a': a}, (a,)]
    h = x * a.w[0] + 3
    b = many[0].w
    return h
"""


@pytest.mark.parametrize("what", OBJECTS)
def test_nothing_of_theirs_is_run(what: str) -> None:
    texts = "seen = []\n" + OBJECTS[what] + USES
    module = written(texts)
    plain = module.run(X)
    counted = list(module.seen)
    module = written(texts)
    result, watcher = watch(lambda: module.run(X))
    assert not watcher.dropped
    assert same(plain, result)
    assert module.seen == counted
    assert (2 + texts[: texts.index("h = x")].count("\n"), "h") in bound(watcher)


HELD = {  # what a variable may hold, and how the arrays in it are called
    "a list": ("[np.ones(2), {'k': 1.5}]", ["[0]", "[1]['k']"]),
    "a namedtuple": ("__import__('collections').namedtuple('P', 'w b')(np.ones(2), np.zeros(1))", ["[0]", "[1]"]),
    "a cycle": ("cycle()", ["[0]"]),
    "a dataclass with slots": ("Data(np.ones(2), 2.5)", [".w", ".b"]),
    "a million entries": ("BAG", [".n0", ".n399"]),
    "records": ("np.zeros(2, [('w', float), ('name', 'U3')])", ["['w']"]),
    "an array of objects": ("np.array([np.ones(2), None, 'x'], object)", ["[0]"]),
    "a masked array": ("np.ma.array([1.0, 2.0], mask=[0, 1])", [""]),
    "a read-only array": ("np.broadcast_to(np.float64(3), (2, 2))", [""]),
    "an array without dimensions": ("np.array(2.0)", [""]),
    "an empty array": ("np.empty((0, 3))", [""]),
    "the other byte order": ("np.ones(2, '>f8')", [""]),
    "text": ("np.array(['a', 'b'])", []),
    "dates": ("np.array(['2020-01-01'], 'M8[D]')", []),
    "a module": ("np", []),
    "a default dict": ("__import__('collections').defaultdict(list, {1: [1.0]})", ["[1][0]"]),
    "a float of another class": ("type('F', (float,), {'__float__': None})(2.0)", [""]),
    "a set, a generator, a class, a file": ("[{1.0}, (n for n in [1.0]), int, __import__('sys').stdout]", []),
}
MAKERS = """\
from dataclasses import dataclass

@dataclass(slots=True)
class Data:
    w: object
    b: object

class Bag:
    pass

BAG = Bag()

def cycle():
    one = [np.ones(2)]
    one.append(one)
    return one

def run():
    value = VALUE
    other = value
    return other
"""


@pytest.mark.parametrize("what", HELD)
def test_what_is_held(what: str) -> None:
    value, paths = HELD[what]
    module = written(MAKERS.replace("VALUE", value))
    vars(module.BAG).update((f"n{n}", 1.0 + n) for n in range(1_000_000 if what == "a million entries" else 0))
    sys.modules["stranger"] = module
    try:
        result, watcher = watch(module.run)
    finally:
        del sys.modules["stranger"]
    assert not watcher.dropped
    names = {name for execution in watcher.trace.executions for name in execution.writes}
    assert {f"return{path}" for path in paths} <= names or {f"value{path}" for path in paths} <= names
    assert bool(names) == bool(paths)
    if what == "a default dict":
        assert list(result) == [1]


def test_asking_makes_no_entry() -> None:
    module = written(
        "from collections import defaultdict\n\ndef run(x):\n    cache = defaultdict(list)\n    k = 1\n"
        "    if k in cache: y = cache[k]\n    return len(cache)\n"
    )
    assert watch(lambda: module.run(X))[0] == 0


def test_a_mapped_file(tmp_path: Path) -> None:
    data = np.memmap(tmp_path / "x", float, "w+", shape=(3,))
    module = written("def run(x):\n    x[1] = 5.0\n    y = x * 2\n    return x, y\n")
    (mapped, result), watcher = watch(lambda: module.run(data))
    assert mapped is data
    assert result.tolist() == [0, 10, 0]
    assert (4, "y") in bound(watcher)


def test_what_is_freed_is_not_kept() -> None:
    module = written(
        "import weakref\n\ndef run(x):\n    y = x * 2\n    gone = weakref.ref(y)\n    y = None\n    z = x + 1\n"
        "    return gone() is None, z\n"
    )
    plain, (result, watcher) = module.run(X.copy()), watch(lambda: module.run(X.copy()))
    assert not watcher.dropped
    assert (plain[0], result[0]) == (True, True)
    assert same(plain[1], result[1])


def test_code_without_a_file() -> None:
    module = written(
        "def run(x):\n    scope = {'x': x}\n    exec('y = x * 2', scope)\n    z = scope['y'] + 1\n    return z\n"
    )
    result, watcher = watch(lambda: module.run(X))
    assert not watcher.dropped
    assert same(result, X * 2 + 1)
    assert (5, "z") in bound(watcher)


def test_threads_are_left_alone() -> None:
    module = written(
        "import threading\n\ndef work(x, out):\n    h = x\n    for k in range(200):\n        h = h * 1.01\n"
        "    out.append(h)\n\n"
        "def run(x):\n    outs = [[] for _ in range(3)]\n"
        "    many = [threading.Thread(target=work, args=(x, out)) for out in outs]\n"
        "    for one in many:\n        one.start()\n    h = x * 3\n    for one in many:\n        one.join()\n"
        "    return outs\n"
    )
    plain, (result, watcher) = module.run(X), watch(lambda: module.run(X))
    assert not watcher.dropped
    assert same(plain, result)
    assert (15, "h") in bound(watcher)
    assert not [line for line, _ in bound(watcher) if line in (5, 7)]


def test_as_deep_as_may_be() -> None:
    module = written(
        "def run(n, x):\n    y = x * 2\n    if n == 0:\n        return y\n    return run(n - 1, y * 0.5)\n"
    )
    deep = sys.getrecursionlimit() - 150
    frames, frame = 0, sys._getframe()
    while frame is not None:
        frames, frame = frames + 1, frame.f_back  # type: ignore[assignment]
    result, watcher = watch(lambda: module.run(deep - frames + 140, X))
    assert not watcher.dropped
    assert same(result, X * 2)
    assert sys.getrecursionlimit() == deep + 150


def test_another_text_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a dataclass makes is called <string>, as is what python -c runs, whose text Python 3.13 keeps."""
    told = "def run(x):\n    return x\n\ndef __init__(self, w):\n    self.w = w * 0\n"
    monkeypatch.setitem(linecache.cache, "<string>", (len(told), None, told.splitlines(keepends=True), "<string>"))
    module = written(
        "from dataclasses import dataclass\n\n@dataclass\nclass Held:\n    w: object\n\n"
        "def run(x):\n    held = Held(x * 2)\n    return held.w + 1\n"
    )
    with watched(lambda file: file.startswith("<str")) as watcher:
        result = module.run(X)
    assert not watcher.dropped
    assert same(result, X * 2 + 1)
    assert (10, "return") in bound(watcher)


def test_a_file_that_was_changed(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    before = "def run(x):\n    y = x * 2\n    return y + 1\n"
    for after in ("# new\n" + before, before.replace("* 2", "* 3"), before.replace("* 2", "- 2"), "def run(", ""):
        scope: dict[str, Any] = {}
        exec(compile(before, str(file), "exec"), scope)
        file.write_text(after)
        linecache.cache.pop(str(file), None)
        with watched(lambda name: name == str(file)) as watcher:
            result = scope["run"](X)
        assert same(result, X * 2 + 1)
        assert not bound(watcher)
        assert watcher.dropped == (f"{file} is no longer what runs" if "def run(x)" in after else "")


def test_too_many_statements() -> None:
    module = written("def run(x):\n    n = 0\n    while n < 200_000:\n        n = n + 1\n    return n\n")
    start = time.process_time()
    plain = module.run(X)
    alone = time.process_time() - start
    start = time.process_time()
    result, watcher = watch(lambda: module.run(X), most_statements=2000)
    assert result == plain == 200_000
    assert watcher.dropped == "more than 2000 statements run"
    assert not watcher.trace.executions
    assert time.process_time() - start < 0.5 + 100 * alone


def test_too_much_to_keep() -> None:
    module = written("def run(x):\n    for k in range(40):\n        x = x + np.ones(1000)\n    return x\n")
    _, watcher = watch(lambda: module.run(np.zeros(1000)), most_bytes=100_000)
    assert watcher.dropped == f"more than {100_000 / (1 << 30):g} GB would have to be kept"
    assert not watcher.trace.values
    _, watcher = watch(lambda: module.run(np.zeros(1000)), most_bytes=1_000_000)
    assert not watcher.dropped


# In processes of their own these would be cleaner; the tests put back what they set.
@pytest.fixture
def untraced() -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


def tracer(seen: list[str]) -> Callable[..., Any]:
    def trace(frame: Any, event: str, value: Any) -> Any:
        if is_strangers(frame.f_code.co_filename):
            seen.append(event)
        return trace

    return trace


@pytest.mark.usefixtures("untraced")
def test_anothers_trace_stays() -> None:
    module, seen = written("def run(x):\n    y = x * 2\n    return y\n"), []
    theirs = tracer(seen)
    sys.settrace(theirs)
    with pytest.raises(Dropped, match="a debugger or a coverage"), watched(is_strangers):
        raise AssertionError
    assert sys.gettrace() is theirs
    module.run(X)
    assert "line" in seen


@pytest.mark.usefixtures("untraced")
def test_a_trace_that_the_code_sets_stays() -> None:
    module, seen = (
        written("import sys\n\ndef g(x):\n    return x * 2\n\ndef run(x, t):\n    sys.settrace(t)\n    return g(x)\n"),
        [],
    )
    theirs = tracer(seen)
    result, watcher = watch(lambda: module.run(X, theirs))
    assert sys.gettrace() is theirs
    sys.settrace(None)
    assert same(result, X * 2)
    assert "line" in seen
    assert bool(watcher.dropped) != hasattr(sys, "monitoring")


@pytest.mark.usefixtures("untraced")
def test_a_watch_within_a_watch() -> None:
    module = written("def run(x, inner):\n    y = x * 2\n    inner()\n    z = y + 1\n    return z\n")

    def inner() -> None:
        with pytest.raises(Dropped), watched(is_strangers):
            raise AssertionError

    _, watcher = watch(lambda: module.run(X, inner))
    assert not watcher.dropped
    assert {(3, "y"), (5, "z")} <= set(bound(watcher))
    assert sys.gettrace() is None


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring is from Python 3.12 on")
def test_other_tools_stay() -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    module, seen = written("def run(x):\n    y = x * 2\n    return y\n"), []
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "coverage")
    try:
        monitoring.register_callback(
            monitoring.COVERAGE_ID, monitoring.events.LINE, lambda code, line: seen.append(line)
        )
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
        _, watcher = watch(lambda: module.run(X))
        assert (3, "y") in bound(watcher)
        assert 3 in seen
        seen.clear()
        module.run(X)
        assert 3 in seen
    finally:
        monitoring.set_events(monitoring.COVERAGE_ID, 0)
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, None)
        monitoring.free_tool_id(monitoring.COVERAGE_ID)
    monitoring.use_tool_id(monitoring.DEBUGGER_ID, "debugger")
    try:
        with pytest.raises(Dropped), watched(is_strangers):
            raise AssertionError
    finally:
        monitoring.free_tool_id(monitoring.DEBUGGER_ID)


def test_what_the_code_raises_comes_through() -> None:
    module = written("def run(x):\n    y = x * 2\n    raise KeyError('theirs')\n")
    with pytest.raises(KeyError, match="theirs"), watched(is_strangers) as watcher:
        module.run(X)
    assert (3, "y") in bound(watcher)
    assert sys.gettrace() is None
    assert threading.current_thread() is threading.main_thread()
