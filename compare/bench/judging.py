"""What judging costs: forward, gradient and backward at the recipe's size, as so many passes of the reference.

A process of its own measures, as of memory: how far resident memory rises above a process that holds no model, and the
processor's time, beside that of a plain pass of the reference, forward and backward, before and after. What else runs
on the machine counts in neither. A check of the pair at check size loads all code before that.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from twofold.compare import nest
from twofold.compare.bench.memory import REFS, resident
from twofold.compare.bench.rows import Judging
from twofold.compare.data import load
from twofold.compare.judge import battery
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.evidence.trial import Trial, at_recipe_size
from twofold.compare.judge.finding import Verdict
from twofold.compare.pair import Case, Draw, Pair
from twofold.compare.pairs import PAIRS
from twofold.compare.threads import threads

CHECKS = ("forward", "gradient", "grad_output")
PASSES = 5  # of the reference alone, before and after

# The pair that grows, and its widths: from 10,000 parameters to 100 million, ten times as many each.
GROWING, BATCH = "two-layer-fc", 64
WIDTHS = {"float64": (100, 316, 1000, 3162), "float32": (100, 316, 1000, 3162, 10_000)}


def in_child(pair: str, dtype: str, count: int, width: int | None = None) -> Judging:
    """What a fresh process measures."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(count))
    command = [sys.executable, "-m", "twofold.compare.bench.judging", pair, dtype, str(count), str(width or "")]
    done = subprocess.run(command, env=os.environ | counts, capture_output=True, text=True, check=True)
    return Judging(**json.loads(done.stdout))


def measured(pair: Pair, dtype: str, width: int | None, count: int) -> Judging:
    """Of the pair, or of its model of linear layers `width` wide, in this process."""
    checks = [CHECKS_BY_NAME[name] for name in CHECKS]
    inputs = load(pair.dataset, None).train.inputs[: pair.recipe.batch] if width is None else None

    def made() -> Trial:
        if inputs is not None:
            return at_recipe_size(pair, inputs, dtype)
        model = pair.model.given(inputs=width, hidden=width)
        return Trial(Case(f"{pair.name} {width} wide", model, (Draw((BATCH, width or 0)),)), dtype)

    with threads(count):
        battery.run(pair.case(), dtype, checks=checks)
        before = passes(made())
        gc.collect()
        memory = resident("VmRSS")
        with suppress(OSError):
            REFS.write_text("5")  # forgets the peak so far
        start = time.process_time()
        trial = made()
        result = battery.run_trial(trial, checks)
        seconds = time.process_time() - start
        peak = resident("VmHWM") - memory
        parameters, activations = (
            sum(array.size for array in arrays.values()) for arrays in (trial.state, trial.actual["forward"])
        )
        wrong = result.verdict is not Verdict.PASS
        del trial
        alone = statistics.median([*before, *passes(made())])
    batch = BATCH if inputs is None else len(inputs)
    sizes, told = (parameters, activations), str(result.verdict) if wrong else ""
    return Judging(pair.name, dtype, batch, *sizes, alone, seconds, peak, width, told)


def passes(trial: Trial) -> list[float]:
    """Seconds of forward and backward passes of the reference, by itself."""
    side = trial.reference()
    side.load(trial.state)
    inputs = nest.apply(side.tensor, trial.inputs)
    for tensor in nest.flatten(inputs):
        tensor.requires_grad_(tensor.is_floating_point())

    def once() -> float:
        side.zero_grad()
        start = time.process_time()
        outs: list[Any] = nest.flatten(side.model(*inputs))
        side.torch.autograd.backward(outs, [side.torch.ones_like(out) for out in outs])
        return time.process_time() - start

    once()
    enough = max(PASSES, min(200, int(0.05 / max(once(), 1e-6))))
    return [once() for _ in range(enough)]


if __name__ == "__main__":
    name, kind, many, wide = sys.argv[1:]
    print(json.dumps(asdict(measured(PAIRS[name], kind, int(wide) if wide else None, int(many)))))
