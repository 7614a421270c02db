"""Given the line of a mistake alone: the edit under which every comparison agrees; and no edit of a line beside it."""

import gc
import re
import warnings
from difflib import SequenceMatcher
from pathlib import Path
from types import CodeType
from unittest.mock import patch

import numpy as np
import pytest

from tests.own.case import STYLES, Truth, folder
from tests.own.truth import TRUTH
from twofold import judge
from twofold.compare.judge.own import comparing
from twofold.compare.judge.own.deciding.mending import mended
from twofold.compare.judge.own.record import Compared, Record
from twofold.compare.threads import one_thread
from twofold.compare.watch.edits.applying import living
from twofold.compare.watch.edits.searching import Mended

# By kind of mistake: what is told of it, "{n}" for the line that it is in.
TOLD = {
    "params-dict:transpose": "with `W2.T` for `W2` in line {n} all",
    "params-dict:twice-mean": "with `* N` dropped in line {n} all",
    "params-dict:mask": "with `h1` for `h2` in line {n} all",
    "params-dict:no-regularisation": "with `+ self.reg * W2` put to `h1.T @ dh2` in line {n} all",
    "columns:sign": "with `(1 - Y) / (1 - AL) - Y / AL` for `Y / AL - (1 - Y) / (1 - AL)` in line {n} all",
    "char-rnn:state": "with `t - 1` for `t` in line {n} all",
    "nhwc-conv:flip": "with `W[:, :, :, c]` for `W[::-1, ::-1, :, c]` in line {n} all",
    "small-mlp:tanh": "with `1 - hidden ** 2` for `1 - hidden` in line {n} all",
    "small-mlp:repeated": "with `np.add.at(dwte, idx, demb)` for `dwte[idx] += demb` in line {n} all",
    "autograd-tensors:no-mean": "with `/ len(labels)` put to `-g` in line {n} all",
    "kernels:transpose": "with `weight` for `weight.t()` in line {n} all",
    "containers-closures:bias-mean": "with `sum` for `mean` in line {n} all",
}
BEFORE = {"params-dict:no-mean": "with `dscores = dscores / N` put before line {n} all"}
BESIDE = ("small-mlp:tanh", "columns:sign")  # one line further up


def case(name: str) -> tuple[Truth, Record, Compared, str, list[int]]:
    """The record of a wrong form, its first failing comparison, its file, and the lines of the mistake there."""
    truth = next(truth for truth in TRUTH if truth.name == name)
    call, before = truth.make(), set(folder().iterdir())
    held: list[tuple[Record, Compared]] = []
    told = comparing.told_different

    def kept(record: Record, failing: Compared):
        held.append((record, failing))
        return told(record, failing)

    with patch.object(comparing, "told_different", kept):
        judge(*call.arguments, **{"dtypes": ("float64",), **call.keywords})
    file = next(iter(max(before, key=lambda path: int(path.name)).glob("*.py")))
    lines = [(STYLES / file.name).read_text().splitlines(), file.read_text().splitlines()]
    changed = [one for one in SequenceMatcher(None, *lines, autojunk=False).get_opcodes() if one[0] != "equal"]
    numbers = [n for _, _, _, start, end in changed for n in range(start + 1, max(end, start + 1) + 1)]
    return truth, *held[0], str(file), numbers


def searched(record: Record, failing: Compared, file: str, lines: list[int]) -> Mended | None:
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return mended(record, failing, [(file, line) for line in lines], seconds=30)


def codes_of(file: str) -> set[CodeType]:
    gc.collect()
    return {function.__code__ for functions in living(file).values() for function in functions}


@pytest.mark.parametrize("name", [*TOLD, *BEFORE])
def test_the_line_of_a_mistake_can_be_mended(name: str) -> None:
    _, record, failing, file, lines = case(name)
    text = Path(file).read_text()
    codes = codes_of(file)
    found = searched(record, failing, file, lines)
    assert found is not None
    assert found.told.startswith(({**TOLD, **BEFORE}[name]).format(n=lines[0]))
    counted = re.search(r"all (\d+) comparisons agree$", found.told)
    assert counted
    assert int(counted[1]) == found.agreeing >= sum(len(one.quantities) for one in record.compared) - 2
    assert Path(file).read_text() == text
    assert codes_of(file) <= codes


@pytest.mark.parametrize("name", BESIDE)
def test_the_line_beside_it_can_not(name: str) -> None:
    _, record, failing, file, lines = case(name)
    assert searched(record, failing, file, [lines[0] - 1]) is None


def test_what_agrees_by_chance_is_none() -> None:
    """Gradients that add up agree in one call from a fresh start: what is not repeated is no mending."""
    _, record, failing, file, lines = case("layers-from-nothing:stale")
    found = searched(record, failing, file, lines)
    assert found is not None
    assert "+=" not in found.edit.new
    assert "self.grads[0][...]" in found.told
