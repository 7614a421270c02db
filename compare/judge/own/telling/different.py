"""What is said of a difference: the tensor, who, why, and what to do."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Judged
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.contract import Breach, shown
from twofold.compare.judge.own.deciding.apart import first_apart, left_with
from twofold.compare.judge.own.deciding.guilt import guilt
from twofold.compare.judge.own.deciding.mending import mended
from twofold.compare.judge.own.deciding.relating import cause_of, gate_of
from twofold.compare.judge.own.deciding.watching import called, parting_of
from twofold.compare.judge.own.meeting.bout import Bout
from twofold.compare.judge.own.meeting.effect import without_effect
from twofold.compare.judge.own.record import Compared, Record, first_tensor
from twofold.compare.judge.own.telling.lines import base, coarse_line, differs_by, layout_line, line, shortened
from twofold.compare.judge.own.telling.placing import at, begins, parted_at, text_at
from twofold.compare.judge.own.telling.reproducing import Evidence
from twofold.compare.judge.own.telling.verdict import Place, Verdict
from twofold.compare.watch.edits.searching import edited

TEXT = 90  # letters of a line that is shown
LITTLE = 1e-6  # of a gradient's relative error: a forward pass that is off by less has not made it


def told_breach(record: Record, breach: Breach) -> Verdict:
    """What no code may do convicts by itself."""
    told = breach.seen if breach.cause in breach.seen else f"{breach.seen}: {breach.cause}"
    place, lines = breach.place, [("seen", told)]
    if record.call.watch and (breach.runs or breach.left):
        place, began = began_with(record.bout, breach)
        if place.file is not None:
            lines += [("line", text_at(place)), ("begins", began)]
    return base(
        record,
        outcome="different",
        side=breach.side,
        tensor=breach.tensor or None,
        place=place,
        cause=breach.cause,
        lines=tuple(lines),
    )


def began_with(bout: Bout, breach: Breach) -> tuple[Place, str]:
    if breach.runs:
        one, other = breach.runs
        return first_apart(bout, one, other, breach.carries)
    assert breach.left is not None
    draw, array = breach.left
    return left_with(bout, partial(called, bout, draw, "float64"), array)


def told_different(record: Record, failing: Compared) -> Verdict:
    """Who, where, why: what convicts by itself first, then derivatives, then conventions."""
    bout = record.bout
    first = first_tensor(record, failing)
    told, known = guilt(record, failing, first)
    forward = first == "loss" or first.startswith("output")
    besides = too_little(failing, told.tensor)
    convicts = told.tensor in failing.failed and told.side == "scratch"
    if convicts and (not forward or besides or is_misshapen(failing, told.tensor)):
        first = told.tensor
    quantity, name = failing.quantities[first], shown(bout, first)
    apart = with_agreeing(failing, besides)
    found = parted_at(record, partial(parting_of, bout, apart)) if told.side != "reference" else None
    mend = ""
    if found is not None and told.side in ("scratch", "open") and not besides:  # of two mistakes no edit mends both
        found, mend = edited(found, partial(mended, record, failing))
    lines = [line(name, differs(failing, first, quantity)), *(begins(found, mend) if found else [])]
    lines += [(shown(bout, one), beside(failing.quantities[one], name)) for one in besides]
    lines += around(record, failing, first, besides)
    lines.append(("where", where(record, failing)))
    lines.append(("who", told.reason))
    cause, onward = (known.text, known.onward) if known else (cause_of(record, failing, first), "")
    if not cause and forward and (idle := without_effect(bout, failing.one)):
        cause = f"{shortened(idle, 60)}: {len(idle)} of {len(bout.leaves)} change nothing when moved: copies, or unused"
    if cause:
        lines.append(("cause", counted(cause, failing, first)))
    if onward:
        lines.append(("to go on", onward))
    if not bout.pairing.decided and (forward or bout.pairing.extra):
        lines += layout_line(record, confirmed=bool(mend))
    lines += coarse_line(record)
    return base(
        record,
        outcome="different",
        side=told.side,
        tensor=name,
        cause="; ".join(filter(None, (cause, mend))) or told.reason,
        lines=tuple(lines),
        place=at(place_of(record, failing, first), found),
        evidence=evidence(record, failing, first, quantity),
    )


def is_misshapen(failing: Compared, name: str) -> bool:
    actual, golden = failing.actual.get(name), failing.golden.get(name)
    return actual is not None and golden is not None and actual.shape != golden.shape


def counted(text: str, failing: Compared, first: str) -> str:
    """With the number of entries that it is said of, where it says no other."""
    return text if any(c.isdigit() for c in text) else f"{text} ({np.size(failing.golden.get(first, 0))} entries)"


def too_little(failing: Compared, gradient: str) -> list[str]:
    """What differs of a forward pass, where that is far too little to be why scratch's gradient is none of its own."""
    forward = [name for name in failing.failed if name == "loss" or name.startswith("output")]
    if not gradient.startswith("d ") or gradient not in failing.failed:
        return []
    sizes = [failing.quantities[name].relative for name in (*forward, gradient)]
    if any(size is None for size in sizes):
        return []
    *smaller, largest = [size or 0.0 for size in sizes]
    return forward if all(size <= LITTLE * largest for size in smaller) else []


def with_agreeing(failing: Compared, names: Sequence[str]) -> Compared:
    """As if these agreed."""
    agreeing = {name: replace(failing.quantities[name], verdict=Judged.PASS) for name in names}
    return replace(failing, quantities={**failing.quantities, **agreeing})


def beside(quantity: Quantity, first: str) -> str:
    return f"off by {quantity.relative:.2g} of its largest entry besides, too little to be why {first} is"


def around(record: Record, failing: Compared, first: str, told: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What differs besides and is not told, counted, and what agrees."""
    others = [shown(record.bout, key) for key in failing.failed if key not in (first, *told)]
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
    """Torch's module that has the parameter, and of a recurrent layer the gates whose rows differ.

    Of what comes out the module at which no layout explained what scratch computes.
    """
    name = shown(record.bout, first)
    if not first.startswith("d ") or first.startswith("d data "):
        return Place(name=name, module=record.bout.pairing.parted)
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
