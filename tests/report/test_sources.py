"""The sources side by side: what is taken of the files, and how the page shows it."""

import ast
import json
import re
import textwrap
from dataclasses import replace
from html import unescape

import pytest

from tests.report.reports import KINDS, MADE_IN, SOURCES, green, lstm, raises
from tests.report.test_page import of, undrawn
from twofold.compare.judge.finding import Spot
from twofold.compare.pair import Twin
from twofold.compare.pairs import PAIRS
from twofold.compare.report.content import as_content
from twofold.compare.report.page.listing import beside, coloured, listing
from twofold.compare.report.sources import ROOT, Piece, Source, sources
from twofold.compare.strict import dumps

__all__ = ["undrawn"]
ALL = {key: source for pair in PAIRS.values() for key, source in sources(pair).items()}
LSTM = "twofold.scratch.layers.recurrent:LSTM"


@pytest.mark.parametrize("key", ALL)
def test_a_piece_is_what_its_file_has_there(key: str) -> None:
    source = ALL[key]
    assert source.reference or source.call or source.name in ("Loss", "Recurrent")
    for piece in (*source.scratch, *source.reference, *source.plain):
        count = piece.text.count("\n") + 1
        lines = (ROOT / piece.file).read_text().splitlines()[piece.line - 1 : piece.line - 1 + count]
        assert textwrap.dedent("\n".join(lines)) == piece.text
        assert piece.has(piece.file, piece.line) and not piece.has(piece.file, piece.line + count)


@pytest.mark.parametrize("key", ALL)
def test_no_line_of_a_class_is_left_out(key: str) -> None:
    name = key.partition(" ")[0].rpartition(":")[2]
    pieces = ALL[key].scratch
    text = (ROOT / pieces[0].file).read_text()
    (node,) = [n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == name]
    shown = {piece.line + n for piece in pieces for n in range(piece.text.count("\n") + 1)}
    lines = text.splitlines()
    assert [n for n in range(node.lineno, (node.end_lineno or 0) + 1) if n not in shown and lines[n - 1].strip()] == []


def test_torchs_own_are_told_by_their_call() -> None:
    assert ALL[LSTM].call == "torch.nn.LSTM(input_size, hidden_size, bias=True, batch_first=False)"
    assert ALL["twofold.scratch.layers.dropout:Dropout"].call == "torch.nn.Dropout(p=0.5)"
    assert ALL["twofold.scratch.module:Sequential"].call == "torch.nn.Sequential(*layers)"
    assert not ALL["twofold.scratch.losses:HalfMSELoss"].call


def test_one_of_scratchs_is_shown_beside_each_of_the_references() -> None:
    home = "twofold.scratch.models.two_conv_net:TwoConvNet"
    heads = {key: source.reference[0].name for key, source in ALL.items() if key.startswith(home)}
    assert sorted(heads.values()) == ["RawTwoConvNet", "SequentialTwoConvNet", "TwoConvNet"]
    raw = ALL[f"{home} RawTwoConvNet"].reference
    assert [(p.name, p.file.rpartition("/")[2]) for p in raw][-2:] == [("relu", "raw.py"), ("forward", "raw.py")]


def test_the_textbooks_form_stands_behind_the_fast_one() -> None:
    assert {s.name: s.plain[0].name for s in ALL.values() if s.plain} == {
        "Conv2d": "LoopConv2d",
        "MaxPool2d": "LoopMaxPool2d",
    }


def test_a_line_that_is_told_of_is_always_shown() -> None:
    """Also one of a function, or of a class that all share."""
    for file, name in (("scratch/layers/recurrent.py", "def add_gradients"), ("scratch/module.py", "class Module:")):
        line = next(n for n, text in enumerate((ROOT / file).read_text().splitlines(), 1) if text.startswith(name))
        found = sources(PAIRS["activity-lstm"], [Spot(file, line + 1, "")])
        assert any(piece.has(file, line + 1) for source in found.values() for piece in source.scratch)
    assert sources(PAIRS["activity-lstm"], [Spot("/elsewhere/mine.py", 3, "")]).keys() <= ALL.keys()


