"""What is said: the verdict and the few lines under it, each with a number or a place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own import who
from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.conventions import Convention, convention
from twofold.compare.judge.own.relating import cause_of
from twofold.compare.judge.own.reproducing import Evidence
from twofold.compare.judge.own.verdict import Place, Verdict
from twofold.scratch.module import Array

WIDTH = 100


def pair_of(record: Any) -> str:
    scratch, reference = record.call.scratch, record.call.reference
    name = "/".join(map(name_of, scratch)) if isinstance(scratch, tuple) else name_of(scratch)
    return f"{name} and {name_of(reference)}"


def name_of(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or type(thing).__name__
    name = name.replace("<locals>.", "").rpartition("<")[0] or name if "<locals>" in name else name
    short = ".".join(getattr(thing, "__qualname__", type(thing).__name__).split(".")[-2:])
    return short.replace("<locals>.", "") or name


def base(record: Any, **more: Any) -> Verdict:
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


def not_checked(record: Any) -> list[str]:
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


def layout_line(record: Any) -> list[tuple[str, str]]:
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


def told_same(record: Any) -> Verdict:
    """Everything agrees; nothing proven is no agreement."""
    bout = record.bout
    all_of = [(one, name, q) for one in record.compared for name, q in one.quantities.items()]
    proven = {name for _, name, q in all_of if q.verdict is Mark.PASS}
    empty = [name for name in dict.fromkeys(name for _, name, _ in all_of) if name not in proven]
    if not proven:
        cause = "no tensor rises above its floor" if all_of else "nothing was found that both sides give"
        return base(record, outcome="undecided", cause=f"{cause}: nothing is proven", lines=tuple(layout_line(record)))
    worst = max((item for item in all_of if item[2].floor), key=lambda item: item[2].ratio, default=None)
    gradients = sorted(name for name in proven if name.startswith("d "))
    told = [shown(bout, name) for name in proven if not name.startswith("d ")]
    told += [f"{len(gradients)} gradients"] if gradients else []
    batches = len({one.one.label for one in record.compared})
    line = f"{', '.join(sorted(told, key=len))}; {batches} draws, the first called 4 times"
    if worst:
        line += f"; worst {worst[2].ratio:.2g} floors of {LIMIT:g}, {shown(bout, worst[1])} in {worst[0].dtype}"
    lines = [*layout_line(record), ("compared", line)]
    if rules := sorted({rule for rule in bout.roles.rules.values()}):
        lines.append(("found", f"{len(bout.roles.rules)} gradients by {', '.join(rules)}"))
    lines += [("proves", seen_line(record))]
    lines += coarse_line(record)
    if empty:
        lines.append(("vacuous", f"{', '.join(shown(bout, name) for name in empty)}: below 8 floors, proves nothing"))
    lines += idle_line(record)
    if record.training is not None:
        lines += record.training
    lines.append(("not seen", shortened(not_checked(record), WIDTH)))
    pair = f"{pair_of(record)} in {' and '.join(dict.fromkeys(one.dtype for one in record.compared))}"
    return replace(base(record, outcome="same", lines=tuple(lines)), pair=pair)


def seen_line(record: Any) -> str:
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
            parts.append(f"{dtype}: {np.median(seen):.1g}")
    return f"an error of {', '.join(parts)} of a tensor's largest entry would have been seen"


def coarse_line(record: Any) -> list[tuple[str, str]]:
    if any(one.coarse for one in record.compared):
        return [("float32", "it computes in float32 even where it is given float64: held to that floor in both")]
    return []


def idle_line(record: Any) -> list[tuple[str, str]]:
    unused = [name for name in record.bout.pairing.unused if record.bout.foreign.given]
    return [("unused", f"{', '.join(unused[:4])}: torch has nothing for it")] if unused else []


def told_unequal(record: Any) -> Verdict | None:
    """Everything agrees with a bias at zero that one side alone has: two conventions. None where both have the same."""
    pairing = record.bout.pairing
    lacking = list(pairing.extra)
    more = [name for name in pairing.unused if record.explicit]
    if not lacking and not more:
        return None
    if lacking:
        name = lacking[0]
        text = f"torch has {', '.join(lacking)} and scratch has nothing for it; with zeros there everything agrees"
        onward = "bias=False in the reference's layer" if "bias" in name else f"a reference without {name}"
    else:
        name = more[0]
        text = f"scratch has {', '.join(more)} and torch has nothing for it; with zeros there everything agrees"
        onward = "bias=True in the reference's layer"
    lines = (
        ("who", f"no slope speaks: {len(record.compared)} draws agree without it"),
        ("cause", text),
        ("to go on", onward),
    )
    return base(record, outcome="different", side="conventions", tensor=name, cause=text, lines=lines)


def told_undecided(record: Any) -> Verdict:
    breach = record.breach
    lines = [("seen", breach.seen)] if breach.seen else []
    lines.append(("to go on", "pass modes= and judge in evaluation mode, or take what is random out of the call"))
    return base(record, outcome="undecided", tensor=breach.tensor, cause=breach.cause, lines=tuple(lines))


def told_different(record: Any) -> Verdict:
    """Who, where, why: what convicts by itself first, then derivatives, then conventions."""
    breach, failing = record.breach, record.failing
    if breach is not None:
        lines = [("seen", breach.seen), ("cause", breach.cause)]
        return base(
            record,
            outcome="different",
            side=breach.side,
            tensor=breach.tensor or None,
            place=breach.place,
            cause=breach.cause,
            lines=tuple(lines),
        )
    from twofold.compare.judge.own.comparing import first_tensor

    bout = record.bout
    first = first_tensor(record, failing)
    told, known = guilt(record, failing, first)
    if (
        told.tensor
        and told.tensor in failing.failed
        and told.side == "scratch"
        and first not in ("loss",)
        and not first.startswith("output")
    ):
        first = told.tensor
    quantity = failing.quantities[first]
    name = shown(bout, first)
    lines = (
        [(name[:30], differs(failing, first, quantity))]
        if len(name) <= 9
        else [("off", f"{name}: {differs(failing, first, quantity)}")]
    )
    others = [key for key in failing.failed if key != first]
    agree = [key for key in failing.quantities if key not in failing.failed]
    if others:
        lines.append(("follows", f"{len(others)} more differ: {shortened([shown(bout, key) for key in others], 60)}"))
    if agree:
        lines.append(("agree", shortened([shown(bout, key) for key in agree], 60) + f" ({len(agree)} tensors)"))
    where = f"with {failing.one.label}, {failing.dtype}"
    passes = [one for one in record.compared if not one.failed]
    if passes:
        where += f"; {len(passes)} of {len(record.compared)} draws agree"
    lines.append(("where", where))
    lines.append(("who", told.reason))
    cause, onward = (known.text, known.onward) if known else (cause_of(record, failing, first, told.side), "")
    if cause:
        lines.append(("cause", cause))
    if onward:
        lines.append(("to go on", onward))
    if not bout.pairing.decided and told.side in ("conventions", "open"):
        lines += layout_line(record)
    lines += coarse_line(record)
    return base(
        record,
        outcome="different",
        side=told.side,
        tensor=name,
        cause=cause or told.reason,
        lines=tuple(lines),
        place=place_of(record, first),
        evidence=evidence(record, failing, first, quantity),
    )


def evidence(record: Any, failing: Any, first: str, quantity: Quantity) -> Evidence:
    golden = failing.golden.get(first, np.zeros(0))
    return Evidence(
        shown(record.bout, first),
        failing.actual.get(first, np.zeros(0)),
        golden,
        LIMIT * quantity.floor,
        failing.one.data,
        failing.one.values,
        record.call.scratch,
    )


def place_of(record: Any, first: str) -> Place:
    if first.startswith("buffer "):
        return Place(name=shown(record.bout, first))
    if not first.startswith("d ") or first.startswith("d data "):
        return Place()
    names = record.bout.pairing.layout.torch_names(record.bout.leaf(first.removeprefix("d ")))
    return Place(name=shown(record.bout, first), module=names[0].rpartition(".")[0] or None) if names else Place()


def guilt(record: Any, failing: Any, first: str) -> tuple[who.Told, Convention | None]:
    """The side, the evidence, and where the two are conventions which."""
    bout, one = record.bout, failing.one
    quantity = failing.quantities[first]
    if first not in failing.actual:
        return who.Told("scratch", f"it gives None for {shown(bout, first)}, where torch has a gradient"), None
    if quantity.side in ("scratch", "reference"):
        return who.Told(quantity.side, f"{quantity.reason}: the other side is finite"), None
    forward = [name for name in failing.failed if name == "loss" or name.startswith("output")]
    ours, theirs = failing.actual, failing.golden
    if first.startswith("buffer "):
        kind = type(next(iter(bout.reference.modules.values()), None)).__name__
        return who.Told(
            "scratch", f"against torch.nn.{kind}, the definition: no derivative says what {shown(bout, first)} is"
        ), None
    if not forward:
        found = who.of_gradient(bout, one, first, ours[first], theirs[first], failing.coarse)
        return found, None
    if not any(name.startswith("d ") for name in ours) and record.call.step is not None:
        from twofold.compare.judge.own.steps import gradients_of_step

        ours = {**ours, **gradients_of_step(bout, record.call, one)}
        theirs = bout.of_run(bout.golden(one))
    known = convention(bout, one, ours, theirs)
    own = who.own_derivatives(bout, one, ours, theirs)
    if forward == ["loss"] and not any(name.startswith("d ") for name in failing.failed) and own is not None:
        if own.side in ("scratch", "reference"):
            return who.Told(
                "scratch", f"all gradients and outputs agree, the loss alone does not: {own.reason}", "loss"
            ), None
    if own is not None and own.side in ("scratch", "reference"):
        return own, None
    if own is None or (own.side == "open" and known is not None):
        reason = "each side's gradients are the derivatives of its own loss" if own is None else own.reason
        return who.Told("conventions", reason), known
    return own, known


def differs(failing: Any, name: str, quantity: Quantity) -> str:
    golden = failing.golden.get(name)
    return quantity.reason if golden is None or name not in failing.actual else differs_by(failing.actual[name], golden, quantity)


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
