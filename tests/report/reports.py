"""Reports made by hand, of every kind that a pair can have: nothing is measured, and torch is not asked."""

from dataclasses import replace
from io import BytesIO
from math import inf, nan

import numpy as np
from PIL import Image

from twofold.compare.bench.steps import StepTime
from twofold.compare.faults import FAULTS
from twofold.compare.faults.fault import Expected
from twofold.compare.faults.matrix import Cell, Row
from twofold.compare.judge.battery import Result
from twofold.compare.judge.checks.table import BATTERY
from twofold.compare.judge.evidence.sensitivity import Sensitivity
from twofold.compare.judge.finding import Blame, Divergence, Finding, Quantity, Spot, Verdict
from twofold.compare.judge.gates import GateMap
from twofold.compare.published.figure import Basis, Figure
from twofold.compare.report.made import embedded
from twofold.compare.report.page.plate import Plate, named
from twofold.compare.report.pair import About, PairReport, Run
from twofold.compare.report.sources import Piece, Source


def dot() -> bytes:
    """A picture of one colour."""
    buffer = BytesIO()
    Image.new("RGB", (900, 300), "white").save(buffer, "png")
    return buffer.getvalue()


MADE_IN = {
    "twofold": "1.0",
    "python": "3.11",
    "platform": "Linux",
    "cpus": 2,
    "numpy": "2",
    "torch": "2.14",
    "cuda": None,
}

LSTM_TEXT = "def backward(self, dout):\n    # back\n    df = dc * c[t] * f * (1 - f)\n    return 'dx', df"
SOURCES = {
    "nets:Net": Source(
        "Net",
        (
            Piece("Net", "scratch/nets.py", 3, "class Net(Module):"),
            Piece("backward", "scratch/nets.py", 5, "def backward(self, dout):\n    return dout"),
        ),
        (Piece("Net", "reference/nets.py", 7, "class Net(nn.Module):"), Piece("more", "reference/nets.py", 9, "more")),
    ),
    "lstm:LSTM": Source(
        "LSTM",
        (Piece("backward", "scratch/layers/lstm.py", 86, LSTM_TEXT),),
        call="torch.nn.LSTM(input_size)",
        bases=("nets:Net",),
        plain=(Piece("plain", "scratch/layers/loops.py", 1, "for n in range(3):\n    pass"),),
    ),
}


def about(name: str) -> About:
    layers = {"": "Net", "recurrent": "LSTM", "fc": "Linear", "loss": "CrossEntropyLoss", "optimizer": "Adam"}
    return About(name, f"The pair {name}", 32, 5, layers, "embedded", "It is small.", "digest", parameters=1000)


def passing(check: str, ratio: float) -> Finding:
    exact = check in ("exact", "twice")
    quantity = Quantity(f"fc.weight of {check}", ratio * 1e-16, 0 if exact else 1e-16, ratio, Verdict.PASS)
    return Finding(check, Verdict.PASS, (replace(quantity, ratio=0.0, error=0.0) if exact else quantity,))


def trial(name: str, dtype: str, *findings: Finding) -> Result:
    """All checks pass but those that are given."""
    given = {finding.check: finding for finding in findings}
    ratios = np.geomspace(0.02, 7.5, len(BATTERY))
    found = [given.get(check.name) or passing(check.name, r) for check, r in zip(BATTERY, ratios, strict=True)]
    return Result(name, dtype, "cpu", 1.5, tuple(found))


def run(losses: list[float]) -> Run:
    return Run(losses, {"training loss": losses[-1], "test loss": losses[-1]}, 0.5)


def faults(name: str, blame: str = "scratch") -> Row:
    cells = []
    for n, fault in enumerate(FAULTS[:6]):
        expected = Expected("backward", ("fc",), ("gradient",), "scratch")
        where = Divergence("backward", "fc")
        cell = Cell(fault.id, f"what people do wrong, {n}", name, expected, ("gradient",), where, "scratch")
        cells.append(replace(cell, causes=(fault.id,)))
    cells[3] = replace(cells[3], blame=blame)
    seen = [
        Sensitivity(name, dtype, "fc.weight", size, size) for dtype, size in (("float64", 2e-12), ("float32", 1e-3))
    ]
    return Row(name, tuple(cells), tuple(seen))


def figures(name: str, agrees: bool = True) -> list[Figure]:
    """What a source printed: a run that is kept, with every basis, and one that is not."""
    both, neither = dict.fromkeys(("scratch", "reference"), True), dict.fromkeys(("scratch", "reference"), False)
    said = [
        Figure(name, "300 epochs", "loss 0", "2.3026", "2.3026", "2.3026", both, Basis.DIGIT),
        Figure(name, "300 epochs", "loss 1", "2.2871", "2.2872", "2.2871", both, Basis.ENVELOPE, "in envelopes: 1"),
        Figure(name, "300 epochs", "loss 9", "0.31", "0.29", "0.33", neither, Basis.NOT_INFORMATIVE, "it passes 1 %"),
        Figure(name, "as published", "accuracy", "0.97", None, None, neither, Basis.UNAVAILABLE, "its seed is lost"),
    ]
    return said if agrees else [replace(said[0], scratch="2.3", agrees={**both, "scratch": False}), *said[1:]]


