"""Where a difference begins, by a watcher over the stranger's lines: file, line, name, and which time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.meeting.roles import value_at
from twofold.compare.judge.own.record import Compared
from twofold.compare.sides.foreign.calls import Raw
from twofold.compare.sides.foreign.reference import Run
from twofold.compare.sides.foreign.trees import array_in, is_floating, is_users_file
from twofold.compare.sides.trace import same_bits
from twofold.compare.watch.lines import Watcher, watched
from twofold.compare.watch.locating import Flow, Parting, parted
from twofold.compare.watch.matching import WITHIN, Pool, off_by
from twofold.compare.watch.operations import Operations, explicit
from twofold.compare.watch.trace import Dropped, Trace
from twofold.scratch.module import Array

T = TypeVar("T")
AGAIN = 4  # runs in which what is unsteady would show


def watched_call(bout: Bout, one: Draw, dtype: str, plain: Tensors) -> tuple[Raw, Trace]:
    """One run under the watcher. Raises Dropped, also where it does not give bit for bit what it gave without."""
    foreign = bout.foreign

    def run(watching: Callable[[], Any]) -> Raw:
        with foreign.afresh(one.values, dtype), foreign.computing(dtype):
            data, send = bout.given(one, dtype), bout.send_in(dtype)
            with watching():
                return foreign.call(data, send)

    raw, trace = trace_of(bout, run)
    seen = bout.of_raw(raw)
    for name, array in plain.items():
        if name not in seen or not (same_bits(array, seen[name]) or is_unsteady(bout, one, dtype, name, array)):
            raise Dropped(f"{shown(bout, name)} is another with a watcher than without")
    return raw, trace


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


def torchs(bout: Bout, one: Draw) -> tuple[Run, Operations]:
    """The reference's run with all that it computes on the way."""
    reference = bout.reference
    operations = Operations()
    run = bout.golden(one, seen=lambda: explicit(operations, reference.all_modules, reference.parameters))
    return run, operations


def pool_of(bout: Bout, run: Run, operations: Operations) -> Pool:
    """Every value and gradient that torch has, each by what it is."""

    def arrays() -> Iterator[tuple[Any, Array]]:
        for n, array in enumerate(run.inputs):
            if array is not None:
                yield ("gradient", f"data[{n}]"), array
        for name, array in bout.pairing.layout.gradients(run.gradients).items():
            yield ("gradient", name), array
        for name, array in run.gradients.items():
            yield ("gradient", name), array
        yield from by_use(bout, operations)
        yield from operations.values()
        for n, array in enumerate(run.outputs):
            yield ("value", "output"), array
            yield ("sent", "output"), bout.send(n, array)

    return Pool(arrays())


def by_use(bout: Bout, operations: Operations) -> Iterator[tuple[Any, Array]]:
    """Of parameters that are used several times, as in each step of a sequence, what each use adds to the gradient.

    As scratch has its parameters, alone and summed from the last use on.
    """
    uses: dict[str, list[Array]] = {}
    for operation in operations.back:
        if operation.arranged and len(operation.uses) == 1 and operation.gradient is not None:
            name, gradient = operation.uses[0], operation.gradient
            shape = bout.reference.shapes().get(name, ())
            if gradient.shape[::-1] == shape and gradient.shape != shape:
                gradient = gradient.T
            if operation.name == "t" and gradient.ndim == 2:
                gradient = operation.gradient.T
            if gradient.shape == shape:
                uses.setdefault(name, []).append(gradient)
    most = max(map(len, uses.values()), default=0)
    if most < 2:
        return
    sums: Tensors = {}
    for n in range(most):
        state = {name: found[n] for name, found in uses.items() if len(found) == most}
        sums = {name: sums[name] + value if name in sums else value for name, value in state.items()}
        for of in (state, sums):
            for name, array in bout.pairing.layout.gradients(of).items():
                yield ("gradient", name), array


def parting_of(bout: Bout, failing: Compared) -> Parting | None:
    """Where the results that fail begin to. Raises Dropped."""
    raw, trace = watched_call(bout, failing.one, failing.dtype, failing.actual)
    run, operations = torchs(bout, failing.one)
    wrong, right = results(bout, failing, raw, trace)
    dtype = failing.dtype if failing.dtype in WITHIN and not failing.coarse else "float32"
    off = list(factors(failing.failed, failing.actual, failing.golden))
    unmade = any(failing.actual[name].any() for name in failing.failed if name in failing.actual)
    return parted(Flow(trace, pool_of(bout, run, operations), wrong, right, off, dtype, unmade))


def factors(failed: Sequence[str], actuals: Tensors, goldens: Tensors) -> Iterator[float]:
    """By which results that differ by a factor do."""
    for name in failed:
        if name in actuals and (factor := off_by(actuals[name], goldens.get(name))) is not None:
            yield factor


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
        golden, actual = failing.golden.get(name), failing.actual.get(name)
        if golden is None or actual is None or golden.shape != actual.shape or not actual.ndim:
            continue
        size = float(np.abs(golden).max(initial=0)) or 1.0
        for at, part, apart in pieces(actual, np.abs(actual - golden) > WITHIN["float32"] * size):
            if (number := trace.known(part)) is None:
                continue
            if apart and bad:
                wrong[f"{name}{at}"] = number
            elif not apart:
                right.add(number)
    return wrong, right - set(wrong.values())


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
