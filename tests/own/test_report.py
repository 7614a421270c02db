"""The page of a user's own pair: the verdict first, his line marked in his source, torch's beside it."""

import json
import re
from dataclasses import replace
from functools import partial
from html import unescape
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from tests.own.case import written
from tests.own.test_page import examples
from tests.report.test_page import Tree
from twofold import Verdict
from twofold.compare.errors import BadInput
from twofold.compare.judge.finding import Quantity
from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.judge import again
from twofold.compare.judge.own.telling.verdict import Place
from twofold.compare.report.page.own.page import page, tensors
from twofold.compare.report.page.own.sources import pieces_of
from twofold.compare.report.sources import Piece

EXAMPLE = {example.name: example for example in examples()}
FILE = """import numpy as np


class Dense:
    def __init__(self):
        self.W = np.ones((2, 3))

    @property
    def size(self):
        return helper(self.W)

    def forward(self, x):
        return x @ self.W

    def backward(self, d):
        return d @ self.W.T


def helper(x):
    return [twice(y) for y in x]


def twice(x):
    return 2 * x


def unused(x):
    return x


first = Dense()


def once(x):
    return first.forward(x)


def closed():
    inner = Dense()

    def loss(x):
        return inner.forward(x)

    return loss


square = lambda x: x * x
loss = closed()
"""


@pytest.fixture(scope="module")
def stranger() -> Any:
    return written("stranger", FILE)


def judged(name: str, mistaken: bool) -> Verdict:
    example = EXAMPLE[name]
    code = example.code.replace(example.old, example.new) if mistaken else example.code
    return written(name, code.replace("assert_equivalent", "judge")).verdict


def text_of(page: str) -> str:
    whole = re.sub(r"</?span[^>]*>", "", page.partition("<body>")[2])
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", whole)).split())


def must_be_whole(text: str) -> None:
    """Tags as they nest, one h1, names of regions and tables, links that lead on, and nothing from elsewhere."""
    tree = Tree(text)
    assert not tree.open
    assert [len(tree.of(landmark)) for landmark in ("header", "main", "nav", "h1")] == [1, 1, 1, 1]
    assert len(tree.of("caption")) == len(tree.of("table"))
    ids = [a["id"] for _, a in tree.found if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in tree.of("a")} <= {f"#{name}" for name in ids}
    assert all(a["aria-label"] for _, a in tree.found if a.get("role") == "region")
    assert not tree.of("script", "link", "iframe", "img") and not re.search(r"src=|url\(|@import", text)


def test_a_mistake_is_a_page_with_its_line_marked(tmp_path: Path) -> None:
    verdict = judged("two-layers", mistaken=True)
    assert verdict.report(tmp_path / "page.html") == verdict.report()
    text = (tmp_path / "page.html").read_text()
    must_be_whole(text)
    assert Tree(text).texts["h1"] == ["not the same: scratch is wrong, in b2"]
    order = (
        "divided by the batch size",
        "two-layers.py:16",
        "d.mean(axis=0)",
        "with `sum` for `mean` in line 16",
        'verdict.reproduce("repro")',
        "30 comparisons, 6 of them beyond the limit",
        "b2 in each run, the worst first; of each the row that is off by most floors",
        "def loss(X, y):",
        "Linear(in_features=4, out_features=5, bias=True)",
        "not checked",
    )
    read = text_of(text)
    places = [read.index(words) for words in order]
    assert places == sorted(places)
    (ident,) = re.findall(r'<span class="row here" id="([\w-]+)" data-n="16">', text)
    assert f'<a href="#{ident}">two-layers.py:16</a>' in text
    assert text.count('<details class="module" open>') == 1
    assert "Sequential(Module)" not in text and "def cross_entropy" not in text  # torch's own is called, not shown
    assert "torch.nn.functional.cross_entropy" in text


