"""Names and words from arguments and files, in every command, picture and page: shown as they are, and nothing more."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.text import Text

from tests.command import twofold
from tests.test_names import HOSTILE
from tests.training.test_sweep import PAIR, SMALL
from twofold.compare.commands.sweep import word_table
from twofold.compare.names import plain
from twofold.compare.pairs import FILES, PAIRS
from twofold.compare.report.page.template import shown
from twofold.compare.report.pictures.confusion import confusion_matrices
from twofold.compare.report.pictures.predictions import as_text, next_words
from twofold.compare.report.plots import sheet
from twofold.compare.screen import Screen
from twofold.compare.training.sweep import Trained

# What a path can hold; slashes and zeros it cannot.
FOLDERS = [text.replace("/", "").replace("\x00", "") for text in HOSTILE if text]
LIVE = "\x1b\x07\r\x00\u202e"


@pytest.fixture
def small(undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands find a small pair and its data."""
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.setitem(PAIRS, "catcar-mlp", PAIR)
    for module in ("sweep", "planning", "evaluate"):
        monkeypatch.setattr(f"twofold.compare.commands.{module}.load", lambda name, directory: SMALL)


COMMANDS = [
    ("train", "catcar-mlp", "--backend", "scratch", "--epochs", "1", "--out"),
    ("sweep", "catcar-mlp", "--backend", "scratch", "--epochs", "1", "--set", "lr=0.1", "--out"),
    ("evaluate", "catcar-mlp", "--out"),
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["".join(FOLDERS[:4]), "".join(FOLDERS[4:9]), "".join(FOLDERS[9:])], ids=ascii)
def test_a_folder_of_any_name_is_written_to(name: str, tmp_path: Path, capsys: Any) -> None:
    """And said to have been, in one line."""
    folder = tmp_path / name
    for command, *arguments in COMMANDS:
        trained = (folder,) if command == "evaluate" else ()
        rest = arguments[1:] if command == "evaluate" else arguments
        out = folder if command == "train" else tmp_path / f"{command}-{name}"
        assert twofold(command, *trained, *rest, out) == 0
        told = capsys.readouterr().out
        (wrote,) = [line for line in told.splitlines() if line.startswith("wrote ")]
        assert plain(out) in wrote
        assert not any(letter in told for letter in LIVE)


WRONG: list[tuple[str, ...]] = [
    ("check", "NAME"),
    ("report", "NAME"),
    ("faults", "NAME"),
    ("reproduce", "NAME"),
    ("bench", "NAME"),
    ("new", "NAME"),
    ("evaluate", "/nowhere/NAME"),
    ("check", "/nowhere/NAME.py"),
    ("data", "fetch", "NAME", "--data", "."),
    ("train", "NAME", "--backend", "scratch"),
    ("train", "--config", "/nowhere/NAME"),
    ("train", "catcar-mlp", "--backend", "scratch", "--data", "/nowhere/NAME"),
    ("train", "catcar-mlp", "--backend", "scratch", "--set", "NAME"),
    ("train", "catcar-mlp", "--backend", "NAME"),
    ("sweep", "catcar-mlp", "--backend", "scratch", "--best-by", "NAME", "--set", "lr=1"),
    ("reproduce", "--data", "/nowhere/NAME"),
    ("NAME",),
]


@pytest.mark.parametrize("given", WRONG, ids=" ".join)
def test_a_wrong_name_is_one_line(given: tuple[str, ...], capsys: Any) -> None:
    for name in FOLDERS:
        assert twofold(*(word.replace("NAME", name) for word in given)) == 2
        error = capsys.readouterr().err
        assert error.startswith("twofold: ") and error.count("\n") == 1
        assert error.removesuffix("\n").isprintable()


def texts(drawing: Any) -> list[str]:
    return [text.get_text() for text in drawing.findobj(Text) if text.get_text()]


DRAWN = ["$\\frac{$ _x^2 $", "one\ntwo\r\nthree", "[/] \x1b[31mred \udcff \u202e 猫"]


@pytest.mark.parametrize("name", DRAWN, ids=ascii)
def test_a_picture_shows_a_name_as_it_is(name: str) -> None:
    """In headings, legends, labels and ticks, and beside powers of ten, which are formulas."""
    drawing, (axis, bars) = sheet.figure(2)
    axis.semilogy([1, 2], [1e-4, 1e4], label=name)
    axis.set(title=name, xlabel=name)
    axis.legend()
    bars.barh([0, 1], [1, 2])
    bars.set_yticks([0, 1], [name, name])
    drawing.suptitle(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sheet.png(drawing).startswith(b"\x89PNG")
    lines = ["\n".join(map(plain, name.split("\n")))]
    assert sum(text in lines for text in texts(drawing)) == 8  # a tick has two labels
    of_names = [text for text in drawing.findobj(Text) if text.get_text() in lines]
    assert not any(text.get_parse_math() for text in of_names)
    (powers,) = [found for found in drawing.findobj(Axis) if sheet.powers(found)]
    assert all(tick.label1.get_parse_math() for tick in powers.get_major_ticks())


def test_class_names_with_dollars_are_no_formulas() -> None:
    classes = ("$a$", "\\frac{$")
    outs, targets = np.eye(2), np.array([0, 1])
    assert sheet.png(confusion_matrices([("$x", outs, targets)], classes, "cost $5 and $6")).startswith(b"\x89PNG")


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_words_of_a_file_stay_in_their_line(word: str, capsys: Any) -> None:
    class Side:
        dtype = "float64"

    words = [word, "b"]
    split = replace(SMALL.train, inputs=np.zeros((2, 3), np.int64), targets=np.zeros(2, np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twofold.compare.report.pictures.predictions.outputs", lambda *_: (0.0, np.zeros((2, 2))))
        found = next_words(Side(), split, [0, 1], words)  # type: ignore[arg-type]
    text = as_text(found)
    assert text.count("\n") == 4 and all(line.isprintable() for line in text.splitlines())
    Screen().table(word_table("a", [Trained({"lr": 0.1}, {}, 1, 1, [], {}, {"a": [found[0].true]})]))
    assert plain(word) in capsys.readouterr().out


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_page_shows_a_name_as_it_is(name: str) -> None:
    from html import unescape

    from jinja2 import Environment

    page = Environment(autoescape=True, finalize=shown).from_string("<p title='{{ name }}'>{{ name }}</p>")
    text = page.render(name=name)
    assert text.encode() and "<script" not in text
    assert unescape(text) == "<p title='{0}'>{0}</p>".format("\n".join(map(plain, name.split("\n"))))


def test_a_checkpoint_of_a_pair_with_any_name_says_so_in_one_line(tmp_path: Path, capsys: Any) -> None:
    with h5py.File(tmp_path / "checkpoint.h5", "w") as file:
        file.attrs["configuration"] = json.dumps({"pair": "\x1b[2J\n[/]"})
    assert twofold("evaluate", tmp_path) == 2
    assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_a_pair_with_a_name_of_its_own_is_listed(monkeypatch: Any, capsys: Any) -> None:
    name = "[/] $x$ \x1b[31m\nnet"
    monkeypatch.setitem(PAIRS, name, replace(PAIR, name=name))
    monkeypatch.setitem(FILES, name, FILES["catcar-mlp"])
    assert twofold("list") == 0
    assert plain(name) in capsys.readouterr().out
    assert twofold("check", name, "--dtype", "float64", "--device", "cpu", "--json", "-") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["results"][0]["pair"] == name and "\x1b" not in captured.err
