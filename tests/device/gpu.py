"""What to run where there is a GPU, in order of value: `make gpu`, or `python -m tests.device.gpu --device NAME`.

Each part is told with its seconds as soon as it is done; one that goes wrong keeps no other from running.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tests.own.truth import LAYOUTS, TRUTH
from twofold import judge
from twofold.compare.bench.steps import step_time
from twofold.compare.data import load
from twofold.compare.environment import environment
from twofold.compare.judge import battery
from twofold.compare.judge.battery import DTYPES
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, ON_DEVICE
from twofold.compare.judge.finding import Finding, Verdict
from twofold.compare.layers import LAYERS
from twofold.compare.pair import Case
from twofold.compare.pairs import MAIN, PAIRS
from twofold.compare.sides import SideError, devices

FIVE = ("catcar-mlp", "mnist-cnn", "activity-lstm", "trigram-lm", "fc-net")
COMMAND = (sys.executable, "-m", "twofold")


def versions(device: str) -> Iterator[str]:
    """What a figure hangs on."""
    torch.ones(1, device=device)
    found = environment() | {"cuDNN": torch.backends.cudnn.version() if device == "cuda" else None}
    yield from (f"{name} {value}" for name, value in found.items() if value is not None)


def five_pairs(device: str) -> Iterator[str]:
    """The whole battery in both dtypes."""
    for name in FIVE:
        for dtype in DTYPES:
            yield from told(PAIRS[name].case(), battery.run(PAIRS[name].case(), dtype, device))


def told(case: Case, result: battery.Result) -> Iterator[str]:
    worst = max((q.ratio for f in result.findings if f.check == ON_DEVICE.name for q in f.quantities), default=0.0)
    yield f"{case.name} {result.dtype}: {result.verdict}, {worst:.2g} floors on the device, {result.seconds:.1f} s"
    yield from (f"  {reason(finding)}" for finding in result.findings if finding.verdict in UNSETTLED)


UNSETTLED = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.VACUOUS)


def reason(finding: Finding) -> str:
    said = finding.reason or (finding.worst.reason if finding.worst else "")
    return f"{finding.check} {finding.verdict}: {said}"


def every_case(device: str) -> Iterator[str]:
    """Whether each repeats, and agrees with the CPU; of those that do not the operations."""
    cases = [*LAYERS, *(PAIRS[name].case() for name in MAIN)]
    checks, passed = (ON_DEVICE, CHECKS_BY_NAME["exact"]), 0
    for case in cases:
        result = battery.run(case, "float32", device, checks=checks)
        passed += result.passed
        if not result.passed:
            yield from told(case, result)
    yield f"{passed} of {len(cases)} cases repeat and agree"


def strangers(device: str) -> Iterator[str]:
    """Every third net of strangers, right and wrong, its layout to be solved: what is told otherwise than it is."""
    found: Counter[bool] = Counter()
    for truth in (*TRUTH, *LAYOUTS)[::3]:
        call = truth.make()
        verdict = judge(*call.arguments, **call.keywords, device=device)
        as_meant = (verdict.outcome, verdict.side) == (truth.outcome, truth.side)
        found[as_meant] += 1
        if not as_meant:
            yield f"{truth.name}: {' / '.join(str(verdict).splitlines()[:2])}"
    yield f"{found[True]} of {found.total()} verdicts are as they are to be"


def marked_tests(device: str) -> Iterator[str]:
    """The tests that need CUDA."""
    yield from last_lines([sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-n", "0"])


def resumed(device: str) -> Iterator[str]:
    """A training that is interrupted, and goes on."""
    with tempfile.TemporaryDirectory() as folder:
        given = [*COMMAND, "train", "mnist-cnn", "--backend", "reference", "--device", device, "--out", folder]
        process = subprocess.Popen([*given, "--epochs", "1000"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told = next((line for line in process.stdout if line.startswith("epoch 3 ")), "it ended before its third epoch")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        yield from (told.rstrip(), *out.rstrip().splitlines()[-2:])
        yield from last_lines([*given, "--epochs", "6", "--resume"])
        yield str(sorted(path.name for path in Path(folder).iterdir()))


def timed(device: str) -> Iterator[str]:
    """Milliseconds a training step, of scratch, of the reference on the CPU and on the device."""
    for name in FIVE:
        dataset = load(PAIRS[name].dataset, None)
        for dtype in DTYPES:
            here, there = (step_time(PAIRS[name], dataset, dtype, place) for place in ("cpu", device))
            yield (
                f"{name} {dtype}: scratch {here.scratch:.2f}, reference on the CPU {here.reference:.2f}, "
                f"on {device} {there.reference:.2f} ms"
            )


def one_worker(device: str) -> Iterator[str]:
    """A single worker of data parallel training, by nccl where that is CUDA's."""
    with tempfile.TemporaryDirectory() as folder:
        given = ["train", "catcar-mlp", "--backend", "reference", "--device", device, "--workers", "1", "--epochs", "1"]
        yield from last_lines([*COMMAND, *given, "--out", folder])


def last_lines(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True)
    return [f"status {done.returncode}", *(done.stdout + done.stderr).rstrip().splitlines()[-3:]]


PARTS: tuple[Callable[[str], Iterator[str]], ...] = (
    versions,
    five_pairs,
    every_case,
    strangers,
    marked_tests,
    resumed,
    timed,
    one_worker,
)


def run(device: str, parts: tuple[Callable[[str], Iterator[str]], ...] = PARTS) -> None:
    for number, part in enumerate(parts, 1):
        print(f"{number}. {part.__name__.replace('_', ' ')}: {part.__doc__}", flush=True)
        begun = time.perf_counter()
        try:
            for line in part(device):
                print(f"   {line}", flush=True)
        except Exception as error:  # the next may run
            print(f"   {type(error).__name__}: {error}", flush=True)
        print(f"   {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    wanted = parser.parse_args().device
    try:
        devices(wanted)
    except SideError as error:
        sys.exit(str(error))
    run(wanted)