def test_what_is_the_same_is_a_page_too(tmp_path: Path) -> None:
    verdict = judged("layer-functions", mistaken=False)
    verdict.report(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    must_be_whole(text)
    assert 'class="banner "' in text and 'class="why"' not in text and " open>" not in text
    assert 'class="row here"' not in text
    assert "def norm_backward" in text_of(text) and "LayerNorm((6,)" in text_of(text)


BARE = Verdict("undecided", cause="nothing is proven")
ODD = Quantity("a <b>, float64, random parameters", inf, 0, inf, Mark.FAIL, reason="NaN in scratch", actual=np.nan)
VERDICTS = {
    "nothing known": BARE,
    "nothing left of its file": replace(BARE, outcome="different", place=Place("/gone/file.py", 3), sides=(len, len)),
    "what is not finite": Verdict("different", "scratch", "<i>", quantities=(ODD,), lines=(("who", "\x1b[31m"),)),
    "a rule": Verdict("same", quantities=(Quantity("weight after step 1", 1, 1, 1, Mark.PASS),)),
}


@pytest.mark.parametrize("what", VERDICTS)
def test_whatever_is_known_is_a_page(what: str) -> None:
    text = page(VERDICTS[what])
    must_be_whole(text)
    assert "\x1b" not in text and "<i>" not in text and "a <b>" not in text


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Is a directory"):
        BARE.report(tmp_path)


def named(pieces: list[Piece]) -> list[str]:
    return [piece.name for piece in pieces]


DENSE = ["Dense", "__init__", "size", "forward", "backward"]
HELPERS = ["helper", "twice"]
SHOWN = {
    "a function and what it uses": ("once", [*DENSE, *HELPERS, "once"]),
    "a helper": ("helper", HELPERS),
    "an object": ("first", [*DENSE, *HELPERS]),
    "its class": ("Dense", [*DENSE, *HELPERS]),
    "its method": ("first.forward", [*DENSE, *HELPERS]),
    "a pair": ("first.forward, first.backward", [*DENSE, *HELPERS]),
    "a part": ("partial(first.forward)", [*DENSE, *HELPERS]),
    "a closure": ("loss", [*DENSE, *HELPERS, "loss"]),
    "a lambda": ("square", [""]),
    "what Python has not made": ("np.dot", []),
    "an array": ("np.ones(3)", []),
}


@pytest.mark.parametrize("what", SHOWN)
def test_a_side_is_shown_with_what_it_uses(what: str, stranger: Any) -> None:
    text, names = SHOWN[what]
    side = eval(text, {**vars(stranger), "partial": partial})
    assert named(pieces_of(side)) == names


def test_every_piece_stands_at_its_line(stranger: Any) -> None:
    lines = FILE.splitlines()
    for piece in pieces_of((stranger.once, stranger.loss, stranger.square)):
        first = piece.text.splitlines()[0]
        assert lines[piece.line - 1].strip() == first.strip()


def test_the_line_that_is_told_of_is_shown_in_any_case(stranger: Any) -> None:
    line = FILE.splitlines().index("def unused(x):") + 2
    assert named(pieces_of(stranger.helper, (stranger.__file__, line))) == [*HELPERS, "unused"]


def test_torchs_own_is_told_by_how_it_is_built() -> None:
    class Mine(nn.Module):
        def forward(self, x: Any) -> Any:
            return x

    found = pieces_of([nn.Sequential(nn.ReLU(), Mine()), nn.functional.mse_loss])
    assert named(found)[:2] == ["Mine", "forward"]
    assert [piece.text for piece in found[2:]] == [
        "Sequential(\n  (0): ReLU()\n  (1): Mine()\n)",
        "torch.nn.functional.mse_loss",
    ]


def test_a_torch_function_with_its_own_backward_is_shown_whole() -> None:
    made = written("swish", EXAMPLE["autograd-function"].code.partition("verdict =")[0])
    assert named(pieces_of(made.Swish.apply)) == ["Swish", "forward", "backward"]


def test_a_tensor_that_any_run_proves_is_proven() -> None:
    runs = (
        Quantity("b, float64, other data", 1e-17, 1e-16, 0.1, Mark.VACUOUS),
        Quantity("b, float64, random parameters", 2e-17, 1e-16, 0.2, Mark.PASS),
    )
    (told,) = tensors(runs, 80)
    assert told.bar and (told.bar.text, len(told.figures)) == ("0.2", 2)
    (told,) = tensors(runs[:1], 80)
    assert told.bar and told.bar.text == "∅ 0.1"


def test_the_command_is_that_of_a_file_or_keeps_the_numbers(stranger: Any) -> None:
    assert again(BARE) == ""
    where = {"again": again, "BARE": BARE, "__name__": "__main__", "__file__": "my file.py"}
    exec(compile("told = again(BARE)", "my file.py", "exec"), where)
    assert where["told"] == "twofold check 'my file.py'"


def test_json_holds_neither_side() -> None:
    verdict = replace(BARE, sides=(len, nn.ReLU()), command="x")
    assert json.dumps(verdict.to_json()) and "sides" not in verdict.to_json() and "sides" not in repr(verdict)
