"""The verbs, the verdict and how both look from outside."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from twofold import BadCall, Verdict, assert_equivalent, judge

rng = np.random.default_rng(0)
W, b = rng.normal(size=(3, 2)), rng.normal(size=2)
X, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))


def loss(X: np.ndarray, y: np.ndarray) -> tuple[float, dict]:
    d = 2 * (X @ W + b - y) / y.size
    return ((X @ W + b - y) ** 2).mean(), {"W": X.T @ d, "b": d.sum(axis=0)}


def wrong(X: np.ndarray, y: np.ndarray) -> tuple[float, dict]:
    value, grads = loss(X, y)
    return value, grads | {"b": -grads["b"]}


def verdict_on(scratch: object) -> Verdict:
    return judge(scratch, nn.Linear(3, 2), X, y, loss=nn.MSELoss(), dtypes=("float64",))


def test_assert_equivalent_says_the_verdict() -> None:
    assert assert_equivalent(loss, nn.Linear(3, 2), X, y, loss=nn.MSELoss()).same
    with pytest.raises(AssertionError) as error:
        assert_equivalent(wrong, nn.Linear(3, 2), X, y, loss=nn.MSELoss(), dtypes=("float64",))
    assert str(error.value) == str(verdict_on(wrong))


def test_a_verdict_can_be_frozen() -> None:
    """The layout that is printed is the one to pass, and then needs no search."""
    found = verdict_on(loss)
    again = judge(loss, nn.Linear(3, 2), X, y, loss=nn.MSELoss(), layout=found.layout)
    assert again.same and again.layout == found.layout == {"weight": "W.T", "bias": "b"}


def test_twice_is_the_same_word_for_word() -> None:
    assert str(verdict_on(wrong)) == str(verdict_on(wrong))


def test_what_is_the_same_has_nothing_to_reproduce(tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="expected a verdict with numbers"):
        verdict_on(loss).reproduce(tmp_path)


def test_a_difference_is_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a script that calls the user's own code again, on the numbers that are kept."""
    (tmp_path / "users.py").write_text(
        "import numpy as np\nW, b = np.zeros((3, 2)), np.zeros(2)\n"
        "def wrong(X, y):\n    d = X @ W + b - y\n    return (d**2).mean(), {'W': 2 * X.T @ d / y.size, 'b': 0 * b}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import users  # type: ignore[import-not-found]

    verdict = verdict_on(users.wrong)
    script = verdict.reproduce(tmp_path / "repro")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert "wrong gives:" in done.stdout
    off = float(done.stdout.splitlines()[-1].split()[2])
    assert off == pytest.approx(max(q.error for q in verdict.quantities if q.name.startswith("b, float64, random")))


TEST = """
import numpy as np
from torch import nn
from twofold import assert_equivalent

W = np.ones((3, 2))
X, y = np.random.default_rng(0).normal(size=(6, 3)), np.random.default_rng(1).normal(size=(6, 2))

def loss(X, y):
    d = X @ W - y
    return (d**2).mean(), {"W": X.T @ d / y.size}

def test_wrong():
    assert_equivalent(loss, nn.Linear(3, 2, bias=False), X, y, loss=nn.MSELoss())

def test_call():
    assert_equivalent(loss, nn.Linear(3, 2, bias=False), X, y[:5], loss=nn.MSELoss())
"""


def test_in_pytest_no_frame_of_ours_is_shown(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout
    assert "not the same: scratch is wrong, in W" in printed
    assert "2 failed" in printed
    assert "compare/judge" not in printed and "compare/sides" not in printed
