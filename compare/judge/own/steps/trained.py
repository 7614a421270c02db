"""The verdict on training: the first step that differs, whose it is, and why."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.training import FREE_STEPS
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.contract import line_of, text_of
from twofold.compare.judge.own.deciding import who
from twofold.compare.judge.own.deciding.apart import left_with
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.record import Record
from twofold.compare.judge.own.steps.gradients import learning_rate
from twofold.compare.judge.own.steps.lines import parting_of_step
from twofold.compare.judge.own.steps.runs import Run, Stepped, batches, compared, outside, scratch_run
from twofold.compare.judge.own.telling.lines import base, differs_by, line, shortened
from twofold.compare.judge.own.telling.placing import at, begins, parted_at, text_at
from twofold.compare.judge.own.telling.verdict import BadCall, Place, Verdict
from twofold.compare.watch.edits.searching import edited

FACTORS = 1e-9  # of an update: how nearly all of it must be one multiple of torch's


def trained(record: Record, one: Draw) -> Verdict | None:
    """None where every step agrees, with what is told of it in the record; else the verdict."""
    bout, call = record.bout, record.call
    own = next((c.one for c in record.compared if c.one.label.startswith("your own")), None)
    worst = 0.0
    state: tuple[str, ...] = ()
    for start in (one, own) if own is not None else (one,):
        for dtype in (d for d in call.dtypes if d in ("float64", "float32") and (start is one or d == "float64")):
            try:
                run = scratch_run(bout, call, start, dtype, batches(bout, start, call.steps))
            except Exception as error:
                if dtype == "float64":
                    raised(error, record)
                record.not_checked.append(f"steps in {dtype}: scratch raises {type(error).__name__}")
                continue
            if (moved := reshaped(run)) is not None:
                return told_reshaped(record, run, *moved, partial(scratch_run, bout, call, start, dtype))
            if not any((a != b).any() for a, b in zip(map(flat, run.before), map(flat, run.after), strict=True)):
                raise BadCall(
                    "step: expected it to change params, found every one as it was after "
                    f"{call.steps} steps; pass the tree that it writes to as params="
                )
            found = compared(bout, call, start, run, dtype)
            worst = max([worst, *(q.ratio for q in found.quantities.values() if q.verdict is Mark.PASS)])
            state = state or found.state
            if found.step is not None:
                return told(record, start, found)
    left = outside(bout, call, one, batches(bout, one, FREE_STEPS)) if "float64" in call.dtypes else None
    if left is not None:
        step, name = left
        text = f"{call.steps} steps from equal weights agree; run free, {name} leaves the envelope at step {step}"
        reason = "what it carries from step to step is not what torch's optimizer does"
        return base(
            record,
            outcome="different",
            side="scratch",
            tensor=name,
            place=Place(name=name, step=step),
            cause=reason,
            lines=(("free", text), ("cause", reason)),
        )
    more = f"; {FREE_STEPS} free steps stay within the envelope"
    record.training = [("state", shortened(state, 90))] if state else []
    record.training += [
        ("trained", f"{call.steps} steps from equal weights, worst {worst:.2g} floors of {LIMIT:g}{more}")
    ]
    return None


def raised(error: Exception, record: Record) -> None:
    place = line_of(error)
    where = f" at {place.file}:{place.line}   {text_of(error)}" if place.file else ""
    raise BadCall(
        f"step raises {type(error).__name__}: {' '.join(str(error).split())}{where}; it is called as step(*data)"
    ) from None


def reshaped(run: Run) -> tuple[int, str] | None:
    """The first step that leaves a parameter in another shape than it had, and which."""
    for n, (before, after) in enumerate(zip(run.before, run.after, strict=True)):
        for name, value in before.items():
            if after[name].shape != value.shape:
                return n, name
    return None


def told_reshaped(record: Record, run: Run, n: int, name: str, again: Callable[..., Run]) -> Verdict:
    was, after = run.before[n][name].shape, run.after[n][name]
    cause = f"step {n + 1} leaves {name} in shape {after.shape}, where it had {was}"
    lines, place = [("step", f"{n + 1} is the first")], Place()
    if record.call.watch:
        place, began = left_with(record.bout, partial(again, run.data[: n + 1]), after)
    if place.file is not None:
        lines += [("line", text_at(place)), ("begins", began)]
    lines.append(("cause", cause))
    place = replace(place, name=name, step=n + 1)
    return base(record, outcome="different", side="scratch", tensor=name, place=place, cause=cause, lines=tuple(lines))


def flat(tensors: Tensors) -> Any:
    return np.concatenate([np.empty(0), *(value.ravel() for value in tensors.values())])


def told(record: Record, one: Draw, found: Stepped) -> Verdict:
    bout, call = record.bout, record.call
    failed = [name for name, q in found.quantities.items() if q.verdict is Mark.FAIL]
    ranked = [name.removeprefix("d ") for name in who.order(bout, [f"d {name}" for name in failed])]
    first = ranked[0]
    quantity = found.quantities[first]
    leaf = bout.leaf(first)
    rows = bout.pairing.layout.in_rows
    lines = [
        ("step", f"{found.step} of {call.steps} is the first that differs, in {found.dtype}"),
        line(
            first,
            "its change is " + differs_by(rows(leaf, found.actual[first]), rows(leaf, found.golden[first]), quantity),
        ),
    ]
    others = [name for name in ranked if name != first]
    agree = [name for name in found.quantities if name not in failed]
    if others:
        lines.append(("follows", f"{len(others)} more differ: {shortened(others, 60)}"))
    if agree:
        lines.append(("agree", f"{shortened(agree, 60)} ({len(agree)} tensors)"))
    side, reason = guilt(bout, call, one, found, first)
    lines.append(("who", reason))
    cause = explanation(record, found, failed)
    if cause:
        lines.append(("cause", cause))
    module = next(iter(bout.pairing.layout.torch_names(leaf)), "").rpartition(".")[0] or None
    parting = parted_at(record, partial(parting_of_step, bout, call, one, found)) if side != "reference" else None
    mend = ""
    if parting is not None:
        from twofold.compare.judge.own.steps.mending import mended_step  # which judges by this file

        parting, mend = edited(parting, partial(mended_step, record, one))
        lines[2:2] = begins(parting, mend)
    place = replace(at(Place(name=first, module=module), parting), step=found.step)
    return base(
        record,
        outcome="different",
        side=side,
        tensor=first,
        place=place,
        cause="; ".join(filter(None, (cause, mend))) or reason,
        lines=tuple(lines),
    )


def guilt(bout: Bout, call: Call, one: Draw, found: Stepped, first: str) -> tuple[str, str]:
    """Of the first step of SGD the gradient is read and a slope decides; else torch's step is the definition."""
    rate = learning_rate(bout, call)
    at = Draw(one.label, found.before, one.shares, found.data)
    if found.step == 1 and rate and found.gradients and first in found.gradients:
        rows = bout.pairing.layout.in_rows
        leaf = bout.leaf(first)
        ours, theirs = rows(leaf, -found.actual[first] / rate), rows(leaf, found.gradients[first])
        told = who.of_gradient(bout, at, f"d {first}", ours, theirs, found.dtype != "float64")
        if told.side in ("scratch", "reference"):
            return told.side, told.reason
    if found.gradients and call.reference_step is None:  # a step of the user's may have clipped them
        directions = who.random_directions(bout, at, {f"d {name}": value for name, value in found.gradients.items()})
        mine = who.given_along(bout, {f"d {n}": in_rows(bout, n, g) for n, g in found.gradients.items()}, directions)
        for name, value in mine.items():
            where = name.removeprefix("d ")
            slope = who.reference_slope(bout, at, {where: directions[where]}, max(1e-7 * abs(value), 1e-12))
            if slope is not None and abs(slope - value) > max(1e-5 * abs(value), 1e-9):
                return (
                    "reference",
                    f"its own loss has slope {slope:.6g} where its gradient of {where} gives {value:.6g}",
                )
    name = "reference_step" if call.optimizer is None else optimizer_name(bout, call)
    return "scratch", f"against {name}, the definition at step {found.step}; torch's gradients are slopes of its loss"