MADE = [
    Plate(
        "Curves",
        "runs/x/curves.png, as `twofold train x --backend scratch` left it.",
        (named(embedded(dot()), "curves"),),
    )
]


def green(name: str = "green-mlp") -> PairReport:
    results = [trial(name, dtype) for dtype in ("float64", "float32")]
    full_size = Result(
        f"{name} at recipe size", "float64", "cpu", 0.5, (passing("forward", 0.5), passing("gradient", 1.5))
    )
    losses = [1.0, 0.5, 0.25, 0.2, 0.1]
    runs = {"scratch": run(losses), "reference": run([losses[0] * (1 + 1e-15), *losses[1:]])}
    times = [StepTime("float64", 1.0, 2.0, 0.5), StepTime("float32", 1.0, 1.0, 1.0)]
    report = PairReport(about(name), results, full_size, runs, run(losses), faults(name), times)  # type: ignore[arg-type]
    return replace(report, sources=SOURCES, published=figures(name), made=MADE)


def fails(check: str, where: Divergence | None, **more: object) -> Finding:
    bad = Quantity(
        "recurrent.weight_ih_l0", 0.2, 1e-16, 2e15, Verdict.FAIL, relative=0.2, index=(3, 1), actual=nan, golden=0.25
    )
    reason = Blame("scratch", "the derivative of scratch's own loss, 0.25, is the reference's")
    return Finding(check, Verdict.FAIL, (bad,), first_divergence=where, blame=reason, **more)  # type: ignore[arg-type]


def lstm(name: str = "red-lstm") -> PairReport:
    """A gate's gradient is wrong from t = 6 down, and two checks more fail with it."""
    where, ratios = Divergence("backward", "recurrent"), np.full((7, 4), 0.5)
    ratios[:, 1] = 1e6
    ratios[:5] = [inf, 2e7, 3e5, 4e6]
    first = fails(
        "gradient",
        where,
        gates=GateMap("backward", ("i", "f", "g", "o"), ratios),
        probable_cause="the gate's derivative takes the cell of its own step for that of the step before",
        spot=Spot("scratch/layers/lstm.py", 88, "df = dc * c[t] * f * (1 - f)", "df", edit="c[t] -> c[t - 1]"),
    )
    bad = [trial(name, dtype, first, fails("chunks", where), fails("curve", None)) for dtype in ("float64", "float32")]
    return replace(
        green(name), results=bad, faults=f"{name}: no faults are planted where the sides do not agree (fail)"
    )


def raises(name: str = "raising-net") -> PairReport:
    """Scratch raises everywhere, and so nothing else was made."""
    told = "ValueError: shapes (5,3) and (4,7) not aligned at linear.py:33"
    where = Divergence("forward", "fc")
    found = [
        Finding(
            check.name, Verdict.FAIL, reason=told, first_divergence=where, blame=Blame("scratch", "it alone raises")
        )
        for check in BATTERY
    ]
    results = [Result(name, dtype, "cpu", 0.1, tuple(found)) for dtype in ("float64", "float32")]
    left = {"scratch": told, "reference": run([1.0, 0.5, 0.25, 0.2, 0.1])}
    none = f"{name}: no faults are planted where the sides do not agree without one (fail)"
    report = replace(green(name), results=results, full_size=told, runs=left, faults=none)  # type: ignore[arg-type]
    return replace(report, times=told)


def unproven(verdict: Verdict, name: str) -> PairReport:
    found = Finding("gradient", verdict, (Quantity("fc.bias", 0, 1, 0, verdict, reason="it is below 8 floors"),))
    return replace(green(name), results=[trial(name, dtype, found) for dtype in ("float64", "float32")])


def stopped(name: str = "lost-net", missing: str = "") -> PairReport:
    reason = f"data lacks {missing}" if missing else "MemoryError: no room at trial.py:3"
    none = f"{name}: no faults were planted: nothing was measured"
    return PairReport(replace(about(name), missing=missing), [], "", {}, "", none, stopped=reason)


def training_raises(name: str = "diverging-net") -> PairReport:
    whole = green(name)
    return replace(whole, runs={**whole.runs, "scratch": "Diverged: diverged in step 2 at train.py:90"})


def survivor(name: str = "blind-net") -> PairReport:
    return replace(green(name), faults=faults(name, blame="reference"))


KINDS = {
    "differs": lstm(),
    "raises": raises(),
    "vacuous": unproven(Verdict.VACUOUS, "vacuous-net"),
    "inconclusive": unproven(Verdict.INCONCLUSIVE, "undecided-net"),
    "stopped": stopped(),
    "skipped": stopped("skipped-net", "mnist/train-images-idx3-ubyte"),
    "training raises": training_raises(),
    "a mistake survives": survivor(),
    "green": green(),
}
