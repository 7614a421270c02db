"""The peak of memory while one side trains, by a process of its own that does nothing else.

What counts is how far resident memory rises from before the model is built to the peak of its first steps: parameters,
gradients, optimizer state and all that a step holds at once. Taken before the model, for torch makes its gradients
in the first backward pass and scratch when a parameter is made. A training step of one record, of a model that is
then thrown away, loads the libraries' code before that, and freed memory goes back to the system at once.
"""

import gc
import os
import resource
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from twofold.compare.bench.equal import given
from twofold.compare.bench.rows import Peak
from twofold.compare.bench.steps import Step, configured
from twofold.compare.data import Dataset
from twofold.compare.pair import Pair, SideName
from twofold.compare.pairs import PAIRS
from twofold.compare.sides import Side
from twofold.compare.training.train import build
from twofold.scratch.module import Array

STEPS = 3
STATUS, REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak(pair: Pair, dataset: Dataset, dtype: str, threads: int) -> Peak:
    """Of both sides, in bytes."""
    step = Step(pair, dataset, pair.recipe.batch)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "batch.npz"
        inputs, target = step.batch
        np.savez(path, inputs=inputs, target=target)
        scratch, reference = (in_child(pair.name, side, dtype, path, threads) for side in ("scratch", "reference"))
    return Peak(pair.name, dtype, len(target), scratch, reference)


def in_child(pair: str, side: str, dtype: str, batch: Path, threads: int) -> int:
    """Bytes that a fresh process measures. The limits of malloc are fixed: by default they grow with what is freed."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    limits = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), "65536")
    command = [sys.executable, "-m", "twofold.compare.bench.memory", pair, side, dtype, str(batch)]
    done = subprocess.run(command, env=os.environ | counts | limits, capture_output=True, text=True, check=True)
    return int(done.stdout)


def rise(pair: Pair, side: SideName, dtype: str, batch: tuple[Array, Array]) -> int:
    """Bytes from before the model is built to the peak of STEPS training steps, in this process."""
    inputs, target = batch
    made = partial(build, pair, configured(pair, side, dtype))
    train(made(), inputs[:1], target[:1], steps=1)
    gc.collect()
    before = resident("VmRSS")
    trained = made()
    gc.collect()
    with suppress(OSError):
        REFS.write_text("5")  # forgets the peak so far
    train(trained, inputs, target, steps=STEPS)
    return resident("VmHWM") - before


def train(side: Side, inputs: Array, target: Array, steps: int) -> None:
    side.train()
    batch = given(side, inputs), given(side, target)
    for _ in range(steps):
        side.train_step(*batch)


def resident(which: str) -> int:
    """Bytes of resident memory: VmRSS now, VmHWM at the peak; where the system does not tell, the peak for both.

    Not getrusage's where there is better: a new process takes over the peak of the one that started it.
    """
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(which):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    name, backend, kind, file = sys.argv[1:]
    with np.load(file) as arrays:
        records = arrays["inputs"], arrays["target"]
    print(rise(PAIRS[name], "scratch" if backend == "scratch" else "reference", kind, records))
