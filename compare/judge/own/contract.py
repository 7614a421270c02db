"""What is asked of any code before its numbers: it writes to nothing that it is given, repeats itself, and carries
nothing from one call to the next.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.sides.foreign.calls import Raw, WritesInput
from twofold.compare.sides.foreign.data import in_dtype
from twofold.compare.sides.foreign.trees import is_ours, is_users_file
from twofold.scratch.module import Array

DRAWN = "random numbers are drawn inside"
UNITS = 64  # in the last place: what the order of a sum may change


NOWHERE = Place()


@dataclass(frozen=True)
class Breach:
    """What was done that may not be: side, first tensor, place and cause, and a line that says what was seen."""

    side: str | None
    tensor: str
    cause: str
    seen: str
    place: Place = NOWHERE
    onward: str = ""
    runs: tuple[Any, ...] = ()  # two that should give the same (deciding/apart.py)
    carries: bool = True  # whether the second of them comes after the first, and may find what that left
    left: tuple[Draw, Array] | None = None  # what a call on this draw leaves in an array


def line_of(error: BaseException) -> Place:
    """The user's line at which an error was raised: the last that is in no library and not ours."""
    found = Place()
    for frame in traceback.extract_tb(error.__traceback__):
        if is_users_file(frame.filename):
            found = Place(file=frame.filename, line=frame.lineno, name=frame.name)
    return found


def innermost_is_ours(error: BaseException) -> bool:
    """Whether the judge itself raised it, and neither the user's code nor a library."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and is_ours(frames[-1].filename)


def text_of(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_users_file(f.filename)]
    return (frames[-1].line or "") if frames else ""


def first_call(bout: Bout, one: Draw, dtype: str) -> tuple[Raw | None, Breach | None]:
    """A call with data that cannot be written to; one that tries is told with its line, and run again with copies."""
    try:
        return bout.call(one, dtype, locked=True), None
    except WritesInput as error:
        name = bout.foreign.data_name(error.number)
        seen = f"after the call {name} holds other numbers than before it"
        cause = f"it writes into {name}, which its caller goes on to use"
        return None, Breach("scratch", name, cause, seen, left=(one, error.array))
    except Exception as error:
        locked = error
    told = str(locked).lower()
    if "read-only" not in told and "readonly" not in told and "not writeable" not in told:
        return bout.call(one, dtype), None  # raises as it did, or minds something else about them
    place = line_of(locked)
    what = "what it is given"
    try:
        before = bout.given(one, dtype)
        kept = [np.array(array) for array in before]
        with bout.foreign.afresh(one.values, dtype):
            raw = bout.foreign.call(before, bout.send_in(dtype))
        changed = [n for n, (a, b) in enumerate(zip(kept, before, strict=True)) if not np.array_equal(a, b)]
        what = f"data[{changed[0]}]" if changed else "the gradient that backward is sent"
    except Exception:  # told by the line alone
        raw = None
    seen = f"{place.file}:{place.line}   {text_of(locked)}" if place.file else str(locked)
    return raw, Breach("scratch", what, f"it writes into {what}, which its caller goes on to use", seen, place)


def repeats(bout: Bout, one: Draw, other: Draw | None, first: Raw) -> Breach | None:
    """Twice on one batch, on a second, and on the first again; and once more from the start."""
    begun = bout.of_raw(first)
    again = bout.of_raw(bout.call(one))
    if (name := unequal(begun, again)) is not None:
        cause = "it gives other numbers for the same call: what it does is not settled"
        return unsteady_gradient(bout, name, begun, again) or Breach(None, shown(bout, name), cause, "")
    if (told := second_backward(bout, one)) is not None:
        return told
    seeded = bout.of_raw(bout.call(one, seed=1))
    if (name := unequal(begun, seeded)) is not None:
        if (told := unsteady_gradient(bout, name, begun, seeded)) is not None:
            return told
        cause = f"{DRAWN} (other seeds, other results), such as dropout's mask"
        return Breach(None, shown(bout, name), cause, f"{shown(bout, name)} differs between seeds 0 and 1")
    with bout.foreign.afresh(one.values):
        runs = []
        for draw in (one, one, *([other] if other else []), one):
            bout.foreign.write({k: v for k, v in draw.values.items() if k.startswith("buffer ")}, "float64")
            runs.append(bout.of_raw(bout.foreign.call(bout.given(draw, "float64"), bout.send_in("float64"))))
    for run, when in ((runs[1], "called a second time"), (runs[-1], "called again after another batch")):
        if (name := unequal(begun, run)) is not None:
            before = [one] if run is runs[1] else [one, one, *([other] if other else [])]
            parting = partial(last_of, bout, [one]), partial(last_of, bout, [*before, one])
            return replace(carried(bout, name, begun, run, when), runs=parting)
    return None


def last_of(bout: Bout, draws: Sequence[Draw], seen: Callable[[], Any]) -> None:
    """Calls one after the other from one state, the last of them in a context."""
    foreign = bout.foreign
    with foreign.afresh(draws[0].values):
        for n, draw in enumerate(draws, 1):
            foreign.write({k: v for k, v in draw.values.items() if k.startswith("buffer ")}, "float64")
            data, send = bout.given(draw, "float64"), bout.send_in("float64")
            with seen() if n == len(draws) else nullcontext():
                foreign.call(data, send)


def backward_twice(bout: Bout, one: Draw, seen: Callable[[], Any]) -> None:
    bout.foreign.twice = True
    try:
        last_of(bout, [one], seen)
    finally:
        bout.foreign.twice = False


def unsteady_gradient(bout: Bout, name: str, begun: Tensors, again: Tensors) -> Breach | None:
    """Gradients that change where what they are of does not: at most one can be right."""
    if not name.startswith("d ") or not any(key == "loss" or key.startswith("output") for key in begun):
        return None
    seen = f"{shown(bout, name)} changes by {relative(begun[name], again[name])} between two equal calls"
    cause = "its gradients change from call to call where outputs and loss do not: at most one can be right"
    return Breach("scratch", shown(bout, name), cause, seen)


def second_backward(bout: Bout, one: Draw) -> Breach | None:
    """A pair's backward called twice in a row with one cache: it may not have changed it."""
    if not bout.foreign.is_pair:
        return None
    bout.foreign.twice = True
    try:
        raw = bout.call(one)
    except Exception:  # a cache that is taken apart: nothing wrong with once
        return None
    finally:
        bout.foreign.twice = False
    assert raw.again is not None
    first = [(f.path, f.value) for f in raw.found if f.source == "returned"]
    for (path, value), found in zip(first, raw.again.found, strict=False):
        if not same_but_for_order(value, found.value):
            tensor = next(
                (shown(bout, f"d {leaf}") for leaf, key in bout.roles.gradients.items() if key == ("returned", path)),
                shown(bout, "d data 0") if bout.roles.inputs else path,
            )
            cause = "backward overwrites what forward left for it: a second backward gives other gradients"
            seen = f"{tensor} is off by {relative(value, found.value)} when backward is called twice in a row"
            runs = partial(last_of, bout, [one]), partial(backward_twice, bout, one)
            return Breach("scratch", tensor, cause, seen, runs=runs)
    return None


