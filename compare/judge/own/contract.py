"""What is asked of any code before its numbers: it writes to nothing that it is given, repeats itself, and carries
nothing from one call to the next.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twofold.compare.judge.own.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.verdict import Place
from twofold.compare.sides.foreign.calls import Raw
from twofold.compare.sides.foreign.data import in_dtype
from twofold.compare.sides.foreign.trees import is_users_file
from twofold.scratch.module import Array


@dataclass(frozen=True)
class Breach:
    """What was done that may not be: side, first tensor, place and cause, and a line that says what was seen."""

    side: str | None
    tensor: str
    cause: str
    seen: str
    place: Place = Place()


def line_of(error: BaseException) -> Place:
    """The user's line at which an error was raised: the last that is in no library and not ours."""
    found = Place()
    for frame in traceback.extract_tb(error.__traceback__):
        if is_users_file(frame.filename):
            found = Place(file=frame.filename, line=frame.lineno, name=frame.name)
    return found


def text_of(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_users_file(f.filename)]
    return (frames[-1].line or "") if frames else ""


def first_call(bout: Bout, one: Draw, dtype: str) -> tuple[Raw | None, Breach | None]:
    """A call with data that cannot be written to; one that tries is told with its line, and run again with copies."""
    try:
        return bout.call(one, dtype, locked=True), None
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
        return Breach(
            None, shown(bout, name), "it gives other numbers for the same call: what it does is not settled", ""
        )
    seeded = bout.of_raw(bout.call(one, seed=1))
    if (name := unequal(begun, seeded)) is not None:
        cause = "random numbers are drawn inside (other seeds, other results), such as dropout's mask"
        return Breach(None, shown(bout, name), cause, f"{shown(bout, name)} differs between seeds 0 and 1")
    with bout.foreign.afresh(one.values):
        runs = []
        for draw in (one, one, *([other] if other else []), one):
            runs.append(bout.of_raw(bout.foreign.call(bout.given(draw, "float64"), bout.send_in("float64"))))
    for run, when in ((runs[1], "called a second time"), (runs[-1], "called again after another batch")):
        if (name := unequal(begun, run)) is not None:
            return carried(bout, name, begun, run, when)
    return None


def unequal(one: Tensors, other: Tensors) -> str | None:
    """The first tensor that is not bit for bit the same."""
    for name in one:
        if name not in other or not np.array_equal(one[name], other[name], equal_nan=True):
            return name
    return None


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
        return f"the gradient of data[{name.removeprefix('d data ')}]"
    if name.startswith("d "):
        return bout.roles.name_of(name.removeprefix("d "))
    return name


def as_integers(bout: Bout, one: Draw, begun: Mapping[str, Array]) -> Breach | None:
    """Data of integers once more with the same numbers as floats: the outputs must not change."""
    for n, array in enumerate(one.data):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
            continue
        data = list(map(lambda a: in_dtype(a, "float64"), one.data))
        data[n] = array.astype(np.float64)
        try:
            with bout.foreign.afresh(one.values):
                run = bout.of_raw(bout.foreign.call(data, bout.send_in("float64")))
        except Exception:  # indices must be integers
            continue
        for name in begun:
            if name in run and not np.allclose(begun[name], run[name], rtol=1e-9, atol=1e-12, equal_nan=True):
                cause = f"data[{n}] is {array.dtype}: what is computed wraps or is cut off in it"
                seen = f"{shown(bout, name)} changes by {relative(run[name], begun[name])} with the same numbers as float64"
                return Breach("scratch", f"data[{n}]", cause, seen)
    return None


def kept_parameters(bout: Bout, one: Draw, raw: Raw) -> list[str]:
    """The parameters that a call changed."""
    return [
        name
        for name, value in raw.after.items()
        if not np.array_equal(np.asarray(value, float), np.asarray(one.values[name], float), equal_nan=True)
    ]
