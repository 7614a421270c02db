"""Gradients that are not there where others are."""

import numpy as np

from twofold.compare.judge.own.contract import Breach
from twofold.compare.judge.own.meeting.gradients import WORDS
from twofold.compare.judge.own.record import Record
from twofold.compare.sides.foreign.leaves import Leaf


def forgotten(record: Record) -> Breach | None:
    """The first parameter whose gradient was not found, though those of others were and torch's is not zero.

    Where the others were found by name, or its own place is empty, it is forgotten; else it may be we who missed it.
    """
    bout, roles = record.bout, record.bout.roles
    if record.call.step is None and (told := unread(record)) is not None:
        return told
    if not roles.gradients or record.call.step is not None:
        return None
    for leaf in bout.leaves:
        if leaf.name in roles.gradients or not bout.pairing.layout.covered(leaf):
            continue
        size = largest(record, f"d {leaf.name}")
        if not size:
            continue
        count = len(roles.gradients)
        seen = (
            f"torch's gradient of {leaf.name} reaches {size:.3g}; scratch gives those of {count} others and none of it"
        )
        if set(roles.rules.values()) <= {"its name"} or has_empty_place(leaf):
            cause = "its gradient is forgotten: nothing is returned or written for it"
            return Breach("scratch", leaf.name, cause, seen)
        rules = ", ".join(sorted(set(roles.rules.values())))
        cause = f"no gradient of {leaf.name} was found, where those of others were by {rules}"
        return Breach(None, leaf.name, cause, seen, onward=f"grads={{{leaf.name!r}: ...}}, a tree like params")
    return None


def unread(record: Record) -> Breach | None:
    """Something was returned, no gradient was found in it, and it has the size of no parameter."""
    bout, roles = record.bout, record.bout.roles
    lacking = [leaf for leaf in bout.leaves if bout.pairing.layout.covered(leaf)]
    if not lacking:
        return None
    if not roles.gradients and roles.unread and not any(roles.outputs) and not bout.foreign.is_pair:
        names = ", ".join(f"{leaf.name} {leaf.shape}" for leaf in lacking[:3])
        cause = f"what scratch returns at {roles.unread[0].strip()} is of the size of no parameter"
        return Breach(
            None, lacking[0].name, cause, f"expected gradients of {names}", onward="grads=, a tree like params"
        )
    return None


def largest(record: Record, name: str) -> float:
    """The largest entry that torch's gradient has in any run."""
    return max(
        (float(np.abs(one.torchs[name]).max(initial=0)) for one in record.compared if name in one.torchs), default=0
    )


def has_empty_place(leaf: Leaf) -> bool:
    """Whether what holds it has an attribute for the gradient."""
    holder = leaf.slots[0].holder if leaf.slots else None
    return any(word in getattr(holder, "__dict__", ()) for word in WORDS)