def in_rows(bout: Bout, name: str, value: Any) -> Any:
    return bout.pairing.layout.in_rows(bout.leaf(name), value)


def optimizer_name(bout: Bout, call: Call) -> str:
    made = call.optimizer(list(bout.reference.parameters.values())) if callable(call.optimizer) else call.optimizer
    group = made.param_groups[0]
    rate = f"lr={group['lr']:g}" if "lr" in group else ""
    return f"torch.optim.{type(made).__name__}({rate})"


def explanation(record: Record, found: Stepped, failed: list[str]) -> str:
    """A factor that all changes have."""
    factors = []
    for name in failed:
        ours, theirs = found.actual[name].ravel(), found.golden[name].ravel()
        size = float(theirs @ theirs)
        if not size:
            return ""
        factor = float(ours @ theirs) / size
        if np.abs(ours - factor * theirs).max() > FACTORS * np.abs(ours).max() + 1e-300:
            return ""
        factors.append(factor)
    factor = factors[0]
    if max(abs(one - factor) for one in factors) > 1e-6 * abs(factor) or len(failed) < len(found.quantities):
        return ""
    batch = batch_size(record)
    said = f"the whole step is {factor:.6g} times torch's"
    if abs(factor - batch) < 1e-6 * batch:
        said += f"; batch {batch}: not divided by the batch size"
    elif abs(factor * batch - 1) < 1e-6:
        said += f"; batch {batch}: divided by the batch size once too often"
    elif abs(factor + 1) < 1e-6:
        said += ": it goes up, not down"
    elif abs(factor - 2) < 1e-6:
        said += ": it is taken twice"
    return said


def batch_size(record: Record) -> int:
    """Of the data as torch takes them."""
    bout = record.bout
    first = bout.pairing.ways[0].apply(bout.foreign.data[0])
    return int(np.shape(first)[0]) if np.ndim(first) else 1
