"""`twofold check FILE.py`: the verdicts of a user's own file, and what is said where there are none."""

import json
from pathlib import Path

import pytest

from tests.command import twofold

FILE = """
import numpy as np
from torch import nn
from twofold import assert_equivalent, judge

W = np.random.default_rng(0).normal(size=(3, 2))

def loss(X, y):
    d = X @ W - y
    return (d**2).mean(), {"W": 2 * X.T @ d / y.size}

def wrong(X, y):
    value, grads = loss(X, y)
    return value, {"W": 2 * grads["W"]}

X, y = np.random.default_rng(1).normal(size=(6, 3)), np.random.default_rng(2).normal(size=(6, 2))
"""
CALL = "{verb}({name}, nn.Linear(3, 2, bias=False), X, y, loss=nn.MSELoss())\n"


@pytest.mark.parametrize(
    ("calls", "status", "told"),
    [
        ([("judge", "loss")], 0, ["same: loss and Linear", "1 of 1 are the same"]),
        ([("judge", "wrong"), ("judge", "loss")], 1, ["scratch is wrong, in W", "same: loss", "1 of 2 are the same"]),
        ([("assert_equivalent", "wrong")], 1, ["scratch is wrong, in W", "0 of 1 are the same"]),
        ([], 2, ["no call of judge was made in", "loss", "judge(loss, net, X, y"]),
    ],
)
def test_every_call_gives_its_verdict(
    calls: list[tuple[str, str]], status: int, told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "mynet.py"
    file.write_text(FILE + "".join(CALL.format(verb=verb, name=name) for verb, name in calls))
    assert twofold("check", str(file)) == status
    printed = capsys.readouterr().out
    for words in told:
        assert words in printed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0", "mynet.py:1 raises ZeroDivisionError"),
        ("from twofold import judge\njudge(3, 4)", "reference: expected an nn.Module"),
        ("assert 1 == 2", "raises AssertionError"),
    ],
)
def test_a_file_that_raises_is_one_line(text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "mynet.py"
    file.write_text(text)
    assert twofold("check", str(file)) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_no_file_and_a_mixture(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert twofold("check", str(tmp_path / "gone.py")) == 2
    assert "found no file" in capsys.readouterr().err
    assert twofold("check", str(tmp_path / "gone.py"), "fc-net") == 2
    assert "found both" in " ".join(capsys.readouterr().err.split())


def test_json(tmp_path: Path) -> None:
    file, out = tmp_path / "mynet.py", tmp_path / "out.json"
    file.write_text(FILE + CALL.format(verb="judge", name="wrong"))
    assert twofold("check", str(file), "--json", str(out)) == 1
    (verdict,) = json.loads(out.read_text())["verdicts"]
    assert (verdict["outcome"], verdict["side"], verdict["tensor"]) == ("different", "scratch", "W")