def unequal(one: Tensors, other: Tensors) -> str | None:
    """The first tensor that is not the same; the order of a sum may be another, as over a set of objects."""
    for name, value in one.items():
        if name not in other or not same_but_for_order(value, other[name]):
            return name
    return None


def same_but_for_order(one: Array, other: Array) -> bool:
    """Equal to some units in the last place of the largest entry."""
    if np.array_equal(one, other, equal_nan=True):
        return True
    if one.shape != other.shape or one.dtype.kind != "f":
        return False
    with np.errstate(all="ignore"):
        size = np.abs(one[np.isfinite(one)]).max(initial=0)
        return bool(np.allclose(one, other, rtol=0, atol=UNITS * np.finfo(one.dtype).eps * size, equal_nan=True))


def carried(bout: Bout, name: str, begun: Tensors, run: Tensors, when: str) -> Breach:
    tensor = shown(bout, name)
    apart = relative(begun[name], run.get(name, np.zeros(0)))
    seen = f"{tensor} is off by {apart} when {when} on the first batch, with the same parameters"
    gradients = [key for key in begun if key.startswith("d ")]
    sums = [key for key in gradients if key in run and np.allclose(run[key], 2 * begun[key], rtol=1e-9, atol=0)]
    if name in gradients and name in sums:
        cause = f"gradients are added to those of the call before: {len(sums)} of {len(gradients)} are doubled"
    elif name in gradients:
        cause = "something that backward uses is left changed by the call before"
    else:
        cause = "something of the call before is carried into the next, such as a hidden state"
    return Breach("scratch", tensor, cause, seen)


def relative(one: Array, other: Array) -> str:
    if one.shape != other.shape:
        return "its shape"
    largest = float(np.abs(one).max(initial=0)) or 1.0
    return f"{float(np.abs(one - other).max()) / largest:.3g} of its largest entry"


def shown(bout: Bout, name: str) -> str:
    """A tensor by the name that its side uses."""
    if name.startswith("d data "):
        return bout.foreign.data_name(int(name.removeprefix("d data ")))
    if name.startswith("buffer "):
        return name.removeprefix("buffer ")
    if name.startswith("d "):
        return bout.roles.name_of(name.removeprefix("d "))
    return name


def as_integers(bout: Bout, one: Draw, begun: Mapping[str, Array]) -> Breach | None:
    """Data of integers once more with the same numbers as floats: the outputs must not change."""
    for n, array in enumerate(one.data):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
            continue
        data = [in_dtype(a, "float64") for a in one.data]
        data[n] = array.astype(np.float64)
        try:
            with bout.foreign.afresh(one.values):
                run = bout.of_raw(bout.foreign.call(data, bout.send_in("float64")))
        except Exception:  # indices must be integers
            continue
        for name in begun:
            if name in run and not np.allclose(begun[name], run[name], rtol=1e-9, atol=1e-12, equal_nan=True):
                cause = f"data[{n}] is {array.dtype}: what is computed wraps or is cut off in it"
                apart = relative(run[name], begun[name])
                seen = f"{shown(bout, name)} changes by {apart} with the same numbers as float64"
                floats = replace(one, data=tuple(data))
                runs = partial(last_of, bout, [floats]), partial(last_of, bout, [one])
                return Breach("scratch", f"data[{n}]", cause, seen, runs=runs, carries=False)
    return None


def kept_parameters(bout: Bout, one: Draw, raw: Raw) -> list[str]:
    """The parameters that a call changed."""
    return [
        name
        for name, value in raw.after.items()
        if not np.array_equal(np.asarray(value, float), np.asarray(one.values[name], float), equal_nan=True)
    ]
