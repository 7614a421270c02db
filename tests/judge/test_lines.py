"""A failure in scratch names its line, with the text that runs, what torch has there, and an edit that mends it."""

import json

import pytest

from tests.places import ROOT
from twofold.compare.faults import FAULTS
from twofold.compare.faults.matrix import faulty
from twofold.compare.faults.signatures import cases
from twofold.compare.judge.battery import Result, run_trial
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.diagnosis.diagnose import diagnosed
from twofold.compare.judge.diagnosis.lines import with_line
from twofold.compare.judge.evidence.resync import few_steps
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Spot, Verdict
from twofold.compare.report.results import as_json

CHECKS = ("forward", "loss", "gradient")
# The fault, the case, the file, what stands in the line, what torch has there, and part of the edit, if there is one.
PLANTED = (
    ("tanh-not-squared", "catcar-mlp", "layers/activations.py", "dout * (1 - out)", "Tanh()", "`1 - out ** 2`"),
    ("linear-bias-averaged", "fc-net-two-layer", "layers/linear.py", "dout.mean(axis=0)", "Linear(", ""),
    ("cross-entropy-not-averaged", "fc-net-two-layer", "losses.py", "", "CrossEntropyLoss()", "/ len(dx)`"),
    ("gru-update-sign", "activity-gru", "layers/recurrent.py", "np.multiply(n - h", "GRU(3, 10", "`h - n`"),
    ("lstm-cell-of-the-step", "activity-lstm", "layers/recurrent.py", "da_f[...] =", "LSTM(3, 10", ""),
)


def spot_with(fault: str, case: str) -> Spot | None:
    trial = Trial(cases()[case], "float64")
    assert trial.measured
    planted = next(one for one in FAULTS if one.id == fault)
    with few_steps(), planted.planted():
        other = faulty(trial)
        found = [diagnosed(other, CHECKS_BY_NAME[name](other)) for name in CHECKS]
        failing = next(finding for finding in found if finding.first_divergence)
        return with_line(other, failing).spot


@pytest.mark.parametrize(("fault", "case", "file", "text", "torchs", "edit"), PLANTED, ids=[one[0] for one in PLANTED])
def test_the_line_is_named(fault: str, case: str, file: str, text: str, torchs: str, edit: str) -> None:
    spot = spot_with(fault, case)
    assert spot is not None
    assert spot.file == f"scratch/{file}", spot
    assert text in spot.text, spot
    assert torchs in spot.reference, spot
    assert edit in spot.edit, spot
    assert "comparisons agree" in spot.edit or not spot.edit


@pytest.mark.parametrize(("fault", "case"), [one[:2] for one in PLANTED if "gru" in one[0] or "tanh" in one[0]])
def test_the_same_line_each_time(fault: str, case: str) -> None:
    """Whatever stands in memory: what is judged twice in one process is told twice alike, with the same edit."""
    first, *others = [spot_with(fault, case) for _ in range(3)]
    assert first is not None
    assert all(other == first for other in others)


def test_what_is_forgotten_names_the_method_that_should() -> None:
    spot = spot_with("linear-bias-forgotten", "fc-net-two-layer")
    assert spot is not None
    assert (spot.file, spot.name, spot.edit) == ("scratch/layers/linear.py", "", ""), spot
    lines = (ROOT / spot.file).read_text().splitlines()
    assert lines[spot.line - 1].strip() == spot.text
    assert spot.text.startswith("def backward(")


def test_right_code_has_no_line() -> None:
    result = run_trial(Trial(cases()["fc-net-two-layer"], "float64"), [CHECKS_BY_NAME[name] for name in CHECKS])
    assert result.passed
    assert all(finding.spot is None for finding in result.findings)


def test_the_line_is_in_the_json() -> None:
    spot = Spot(
        "scratch/layers/norm.py", 87, "dx = 0", "dx", edit="with `1` for `0` in line 87 all 3 comparisons agree"
    )
    finding = Finding("gradient", Verdict.FAIL, spot=spot)
    (told,) = as_json([Result("a", "float64", "cpu", 0.0, (finding,))])["results"][0]["checks"]
    assert told["line"]["file"] == "scratch/layers/norm.py"
    assert told["line"]["line"] == 87
    assert json.loads(json.dumps(told["line"]))["edit"] == spot.edit
