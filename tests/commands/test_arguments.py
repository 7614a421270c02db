"""Odd arguments and surroundings: one line that says what was meant, names that are never folded, and each status."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import twofold
from tests.commands.test_own_file import CALL, FILE
from tests.places import ROOT
from twofold.compare.data import known
from twofold.compare.errors import Status
from twofold.compare.judge.battery import Result
from twofold.compare.judge.finding import Finding, Verdict, status_of
from twofold.compare.pairs import PAIRS
from twofold.compare.report.console import side_by_side

MEANT = [
    (("check", "MNIST-CNN"), "unknown pair 'MNIST-CNN'; did you mean mnist-cnn? `twofold list` names all"),
    (("check", "mnist_cnn"), "did you mean mnist-cnn?"),
    (("check", "mnist-cnnn"), "did you mean mnist-cnn,"),
    (("check", "qqqqqq"), "unknown pair 'qqqqqq'; there are activity-rnn, "),
    (("report", "Sine-RNN"), "did you mean sine-rnn?"),
    (("faults", "SINE-RNN"), "did you mean sine-rnn?"),
    (("bench", "SINE-RNN"), "did you mean sine-rnn?"),
    (("reproduce", "MNIST-CNN"), "; did you mean mnist-cnn?"),
    (("train", "Catcar_MLP", "--backend", "scratch"), "did you mean catcar-mlp?"),
    (("train", "catcar-mlp", "--backend", "scratch", "--set", "LR=1"), "; did you mean lr?"),
    (("train", "catcar-mlp", "--backend", "scratch", "--set", "lr=1e400"), "expected a finite number, found '1e400'"),
    (
        ("train", "catcar-mlp", "--backend", "scratch", "--set", "hidden=0"),
        "hidden=0: Linear expected out_features of 1 or more, found 0",
    ),
    (("sweep", "catcar-mlp", "--backend", "scratch", "--best-by", "Loss", "--set", "lr=1"), "; did you mean loss?"),
    (("Check", "mnist-cnn"), "check"),
    (("check", "--epoch"), "--epoch"),
]


@pytest.mark.parametrize(("arguments", "message"), MEANT, ids=[" ".join(row[0]) for row in MEANT])
def test_what_was_meant(arguments: tuple[str, ...], message: str, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    assert twofold(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("width", ["0", "20", "80", "200", "nonsense"])
def test_names_are_whole_at_any_width(width: str, monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert twofold("list") == 0
    assert set(PAIRS) <= set(capsys.readouterr().out.replace(",", " ").split())
    for more in ((), ("--data", tmp_path)):
        assert twofold("data", *more) == 0
        words = capsys.readouterr().out.replace(";", " ").split()
        assert {name for entry in known() for file in entry.files for name in (entry.name, *file)} <= set(words)


def test_faults_are_whole_at_eighty_columns(monkeypatch: Any, capsys: Any) -> None:
    """And the line of each case stands before the table."""
    ids = ("F1-tanh", "tanh-not-squared", "tanh-loses-the-sign-of-zero")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("twofold.compare.commands.faults.everywhere", lambda cases: [(case, ids) for case in cases])
    assert twofold("faults", "catcar-mlp", "--jobs", "500") == 0
    out = capsys.readouterr().out
    assert set(ids) <= set(out.split())
    assert out.startswith(f"catcar-mlp: {len(ids)} of {len(ids)} faults found\n")


def result(pair: str) -> Result:
    return Result(pair, "float64", "cpu", 0.0, (Finding("names", Verdict.PASS),))


@pytest.mark.parametrize(
    ("names", "width", "sizes"),
    [(["a"] * 8, 200, [6, 2]), (["a" * 40] * 3, 80, [1, 1, 1]), (["a" * 300], 80, [1]), ([], 80, [])],
)
def test_tables_of_checks_have_the_columns_that_fit(names: list[str], width: int, sizes: list[int]) -> None:
    """Each as soon as its results are there."""
    begun: list[str] = []

    def found() -> Iterator[Result]:
        for name in names:
            begun.append(name)
            yield result(name)

    assert list(map(len, side_by_side(found(), width))) == sizes
    if sizes and sizes[0] > 1:
        begun.clear()
        next(iter(side_by_side(found(), width)))
        assert len(begun) == sizes[0]


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([Verdict.PASS, Verdict.PASS], Status.DONE),
        ([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE], Status.DIFFERENT),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], Status.NOTHING_PROVEN),
        ([Verdict.VACUOUS], Status.NOTHING_PROVEN),
        ([Verdict.NOT_APPLICABLE], Status.NOTHING_PROVEN),
        ([], Status.NOTHING_PROVEN),
    ],
)
def test_one_is_a_difference_and_nothing_else(verdicts: list[Verdict], status: Status) -> None:
    assert status_of(verdicts) is status


UNDECIDED = """
def judge(*arguments, **more):
    from twofold.compare.judge.own import judge as judging
    from twofold.compare.judge.own.telling.verdict import Verdict
    for listener in judging.LISTENERS:
        listener(Verdict("undecided", cause="nothing decides"))
"""


def test_an_undecided_verdict_proves_nothing(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "mine.py").write_text(FILE + UNDECIDED + CALL.format(verb="judge", name="loss"))
    assert twofold("check", tmp_path / "mine.py") == Status.NOTHING_PROVEN
    assert "0 of 1 are the same" in capsys.readouterr().out


def breaking(error: BaseException) -> Callable[..., None]:
    def run(*arguments: Any) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ZeroDivisionError("a mistake of ours"), Status.BROKEN, "ZeroDivisionError: a mistake of ours"),
        (KeyboardInterrupt(), Status.INTERRUPTED, ""),
    ],
)
def test_what_ends_a_command_otherwise(
    error: BaseException, status: Status, told: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("twofold.compare.commands.listing.run", breaking(error))
    assert twofold("list") == status
    assert told in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_difference() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "twofold", "list"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(60) == Status.UNREAD


@pytest.mark.parametrize("surrounding", [{"MPLBACKEND": "nonsense"}, {"MPLBACKEND": "qtagg", "COLUMNS": "0"}], ids=str)
def test_surroundings_that_are_none_of_ours(surrounding: dict[str, str], tmp_path: Path) -> None:
    """A process of its own, for matplotlib reads them when it is imported."""
    code = "from twofold.compare.report.plots import sheet; sheet.figure(1); import os; print(os.environ['MPLBACKEND'])"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, env=surrounding, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{surrounding['MPLBACKEND']}\n"), done.stderr


def test_every_status_is_documented(capsys: Any) -> None:
    assert twofold("--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    page = (ROOT / "docs/commands.md").read_text()
    for status in Status:
        assert f"{int(status)} " in told.partition("Exit status:")[2] and f"| {int(status)} |" in page
