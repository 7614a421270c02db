"""What is said of a rule: each line has a number or a place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from twofold.compare.judge.evidence.floor import largest, rows_of
from twofold.compare.judge.finding import Quantity, Verdict
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.rules.calling.bags import Arrays
from twofold.compare.judge.own.rules.calling.shapes import Form
from twofold.compare.judge.own.rules.runs import Tape
from twofold.scratch.module import Array

Line = tuple[str, str]
NOT_SEEN = ("parameter groups", "learning rate schedules", "a state that is loaded midway")


@dataclass(frozen=True)
class Judged:
    """One dtype: what scratch made, what torch makes of the same, and every step's quantities."""

    tape: Tape
    golden: list[Arrays]
    steps: list[list[Quantity]]
    floor: str  # the dtype of the floor
    states: list[dict[str, dict[str, Array]]]


def first_lines(judged: Judged, step: int, form: Form) -> tuple[str, list[Line]]:
    """The first tensor that differs, by its name in scratch, and what is said of it."""
    quantities, names = judged.steps[step - 1], list(judged.golden[0])
    bad = [name for name, q in zip(names, quantities, strict=True) if q.verdict is Verdict.FAIL]
    good = [form.name(name) for name in names if name not in bad]
    late = f", {step - 1} before it agree{'s' if step == 2 else ''}" if step > 1 else ""
    dtype = judged.tape.dtype + (", by the floor of float32" if judged.floor != judged.tape.dtype else "")
    told = f"step {step} of {len(judged.golden)} in {dtype}: {' and '.join(form.name(name) for name in bad)}"
    told += f"; {' and '.join(good)} agrees" if good else ""
    return form.name(bad[0]), [
        ("first", told + late),
        (form.name(bad[0]), beside(judged, step, bad[0], quantities[names.index(bad[0])])),
    ]


def beside(judged: Judged, step: int, name: str, quantity: Quantity) -> str:
    """How far an update is off, and both where it is most."""
    before, left, golden = (runs[step - 1][name] for runs in (judged.tape.before, judged.tape.left, judged.golden))
    gradient = judged.tape.gradients[step - 1][name]
    if left.shape != golden.shape:
        return f"shape {left.shape} against {golden.shape}"
    with np.errstate(all="ignore"):
        ours, theirs = left.astype(np.float64) - before, golden - before
        apart = np.where(np.isnan(left) & ~np.isnan(golden), np.inf, np.abs(ours - theirs))
        rows = rows_of(apart) / np.maximum(largest(golden), np.finfo(np.float64).tiny)[:, None]
        place = np.unravel_index(int(np.nan_to_num(rows, nan=0.0).argmax()), rows.shape)
        row = rows_of(theirs)[place[0]]
        share = 100 * rows_of(apart)[place] / (np.abs(row[np.isfinite(row)]).max(initial=0) or np.nan)
    index = np.unravel_index(place[0] * rows.shape[1] + place[1], left.shape)
    told = f"off by {share:.3g} % of an update, " if np.isfinite(share) else ""
    told += f"{quantity.ratio:.2g} floors, limit {quantity.limit:g}; " if np.isfinite(quantity.ratio) else ""
    told += f"{ours[index]:.6g} against {theirs[index]:.6g} at [{', '.join(map(str, index))}], "
    return f"{told}gradient {gradient[index]:.3g}"


def state_lines(told: Sequence[str], missing: Sequence[str]) -> list[Line]:
    said = [f"{len(told)} of {len(told) + len(missing)}: {', '.join(told)}"] if told else []
    said += [f"0 arrays are a multiple of {' or '.join(missing)}"] if missing and told else []
    return [("state", "; ".join(said))] if said else []


def proves(all_judged: Iterable[Judged]) -> str:
    """The smallest error of an update that is seen in every row, by dtype, relative to the row's largest update."""
    told: list[str] = []
    for judged in all_judged:
        seen: dict[str, Array] = {}
        for before, golden in zip(judged.tape.before, judged.golden, strict=True):
            for name, array in golden.items():
                with np.errstate(all="ignore"):
                    least = LIMIT * 8 * float(np.finfo(judged.floor).eps) * largest(array)
                    share = least / np.abs(rows_of(array - before[name])).max(axis=1, initial=0)
                seen[name] = np.fmin(seen.get(name, share), share)
        most = max(float(share[np.isfinite(share)].max(initial=0)) for share in seen.values())
        told.append(f"{most:.1g}{f' in {judged.tape.dtype}' if told else ''}")
    return f"an error of {', '.join(told)} of an update would have been seen, in every row of a magnitude"


def same_lines(all_judged: Sequence[Judged], form: Form, states: Sequence[str], notes: Sequence[Line]) -> list[Line]:
    first = all_judged[0]
    worst = max(q.ratio for judged in all_judged for step in judged.steps for q in step)
    dtypes = " and ".join(judged.tape.dtype for judged in all_judged)
    kept = f", state {', '.join(states)}" if states else ""
    told = f"{len(first.golden)} steps in {dtypes}, gradients 1e-10 to 1e3 and 0{kept}"
    return [
        ("called", f"{form.told}, {len(first.golden[0])} tensors"),
        ("compared", f"{told}; worst {worst:.2g} floors of {LIMIT:g}"),
        *notes,
        ("proves", proves(all_judged)),
        ("not seen", f"{len(NOT_SEEN)} things: {', '.join(NOT_SEEN)}"),
    ]


def notes_of(all_judged: Sequence[Judged]) -> list[Line]:
    """Types that are said and never failed."""
    notes = []
    for judged in all_judged:
        if judged.tape.dtype == "float32" and "float64" in judged.tape.gave:
            notes.append(
                ("dtype", "float64 comes back where float32 is given, from step 1 on; judged by the floor of float32")
            )
        if judged.tape.dtype == "float64" and judged.floor == "float32":
            notes.append(
                ("dtype", "it computes in float32 where float64 is given: both are judged by the floor of float32")
            )
    return notes


def named_rounds(all_judged: Sequence[Judged]) -> list[tuple[str, Sequence[Quantity]]]:
    return [
        (f"step {n} in {judged.tape.dtype}", step) for judged in all_judged for n, step in enumerate(judged.steps, 1)
    ]
