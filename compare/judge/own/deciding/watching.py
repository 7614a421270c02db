"""Where a difference begins, by a watcher over the stranger's lines: file, line, name, and which time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.deciding.torchs import blocks_of, pool_of, torchs
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.meeting.roles import value_at
from twofold.compare.judge.own.record import Compared
from twofold.compare.sides.foreign.calls import Raw
from twofold.compare.sides.foreign.leaves import Leaf
from twofold.compare.sides.foreign.trees import array_in, is_floating, is_users_file
from twofold.compare.sides.trace import same_bits
from twofold.compare.watch.flow import Flow
from twofold.compare.watch.lines import Watcher, watched
from twofold.compare.watch.locating import Parting, parted
from twofold.compare.watch.matching import ONE, WITHIN, off_by
from twofold.compare.watch.trace import Dropped, Trace
from twofold.scratch.module import Array

T = TypeVar("T")
AGAIN = 4  # runs in which what is unsteady would show


def watched_call(bout: Bout, one: Draw, dtype: str, plain: Tensors) -> tuple[Raw, Trace]:
    """One run under the watcher. Raises Dropped, also where it does not give bit for bit what it gave without."""
    raw, trace = trace_of(bout, partial(called, bout, one, dtype))
    seen = bout.of_raw(raw)
    for name, array in plain.items():
        if name not in seen or not (same_bits(array, seen[name]) or is_unsteady(bout, one, dtype, name, array)):
            raise Dropped(f"{shown(bout, name)} is another with a watcher than without")
    return raw, trace


def called(bout: Bout, one: Draw, dtype: str, watching: Callable[[], Any]) -> Raw:
    """A call on a draw, in what `watching` makes."""
    with bout.foreign.afresh(one.values, dtype), bout.foreign.computing(dtype):
        data, send = bout.given(one, dtype), bout.send_in(dtype)
        with watching():
            return bout.foreign.call(data, send)


def trace_of(bout: Bout, run: Callable[[Callable[[], Any]], T]) -> tuple[T, Trace]:
    """What a run gives, and the trace of the part that it runs in the context that it is handed. Raises Dropped."""
    kept: list[Watcher] = []

    @contextmanager
    def watching() -> Iterator[None]:
        with watched(is_users_file, there(bout)) as watcher:
            kept.append(watcher)
            yield

    given = run(watching)
    if kept[0].dropped:
        raise Dropped(kept[0].dropped)
    return given, kept[0].trace


def there(bout: Bout) -> list[Array]:
    """The arrays that stand somewhere before a run."""
    held = (slot.get() for slot in bout.foreign.current().values())
    return [array_in(value) for value in held if is_floating(value)]


def is_unsteady(bout: Bout, one: Draw, dtype: str, name: str, array: Array) -> bool:
    """Whether it is another in every run by rounding, as a sum over a set is."""
    runs = (bout.of_raw(bout.call(one, dtype)) for _ in range(AGAIN))
    return any(not same_bits(array, run[name]) for run in runs)


def parting_of(bout: Bout, failing: Compared) -> Parting | None:
    """Where the results that fail begin to. Raises Dropped."""
    raw, trace = watched_call(bout, failing.one, failing.dtype, failing.actual)
    run, operations = torchs(bout, failing.one)
    wrong, right = results(bout, failing, raw, trace)
    dtype = failing.dtype if failing.dtype in WITHIN and not failing.coarse else "float32"
    off = [*factors(failing.failed, failing.actual, failing.golden), *factors_of_blocks(bout, failing)]
    unmade = any(failing.actual[name].any() for name in failing.failed if name in failing.actual)
    flow = Flow(trace, pool_of(bout, failing.one, run, operations), wrong, right, off, dtype, unmade)
    for name, number, differs, is_block in in_parts(bout, failing, trace):
        if differs and (is_block or not flow.matches(number)):
            wrong[name] = number
        elif not differs and not flow.neutral(number):  # what is put together with wrong ones was read with them
            right.add(number)
    right -= set(wrong.values())
    return parted(flow) or handing_back(bout, failing, trace)


def handing_back(bout: Bout, failing: Compared, trace: Trace) -> Parting | None:
    """Of a gradient that an autograd.Function gives as None: the statement that hands back those of the others."""
    returns = [one for one in trace.executions if one.statement.returns]
    if not bout.foreign.is_torch or not returns or all(name in failing.actual for name in failing.failed):
        return None
    last = returns[-1].statement
    return Parting(last, "", 0, 1, suspects=(last,), size=len(trace.executions), first=last.line)


def factors(failed: Sequence[str], actuals: Tensors, goldens: Tensors) -> Iterator[float]:
    """By which results that differ by a factor do."""
    for name in failed:
        if name in actuals and (factor := off_by(actuals[name], goldens.get(name))) is not None:
            yield factor


def factors_of_blocks(bout: Bout, failing: Compared) -> Iterator[float]:
    """The same of what stands in a wrong gradient for one of torch's tensors, for a gate, or of several rows in it."""
    for name in failing.failed:
        if name.startswith("d ") and not name.startswith("d data ") and apart(failing, name) is not None:
            leaf = bout.leaf(name.removeprefix("d "))
            actual, golden = (as_kept(bout, leaf, one[name]) for one in (failing.actual, failing.golden))
            for places in blocks_of(bout, leaf):
                if (factor := off_by(actual[places], golden[places])) is not None:
                    yield factor
            if len(leaf.shape) == 2:
                actual, golden = actual.reshape(leaf.shape), golden.reshape(leaf.shape)
                yield from shared(map(off_by, actual, golden))
                yield from shared(map(off_by, actual.T, golden.T))


