"""Which small edit of a suspected line makes a training step do what torch's does."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.deciding.mending import numbers_of
from twofold.compare.judge.own.meeting.bout import Draw
from twofold.compare.judge.own.record import Record
from twofold.compare.judge.own.steps.runs import Run, batches, compared, scratch_run, torch_run
from twofold.compare.judge.own.steps.trained import trained
from twofold.compare.watch.edits.searching import RUNS, SECONDS, Mended, search

FEW = 2  # steps that must be roughly right before all are judged
ROUGHLY = 1e-3  # of a tensor's largest change


def mended_step(
    record: Record,
    one: Draw,
    lines: Sequence[tuple[str, int]],
    seconds: float = SECONDS,
    runs: int = RUNS,
) -> Mended | None:
    """The first edit of these lines (file, line), the likeliest first, under which every step agrees, and so do 50 that
    run free.
    """
    bout, call = record.bout, record.call
    plain = replace(record, call=replace(call, watch=False), not_checked=[], training=[])  # no edit of an edit

    def agrees() -> int | None:
        for count in (FEW, call.steps):
            run = scratch_run(bout, call, one, "float64", batches(bout, one, count))
            if not is_near(record, one, run):
                return None
        if trained(plain, one) is not None:
            return None
        found = compared(bout, call, one, run, "float64")
        return sum(quantity.verdict is Mark.PASS for quantity in found.quantities.values()) or None

    return search(lines, agrees, numbers_of(bout), runs, seconds)


def is_near(record: Record, one: Draw, run: Run) -> bool:
    """Whether some steps are roughly torch's from the same weights."""
    golden = torch_run(record.bout, record.call, one, run, "float64", None)
    for before, after, change in zip(run.before, run.after, golden.change, strict=True):
        for name, value in after.items():
            if name not in change or not record.bout.pairing.layout.covered(record.bout.leaf(name)):
                continue
            if value.shape != before[name].shape:
                return False
            apart = np.abs(value - before[name] - change[name]).max(initial=0)
            if not apart <= ROUGHLY * np.abs(change[name]).max(initial=0):
                return False
    return True
