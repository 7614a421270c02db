"""What is said: the verdict and the few lines under it, each with a number or a place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.contract import Breach, shown
from twofold.compare.judge.own.deciding import guilt
from twofold.compare.judge.own.effect import without_effect
from twofold.compare.judge.own.record import Compared, Record, first_tensor
from twofold.compare.judge.own.relating import cause_of, gate_of
from twofold.compare.judge.own.reproducing import Evidence
from twofold.compare.judge.own.verdict import Place, Verdict
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


def layout_line(record: Record) -> list[tuple[str, str]]:
    pairing = record.bout.pairing
    parts = [f"{key} = {text}" for key, text in pairing.layout.shown().items()]
    ways = [f"data[{n}]{way.text}" for n, way in enumerate(pairing.ways) if way.text and way.text != "as given"]
    outputs = [
        f"{output.image or 'output'} = scratch's{output.way}"
        for output in record.bout.roles.outputs
        if output and (output.way or output.image)
    ]
    if not parts and not ways:
        return []
    told = shortened([*parts, *ways, *outputs], WIDTH)
    rivals = f"; as well: {pairing.rivals[0]}, freeze one with layout=" if pairing.rivals and pairing.rivals[0] else ""
    return [("layout", f"{told} (found in {pairing.runs} runs{rivals})")]


def shortened(parts: Sequence[str], width: int) -> str:
    kept: list[str] = []
    for part in parts:
        if kept and sum(map(len, kept)) + 2 * len(kept) + len(part) > width:
            return f"{', '.join(kept)} and {len(parts) - len(kept)} more"
        kept.append(part)
    return ", ".join(kept)


def told_same(record: Record) -> Verdict:
    """Everything agrees; nothing proven is no agreement."""
    bout = record.bout
    all_of = [(one, name, q) for one in record.compared for name, q in one.quantities.items()]
    proven = {name for _, name, q in all_of if q.verdict is Mark.PASS}
    empty = [name for name in dict.fromkeys(name for _, name, _ in all_of) if name not in proven]
    if not proven:
        cause = "no tensor rises above its floor" if all_of else "nothing was found that both sides give"
        return base(record, outcome="undecided", cause=f"{cause}: nothing is proven", lines=tuple(layout_line(record)))
    judged = [item for item in all_of if item[2].floor and item[2].verdict is not Mark.NOT_APPLICABLE]
    worst = max(judged, key=lambda item: item[2].ratio, default=None)
    gradients = sorted(name for name in proven if name.startswith("d "))
    told = [shown(bout, name) for name in proven if not name.startswith("d ")]
    told += [f"{len(gradients)} gradients"] if gradients else []
    batches = len({one.one.label for one in record.compared})
    line = f"{', '.join(sorted(told, key=len))}; {batches} draws, the first called 4 times"
    if worst:
        line += f"; worst {worst[2].ratio:.2g} floors of {LIMIT:g}, {shown(bout, worst[1])} in {worst[0].dtype}"
    lines = [*layout_line(record), ("compared", line)]
    if rules := sorted(set(bout.roles.rules.values())):
        lines.append(("found", f"{len(bout.roles.rules)} gradients by {', '.join(rules)}"))
    lines += [("proves", seen_line(record))]
    lines += coarse_line(record)
    if empty:
        lines.append(("vacuous", f"{', '.join(shown(bout, name) for name in empty)}: below 8 floors, proves nothing"))
    lines += idle_line(record)
    kinks = [q for one in record.compared for q in one.quantities.values() if q.verdict is Mark.NOT_APPLICABLE]
    if kinks:
        lines.append(("kinks", f"{len(kinks)} comparisons with your own parameters: {kinks[0].reason}"))
    if idle := without_effect(bout, record.compared[0].one):
        told_idle = f"{shortened(idle, 60)}: {len(idle)} of {len(bout.leaves)} change nothing that comes out"
        lines.append(("no effect", told_idle))
    if record.training is not None:
        lines += record.training
    unseen = not_checked(record)
    lines.append(("not seen", f"{len(unseen)} things: {shortened(unseen, WIDTH)}"))
    pair = f"{pair_of(record)} in {' and '.join(dict.fromkeys(one.dtype for one in record.compared))}"
    return replace(base(record, outcome="same", lines=tuple(lines)), pair=pair)


def seen_line(record: Record) -> str:
    """The smallest error of a gradient that would have been seen, as a part of its largest entry."""
    parts = []
    for dtype in dict.fromkeys(one.dtype for one in record.compared):
        seen = [
            LIMIT * q.floor / size
            for one in record.compared
            if one.dtype == dtype
            for name, q in one.quantities.items()
            if q.verdict is Mark.PASS and (size := float(np.abs(one.golden[name]).max(initial=0))) > 0
        ]
        if seen:
            parts.append(f"{dtype}: {max(seen):.1g}")
    return f"an error of {', '.join(parts)} of a tensor's largest entry would have been seen"


def coarse_line(record: Record) -> list[tuple[str, str]]:
    if any(one.coarse for one in record.compared):
        return [("float32", "it computes in float32 even where it is given float64: held to that floor in both")]
    return []


def idle_line(record: Record) -> list[tuple[str, str]]:
    unused = [name for name in record.bout.pairing.unused if record.bout.foreign.given]
    return [("unused", f"{', '.join(unused[:4])}: torch has nothing for it")] if unused else []


def told_unequal(record: Record) -> Verdict | None:
    """Everything agrees with a bias at zero that one side alone has: two conventions. None where both have the same."""
    pairing = record.bout.pairing
    lacking = list(pairing.extra)
    more = [name for name in pairing.unused if record.explicit]
    if not lacking and not more:
        return None
    count = len(record.compared)
    if lacking:
        name = lacking[0]
        text = f"torch has {', '.join(lacking)} and scratch has nothing for it; with zeros there all {count} runs agree"
        onward = f"{name}: bias=False in the reference's layer" if "bias" in name else f"{name}: a reference without it"
    else:
        name = more[0]
        text = f"scratch has {', '.join(more)} and torch has nothing for it; with zeros there all {count} runs agree"
        onward = f"{name}: bias=True in the reference's layer"
    lines = (
        ("who", f"no slope speaks: {len(record.compared)} draws agree without it"),
        ("cause", text),
        ("to go on", onward),
    )
    return base(record, outcome="different", side="conventions", tensor=name, cause=text, lines=lines)


def told_undecided(record: Record, breach: Breach) -> Verdict:
    lines = [("seen", breach.seen)] if breach.seen else []
    onward = breach.onward or "pass modes= and judge in evaluation mode, or take what is random out of the call"
    lines.append(("to go on", onward))
    return base(record, outcome="undecided", tensor=breach.tensor, cause=breach.cause, lines=tuple(lines))


def told_breach(record: Record, breach: Breach) -> Verdict:
    """What no code may do convicts by itself."""
    told = breach.seen if breach.cause in breach.seen else f"{breach.seen}: {breach.cause}"
    return base(
        record,
        outcome="different",
        side=breach.side,
        tensor=breach.tensor or None,
        place=breach.place,
        cause=breach.cause,
        lines=(("seen", told),),
    )


def told_different(record: Record, failing: Compared) -> Verdict:
    """Who, where, why: what convicts by itself first, then derivatives, then conventions."""
    bout = record.bout
    first = first_tensor(record, failing)
    told, known = guilt(record, failing, first)
    forward = first == "loss" or first.startswith("output")
    if told.tensor in failing.failed and told.side == "scratch" and (not forward or is_misshapen(failing, told.tensor)):
        first = told.tensor
    quantity, name = failing.quantities[first], shown(bout, first)
    lines = [line(name, differs(failing, first, quantity)), *around(record, failing, first)]
    lines.append(("where", where(record, failing)))
    lines.append(("who", told.reason))
    cause, onward = (known.text, known.onward) if known else (cause_of(record, failing, first), "")
    if not cause and forward and (idle := without_effect(bout, failing.one)):
        cause = f"{shortened(idle, 60)}: {len(idle)} of {len(bout.leaves)} change nothing when moved: copies, or unused"
    if cause:
        lines.append(("cause", counted(cause, failing, first)))
    if onward:
        lines.append(("to go on", onward))
    if not bout.pairing.decided and forward:
        lines += layout_line(record)
    lines += coarse_line(record)
    return base(
        record,
        outcome="different",
        side=told.side,
        tensor=name,
        cause=cause or told.reason,
        lines=tuple(lines),
        place=place_of(record, failing, first),
        evidence=evidence(record, failing, first, quantity),
    )


def is_misshapen(failing: Compared, name: str) -> bool:
    actual, golden = failing.actual.get(name), failing.golden.get(name)
    return actual is not None and golden is not None and actual.shape != golden.shape


def counted(text: str, failing: Compared, first: str) -> str:
    """With the number of entries that it is said of, where it says no other."""
    return text if any(c.isdigit() for c in text) else f"{text} ({np.size(failing.golden.get(first, 0))} entries)"


def line(name: str, text: str) -> tuple[str, str]:
    """Under the tensor's own name where that is short enough to begin a line."""
    return (name, text) if len(name) < INDENT else ("tensor", f"{name}: {text}")


