"""What every verdict says, and how numbers are written."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.record import Record
from twofold.compare.judge.own.telling.verdict import Verdict
from twofold.scratch.module import Array

WIDTH = 100


INDENT = 10  # of what follows the word that begins a line


def pair_of(record: Record) -> str:
    scratch, reference = record.call.scratch, record.call.reference
    name = "/".join(map(name_of, scratch)) if isinstance(scratch, tuple) else name_of(scratch)
    return f"{name} and {name_of(reference)}"


def name_of(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or type(thing).__name__
    name = name.replace("<locals>.", "").rpartition("<")[0] or name if "<locals>" in name else name
    short = ".".join(getattr(thing, "__qualname__", type(thing).__name__).split(".")[-2:])
    return short.replace("<locals>.", "") or name


def base(record: Record, **more: Any) -> Verdict:
    bout = record.bout
    quantities = tuple(
        replace(q, name=f"{shown(bout, name)}, {one.dtype}, {one.one.label}")
        for one in record.compared
        for name, q in one.quantities.items()
    )
    return Verdict(
        pair=pair_of(record),
        quantities=quantities,
        layout=bout.pairing.layout.shown(),
        not_checked=tuple(not_checked(record)),
        **more,
    )


def not_checked(record: Record) -> list[str]:
    call, bout = record.call, record.bout
    found = list(record.not_checked)
    if not bout.roles.gradients and bout.leaves:
        found.append("gradients: none was found in what it returns nor beside the parameters (grads=, or step=)")
    else:
        missing = [leaf.name for leaf in bout.leaves if leaf.name not in bout.roles.gradients]
        missing = [name for name in missing if bout.pairing.layout.covered(bout.leaf(name))]
        if missing:
            found.append(f"the gradient of {', '.join(missing)}: none was found")
    if bout.pairing.unwatched:
        found.append("lines: the layout was found without them, by what comes out alone")
    if not bout.roles.inputs:
        found.append("the input's gradient: none is given")
    if not any(bout.roles.outputs) and bout.shapes:
        found.append("outputs: none was found, the loss alone was compared")
    if bout.roles.loss is None and not bout.foreign.is_pair:
        found.append("the loss: none was found")
    if call.modes is None:
        found.append("the other mode, training or evaluation (modes=)")
    if call.step is None:
        found.append("training (step= and optimizer=)")
    found.append("extreme values")
    return [*found, *(f"what it returns at {text}" for text in bout.roles.unread[:3])]


def layout_line(record: Record, confirmed: bool = False) -> list[tuple[str, str]]:
    """What stands for what; apart from it what is a guess, if no edit under which all agrees has `confirmed` it."""
    pairing = record.bout.pairing
    guessed = () if confirmed else pairing.open
    texts = pairing.layout.shown().items()
    parts = [f"{key} = {text}" for key, text in texts if key not in guessed]
    parts += [f"{name} = 0" for name in pairing.extra]
    ways = [f"data[{n}]{way.text}" for n, way in enumerate(pairing.ways) if way.text and way.text != "as given"]
    outputs = [
        f"{output.image or 'output'} = scratch's{output.way}"
        for output in record.bout.roles.outputs
        if output and (output.way or output.image)
    ]
    lines = []
    if guessed:
        told = shortened([f"{key} = {text}" for key, text in texts if key in guessed], WIDTH)
        lines.append(("undecided", f"{told}: a guess, for all that is seen up to where the two part"))
    if not parts and not ways:
        return lines
    told = shortened([*parts, *ways, *outputs], WIDTH)
    rivals = f"; as well: {pairing.rivals[0]}, freeze one with layout=" if pairing.rivals and pairing.rivals[0] else ""
    if set(record.call.layout or ()) >= set(pairing.layout.shown()):
        return [("layout", f"{told} (given{rivals})")]
    return [("layout", f"{told} (found in {pairing.runs} runs{rivals})"), *lines]


def shortened(parts: Sequence[str], width: int) -> str:
    kept: list[str] = []
    for part in parts:
        if kept and sum(map(len, kept)) + 2 * len(kept) + len(part) > width:
            return f"{', '.join(kept)} and {len(parts) - len(kept)} more"
        kept.append(part)
    return ", ".join(kept)


def coarse_line(record: Record) -> list[tuple[str, str]]:
    if any(one.coarse for one in record.compared):
        return [("float32", "it computes in float32 even where it is given float64: held to that floor in both")]
    return []


def idle_line(record: Record) -> list[tuple[str, str]]:
    unused = [name for name in record.bout.pairing.unused if record.bout.foreign.given]
    return [("unused", f"{', '.join(unused[:4])}: torch has nothing for it")] if unused else []


def line(name: str, text: str) -> tuple[str, str]:
    """Under the tensor's own name where that is short enough to begin a line."""
    return (name, text) if len(name) < INDENT else ("tensor", f"{name}: {text}")


def differs_by(actual: Array, golden: Array, quantity: Quantity) -> str:
    """Relative error first, floors second, value beside value."""
    if actual.shape != golden.shape:
        return quantity.reason
    with np.errstate(all="ignore"):
        apart = np.abs(actual.astype(float) - golden.astype(float))
    bad = ~np.isfinite(apart)
    if bad.any():
        at = np.unravel_index(int(bad.argmax()), apart.shape) if apart.ndim else ()
        values = f"{actual[at]:.6g} against torch's {golden[at]:.6g}"
        return f"{values}{' at ' + index(at) if at else ''}, {int(bad.sum())} of {apart.size} entries"
    at = np.unravel_index(int(apart.argmax()), apart.shape) if apart.ndim else ()
    size = float(np.abs(golden).max(initial=0))
    relative = f"off by {percent(float(apart.max()) / size)}" if size else f"off by {apart.max():.3g} where torch has 0"
    values = f"{actual[at]:.6g} against torch's {golden[at]:.6g}{' at ' + index(at) if at else ''}"
    return f"{relative}, {quantity.ratio:.2g} floors, limit {LIMIT:g}; {values}"


def percent(part: float) -> str:
    return f"{100 * part:.3g} %" if part >= 1e-3 else f"{part:.2g} of its largest entry"


def index(at: Sequence[Any]) -> str:
    return "[" + ", ".join(str(int(n)) for n in at) + "]"
