"""The line with which an update rule begins to differ: its steps taken once more, its lines watched."""

from dataclasses import replace

import numpy as np

from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.rules.calling.shapes import Form
from twofold.compare.judge.own.rules.messages import Judged
from twofold.compare.judge.own.rules.runs import run
from twofold.compare.judge.own.rules.torchs import Facts, replay
from twofold.compare.judge.own.telling.placing import at, begins
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.sides.foreign.trees import is_users_file
from twofold.compare.watch.edits.searching import edited
from twofold.compare.watch.flow import Flow
from twofold.compare.watch.lines import watched
from twofold.compare.watch.locating import Parting, parted
from twofold.compare.watch.matching import WITHIN, Pool
from twofold.compare.watch.operations import Operations, explicit

Lines = list[tuple[str, str]]


def parting_of_rule(bad: Judged, form: Form, facts: Facts, step: int) -> Parting | None:
    """Where the weights that a step leaves wrong begin to be; None where no line tells."""
    tape = bad.tape
    before, gradients = tape.before[:step], tape.gradients[:step]
    arrays = [array for given in (before[0], *gradients) for array in given.values()]
    try:
        with watched(is_users_file, arrays) as watcher:
            again = run(form, before[0], gradients, tape.dtype, locked=False)
    except Exception:  # something else traces already, or it raises: the verdict stands without a line
        return None
    if watcher.dropped or len(again.left) < step:
        return None
    operations = Operations()
    with explicit(operations, {}, {}):
        golden = replay(facts.make, before, gradients)
    trace, wrong, right = watcher.trace, {}, set()
    failed = {q.name.partition(" ")[0] for q in bad.steps[step - 1] if q.verdict is Mark.FAIL}
    for n, left in enumerate(again.left):
        for name, array in left.items():
            if (number := trace.known(np.asarray(array))) is None:
                continue
            if n == step - 1 and (form.name(name) in failed or name in failed):
                wrong[name] = number
            else:
                right.add(number)
    values = [(("value", name), array) for left in (*before, *golden) for name, array in left.items()]
    values += [(("gradient", name), array) for given in gradients for name, array in given.items()]
    dtype = tape.dtype if tape.dtype in WITHIN and bad.floor == tape.dtype else "float32"
    return parted(Flow(trace, Pool([*values, *operations.values()]), wrong, right - set(wrong.values()), (), dtype))


def placed(place: Place, found: Parting | None, form: Form, facts: Facts) -> tuple[Place, Lines]:
    """The place with its line, and what is said of it."""
    if found is None:
        return place, []
    from twofold.compare.judge.own.rules.mending import mended_rule  # which judges by what calls this

    found, mend = edited(
        found, lambda lines, seconds, runs: mended_rule(form, facts, lines, seconds=seconds, runs=runs)
    )
    return replace(at(place, found), step=place.step), begins(found, mend)
