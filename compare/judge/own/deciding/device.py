"""Torch's runs on a device, before anything is judged beside them: whether they repeat, and agree with the CPU's."""

from dataclasses import replace
from functools import partial

import numpy as np

from twofold.compare.judge.evidence.repeating import unsteady_operation
from twofold.compare.judge.finding import Verdict
from twofold.compare.judge.own.contract import Breach
from twofold.compare.judge.own.meeting.bout import Draw, Tensors
from twofold.compare.judge.own.record import Record
from twofold.compare.sides.foreign.reference import UsersReference
from twofold.compare.sides.trace import same_bits

EXACT = ("float64", "float32")


def of_device(record: Record, one: Draw) -> Breach | None:
    """What is wrong with torch's side there; None where nothing is, or where it runs nowhere else."""
    bout, call = record.bout, record.call
    here = UsersReference(call.reference, call.loss, bout.reference.arguments)
    for dtype in (dtype for dtype in call.dtypes if dtype in EXACT):
        found, again = (bout.of_run(bout.golden(one, dtype)) for _ in range(2))
        if not repeated(found, again):
            operation = unsteady_operation(partial(bout.golden, one, dtype))
            told = f": the operation {operation} gives something else each time" if operation else ""
            cause = f"torch does not repeat itself on {call.device}{told}"
            return Breach(None, "", cause, f"two runs on equal numbers in {dtype} differ", onward="device='cpu'")
        beside = replace(bout, reference=here)
        try:
            golden = beside.of_run(beside.golden(one))
        except Exception as error:  # such as a constant that lies on the device
            record.not_checked.append(f"{call.device} beside the CPU: {type(error).__name__} there")
            return None
        judged = beside.compare(one, dtype, found, golden)
        if wrong := [quantity for quantity in judged.values() if quantity.verdict is Verdict.FAIL]:
            worst = max(wrong, key=lambda quantity: quantity.ratio)
            seen = f"{worst.name} lies {worst.ratio:.2g} floors from float64 on the CPU, in {dtype}"
            return Breach("reference", worst.name, f"torch is wrong on {call.device}", seen)
    return None


def without_layout(record: Record) -> Breach | None:
    """Why a difference may be one of the layout: that is solved beside torch on the CPU, and this runs elsewhere."""
    pairing, device = record.bout.pairing, record.bout.reference.near.device
    if device == "cpu" or not pairing.open:
        return None
    cause = f"no layout was found under which the two sides agree; torch's side runs on {device} alone"
    onward = f"layout= for {', '.join(pairing.open[:3])}, or a reference that also runs on the CPU, where it is solved"
    return Breach(None, pairing.open[0], cause, "", onward=onward)


def repeated(found: Tensors, again: Tensors) -> bool:
    return found.keys() == again.keys() and all(same_bits(np.asarray(found[n]), np.asarray(again[n])) for n in found)
