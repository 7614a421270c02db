"""The line with which a training step begins to differ: the step is taken once more, its lines watched."""

from functools import partial
from typing import Any

from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.deciding.watching import factors, trace_of
from twofold.compare.judge.own.meeting.bout import Bout, Draw
from twofold.compare.judge.own.steps.runs import Stepped, batches, scratch_run, torch_run
from twofold.compare.watch.flow import Flow
from twofold.compare.watch.locating import Parting, parted
from twofold.compare.watch.matching import WITHIN, Pool
from twofold.compare.watch.operations import Operations, explicit


def parting_of_step(bout: Bout, call: Call, start: Draw, found: Stepped) -> Parting | None:
    """Where the parameters that a step leaves wrong begin to be. Raises Dropped."""
    data = batches(bout, start, call.steps)[: found.step]
    run, trace = trace_of(bout, partial(scratch_run, bout, call, start, found.dtype, data))
    near, operations = bout.near, Operations()
    seen = partial(explicit, operations, near.reference.all_modules, near.reference.parameters)
    torchs = torch_run(near, call, start, run, "float64", None, seen=seen)
    failed = [name for name, quantity in found.quantities.items() if quantity.verdict is Mark.FAIL]
    wrong, right = {}, set()
    for name, after in run.after[-1].items():
        number = trace.known(after.astype(bout.leaf(name).dtype if found.dtype == "float64" else found.dtype))
        if number is not None and name in failed:
            wrong[name] = number
        elif number is not None:
            right.add(number)
    change, gradients = torchs.change[-1], torchs.gradients[-1]
    arrays: list[Any] = [(("change", name), array) for name, array in change.items()]
    arrays += [(("value", name), run.before[-1][name] + array) for name, array in change.items()]
    arrays += [(("gradient", name), array) for name, array in gradients.items()]
    off = list(factors(failed, found.actual, found.golden))
    dtype = found.dtype if found.dtype in WITHIN else "float32"
    return parted(Flow(trace, Pool([*arrays, *operations.values()]), wrong, right, off, dtype))