def around(record: Record, failing: Compared, first: str) -> list[tuple[str, str]]:
    """What differs besides, counted, and what agrees."""
    others = [shown(record.bout, key) for key in failing.failed if key != first]
    agree = [shown(record.bout, key) for key in failing.quantities if key not in failing.failed]
    lines = []
    if others:
        lines.append(("follows", f"{len(others)} more differ: {shortened(others, 60)}"))
    if agree:
        lines.append(("agree", f"{len(agree)}: {shortened(agree, 60)}"))
    return lines


def where(record: Record, failing: Compared) -> str:
    """With which numbers, and with how many others as well."""
    bad = sum(bool(one.failed) for one in record.compared)
    return f"with {failing.one.label} in {failing.dtype}; {bad} of {len(record.compared)} runs differ"


def evidence(record: Record, failing: Compared, first: str, quantity: Quantity) -> Evidence:
    foreign = record.bout.foreign
    found = [] if foreign.given else [leaf for leaf in foreign.leaves if leaf.slots and not leaf.scalar]
    return Evidence(
        shown(record.bout, first),
        failing.actual.get(first, np.zeros(0)),
        failing.golden.get(first, np.zeros(0)),
        LIMIT * quantity.floor,
        failing.one.data,
        {leaf.name: failing.one.values[leaf.name] for leaf in foreign.leaves},
        record.call.scratch,
        {leaf.name: leaf.slots[0].name for leaf in found},
    )


def place_of(record: Record, failing: Compared, first: str) -> Place:
    """Torch's module that has the parameter, and of a recurrent layer the gates whose rows differ."""
    name = shown(record.bout, first)
    if not first.startswith("d ") or first.startswith("d data "):
        return Place(name=name)
    names = record.bout.pairing.layout.torch_names(record.bout.leaf(first.removeprefix("d ")))
    module = names[0].rpartition(".")[0] or None if names else None
    return Place(name=name, module=module, gate=gate_of(record, failing, first))


def differs(failing: Compared, name: str, quantity: Quantity) -> str:
    golden = failing.golden.get(name)
    if name not in failing.actual and golden is not None:
        return (
            f"scratch gives None, torch a gradient of {golden.size} entries up to {np.abs(golden).max(initial=0):.3g}"
        )
    return (
        quantity.reason
        if golden is None or name not in failing.actual
        else differs_by(failing.actual[name], golden, quantity)
    )


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


def finite(array: Array) -> bool:
    return bool(np.isfinite(array).all())