def test_a_class_comes_before_what_it_is_derived_from() -> None:
    names = [source.name for source in sources(PAIRS["catcar-mlp"]).values()]
    assert names[:3] == ["CatCarMLP", "Sequential", "Linear"]
    assert names.index("HalfMSELoss") < names.index("MSELoss") < names.index("Loss")


def test_a_model_that_cannot_be_built_has_its_source_all_the_same() -> None:
    pair = PAIRS["activity-lstm"]
    broken = replace(pair, model=Twin(pair.model.scratch, pair.model.reference, {"cell": "none"}))
    assert "twofold.scratch.models.activity:Activity" in sources(broken)


def test_methods_of_one_name_stand_beside_each_other() -> None:
    rows = beside(SOURCES["nets:Net"])
    assert [(a and a.name, b and b.name) for a, b in rows] == [("Net", "Net"), ("backward", None), (None, "more")]
    other = Source("A", (Piece("A", "a.py", 1, ""),), (Piece("B", "b.py", 1, ""), Piece("f", "b.py", 2, "")))
    assert [(a and a.name, b and b.name) for a, b in beside(other)] == [("A", "B"), (None, "f")]


def test_colours_leave_the_text_as_it_is() -> None:
    for source in ALL.values():
        for piece in source.scratch:
            assert [unescape(re.sub(r"<[^>]*>", "", line)) for line in coloured(piece.text)] == piece.text.split("\n")
    (line,) = coloured("if x < 1:  # \x1b[31m \u202e")
    assert line == (
        '<span class="k">if</span> x &lt; <span class="s">1</span>:  <span class="c"># \\x1b[31m \\u202e</span>'
    )


def test_the_faulty_line_is_marked_and_linked_to() -> None:
    text = of(green(), lstm())
    (ident,) = re.findall(r'<span class="row here" id="([\w-]+)" data-n="88">', text)
    assert text.count(f'<a href="#{ident}">scratch/layers/lstm.py:88</a>') == 1
    assert text.count('class="row here"') == 1
    assert re.search(r'<details class="source" id="source-lstm-LSTM" open>', text)
    assert 'id="source-nets-Net">' in text
    assert 'class="row here"' not in of(green())


def test_the_line_that_raises_is_marked_where_it_is_shown() -> None:
    lines = "\n".join(["def forward(self, x):", *(f"    y{n} = x" for n in range(5))])
    linear = Source("Linear", (Piece("forward", "scratch/layers/linear.py", 30, lines),))
    text = of(replace(raises(), sources={"linear:Linear": linear}))
    assert 'data-n="33"><span class="hidden">' in text and '">scratch/layers/linear.py:33</a>' in text
    assert '<code class="line">y2 = x</code>' in text
    assert 'class="row here"' not in of(raises())


def test_a_line_that_two_classes_share_has_one_id() -> None:
    twice = {**SOURCES, "other:LSTM": SOURCES["lstm:LSTM"]}
    found = listing([replace(lstm(), sources=twice)], ["scratch/layers/lstm.py:88"])
    ids = [line.id for s in found.sources.values() for row in s.rows for p in row if p for line in p.lines if line.id]
    assert ids == list(found.marked.values()) and len(ids) == 1


def test_a_class_is_drawn_once_and_written_once() -> None:
    pairs = [green(name) for name in ("one", "two", "three")]
    assert of(*pairs).count("class Net(Module)") == of(pairs[0]).count("class Net(Module)")
    content = json.loads(dumps(as_content(pairs, MADE_IN)))
    assert content["sources"].keys() == SOURCES.keys()
    assert all(one["sources"] == list(SOURCES) for one in content["pairs"])


def test_a_pair_without_sources_is_a_page_all_the_same() -> None:
    bare = replace(KINDS["differs"], sources={})
    assert 'id="sources"' not in of(bare) and "scratch/layers/lstm.py:88" in of(bare)


def test_all_of_them_are_small() -> None:
    """A part of the 5 MB that the page of all pairs may have."""
    every = replace(green(), sources=ALL)
    assert len(of(every)) - len(of(replace(green(), sources={}))) < 600_000
