"""Whose a difference is: what convicts by itself, then a slope, then two right functions that are not the same."""

from twofold.compare.judge.own.contract import shown
from twofold.compare.judge.own.deciding import who
from twofold.compare.judge.own.deciding.conventions import Convention, convention
from twofold.compare.judge.own.record import Compared, Record
from twofold.compare.judge.own.steps.gradients import gradients_of_step


def without_gradient(record: Record, failing: Compared, first: str) -> who.Told:
    """Torch has no gradient for it at all: it is frozen there, or cut off, or scratch's is none of anything."""
    bout = record.bout
    names = [] if first.startswith("d data ") else bout.pairing.layout.torch_names(bout.leaf(first.removeprefix("d ")))
    parameters = bout.reference.parameters
    if frozen := [name for name in names if name in parameters and not parameters[name].requires_grad]:
        return who.Told("conventions", f"{', '.join(frozen)}: frozen in the reference, requires_grad is False")
    ours = failing.actual[first]
    told = who.of_gradient(bout, failing.one, first, ours, ours * 0.0, failing.coarse)
    return who.Told(told.side, f"torch has no gradient for {shown(bout, first)}, as behind a detach: {told.reason}")


def guilt(record: Record, failing: Compared, first: str) -> tuple[who.Told, Convention | None]:
    """The side, the evidence, and where the two are conventions which."""
    bout, one = record.bout, failing.one
    quantity = failing.quantities[first]
    if first not in failing.actual:
        return who.Told(
            "scratch", f"it gives None for {shown(bout, first)}, of {len(failing.golden)} tensors that torch gives"
        ), None
    if quantity.side in ("scratch", "reference"):
        return who.Told(quantity.side, f"{quantity.reason}: the other side is finite"), None
    forward = [name for name in failing.failed if name == "loss" or name.startswith("output")]
    ours, theirs = failing.actual, failing.golden
    if first.startswith("buffer "):
        kind = type(next(iter(bout.reference.modules.values()), None)).__name__
        return who.Told(
            "scratch", f"against torch.nn.{kind}, the definition: no derivative says what {shown(bout, first)} is"
        ), None
    if first.startswith("d ") and first not in theirs:
        return without_gradient(record, failing, first), None
    if not forward:
        found = who.of_gradient(bout, one, first, ours[first], theirs[first], failing.coarse)
        return found, None
    if broken := next((name for name in failing.failed if failing.quantities[name].side == "scratch"), None):
        return who.Told("scratch", f"{failing.quantities[broken].reason}: {shown(bout, broken)}"), None
    if not any(name.startswith("d ") for name in ours) and record.call.step is not None:
        ours = {**ours, **gradients_of_step(bout, record.call, one)}
        theirs = bout.of_run(bout.golden(one))
    for name in (name for name in failing.failed if name.startswith("d ") and name in theirs):
        if ours[name].shape != theirs[name].shape:
            told = f"the gradient of {shown(bout, name)} has shape {ours[name].shape}, torch's {theirs[name].shape}"
            return who.Told("scratch", told, name), None
    known = convention(bout, one, ours, theirs)
    if known is not None and known.reported and failing.failed != ["loss"]:
        known = None  # what no gradient sees is not why gradients differ
    if known is not None and known.reported:
        return who.Told("conventions", f"{len(ours) - 1} other tensors agree, the loss alone does not"), known
    own = who.own_derivatives(bout, one, ours, theirs, failing.failed)
    if own is not None and own.side in ("scratch", "reference"):
        if forward == ["loss"] == failing.failed:
            return who.Told("scratch", f"every gradient agrees, the loss alone does not: {own.reason}", "loss"), None
        return own, None
    if own is None or (own.side == "open" and known is not None and known.meant):
        count = sum(name.startswith("d ") for name in ours)
        reason = f"each side's gradients, {count} of {count}, are the derivatives of its own loss"
        reason = reason if own is None else own.reason
        return who.Told("conventions", reason), known
    return own, known