def shared(factors: Iterable[float | None]) -> Iterator[float]:
    """Those that come more than once, as by rows of one projection in a matrix of three."""
    found = sorted(factor for factor in factors if factor is not None)
    yield from (one for one, other in pairwise(found) if abs(one - other) <= ONE * abs(one))


def as_kept(bout: Bout, leaf: Leaf, array: Array) -> Array:
    """A gradient's entries in the order in which scratch has them."""
    kept = np.empty(array.size)
    kept[bout.pairing.layout.in_rows(leaf, np.arange(array.size).reshape(leaf.shape)).ravel()] = array.ravel()
    return kept


def results(bout: Bout, failing: Compared, raw: Raw, trace: Trace) -> tuple[dict[str, int], set[int]]:
    """The values in the trace that are wrong results, and right ones: whole, by rows, or entry by entry."""
    wrong: dict[str, int] = {}
    right: set[int] = set()
    given = as_given(bout, raw)
    for name in failing.quantities:
        array = given.get(name)
        if array is None or array.dtype.kind != "f":
            continue
        bad = name in failing.failed
        if (number := trace.known(array)) is not None:
            if bad:
                wrong[name] = number
            else:
                right.add(number)
            continue
        if (differing := apart(failing, name)) is None:
            continue
        for at, part, differs in pieces(failing.actual[name], differing):
            if (number := trace.known(part)) is None:
                continue
            if differs and bad:
                wrong[f"{name}{at}"] = number
            elif not differs:
                right.add(number)
    return wrong, right - set(wrong.values())


def apart(failing: Compared, name: str) -> Array | None:
    """Which entries of a result differ; None where it has not torch's shape, or is one number."""
    golden, actual = failing.golden.get(name), failing.actual.get(name)
    if golden is None or actual is None or golden.shape != actual.shape or not actual.ndim:
        return None
    return np.abs(actual - golden) > WITHIN["float32"] * (float(np.abs(golden).max(initial=0)) or 1.0)


def in_parts(bout: Bout, failing: Compared, trace: Trace) -> Iterator[tuple[str, int, bool, bool]]:
    """The values of which wrong gradients were put together, as one matrix of four gates' or one vector of all.

    Each by name, with whether it differs, and whether it is all that stands for a tensor of torch's, or for a gate.
    Told by their entries, whatever the order and signs in which the result holds them; zeros tell nothing.
    """
    for name in failing.failed:
        differing = apart(failing, name)
        if differing is None or not name.startswith("d ") or name.startswith("d data "):
            continue
        whole, leaf = failing.actual[name], bout.leaf(name.removeprefix("d "))
        flat, kept = np.abs(whole).ravel(), np.abs(as_kept(bout, leaf, whole))
        blocks = [np.sort(kept[places], axis=None) for places in blocks_of(bout, leaf)]
        order = np.argsort(flat, kind="stable")
        sizes, differs = flat[order], differing.ravel()[order]
        for number, value in enumerate(trace.values):
            if value.dtype != whole.dtype or not 1 < value.size < whole.size:
                continue
            entries = np.sort(np.abs(value[value != 0]))
            at = np.minimum(np.searchsorted(sizes, entries), sizes.size - 1)
            if entries.size < 2 or not (sizes[at] == entries).all() or at[0] == at[-1]:
                continue
            bad = bool(differs[at].any())
            if bad or entries.size == value.size:
                yield f"{name} in {number}", number, bad, any(np.array_equal(entries, one) for one in blocks)


def pieces(actual: Array, apart: Array) -> Iterator[tuple[list[int], Array, bool]]:
    """Rows, then entries, each with whether it differs."""
    for n, row in enumerate(actual):
        if row.ndim:
            yield [n], row, bool(apart[n].any())
    if actual.size <= 2000:
        for index in np.ndindex(*actual.shape):
            yield list(index), np.asarray(actual[index]), bool(apart[index])


def as_given(bout: Bout, raw: Raw) -> Tensors:
    """What is compared as scratch gave it, axes where they were."""
    roles, found = bout.roles, {}
    if roles.loss is not None:
        found["loss"] = raw.get(roles.loss)
    for n, output in enumerate(roles.outputs):
        name = "output" if len(roles.outputs) == 1 else f"output[{n}]"
        if output is not None:
            found[name] = (raw.outputs or [])[n] if output.key[0] == "output" else raw.get(output.key)
    for leaf, key in roles.gradients.items():
        found[f"d {leaf}"] = value_at(raw, key)
    for n, key in roles.inputs.items():
        found[f"d data {n}"] = value_at(raw, key)
    found |= {f"buffer {own}": raw.buffers.get(own) for own in bout.buffers}
    return {name: array for name, array in found.items() if array is not None}
